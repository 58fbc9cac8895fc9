# frozen_string_literal: true

require "json"
require "uri"

module InnoAI
  module Transport
    # A request as a value.
    class Call
      # Methods that may be repeated whatever became of the first one (RFC 9110 §9.2.2). PATCH is among them,
      # since innoai's sets what is given and adds nothing up.
      IDEMPOTENT = %w[GET PUT PATCH DELETE].freeze
      # All that are sent.
      VERBS = [*IDEMPOTENT, "POST"].freeze
      # The header by which the server knows a repeated request.
      KEY = "idempotency-key"

      # @return [String] `GET`
      attr_reader :verb
      # @return [String] below the base URL: `/keys`
      attr_reader :path
      # @return [Hash]
      attr_reader :query
      # @return [String, nil] JSON
      attr_reader :body
      # @return [Hash{String => String}] names in lower case
      attr_reader :headers
      # @return [Symbol] :client is what the client sends on every request (its key or current token), :key is
      #   always the API key, :none is no Authorization at all
      attr_reader :credential
      # @return [Class, nil] the record that the answer is made into; nil where there is nothing in it
      attr_reader :answer
      # @return [Numeric, nil] seconds without a byte that count as a lost connection, else the client's timeout
      attr_reader :silence

      # @param repeatable [Boolean] whether a repeated request does no harm, though its method says otherwise
      # @param idempotency_key [String, nil] makes any request repeatable
      def initialize(verb, path, answer = nil, body: nil, query: {}, headers: {}, credential: :client,
                     repeatable: false, idempotency_key: nil, silence: nil)
        raise ArgumentError, "the method is one of #{VERBS.join(", ")}" unless VERBS.include?(verb)

        @verb = verb
        @path = path
        @answer = answer
        @body = body && Call.json(body)
        @query = query.compact
        @headers = headers.merge({ KEY => idempotency_key }.compact)
        @credential = credential
        @repeatable = repeatable || IDEMPOTENT.include?(verb) || !idempotency_key.nil?
        @silence = silence
        freeze
      end

      # Whether it may be sent again when nobody knows what became of it.
      def repeatable?
        @repeatable
      end

      # @return [String] with the query
      def target
        query.empty? ? path : "#{path}?#{URI.encode_www_form(query)}"
      end

      def inspect
        "#<#{self.class} #{verb} #{path}>"
      end
      alias to_s inspect

      # A body as JSON. Raises ArgumentError on what JSON cannot say, such as NaN or broken UTF-8.
      def self.json(body)
        JSON.generate(body)
      rescue JSON::GeneratorError, EncodingError => e
        raise ArgumentError, "the request cannot be written as JSON: #{e.message[0, 100]}", cause: nil
      end
    end
  end
end
