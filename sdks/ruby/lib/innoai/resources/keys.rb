# frozen_string_literal: true

require_relative "../page"
require_relative "../records/account"
require_relative "../records/activity"
require_relative "resource"

module InnoAI
  module Resources
    # The account's API keys.
    class Keys < Resource
      SECRET_PREFIX = "sk-"
      private_constant :SECRET_PREFIX

      # Create a key. The answer's `key` is the secret, shown this once.
      # @param scopes [Array<String>, nil] these or a level, not both
      # @param level [String, Symbol, nil] `read`, `write`, `delete` or `admin`
      # @param allowed_ips [Array<String>, nil] CIDRs
      # @param rate_limit [Integer, nil] requests a minute
      # @param expires_at [Time, Date, String, nil]
      # @param models [Array<String>, nil] those that it may use; nil is all
      # @param budgets [Hash, nil] what it may spend, like `{monthly: "20"}`, in the account's currency
      # @param idempotency_key [String, nil] the same one gives the same answer; by default each call makes its
      #   own, so that a retry cannot create a second key
      # @return [ApiKey]
      def create(name:, scopes: nil, level: nil, allowed_ips: nil, rate_limit: nil, expires_at: nil, models: nil,
                 customer_id: nil, budgets: nil, idempotency_key: nil)
        body = {
          name: name, scopes: strings(:scopes, scopes), level: level,
          allowed_ips: strings(:allowed_ips, allowed_ips), rate_limit: rate_limit,
          expires_at: moment(:expires_at, expires_at), models: strings(:models, models),
          customer_id: customer_id, budgets: amounts(budgets)
        }.compact
        make("/keys", ApiKey, body: body, idempotency_key: idempotency_key)
      end

      # The account's keys.
      # @param limit [Integer, nil] keys a page, 1-100
      # @param status [String, Symbol, nil] `active`, `expired` or `revoked`
      # @param search [String, nil] part of the name, or the last four characters, the id or the customer_id
      # @return [Page<ApiKey>]
      def list(limit: nil, cursor: nil, status: nil, customer_id: nil, search: nil)
        query = { limit: limit, cursor: cursor, status: status, customer_id: customer_id, search: search }
        page_of("/keys", ApiKey, query)
      end

      # The key of that id, `key_…`.
      # @return [ApiKey]
      def get(key_id)
        show(key_path(key_id), ApiKey)
      end

      # Change what is given and leave the rest. nil takes a bound away (expires_at, models) or resets it.
      # @return [ApiKey]
      def update(key_id, name: UNSET, scopes: UNSET, allowed_ips: UNSET, rate_limit: UNSET, expires_at: UNSET,
                 models: UNSET, budgets: UNSET)
        body = {
          name: name, scopes: strings(:scopes, scopes), allowed_ips: strings(:allowed_ips, allowed_ips),
          rate_limit: rate_limit, expires_at: moment(:expires_at, expires_at),
          models: strings(:models, models), budgets: amounts(budgets)
        }
        change(key_path(key_id), ApiKey, body)
      end

      # A successor to the key, its secret in `key`; the old one expires after the overlap.
      # @param overlap [Integer, nil] seconds, 0-2,592,000, a day by default
      # @param idempotency_key [String, nil] as in {#create}
      # @return [ApiKey]
      def rotate(key_id, overlap: nil, name: nil, idempotency_key: nil)
        body = { overlap: overlap, name: name }.compact
        make("#{key_path(key_id)}/rotate", ApiKey, body: body, idempotency_key: idempotency_key)
      end

      # Revoke the key of that id, and every token minted from it.
      # @return [nil]
      def revoke(key_id)
        remove(key_path(key_id))
      end

      # Find the account's keys in a text, such as a log, and put on record that they leaked.
      # @param text [String]
      # @param source [String, nil] where it was found, for the audit log
      # @param revoke [Boolean] whether the keys found are revoked at once
      # @return [LeakReport]
      def report_leak(text, source: nil, revoke: false)
        post("/keys/leaks", LeakReport, body: { text: text, source: source, revoke: revoke }.compact)
      end

      # What the key did and was refused, by whole hours; of the last seven days by default.
      # @param from [Time, Date, String, nil]
      # @param to [Time, Date, String, nil]
      # @return [KeyActivity]
      def activity(key_id, from: nil, to: nil)
        query = { from: moment(:from, from), to: moment(:to, to) }
        show("#{key_path(key_id)}/activity", KeyActivity, query: query)
      end

      # What could be taken away from the key without refusing anything that it did.
      # @param days [Integer, nil] up to now, 1-400, 30 by default
      # @return [KeyAdvice]
      def advice(key_id, days: nil)
        show("#{key_path(key_id)}/advice", KeyAdvice, query: { days: days })
      end

      # What a change to the key would have refused of what it did in so many days. Nothing is changed.
      # @return [KeyPreview]
      def preview(key_id, scopes: UNSET, level: UNSET, allowed_ips: UNSET, rate_limit: UNSET, expires_at: UNSET,
                  models: UNSET, days: UNSET)
        body = {
          scopes: strings(:scopes, scopes), level: level, allowed_ips: strings(:allowed_ips, allowed_ips),
          rate_limit: rate_limit, expires_at: moment(:expires_at, expires_at), models: strings(:models, models),
          days: days
        }
        post("#{key_path(key_id)}/preview", KeyPreview, body: given(body), repeatable: true)
      end

      private

      # Raises ArgumentError on a secret, which does not belong into a URL: URLs are logged.
      def key_path(key_id)
        if key_id.to_s.start_with?(SECRET_PREFIX)
          raise ArgumentError, "that is a key's secret, not its id (key_…); to revoke by secret use auth.revoke"
        end

        path("/keys", :key_id, key_id)
      end
    end
  end
end
