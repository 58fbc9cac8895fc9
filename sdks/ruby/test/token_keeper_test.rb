# frozen_string_literal: true

require_relative "helper"

# When a token is fetched, by whom, and what happens when that fails. The vectors say the rest, over the wire.
class TokenKeeperTest < Minitest::Test
  def setup
    @now = 0
    @minted = 0
    @refreshed = []
    @mint = -> { token(@minted += 1) }
    @refresh = lambda do |with|
      @refreshed << with
      token(@minted += 1)
    end
  end

  def token(number)
    InnoAI::Token.new(access_token: "access-#{number}", refresh_token: "refresh-#{number}", expires_in: 100)
  end

  def keeper
    refresh = ->(with) { @refresh.call(with) }
    @keeper ||= InnoAI::TokenKeeper.new(mint: -> { @mint.call }, refresh: refresh, clock: -> { @now })
  end

  def fails(status = 503)
    ->(*) { raise InnoAI::APIStatusError.new("no", status: status) }
  end

  def test_a_token_is_kept_until_a_tenth_of_its_life_is_left
    assert_equal %w[access-1 access-1], Array.new(2) { keeper.bearer }
    @now = 89.9
    assert_equal "access-1", keeper.bearer
    @now = 90
    assert_equal "access-2", keeper.bearer
    assert_equal ["refresh-1"], @refreshed
  end

  def test_an_early_refresh_that_fails_is_put_off_while_the_token_lives
    keeper.bearer
    @refresh = fails
    @now = 91
    assert_equal "access-1", keeper.bearer
    @refresh = ->(*) { flunk "too early" }
    @now = 95.9
    assert_equal "access-1", keeper.bearer
    @refresh = fails
    @now = 100
    assert_raises(InnoAI::APIStatusError) { keeper.bearer }
  end

  def test_a_refused_token_is_replaced_and_a_strange_one_is_not
    keeper.bearer
    refute keeper.renew("of somebody else")
    assert keeper.renew("access-1")
    assert_equal "access-2", keeper.bearer
    assert keeper.renew("access-1")
    assert_equal [2, ["refresh-1"]], [@minted, @refreshed]
  end

  def test_a_refused_token_is_not_gone_on_with_when_no_other_comes
    keeper.bearer
    @refresh = fails
    assert_raises(InnoAI::APIStatusError) { keeper.renew("access-1") }
  end

  def test_only_the_last_tokens_are_known_again
    InnoAI::TokenKeeper::REMEMBERED.times do
      keeper.bearer
      @now += 100
    end
    assert keeper.renew("access-1")
    refute keeper.renew("access-1")
  end

  def test_threads_wait_for_one_flight_and_share_what_it_brings
    begun = Queue.new
    go = Queue.new
    @mint = lambda do
      begun << true
      go.pop
      token(@minted += 1)
    end
    shared = keeper
    threads = Array.new(8) { Thread.new { shared.bearer } }
    begun.pop
    Thread.pass until threads.all? { |thread| thread.status == "sleep" }
    go << true
    assert_equal [["access-1"], 1], [threads.map(&:value).uniq, @minted]
  end

  def test_threads_share_a_failure_and_the_next_call_tries_again
    begun = Queue.new
    go = Queue.new
    attempts = 0
    @mint = lambda do
      attempts += 1
      begun << true
      go.pop
      raise InnoAI::APIConnectionError, "no"
    end
    shared = keeper
    threads = Array.new(8) { Thread.new { problem { shared.bearer }.class } }
    begun.pop
    Thread.pass until threads.all? { |thread| thread.status == "sleep" }
    go << true
    assert_equal [[InnoAI::APIConnectionError], 1], [threads.map(&:value).uniq, attempts]
    @mint = -> { token(7) }
    assert_equal "access-7", keeper.bearer
  end

  def test_a_flight_that_is_interrupted_lets_the_next_one_begin
    @mint = -> { sleep }
    assert_raises(Timeout::Error) { Timeout.timeout(0.1) { keeper.bearer } }
    @mint = -> { token(3) }
    assert_equal "access-3", keeper.bearer
  end
end
