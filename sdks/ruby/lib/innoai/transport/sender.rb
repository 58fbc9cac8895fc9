# frozen_string_literal: true

require "net/http"
require "openssl"
require "zlib"

require_relative "../errors"
require_relative "../version"
require_relative "call"
require_relative "open_answer"
require_relative "pool"
require_relative "retries"

module InnoAI
  # From a {Call} to its {Answer}.
  module Transport
    # What goes wrong with connections.
    LOST = [SystemCallError, IOError, SocketError, Net::OpenTimeout, Net::ReadTimeout, Net::WriteTimeout,
            Net::HTTPBadResponse, Net::HTTPHeaderSyntaxError, Net::ProtocolError, OpenSSL::SSL::SSLError,
            Zlib::Error].freeze
    # Those of them that are a matter of time.
    LATE = [Net::OpenTimeout, Net::ReadTimeout, Net::WriteTimeout, Errno::ETIMEDOUT].freeze
    private_constant :LOST, :LATE

    # Do it, and raise what goes wrong with the connection as APIConnectionError or APITimeoutError.
    # @param peer [Net::HTTP, Pool] whose address the message names
    # @param unsent [Boolean] see {APIConnectionError#unsent?}
    # @param except [#call] whether what was raised is no matter of the connection after all
    def self.translating(peer, unsent: false, except: -> { false })
      yield
    rescue *LOST => e
      raise if except.call

      late = LATE.any? { |kind| e.is_a?(kind) }
      lost = unsent ? "no connection to" : "the connection is lost to"
      message = "#{late ? "nothing came in time from" : lost} #{peer.address}:#{peer.port}: #{e.message}"
      raise (late ? APITimeoutError : APIConnectionError).new(message, unsent: unsent)
    end

    # Sends calls, and sends them again.
    #
    #   ┌─▶ sent ──success──▶ answered
    #   │    ├─ 401, and the credential has another token (once) ─┐
    #   │    ├─ it may pass, retries are left: a pause ───────────┤
    #   │    └─ else: raised                                      │
    #   └─────────────────────────────────────────────────────────┘
    class Sender
      METHODS = {
        "GET" => Net::HTTP::Get, "POST" => Net::HTTP::Post, "PUT" => Net::HTTP::Put,
        "PATCH" => Net::HTTP::Patch, "DELETE" => Net::HTTP::Delete
      }.freeze
      private_constant :METHODS

      # @param prefix [String] the path of the base URL, `/v1`
      # @param options [Settings] timeout, open_timeout, max_retries and headers
      def initialize(pool, prefix, options, pauses: ->(seconds) { sleep(seconds) })
        @pool = pool
        @prefix = prefix
        @options = options
        @pauses = pauses
        freeze
      end

      # The answer, read whole. Raises APIConnectionError and APIStatusError.
      # @param call [Call]
      # @param credential [#bearer, #renew]
      # @return [Answer]
      def answer(call, credential)
        persist(call, credential, &:whole)
      end

      # The answer once its head has come, for the caller to read and to close. Raises as {#answer} does.
      # @return [OpenAnswer]
      def open(call, credential)
        persist(call, credential, &:no_page)
      end

      private

      def persist(call, credential, &reading)
        retries = 0
        renewed = false
        loop do
          bearer = credential.bearer
          begin
            return attempt(call, bearer, &reading)
          rescue APIError => e
            if !renewed && refused?(e) && credential.renew(bearer)
              renewed = true
            else
              raise unless retries < @options.max_retries && Retries.again?(call, e)

              @pauses.call(Retries.pause(retries, e.headers))
              retries += 1
            end
          end
        end
      end

      # Whether another token may help.
      def refused?(error)
        error.is_a?(InvalidApiKey) || error.is_a?(TokenExpired)
      end

      def attempt(call, bearer)
        answer = exchange(call, bearer)
        raise Errors.from_answer(answer.whole) unless answer.success?

        yield answer
      end

      def exchange(call, bearer)
        request = request(call, bearer)
        connection = Transport.translating(@pool, unsent: true) do
          @pool.take(timeout: call.silence || @options.timeout, open_timeout: @options.open_timeout)
        end
        head(connection, request)
      end

      # Send it, and read the head of its answer.
      def head(connection, request)
        response = nil
        Transport.translating(connection) do
          connection.request(request) do |begun|
            response = begun
            break
          end
        end
        # The body is read later, and perhaps elsewhere: Net::HTTP's own block would have ended by then.
        socket = connection.instance_variable_get(:@socket)
        OpenAnswer.new(connection, response, socket) do |reusable|
          reusable ? @pool.give(connection, response) : @pool.drop(connection)
        end
      ensure
        @pool.drop(connection) unless response
      end

      def request(call, bearer)
        headers = { "accept" => "application/json", "user-agent" => "innoai-ruby/#{VERSION}" }
        headers["content-type"] = "application/json" if METHODS.fetch(call.verb)::REQUEST_HAS_BODY
        headers.merge!(@options.headers, call.headers)
        # Net::HTTP would not tell a compressed answer that broke off from a whole one.
        headers["accept-encoding"] = "identity"
        headers["authorization"] = "Bearer #{bearer}" if bearer
        headers.delete("authorization") unless bearer
        request = METHODS.fetch(call.verb).new(@prefix + call.target, headers)
        request.body = call.body || "" if request.request_body_permitted?
        request
      end
    end
  end
end
