# frozen_string_literal: true

require "uri"

require_relative "credentials"
require_relative "errors"
require_relative "resources/audit"
require_relative "resources/auth"
require_relative "resources/billing"
require_relative "resources/customers"
require_relative "resources/inference"
require_relative "resources/keys"
require_relative "resources/members"
require_relative "resources/requests"
require_relative "resources/webhooks"
require_relative "settings"
require_relative "transport/sender"

module InnoAI
  # A client of an innoai server. It never changes, and threads may share it; its connections are kept and used
  # again.
  #
  #     client = InnoAI::Client.new(api_key: ENV["INNOAI_API_KEY"])
  #     client.chat.completions.create(model: "inno-ai-boyong-4.5", messages: [{role: "user", content: "Hello"}])
  class Client
    # @return [String] with `/v1`
    attr_reader :base_url
    # @return [String, nil] the customer that this client acts for, by token
    attr_reader :customer_id
    # @return [Resources::Auth] tokens, and what a credential is worth
    attr_reader :auth
    # @return [Resources::Chat]
    attr_reader :chat
    # @return [Resources::Completions]
    attr_reader :completions
    # @return [Resources::Responses]
    attr_reader :responses
    # @return [Resources::Embeddings]
    attr_reader :embeddings
    # @return [Resources::Moderations]
    attr_reader :moderations
    # @return [Resources::Models]
    attr_reader :models
    # @return [Resources::Keys] the account's API keys
    attr_reader :keys
    # @return [Resources::Customers] the account's end customers
    attr_reader :customers
    # @return [Resources::Members] the people of the account
    attr_reader :members
    # @return [Resources::Billing] what was used, what it cost, and what may be spent
    attr_reader :billing
    # @return [Resources::Webhooks] where events are sent, and what became of them
    attr_reader :webhooks
    # @return [Resources::Requests] requests as they happen, and the last refusals
    attr_reader :requests
    # @return [Resources::Audit] what was done, by whom, and from where
    attr_reader :audit

    # With customer_id or scopes the client uses token auth: it mints tokens narrowed to them, and keeps them
    # fresh; the key then goes to /auth/token alone.
    #
    # @param api_key [String, nil] INNOAI_API_KEY by default; raises MissingApiKey without one, ArgumentError on
    #   one that cannot be sent
    # @param base_url [String, URI, nil] with `/v1`; by default INNOAI_BASE_URL, and without that
    #   http://127.0.0.1:8080/v1
    # @param customer_id [String, nil] the customer to act for
    # @param scopes [Array<String>, nil] what the tokens may be used for; those of the key by default
    # @param token_lifetime [Integer] seconds that each token lives, 60-86,400
    # @param timeout [Numeric, nil] seconds without a byte that count as a lost connection; nil waits for ever
    # @param open_timeout [Numeric, nil] seconds to connect
    # @param max_retries [Integer] how often a request is sent again
    # @param headers [Hash] sent with every request
    def initialize(api_key: nil, base_url: nil, customer_id: nil, scopes: nil, token_lifetime: 3600, timeout: 600,
                   open_timeout: 5, max_retries: 2, headers: {})
      begin_with(Settings.new(
                   api_key: Settings.key(api_key), base_url: Settings.url(base_url), customer_id: customer_id,
                   scopes: Settings.scopes(scopes), token_lifetime: token_lifetime, timeout: timeout,
                   open_timeout: open_timeout, max_retries: Settings.count(max_retries),
                   headers: Settings.headers(headers)
                 ))
    end

    # A client that acts for that customer by token; it shares this one's connections.
    # @param scopes [Array<String>, nil] those of the key by default
    # @param expires_in [Integer] seconds that each token lives
    # @return [Client]
    def as_customer(customer_id, scopes: nil, expires_in: 3600)
      # Without one it would be the account's own client, with all that the key may do.
      raise ArgumentError, "customer_id is the customer's id" if customer_id.nil? || customer_id.to_s.empty?

      copy(@settings.with(customer_id: customer_id, scopes: Settings.scopes(scopes), token_lifetime: expires_in))
    end

    # This client with some options changed: `timeout`, `open_timeout`, `max_retries` and `headers`, which are added
    # to those that it has. It shares this one's connections and tokens.
    # @return [Client]
    def with_options(timeout: @settings.timeout, open_timeout: @settings.open_timeout,
                     max_retries: @settings.max_retries, headers: {})
      changed = { timeout: timeout, open_timeout: open_timeout, max_retries: Settings.count(max_retries),
                  headers: @settings.headers.merge(Settings.headers(headers)) }
      copy(@settings.with(**changed), @credential)
    end

    # The access-control matrix: tiers, scopes, levels and the scope that each route asks for.
    # @return [AccessMatrix]
    def tiers
      perform(Transport::Call.new("GET", "/tiers", AccessMatrix))
    end

    # Any request of the API, for what has no method here.
    #
    #     client.request("POST", "/images/generations", body: {model: "m", prompt: "A fox"}).json
    #
    # @param verb [String, Symbol] GET, POST, PUT, PATCH or DELETE
    # @param path [String] below the base URL, `/models`
    # @param body [Hash, nil] sent as JSON
    # @param idempotency_key [String, nil] with one a POST is sent again even if its answer got lost
    # @return [Transport::Answer] with status, headers, body and json
    def request(verb, path, body: nil, query: {}, headers: {}, idempotency_key: nil)
      raise ArgumentError, "path begins with /" unless path.start_with?("/")

      fetch(Transport::Call.new(verb.to_s.upcase, path, body: body, query: query, idempotency_key: idempotency_key,
                                                        headers: Settings.headers(headers)))
    end

    # Close the connections that are not in use. The client stays usable, and opens new ones.
    def close
      @pool.close
    end

    # @api private
    # @return [Record, nil] what the call's answer is made into
    def perform(call)
      answer = fetch(call)
      return answer.nothing(call.verb) unless call.answer

      call.answer.from(answer.object)
    end

    # @api private
    # @return [Transport::Answer]
    def fetch(call)
      @sender.answer(call, credential(call))
    end

    # @api private
    # @return [Transport::OpenAnswer]
    def open(call)
      @sender.open(call, credential(call))
    end

    def inspect
      "#<#{self.class} base_url=#{base_url.inspect}, customer_id=#{customer_id.inspect}>"
    end
    alias to_s inspect

    # For Marshal, which a credential is not for.
    def marshal_dump
      raise TypeError, "a client is not dumped: make another one where it is needed"
    end

    # For YAML and Rails' JSON.
    def as_json(*)
      inspect
    end

    # For JSON.
    def to_json(*state)
      inspect.to_json(*state)
    end

    protected

    # Take the settings, and what is shared with the client that this one is a copy of.
    def begin_with(settings, pool = nil, credential = nil)
      @settings = settings
      @base_url = settings.base_url.to_s
      @customer_id = settings.customer_id
      @pool = pool || Transport::Pool.new(settings.base_url)
      @sender = Transport::Sender.new(@pool, settings.base_url.path, settings)
      @key = Credentials::Key.new(settings.api_key.reveal)
      begin_resources
      @credential = credential || (settings.token_auth? ? keeper : @key)
      freeze
    end

    private

    def copy(settings, credential = nil)
      self.class.allocate.tap { |client| client.begin_with(settings, @pool, credential) }
    end

    def begin_resources
      @auth = Resources::Auth.new(self)
      @chat = Resources::Chat.new(self)
      @completions = Resources::Completions.new(self)
      @responses = Resources::Responses.new(self)
      @embeddings = Resources::Embeddings.new(self)
      @moderations = Resources::Moderations.new(self)
      @models = Resources::Models.new(self)
      @keys = Resources::Keys.new(self)
      @customers = Resources::Customers.new(self)
      @members = Resources::Members.new(self)
      @billing = Resources::Billing.new(self)
      @webhooks = Resources::Webhooks.new(self)
      @requests = Resources::Requests.new(self)
      @audit = Resources::Audit.new(self)
    end

    def keeper
      settings = @settings
      mint = lambda do
        auth.token(customer_id: settings.customer_id, scopes: settings.scopes, expires_in: settings.token_lifetime)
      end
      TokenKeeper.new(mint: mint, refresh: ->(refresh_token) { auth.refresh(refresh_token) })
    end

    def credential(call)
      case call.credential
      when :key then @key
      when :none then Credentials::None
      else @credential
      end
    end
  end
end
