# frozen_string_literal: true

require_relative "helper"

# Connections: kept, lost, late, shared between threads and left by forks.
class TransportTest < Minitest::Test
  VALID = JSON.generate(valid: true, key_id: "key_1", scopes: [], rate_limit: 1, tier: "startup")
  COMPLETION = JSON.generate(id: "c", object: "chat.completion", choices: [])
  CHUNK = "data: #{JSON.generate(choices: [{ index: 0, delta: { content: "Hi" } }])}\n\n".freeze
  ANSWERING = ->(peer, socket, _) { peer.answer(socket, VALID) while peer.read(socket) }
  SILENT_AT_FIRST = lambda do |peer, socket, connection|
    peer.read(socket)
    connection.zero? ? socket.read : peer.answer(socket, VALID)
  end

  def chat(client, **others, &block)
    client.chat.completions.create(model: "m", messages: HELLO, **others, &block)
  end

  def test_a_connection_is_used_again
    with_peer(ANSWERING) do |peer, client|
      3.times { client.auth.validate }
      client.with_options(timeout: 1).auth.validate
      assert_equal [1, 4], [peer.connections, peer.requests.size]
    end
  end

  def test_a_connection_that_the_server_closed_in_the_meantime_costs_nothing
    serving = lambda do |peer, socket, _|
      peer.read(socket)
      peer.answer(socket, VALID)
    end
    with_peer(serving, max_retries: 0) do |peer, client|
      3.times do
        client.auth.validate
        peer.wait_until_gone
      end
      assert_equal [3, 3], [peer.connections, peer.requests.size]
    end
  end

  def test_a_connection_that_the_server_will_close_is_not_kept
    serving = lambda do |peer, socket, _|
      peer.answer(socket, VALID, headers: { "connection" => "close" }) while peer.read(socket)
    end
    with_peer(serving, max_retries: 0) do |peer, client|
      2.times { client.auth.validate }
      assert_equal 2, peer.connections
    end
  end

  def test_a_connection_that_was_idle_for_long_is_not_used
    time = 0
    with_peer(ANSWERING) do |peer, _|
      pool = InnoAI::Transport::Pool.new(URI(peer.base_url), clock: -> { time })
      first = pool.take(timeout: 1, open_timeout: 1)
      kept = ->(connection) { pool.give(connection, connection.get("/v1/auth/validate")) }
      kept.call(first)
      time += 4
      assert_same first, pool.take(timeout: 1, open_timeout: 1)
      kept.call(first)
      time += 5
      refute_same first, pool.take(timeout: 1, open_timeout: 1)
      refute first.started?
    end
  end

  def test_threads_share_a_client
    with_peer(ANSWERING) do |peer, client|
      answers = Array.new(12) { Thread.new { Array.new(10) { client.auth.validate.key_id } } }.flat_map(&:value)
      assert_equal ["key_1"] * 120, answers
      assert_operator peer.connections, :<=, 12
    end
  end

  def test_a_fork_leaves_its_parents_connections
    with_peer(ANSWERING) do |peer, client|
      client.auth.validate
      child = fork { exit!(client.auth.validate.valid? ? 0 : 1) }
      assert_predicate Process.wait2(child).last, :success?
      assert_equal 2, peer.connections
      client.auth.validate
      assert_equal 2, peer.connections
    end
  end

  def test_after_close_the_client_is_usable
    with_peer(ANSWERING) do |peer, client|
      client.auth.validate
      client.close
      assert_equal 0, peer.wait_until_gone
      assert_predicate client.auth.validate, :valid?
    end
  end

  def test_a_completion_is_never_sent_twice_after_its_connection_closed
    with_peer(->(peer, socket, _) { peer.read(socket) }) do |peer, client|
      assert_instance_of InnoAI::APIConnectionError, problem { chat(client) }
      assert_instance_of InnoAI::APIConnectionError, problem { chat(client, stream: true) }
      assert_instance_of InnoAI::APIConnectionError, problem { client.embeddings.create(model: "m", input: "x") }
      assert_instance_of InnoAI::APIConnectionError, problem { client.request(:post, "/images/generations", body: {}) }
      assert_equal 4, peer.requests.size
    end
  end

  def test_a_completion_with_a_key_is_sent_again
    serving = lambda do |peer, socket, number|
      peer.read(socket)
      peer.answer(socket, COMPLETION) if number.positive?
    end
    with_peer(serving) do |peer, client|
      assert_equal "c", chat(client, idempotency_key: "my-key").id
      keys = Array.new(peer.requests.size) { peer.requests.pop.headers["idempotency-key"] }
      assert_equal %w[my-key my-key], keys
    end
  end

  def test_a_completion_is_never_sent_twice_after_a_timeout
    with_peer(->(peer, socket, _) { peer.read(socket) && socket.read }, timeout: 0.2) do |peer, client|
      error = problem { chat(client) }
      assert_instance_of InnoAI::APITimeoutError, error
      refute_predicate error, :unsent?
      assert_equal 1, peer.requests.size
    end
  end

  def test_what_may_happen_twice_is_sent_again_after_a_timeout
    with_peer(SILENT_AT_FIRST, timeout: 0.2) do |peer, client|
      assert_predicate client.auth.validate, :valid?
      assert_equal 2, peer.requests.size
    end
  end

  def test_where_no_connection_comes_about_anything_is_tried_again
    free = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }
    client = InnoAI::Client.new(api_key: KEY, base_url: "http://127.0.0.1:#{free}/v1", max_retries: 1)
    error = nil
    assert_operator seconds { error = problem { chat(client) } }, :>=, 0.375
    assert_instance_of InnoAI::APIConnectionError, error
    assert_predicate error, :unsent?
    assert_match(/127\.0\.0\.1:#{free}/, error.message)
  end

  def test_an_answer_that_breaks_off_is_no_answer
    cut = VALID[0..20]
    framings = [{ "content-length" => VALID.bytesize }, { "transfer-encoding" => "chunked" }]
    framings.each do |framing|
      serving = lambda do |peer, socket, _|
        peer.read(socket)
        fields = framing.map { |name, value| "#{name}: #{value}\r\n" }.join
        body = framing.key?("content-length") ? cut : "#{cut.bytesize.to_s(16)}\r\n#{cut}\r\n"
        socket.write("HTTP/1.1 200 OK\r\n#{fields}\r\n#{body}")
      end
      with_peer(serving, max_retries: 1) do |peer, client|
        assert_instance_of InnoAI::APIConnectionError, problem { client.auth.validate }
        assert_equal 2, peer.requests.size
      end
    end
  end

  def test_what_is_no_http_is_a_connection_error
    with_peer(lambda { |peer, socket, _|
                peer.read(socket) && socket.write("SSH-2.0-x\r\n\r\n")
              }, max_retries: 0) do |_, client|
      assert_instance_of InnoAI::APIConnectionError, problem { client.auth.validate }
    end
  end

  def test_what_is_no_json_is_an_error_that_shows_nothing_of_it
    with_peer(->(peer, socket, _) { peer.read(socket) && peer.answer(socket, "sk-inno-secret") }) do |_, client|
      error = problem { client.auth.validate }
      assert_instance_of InnoAI::UnreadableAnswer, error
      assert_match(%r{base_url, which ends in /v1}, error.message)
      assert_nil error.cause
      refute_match(/secret/, error.full_message)
    end
  end

  def test_json_of_another_shape_is_an_error
    ["null", "[]", "7", "\"ok\""].each do |body|
      with_peer(->(peer, socket, _) { peer.answer(socket, body) while peer.read(socket) }) do |_, client|
        assert_instance_of InnoAI::UnreadableAnswer, problem { client.auth.validate }
        assert_instance_of InnoAI::UnreadableAnswer, problem { client.keys.list }
        assert_instance_of InnoAI::UnreadableAnswer, problem { client.auth.revoke("t") }
      end
    end
    with_peer(->(peer, socket, _) { peer.answer(socket, "{}") while peer.read(socket) }) do |_, client|
      assert_nil client.auth.revoke("t")
      assert_instance_of InnoAI::APIError, problem { client.as_customer("c").models.list }
    end
  end

  def test_a_key_counts_as_revoked_only_where_the_server_says_no_content
    ["{}", "<h1>Sign in</h1>", ""].each do |body|
      with_peer(->(peer, socket, _) { peer.answer(socket, body) while peer.read(socket) }) do |_, client|
        assert_instance_of InnoAI::UnreadableAnswer, problem { client.keys.revoke("key_1") }
      end
    end
  end

  def test_a_web_page_is_no_export_and_no_stream
    page = { "content-type" => "text/html; charset=utf-8" }
    serving = ->(peer, socket, _) { peer.answer(socket, "<h1>Sign in</h1>", headers: page) while peer.read(socket) }
    with_peer(serving) do |_, client|
      assert_instance_of InnoAI::UnreadableAnswer, problem { client.audit.export_jsonl.read }
      assert_instance_of InnoAI::UnreadableAnswer, problem { client.webhooks.stream.first }
    end
  end

  def test_a_redirect_is_not_followed
    elsewhere = { "location" => "http://127.0.0.1:1/v1/auth/token" }
    serving = ->(peer, socket, _) { peer.read(socket) && peer.answer(socket, "", status: "307 T", headers: elsewhere) }
    with_peer(serving) do |peer, client|
      error = problem { client.auth.token }
      assert_equal [InnoAI::APIStatusError, 307], [error.class, error.status]
      assert_match(%r{base_url, which ends in /v1}, error.message)
      assert_equal 1, peer.requests.size
    end
  end

  def test_an_interrupted_call_leaves_the_client_usable
    with_peer(SILENT_AT_FIRST) do |peer, client|
      assert_raises(Timeout::Error) { Timeout.timeout(0.2) { client.auth.validate } }
      assert_equal 0, peer.wait_until_gone
      assert_predicate client.auth.validate, :valid?
    end
  end

  def test_headers_cannot_be_smuggled
    with_peer(ANSWERING) do |peer, client|
      assert_raises(ArgumentError) { chat(client, idempotency_key: "a\r\nx-evil: 1") }
      assert_raises(ArgumentError) { client.with_options(headers: { "x-a" => "b\nc" }).auth.validate }
      assert_raises(ArgumentError) { client.request(:get, "/x y\r\nz: 1") }
      assert_empty peer.requests
    end
  end

  def test_what_json_cannot_say_is_a_wrong_argument
    with_peer(ANSWERING) do |peer, client|
      assert_raises(ArgumentError) { chat(client, temperature: Float::NAN) }
      assert_raises(ArgumentError) { chat(client, user: "\xFF") }
      assert_empty peer.requests
    end
  end

  def test_headers_of_the_client_go_with_every_request_but_never_in_place_of_the_credential
    with_peer(ANSWERING) do |peer, client|
      own = client.with_options(headers: { "X-Mine" => "1", authorization: "Bearer other" })
      own.auth.validate
      own.auth.revoke("t")
      sent = Array.new(2) { peer.requests.pop.headers.values_at("x-mine", "authorization") }
      assert_equal [["1", "Bearer #{KEY}"], ["1", nil]], sent
    end
  end

  def test_a_stream_that_was_read_leaves_its_connection_for_the_next_call
    serving = lambda do |peer, socket, _|
      while (request = peer.read(socket))
        next peer.answer(socket, VALID) if request.line.start_with?("GET")

        peer.begin_stream(socket)
        [CHUNK, CHUNK, "data: [DONE]\n\n", ""].each { |text| peer.chunk(socket, text) }
      end
    end
    with_peer(serving, max_retries: 0) do |peer, client|
      assert_equal(%w[Hi Hi], chat(client, stream: true).map { |chunk| chunk.choices[0].delta.content })
      client.auth.validate
      assert_equal 1, peer.connections
    end
  end

  def test_leaving_a_stream_early_ends_the_connection
    endless = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      loop do
        peer.chunk(socket, CHUNK)
        sleep 0.005
      end
    end
    with_peer(endless) do |peer, client|
      assert_equal "Hi", chat(client, stream: true).first.choices[0].delta.content
      assert_equal 0, peer.wait_until_gone
      chat(client) { break }
      assert_equal 1, peer.wait_until_gone
      stream = chat(client, stream: true)
      external = stream.each
      external.next
      stream.close
      assert_equal 2, peer.wait_until_gone
    end
  end

  def test_a_stream_can_be_read_by_another_thread_and_only_once
    serving = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      [CHUNK, "data: [DONE]\n\n", ""].each { |text| peer.chunk(socket, text) }
    end
    with_peer(serving) do |_, client|
      stream = chat(client, stream: true)
      assert_equal 1, Thread.new { stream.count }.value
      assert_raises(IOError) { stream.to_a }
    end
  end

  def test_the_end_of_a_stream_is_its_end_even_if_the_server_keeps_talking
    dripping = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      peer.chunk(socket, "#{CHUNK}data: [DONE]\n\n")
      loop do
        peer.chunk(socket, ": still here\n")
        sleep 0.05
      end
    end
    silent = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      peer.chunk(socket, "#{CHUNK}data: [DONE]\n\n")
      socket.read
    end
    [dripping, silent].each do |serving|
      with_peer(serving) do |peer, client|
        assert_operator(seconds { assert_equal 1, chat(client, stream: true).count }, :<, 2)
        assert_equal 0, peer.wait_until_gone
      end
    end
  end

  def test_a_stream_that_breaks_off_raises_and_is_not_begun_anew
    serving = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      peer.chunk(socket, CHUNK)
    end
    with_peer(serving) do |peer, client|
      read = []
      error = problem { chat(client, stream: true).each { |chunk| read << chunk } }
      assert_instance_of InnoAI::APIConnectionError, error
      assert_equal [1, 1], [read.size, peer.requests.size]
    end
  end

  def test_what_the_reader_of_a_stream_raises_is_its_own
    serving = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      [CHUNK, "data: [DONE]\n\n", ""].each { |text| peer.chunk(socket, text) }
    end
    with_peer(serving) do |peer, client|
      [Errno::EPIPE, IOError, EOFError, RuntimeError].each do |own|
        assert_raises(own) { chat(client, stream: true).each { raise own } }
      end
      assert_equal 4, peer.requests.size
    end
  end

  def test_a_block_is_a_stream
    serving = lambda do |peer, socket, _|
      peer.read(socket)
      peer.begin_stream(socket)
      [CHUNK, "data: [DONE]\n\n", ""].each { |text| peer.chunk(socket, text) }
    end
    with_peer(serving) do |peer, client|
      said = []
      assert_nil(chat(client) { |chunk| said << chunk.dig(:choices, 0, :delta, :content) })
      assert_equal ["Hi"], said
      request = peer.requests.pop
      assert_equal [true, "text/event-stream"], [JSON.parse(request.body)["stream"], request.headers["accept"]]
    end
  end
end
