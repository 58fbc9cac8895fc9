# frozen_string_literal: true

require_relative "../record"

# Tokens, and what a credential is worth.
module InnoAI
  # A pair of tokens. expires_in: seconds that the access token lives from its minting.
  class Token < Record
    attributes :token_type, :expires_in
    attribute :access_token, secret: true
    attribute :refresh_token, secret: true
  end

  # What a live credential stands for. rate_limit: requests a minute.
  class Validation < Record
    attributes :valid, :key_id, :scopes, :rate_limit, :tier

    # Always: a credential that is not valid raises.
    def valid?
      valid == true
    end
  end

  # A token's claims (RFC 7662 §2.2); of a dead one only `active`. exp, iat: seconds since the epoch.
  class Introspection < Record
    attributes :active, :scope, :client_id, :sub, :aud, :iss, :exp, :iat, :jti, :token_type, :token_use,
               :customer_id

    # Whether the server honours the token.
    def active?
      active == true
    end
  end

  # One step of a decision. outcome: `passed`, `refused` or `not_reached`.
  class Check < Record
    attributes :name, :outcome, :detail
  end

  # How the server would decide on a request, check by check in the order of the deciding.
  class Explanation < Record
    attributes :allowed, :code, :message
    attribute :checks, [Check]

    # Whether the request would go through.
    def allowed?
      allowed == true
    end
  end
end
