# frozen_string_literal: true

require_relative "errors"
require_relative "secret"

module InnoAI
  # Keeps an access token that is good now. Threads share it: one of them fetches, the others wait for what it
  # brings, be it a token or an error.
  #
  #   none ──mint──▶ held ──due, or refused──▶ refreshed: held
  #                    │                          ├─ the refresh token is dead (400, 401): mint
  #                    │                          └─ any other error: raised, unless the token still lives
  class TokenKeeper
    # Seconds before expiry at which a token is replaced, at most.
    MAX_MARGIN = 60.0
    # The same as a share of the lifetime, for short-lived tokens.
    MARGIN_SHARE = 0.1
    # Seconds after a failed early refresh during which the still living token is used.
    RETRY_PAUSE = 5.0
    # How many past tokens are recognized when the server refuses one of them.
    REMEMBERED = 32
    # What the server answers to a refresh token that it does not honour.
    DEAD_REFRESH_TOKEN = [400, 401].freeze

    # The current pair; `due` and `ends` on the keeper's clock.
    class Held
      attr_reader :due, :ends

      # @param token [Token]
      # @param started [Numeric] when the request was sent that brought it; its life is counted from there
      def self.since(started, token)
        ends = started + token.expires_in
        margin = [MAX_MARGIN, MARGIN_SHARE * token.expires_in].min
        new(Secret.new(token.access_token), Secret.new(token.refresh_token), ends - margin, ends)
      end

      def initialize(access, refresh, due, ends)
        @access = access
        @refresh = refresh
        @due = due
        @ends = ends
        freeze
      end

      # The same pair, to be replaced later.
      def put_off(due)
        Held.new(@access, @refresh, [due, ends].min, ends)
      end

      def access
        @access.reveal
      end

      def refresh
        @refresh.reveal
      end

      # Whether it is to be replaced.
      def due?(now)
        now >= due
      end

      # Whether it is of use, and not the token that was refused.
      def lives?(now, refused)
        now < ends && access != refused
      end
    end

    # @param mint [#call] gives a {Token}
    # @param refresh [#call] gives a {Token} for a refresh token
    # @param clock [#call] seconds
    def initialize(mint:, refresh:, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
      @mint = mint
      @refresh = refresh
      @clock = clock
      @lock = Mutex.new
      @held = nil
      @issued = [].freeze
      @failures = 0
      @failure = nil
    end

    # @return [String] a good token. Raises what minting raises.
    def bearer
      token(nil)
    end

    # Have another token in place of one that the server refused. Raises what refreshing and minting raise.
    # @return [Boolean] whether the refused one came from here
    def renew(refused)
      return false unless @issued.any? { |issued| issued.reveal == refused }

      token(refused)
      true
    end

    def inspect
      "#<#{self.class}>"
    end
    alias to_s inspect

    private

    # A good token, and not the one that was refused.
    def token(refused)
      failures = @failures
      fresh(refused) || @lock.synchronize do
        fresh(refused) || begin
          # The flight that this caller has waited for has failed.
          raise @failure if @failures != failures

          fetch(refused)
        end
      end
    end

    def fresh(refused)
      held = @held
      held.access if held && held.access != refused && !held.due?(@clock.call)
    end

    def fetch(refused)
      started = @clock.call
      landed(started, another)
    rescue StandardError => e
      now = @clock.call
      if @held&.lives?(now, refused)
        @held = @held.put_off(now + RETRY_PAUSE)
        return @held.access
      end
      @failures += 1
      @failure = e
      raise
    end

    def landed(started, token)
      unless token.access_token.is_a?(String) && token.refresh_token.is_a?(String) && token.expires_in.is_a?(Numeric)
        raise APIError, "the server answered without a token"
      end

      @held = Held.since(started, token)
      @issued = [*@issued, Secret.new(token.access_token)].last(REMEMBERED).freeze
      @held.access
    end

    def another
      return @mint.call unless @held

      begin
        @refresh.call(@held.refresh)
      rescue APIStatusError => e
        raise unless DEAD_REFRESH_TOKEN.include?(e.status)

        @mint.call
      end
    end
  end
end
