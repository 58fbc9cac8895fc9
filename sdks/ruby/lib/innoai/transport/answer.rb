# frozen_string_literal: true

require "json"

module InnoAI
  module Transport
    # An answer, read whole.
    class Answer
      # @return [Integer]
      attr_reader :status
      # @return [Hash{String => String}] names in lower case
      attr_reader :headers
      # @return [String] bytes
      attr_reader :body

      # Whether a status is a success.
      def self.success?(status)
        status.between?(200, 299)
      end

      def initialize(status, headers, body)
        @status = status
        @headers = headers.freeze
        @body = body.freeze
        freeze
      end

      # Whether it is a success.
      def success?
        Answer.success?(status)
      end

      # @return [String, nil] the id to quote to the operator
      def request_id
        headers["x-request-id"]
      end

      # @return [Object] the body as JSON, names as symbols. Raises UnreadableAnswer where it is none.
      def json
        JSON.parse(text, symbolize_names: true)
      rescue JSON::ParserError, EncodingError
        # The parser's own message shows a part of the body, which may hold a secret.
        raise unreadable("what is no JSON"), cause: nil
      end

      # @return [Hash{Symbol => Object}] the body as JSON. Raises UnreadableAnswer where it is no object.
      def object
        json.tap do |object|
          raise unreadable("JSON that is no object") unless object.is_a?(Hash)
        end
      end

      # Raises UnreadableAnswer unless it says that something is done: by 204, or `{}` to a POST.
      # @return [nil]
      def nothing(verb)
        return if status == 204
        raise unreadable("something else than innoai's") unless verb == "POST"

        object
        nil
      end

      # @return [Object, nil] the body as JSON, nil where it is none
      def json_or_nil
        json
      rescue APIError
        nil
      end

      # @return [String] the body as UTF-8; what is none is replaced
      def text
        body.dup.force_encoding(Encoding::UTF_8).scrub
      end

      def inspect
        "#<#{self.class} #{status}, #{body.bytesize} bytes>"
      end
      alias to_s inspect

      private

      def unreadable(what)
        UnreadableAnswer.new("the server answered #{status} with #{what}: look at base_url, which ends in /v1",
                             headers: headers)
      end
    end
  end
end
