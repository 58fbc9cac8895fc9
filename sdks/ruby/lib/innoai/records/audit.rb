# frozen_string_literal: true

require_relative "../record"

# The audit log.
module InnoAI
  # Who did it. Of a token `id` is its jti, and `key_id` the key that it came from.
  class Actor < Record
    attributes :kind, :id, :key_id, :customer_id
  end

  # What was done, by whom, from where; before and after without secrets. at: RFC 3339, and text here, since
  # the digest covers it as it was written. `digest` is the member `hash`, a name that Ruby needs itself.
  class AuditEntry < Record
    attributes :id, :object, :sequence, :at, :action, :target_id, :address, :request_id, :before, :after,
               :previous_hash
    attribute :actor, Actor
    attribute :hash, reader: :digest
  end

  # The last entry of the log.
  class AuditHead < Record
    attributes :sequence
    attribute :hash, reader: :digest
  end
end
