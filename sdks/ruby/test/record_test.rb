# frozen_string_literal: true

require_relative "helper"

# Values: what the server answered, as Ruby wants it.
class RecordTest < Minitest::Test
  KEY_MEMBERS = {
    id: "key_1", object: "api_key", scopes: ["inference:read"], created_at: "2026-11-24T09:00:00.250Z",
    expires_at: nil, budgets: { monthly: "0.000000001", total: nil }, colour: { hue: ["blue"] }
  }.freeze

  def key
    InnoAI::ApiKey.new(KEY_MEMBERS)
  end

  def test_times_are_times_and_amounts_are_exact
    assert_equal Time.utc(2026, 11, 24, 9, 0, 0.25r), key.created_at
    assert_equal InnoAI::Amount.new("0.000000001"), key.budgets.monthly
    assert_equal [nil, nil], [key.expires_at, key.budgets.total]
  end

  def test_what_is_unknown_is_kept_and_what_is_missing_is_nil
    assert_equal({ hue: ["blue"] }, key[:colour])
    assert_equal "blue", key.dig(:colour, :hue, 0)
    assert_nil key.name
    assert_equal [true, false, true], [key.key?(:expires_at), key.key?(:name), key.key?("colour")]
  end

  def test_to_h_and_json_are_what_the_server_wrote
    assert_equal KEY_MEMBERS, key.to_h
    assert_equal JSON.generate(KEY_MEMBERS), JSON.generate(key)
  end

  def test_what_does_not_fit_is_taken_as_it_is
    odd = InnoAI::ApiKey.new(created_at: "yesterday", budgets: "none", key: 7, scopes: nil)
    assert_equal ["yesterday", "none", 7, nil], [odd.created_at, odd.budgets, odd.key, odd.scopes]
    assert_equal [nil, 7], [InnoAI::ApiKey.from(nil), InnoAI::ApiKey.from(7)]
  end

  def test_records_are_frozen_throughout
    assert_predicate key, :frozen?
    assert_raises(FrozenError) { key.scopes << "admin:full" }
    assert_raises(FrozenError) { key[:colour][:hue] << "red" }
  end

  def test_records_are_equal_by_value
    assert_equal key, key
    assert_equal 1, [key, key].uniq.size
    refute_equal key, InnoAI::ApiKey.new(id: "key_2")
    refute_equal InnoAI::Level.new(name: "x"), InnoAI::Scope.new(name: "x")
  end

  def test_a_record_can_be_taken_apart
    case key
    in { id: /\Akey_/ => id, budgets: { monthly: InnoAI::Amount => monthly } }
      assert_equal ["key_1", InnoAI::Amount.new("0.000000001")], [id, monthly]
    end
    assert_raises(NoMatchingPatternError) { key => { name: _ } }
  end

  def test_names_that_ruby_needs_itself_have_others
    entry = InnoAI::AuditEntry.new(hash: "abc", sequence: 1)
    assert_equal %w[abc abc], [entry.digest, entry[:hash]]
    assert_equal 1, { entry => 1 }[InnoAI::AuditEntry.new(hash: "abc", sequence: 1)]
    assert_equal "GET", InnoAI::Route.new(method: "GET").verb
  end

  def test_no_reader_stands_in_the_way_of_an_objects_own_methods
    classes = InnoAI.constants.map { |name| InnoAI.const_get(name) }.grep(Class)
    kinds = classes.select { |kind| kind < InnoAI::Record }
    assert_operator kinds.size, :>, 40
    shadowed = kinds.flat_map { |kind| kind.instance_methods(false) & Object.instance_methods }
    assert_empty shadowed
  end

  def test_a_message_of_an_answer_can_be_sent_again
    completion = { choices: [{ message: { role: "assistant", content: "Hi", refusal: nil, tool_calls: [
      { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }
    ] } }] }
    Scripted.server.script("POST /v1/chat/completions" => [{ json: completion }])
    message = client.chat.completions.create(model: "m", messages: HELLO).choices.first.message
    client.chat.completions.create(model: "m", messages: [*HELLO, message])
    sent = Scripted.server.seen.last.json["messages"].last
    assert_equal JSON.parse(JSON.generate(completion[:choices][0][:message])), sent
    assert_equal "f", message.tool_calls.first.function.name
  end
end
