# frozen_string_literal: true

require_relative "innoai/version"
require_relative "innoai/errors"
require_relative "innoai/webhooks"
require_relative "innoai/audit"
require_relative "innoai/client"

# The client of an innoai server: {InnoAI::Client}. What its answers are is in {InnoAI::Record} and its
# subclasses, what it raises in {InnoAI::Error} and its subclasses; {InnoAI::Webhooks} verifies deliveries
# and {InnoAI::Audit} audit logs.
module InnoAI
end
