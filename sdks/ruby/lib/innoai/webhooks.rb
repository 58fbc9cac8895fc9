# frozen_string_literal: true

require "openssl"

module InnoAI
  # Is this webhook from our server? Two signatures of the same secret; either alone proves the sender.
  #
  # {verify} checks `x-innoai-signature`; {verify_standard} the Standard Webhooks headers, which stop replays too.
  # Both take the body's exact bytes, as they came, and answer true or false. {sign} and {sign_standard} make
  # what they check, for tests of a receiver.
  module Webhooks
    # Seconds that a delivery's timestamp may differ from the receiver's clock.
    DEFAULT_TOLERANCE = 300

    SECRET_PREFIX = "whsec_"
    SCHEME = "v1"
    BASE64 = %r{\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\z}
    SECONDS = /\A\s*[+-]?[0-9]+\s*\z/
    private_constant :SECRET_PREFIX, :SCHEME, :BASE64, :SECONDS

    module_function

    # Whether the signature is the lower-case hex HMAC-SHA256 of the payload; compared in constant time.
    # @param payload [String] the body as it came: `request.raw_post` in Rails, `request.body.read` in Rack
    # @param signature [String, nil] the header `x-innoai-signature`
    # @param secret [String] raises ArgumentError when it is empty, with which anyone could sign
    def verify(payload, signature, secret)
      same?(signature.to_s, sign(payload, secret))
    end

    # @return [String] the payload's `x-innoai-signature`
    def sign(payload, secret)
      require_secret(secret)
      OpenSSL::HMAC.hexdigest("SHA256", secret, payload.b)
    end

    # Whether webhook-id, webhook-timestamp and webhook-signature fit the payload (Standard Webhooks 1.0). One
    # good signature of several is enough, so that a secret can be changed.
    # @param payload [String] the body as it came
    # @param headers [Hash, #each] in any spelling; Rack's `HTTP_WEBHOOK_ID` too
    # @param secret [String] base64, with or without `whsec_`; raises ArgumentError when it is none, or empty
    # @param tolerance [Numeric] seconds that the timestamp may lie off `now`
    # @param now [Numeric] seconds since the epoch
    def verify_standard(payload, headers, secret, tolerance: DEFAULT_TOLERANCE, now: Time.now.to_f)
      key = standard_key(secret)
      id, timestamp, signatures = named(headers).values_at("webhook-id", "webhook-timestamp", "webhook-signature")
      return false unless id && signatures && timestamp&.match?(SECONDS)
      return false if (now - Integer(timestamp, 10)).abs > tolerance

      expected = standard_signature(payload, id, timestamp, key)
      signatures.split.map { |signature| same?(signature, expected) }.any?
    end

    # @return [String] the `webhook-signature` of a payload beside that webhook-id and webhook-timestamp (Unix
    #   seconds)
    def sign_standard(payload, id, timestamp, secret)
      standard_signature(payload, id, timestamp.to_s, standard_key(secret))
    end

    class << self
      private

      def standard_signature(payload, id, timestamp, key)
        signed = [id, timestamp, payload].map(&:b).join(".".b)
        "#{SCHEME},#{[OpenSSL::HMAC.digest("SHA256", key, signed)].pack("m0")}"
      end

      def standard_key(secret)
        require_secret(secret)
        text = secret.delete_prefix(SECRET_PREFIX)
        unless text.match?(BASE64)
          raise ArgumentError, "the webhook secret is not base64: pass it as the server showed it"
        end

        text.unpack1("m0").tap { |key| require_secret(key) }
      end

      def require_secret(secret)
        raise ArgumentError, "the webhook secret is empty: pass the endpoint's secret" if secret.to_s.empty?
      end

      # Header names as HTTP/2 writes them.
      def named(headers)
        headers.each_with_object({}) do |(name, value), all|
          all[name.to_s.downcase.delete_prefix("http_").tr("_", "-")] = value.is_a?(Array) ? value.first : value
        end
      end

      def same?(given, expected)
        given.bytesize == expected.bytesize && OpenSSL.fixed_length_secure_compare(given.b, expected.b)
      end
    end
  end
end
