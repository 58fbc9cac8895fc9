# frozen_string_literal: true

require_relative "../page"
require_relative "../records/account"
require_relative "resource"

module InnoAI
  module Resources
    # The people of the account.
    class Members < Resource
      # Invite a person. The answer's `invite_url` is shown this once; who has it joins as that member.
      # @param role [String, Symbol, nil] `owner`, `admin`, `developer` or `viewer`; developer by default
      # @param idempotency_key [String, nil] as for keys
      # @return [Member]
      def create(email:, role: nil, name: nil, idempotency_key: nil)
        make("/members", Member, body: { email: email, role: role, name: name }.compact,
                                 idempotency_key: idempotency_key)
      end

      # The account's members.
      # @param limit [Integer, nil] members a page, 1-100
      # @return [Page<Member>]
      def list(limit: nil, cursor: nil)
        page_of("/members", Member, { limit: limit, cursor: cursor })
      end

      # The member of that id, `mem_…`.
      # @return [Member]
      def get(member_id)
        show(member_path(member_id), Member)
      end

      # Change what is given and leave the rest. The last owner stays one.
      # @return [Member]
      def update(member_id, role: UNSET, name: UNSET)
        change(member_path(member_id), Member, { role: role, name: name })
      end

      # Remove the member. The last owner stays.
      # @return [nil]
      def delete(member_id)
        remove(member_path(member_id))
      end

      private

      def member_path(member_id)
        path("/members", :member_id, member_id)
      end
    end
  end
end
