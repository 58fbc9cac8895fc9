# frozen_string_literal: true

require "uri"

require_relative "errors"
require_relative "secret"

module InnoAI
  # What a client was made with, checked. Times are seconds.
  # @api private
  class Settings
    # The environment's key.
    KEY_VARIABLE = "INNOAI_API_KEY"
    # The environment's address, with `/v1`.
    BASE_URL_VARIABLE = "INNOAI_BASE_URL"
    # Where `make serve` listens.
    DEFAULT_BASE_URL = "http://127.0.0.1:8080/v1"

    NAMES = %i[api_key base_url customer_id scopes token_lifetime timeout open_timeout max_retries headers].freeze
    private_constant :NAMES

    attr_reader(*NAMES)

    class << self
      # The key given or the environment's, without surrounding white space (a file's last newline).
      # @return [Secret]
      def key(given)
        key = (given || ENV.fetch(KEY_VARIABLE, "")).to_s.strip
        raise MissingApiKey, "no API key: pass api_key: … or set #{KEY_VARIABLE}" if key.empty?
        return Secret.new(key) if key.match?(/\A[!-~]+\z/)

        raise ArgumentError, "the API key contains a space or a character outside ASCII: copy it again"
      end

      # The address given or the environment's, or the default, without a slash at its end.
      # @return [URI::HTTP]
      def url(given)
        text = given.to_s.strip
        text = ENV.fetch(BASE_URL_VARIABLE, "").strip if text.empty?
        uri = URI.parse((text.empty? ? DEFAULT_BASE_URL : text).sub(%r{/+\z}, ""))
        return uri.freeze if uri.is_a?(URI::HTTP) && uri.host && !uri.userinfo && !uri.query && !uri.fragment

        raise ArgumentError, "base_url is like https://host/v1, without credentials or a query"
      rescue URI::InvalidURIError
        raise ArgumentError, "base_url is no URL", cause: nil
      end

      # A list of texts.
      def scopes(given)
        return given&.map(&:to_s)&.freeze if given.nil? || given.is_a?(Array)

        raise TypeError, "scopes is a list of strings, not #{given.class}"
      end

      # A number of retries.
      def count(given)
        return given if given.is_a?(Integer) && !given.negative?

        raise ArgumentError, "max_retries is a whole number from 0"
      end

      # Headers, names in lower case.
      def headers(given)
        given.to_h { |name, value| [header_name(name), value.to_s] }.freeze
      end

      private

      # `:x_mine` is X-Mine.
      def header_name(name)
        name.is_a?(Symbol) ? name.to_s.downcase.tr("_", "-") : name.downcase
      end
    end

    def initialize(**values)
      NAMES.each { |name| instance_variable_set(:"@#{name}", values.fetch(name)) }
      freeze
    end

    # These with some changed.
    def with(**changed)
      Settings.new(**NAMES.to_h { |name| [name, public_send(name)] }, **changed)
    end

    # Whether tokens are used in place of the key.
    def token_auth?
      !(customer_id.nil? && scopes.nil?)
    end

    def inspect
      "#<#{self.class}>"
    end
    alias to_s inspect
  end
end
