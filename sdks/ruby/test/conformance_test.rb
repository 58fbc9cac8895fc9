# frozen_string_literal: true

require_relative "helper"

# The vectors that all SDKs share; sdks/conformance/README.md says what they mean.
class ConformanceTest < Minitest::Test
  VALIDATE = "GET /v1/auth/validate"
  CHAT = "POST /v1/chat/completions"
  DRAWS = 200
  CALLS = {
    "validate" => ->(client, _) { client.auth.validate },
    "keys.list" => ->(client, _) { client.keys.list },
    "keys.create" => lambda do |client, made|
      client.keys.create(name: "ci", level: "read", idempotency_key: made["idempotency_key"])
    end,
    "keys.revoke" => ->(client, _) { client.keys.revoke("key_1") },
    "customers.create" => lambda do |client, made|
      client.customers.create(customer_id: "customer-123", name: made["text"] || "Ada")
    end,
    "chat" => lambda do |client, made|
      client.chat.completions.create(model: "m", messages: [{ role: "user", content: made["text"] || "Hello" }])
    end,
    "chat.stream" => ->(client, _) { client.chat.completions.create(model: "m", messages: HELLO, stream: true).to_a }
  }.freeze

  def self.vectors(file, member = "cases", &test)
    Scripted.vectors(file, member).each do |vector|
      define_method("test_#{file}_#{member}: #{vector["name"]}") do
        Results.note(file, vector["name"]) { instance_exec(vector, &test) }
      end
    end
  end

  vectors("signatures") do |vector|
    if vector["err"] == "secret"
      assert_match(/secret/, assert_raises(ArgumentError) { verdict(vector) }.message)
    else
      assert_equal vector["valid"], verdict(vector)
    end
  end

  vectors("errors") do |vector|
    Scripted.server.script(
      VALIDATE => [{ status: vector["status"], headers: vector["headers"], base64: vector["body"] }]
    )
    error = outcome(client(max_retries: 0), "call" => "validate")
    assert_fits vector["class"], error
    (%w[code type param required_scope retry_after request_id] & vector.keys).each do |member|
      assert_equal [vector[member]], [error.public_send(member)], member
    end
  end

  vectors("retries", "backoff") do |vector|
    drawn = Array.new(DRAWS) { InnoAI::Transport::Retries.pause(vector["retry"], vector["headers"]) }
    assert_operator drawn.min, :>=, vector["min"]
    assert_operator drawn.max, :<=, vector["max"]
    assert_equal vector["min"] != vector["max"], drawn.uniq.size > 1
  end

  vectors("retries") do |vector|
    expected = vector["expect"]
    Scripted.server.script(vector["script"])
    error = outcome(client(max_retries: vector["max_retries"]), vector)
    seen = Scripted.server.seen
    assert_fits expected["outcome"], error
    assert_equal expected["requests"], seen.size
    assert_equal 1, seen.map { |request| [request.route, request.body] }.uniq.size
    assert_idempotency expected["idempotency_key"], seen
    expected.fetch("min_waits", []).each_with_index do |least, at|
      assert_operator seen[at + 1].at - seen[at].at, :>=, least
    end
  end

  vectors("tokens", "renewal") do |vector|
    token = InnoAI::Token.new(access_token: "a", refresh_token: "r", expires_in: vector["expires_in"])
    assert_equal vector["due"], InnoAI::TokenKeeper::Held.since(0, token).due?(vector["age"])
  end

  vectors("tokens") do |vector|
    Scripted.server.script(vector["script"])
    options = vector["client"].transform_keys(&:to_sym)
    one = client(max_retries: vector["max_retries"], **options)
    vector["steps"].each do |step|
      errors = Array.new(step["parallel"]) { Thread.new { outcome(one, step) } }.map(&:value)
      errors.each { |error| assert_fits step["outcome"], error }
    end
    assert_requests vector["expect"], Scripted.server.seen
  end

  vectors("sse") do |vector|
    stream = vector["stream"].unpack1("m0")
    cuts = (0..stream.bytesize).map { |at| [stream.byteslice(0, at), stream.byteslice(at..)] }
    [*cuts, stream.each_char.to_a].each { |pieces| assert_events vector, pieces }
    assert_chat_stream vector, stream if vector.key?("text") || vector.key?("error")
  end

  vectors("unicode") do |vector|
    Scripted.server.script(vector["script"])
    customer = CALLS.fetch(vector["call"]).call(client, vector)
    seen = Scripted.server.seen
    sent = seen.map { |request| request.json["name"] }
    assert_equal [vector["text"]], sent
    assert seen.first.body.dup.force_encoding("UTF-8").valid_encoding?
    assert_equal vector["text"], customer.name
  end

  private

  def verdict(vector)
    body = vector["body"].unpack1("m0")
    headers = vector["headers"]
    return InnoAI::Webhooks.verify(body, headers["x-innoai-signature"], vector["secret"]) if vector["style"] == "innoai"

    InnoAI::Webhooks.verify_standard(body, headers, vector["secret"], tolerance: vector["tolerance"],
                                                                      now: vector["now"])
  end

  def outcome(client, made)
    problem { CALLS.fetch(made["call"]).call(client, made) }
  end

  def assert_fits(expected, error)
    case expected
    when "ok" then assert_nil error
    when "connection" then assert_kind_of InnoAI::APIConnectionError, error
    else assert_kind_of named(expected), error
    end
  end

  def assert_idempotency(expected, seen)
    keys = seen.map { |request| request.headers["idempotency-key"] }.uniq
    case expected
    when nil then nil
    when "absent" then assert_equal [nil], keys
    when "same"
      assert_equal 1, keys.size
      refute_empty keys.first
    else assert_equal [expected["is"]], keys
    end
  end

  def assert_requests(expected, seen)
    if expected.key?("requests")
      shown = seen.zip(expected["requests"]).map do |request, wanted|
        bearer = request.bearer == KEY ? "key" : request.bearer
        { "route" => request.route, "bearer" => bearer, "json" => request.json }.slice(*wanted&.keys)
      end
      assert_equal expected["requests"], shown
    end
    expected.fetch("counts", {}).each do |route, count|
      assert_equal count, seen.count { |request| request.route == route }, route
    end
  end

  def assert_events(vector, pieces)
    decoder = InnoAI::EventDecoder.new
    frames = []
    pieces.each { |piece| decoder.feed(piece) { |frame| frames << frame unless frame.data.empty? } }
    before = frames.take_while { |frame| frame.data != "[DONE]" }
    assert_equal vector["data"], before.map(&:data), pieces.inspect
    assert_equal vector["done"], before.size < frames.size
    assert_equal vector["events"], before.map(&:event) if vector.key?("events")
  end

  def assert_chat_stream(vector, stream)
    Scripted.server.script(CHAT => [{ headers: { "content-type" => "text/event-stream" },
                                      base64: vector["stream"], split: stream.bytesize / 2 }])
    read = []
    error = problem do
      client.chat.completions.create(model: "m", messages: HELLO, stream: true).each do |chunk|
        read << chunk.choices.first.delta.content
      end
    end
    vector["error"] ? assert_equal(vector["error"], error&.message) : assert_nil(error)
    assert_equal vector["yields"], read.size if vector["yields"]
    assert_equal vector["text"], read.join if vector["text"]
  end
end
