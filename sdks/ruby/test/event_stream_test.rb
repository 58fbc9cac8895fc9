# frozen_string_literal: true

require_relative "helper"

# The account's events, over connections that get lost.
class EventStreamTest < Minitest::Test
  STREAM = "GET /v1/webhooks/stream"

  # What the server sends: events of these numbers, then the end.
  def sent(*numbers, before: "")
    text = before + numbers.map do |n|
                      "id: evt_#{n}\ndata: #{JSON.generate(id: "evt_#{n}", type: "t", data: { n: n })}\n\n"
                    end.join
    { headers: { "content-type" => "text/event-stream" }, text: text }
  end

  def stream(**options)
    @lost = []
    InnoAI::EventStream.new(options[:behind], ->(pause) { @lost << pause }, pauses: ->(_) {}) do |behind|
      headers = { "last-event-id" => behind }.compact
      client(max_retries: 0).open(InnoAI::Transport::Call.new("GET", "/webhooks/stream", headers: headers))
    end
  end

  def test_a_stream_goes_on_behind_what_came_and_knows_repeats
    Scripted.server.script(STREAM => [sent(1, 2), { close: "before" }, sent(2, 3), sent(4)])
    assert_equal([1, 2, 3, 4], stream.first(4).map { |event| event.data[:n] })
    behind = Scripted.server.seen.map { |request| request.headers["last-event-id"] }
    assert_equal [nil, "evt_2", "evt_2", "evt_3"], behind
    assert_equal [1.0, 2.0, 1.0], @lost
  end

  def test_the_server_says_how_long_to_wait
    Scripted.server.script(STREAM => [sent(1, before: "retry: 20\n\n"), sent(2)])
    stream.first(2)
    assert_equal [0.02], @lost
  end

  def test_an_id_without_data_is_a_place_and_no_event
    Scripted.server.script(STREAM => [sent(before: "id: evt_0\n\n"), sent(1)])
    assert_equal(["evt_1"], stream.first(1).map(&:id))
    assert_equal "evt_0", Scripted.server.seen.last.headers["last-event-id"]
  end

  def test_what_waiting_does_not_mend_is_raised
    refusal = { status: 403, json: { error: { code: "insufficient_permissions", message: "No.", type: "t" } } }
    Scripted.server.script(STREAM => [refusal])
    assert_raises(InnoAI::InsufficientPermissions) { stream.first }
    Scripted.server.script(STREAM => [{ close: "before" }])
    assert_raises(InnoAI::APIConnectionError) { stream.first }
    Scripted.server.script(STREAM => [sent(1), refusal])
    assert_raises(InnoAI::InsufficientPermissions) { stream.first(2) }
    busy = { status: 503, json: { error: { code: "service_unavailable", message: "Later.", type: "t" } } }
    Scripted.server.script(STREAM => [sent(1), busy, busy, sent(2)])
    assert_equal(%w[evt_1 evt_2], stream.first(2).map(&:id))
    assert_equal [1.0, 2.0, 4.0], @lost
  end

  def test_what_the_reader_raises_is_its_own
    Scripted.server.script(STREAM => [sent(1)])
    assert_raises(InnoAI::APIConnectionError) { stream.each { raise InnoAI::APIConnectionError, "mine" } }
    assert_equal 1, routes.size
  end

  def test_a_block_that_runs_out_of_something_is_heard
    Scripted.server.script(STREAM => [sent(1)])
    assert_raises(StopIteration) { stream.each { [].each.next } }
  end

  def test_what_is_no_json_is_an_error_that_is_not_waited_out
    Scripted.server.script(STREAM => [{ headers: { "content-type" => "text/event-stream" }, text: "data: {\n\n" }])
    assert_instance_of(InnoAI::APIError, problem { stream.first })
  end

  def test_frames_hold_the_body_as_a_delivery_would_send_it
    Scripted.server.script(STREAM => [sent(1)])
    frame = stream.each_frame.first
    assert_equal [%({"id":"evt_1","type":"t","data":{"n":1}}), "evt_1"], [frame.data, frame.id]
  end

  def test_it_can_begin_behind_an_event
    Scripted.server.script(STREAM => [sent(8)])
    from = client.webhooks.stream(event_types: ["key.*", "member.created"], last_event_id: "evt_7")
    assert_equal "evt_8", from.first.id
    assert_equal "evt_8", from.last_event_id
    request = Scripted.server.seen.first
    assert_equal ["evt_7", "text/event-stream"], request.headers.values_at("last-event-id", "accept")
    assert_equal "event_types=key.*%2Cmember.created", request.query
  end

  def test_silence_is_a_loss
    serving = lambda do |peer, socket, number|
      peer.read(socket)
      peer.begin_stream(socket)
      peer.chunk(socket, sent(number)[:text])
      socket.read
    end
    with_peer(serving) do |_, client|
      quiet = InnoAI::EventStream.new(nil, nil, pauses: ->(_) {}) do
        client.open(InnoAI::Transport::Call.new("GET", "/webhooks/stream", silence: 0.1))
      end
      assert_equal(%w[evt_0 evt_1], quiet.first(2).map(&:id))
    end
  end
end
