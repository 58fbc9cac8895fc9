# frozen_string_literal: true

$LOAD_PATH.unshift(File.expand_path("../lib", __dir__))

require "innoai"
require "minitest/autorun"
require "timeout"

require_relative "support/results"
require_relative "support/scripted"
require_relative "support/installation"
require_relative "support/peer"

KEY = "sk-inno-conformance"
HELLO = [{ role: "user", content: "Hello" }].freeze
MODEL = "inno-ai-boyong-4.5"

# What tests share.
module Support
  # A client of the scripted server.
  def client(**options)
    InnoAI::Client.new(api_key: KEY, base_url: Scripted.server.base_url, **options)
  end

  # What the block raised, if it is one of ours.
  def problem
    yield
    nil
  rescue InnoAI::Error => e
    e
  end

  def seconds
    started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    yield
    Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
  end

  # The routes that the scripted server was asked for.
  def routes
    Scripted.server.seen.map(&:route)
  end

  # The bearers that it was shown.
  def bearers
    Scripted.server.seen.map(&:bearer)
  end

  # A server that serves each connection by the block, and a client of it.
  def with_peer(serving, **options)
    peer = Peer.new(&serving)
    yield peer, InnoAI::Client.new(api_key: KEY, base_url: peer.base_url, **options)
  ensure
    peer&.close
  end

  # The name of a class without the name of the module, so that one rule maps it to the vectors.
  def named(error)
    InnoAI.const_get(error)
  end
end

Minitest::Test.include(Support)
