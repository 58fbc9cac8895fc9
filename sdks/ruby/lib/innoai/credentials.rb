# frozen_string_literal: true

require_relative "secret"
require_relative "token_keeper"

module InnoAI
  # What goes into the Authorization header: an API key, nothing, or the tokens of a {TokenKeeper}.
  module Credentials
    # The API key itself.
    class Key
      # @param key [String]
      def initialize(key)
        @key = Secret.new(key)
        freeze
      end

      # @return [String] what is sent
      def bearer
        @key.reveal
      end

      # Whether there is another one in place of this, which was refused. There is not.
      def renew(_refused)
        false
      end

      def inspect
        "#<#{self.class}>"
      end
      alias to_s inspect
    end

    # No Authorization at all.
    module None
      module_function

      # @return [nil]
      def bearer; end

      # See {Key#renew}.
      def renew(_refused)
        false
      end
    end
  end
end
