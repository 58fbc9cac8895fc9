# frozen_string_literal: true

require_relative "../page"
require_relative "../records/account"
require_relative "resource"

module InnoAI
  module Resources
    # The account's end customers.
    class Customers < Resource
      # Create a customer under the account's own id for it.
      # @param metadata [Hash, nil] texts by name
      # @param rate_limit [Integer, nil] requests a minute of all its credentials together
      # @param budgets [Hash, nil] as for keys
      # @param idempotency_key [String, nil] as for keys
      # @return [Customer]
      def create(customer_id:, name: nil, metadata: nil, rate_limit: nil, budgets: nil, idempotency_key: nil)
        body = { customer_id: customer_id, name: name, metadata: metadata, rate_limit: rate_limit,
                 budgets: amounts(budgets) }.compact
        make("/customers", Customer, body: body, idempotency_key: idempotency_key)
      end

      # The account's customers.
      # @param limit [Integer, nil] customers a page, 1-100
      # @param search [String, nil] part of the customer_id or the name
      # @return [Page<Customer>]
      def list(limit: nil, cursor: nil, search: nil)
        page_of("/customers", Customer, { limit: limit, cursor: cursor, search: search })
      end

      # The customer of that account-given id.
      # @return [Customer]
      def get(customer_id)
        show(customer_path(customer_id), Customer)
      end

      # Change what is given and leave the rest. A disabled customer's tokens are refused. nil takes the name, the
      # rate limit or a budget away.
      # @return [Customer]
      def update(customer_id, name: UNSET, metadata: UNSET, disabled: UNSET, rate_limit: UNSET, budgets: UNSET)
        body = { name: name, metadata: metadata, disabled: disabled, rate_limit: rate_limit,
                 budgets: amounts(budgets) }
        change(customer_path(customer_id), Customer, body)
      end

      # Delete the customer; its tokens die with it.
      # @return [nil]
      def delete(customer_id)
        remove(customer_path(customer_id))
      end

      private

      def customer_path(customer_id)
        path("/customers", :customer_id, customer_id)
      end
    end
  end
end
