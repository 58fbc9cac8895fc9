# frozen_string_literal: true

require_relative "../records/auth"
require_relative "resource"

module InnoAI
  module Resources
    # Tokens, and what a credential is worth. A repeated request does no harm here, so all are repeated.
    class Auth < Resource
      # Mint a token pair, never wider than the API key, which alone authorizes this.
      # @param customer_id [String, nil] the customer that the token acts for
      # @param scopes [Array<String>, nil] those of the key by default
      # @param expires_in [Integer, nil] seconds, 60-86,400, 3600 by default
      # @param rotate [Boolean, nil] each refresh then gives a successor to the refresh token (RFC 9700 §4.14.2)
      # @return [Token]
      def token(customer_id: nil, scopes: nil, expires_in: nil, rotate: nil)
        body = { customer_id: customer_id, scopes: strings(:scopes, scopes), expires_in: expires_in,
                 rotate: rotate }.compact
        post("/auth/token", Token, body: body, credential: :key, repeatable: true)
      end

      # A new access token for a refresh token, whose possession is the proof: nothing else is sent.
      # @return [Token]
      def refresh(refresh_token)
        post("/auth/refresh", Token, body: { refresh_token: refresh_token }, credential: :none, repeatable: true)
      end

      # What this client's credential stands for. Raises InvalidApiKey or another when it is not valid.
      # @return [Validation]
      def validate
        show("/auth/validate", Validation)
      end

      # End an access token, a refresh token or an API key by its secret (RFC 7009). One that is unknown or dead
      # is no error.
      # @return [nil]
      def revoke(token)
        post("/auth/revoke", body: { token: token }, credential: :none, repeatable: true)
      end

      # The claims of a token (RFC 7662); `active` is false for whatever the server does not honour.
      # @return [Introspection]
      def introspect(token)
        post("/auth/introspect", Introspection, body: { token: token }, repeatable: true)
      end

      # How the server would decide on that request, without making it. Needs admin:full.
      # @param key [String] an id, a secret or a token
      # @param method [String] `POST`
      # @param path [String] `/v1/chat/completions`
      # @return [Explanation]
      def explain(key:, method:, path:, ip: nil, model: nil)
        body = { key: key, method: method, path: path, ip: ip, model: model }.compact
        post("/auth/explain", Explanation, body: body, repeatable: true)
      end
    end
  end
end
