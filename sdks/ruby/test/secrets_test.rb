# frozen_string_literal: true

require "pp"
require "yaml"

require_relative "helper"

# No secret is shown by anything that an application may log, print, dump or send on.
class SecretsTest < Minitest::Test
  SECRETS = [KEY, "access-1", "refresh-1", "sk-inno-shown-once", "whsec_once", "only-once"].freeze
  TOKEN = { access_token: "access-1", token_type: "Bearer", expires_in: 3600, refresh_token: "refresh-1" }.freeze
  REFUSAL = { status: 401, json: { error: { code: "invalid_api_key", message: "No.", type: "t" } } }.freeze

  def shown(*things)
    things.flat_map do |thing|
      [thing.inspect, thing.to_s, thing.pretty_inspect, JSON.generate([thing]), YAML.dump(thing),
       within(thing)]
    end.join("\n")
  end

  # What whoever walks through instance variables sees, as Rails' JSON and error reporters do.
  def within(thing, seen = {}.compare_by_identity)
    return "" if seen.key?(thing) || thing.is_a?(Module)

    seen[thing] = true
    inner = case thing
            when Hash then thing.to_a.flatten(1)
            when Array then thing
            else thing.instance_variables.map { |name| thing.instance_variable_get(name) }
            end
    [thing.is_a?(Enumerable) ? "" : thing.inspect, *inner.map { |each| within(each, seen) }].join("\n")
  end

  def assert_silent(text)
    assert_empty(SECRETS.select { |secret| text.include?(secret) })
  end

  def test_clients_and_their_parts_show_neither_key_nor_token
    Scripted.server.script("POST /v1/auth/token" => [{ json: TOKEN }], "GET /v1/models" => [{ json: { data: [] } }])
    tenant = client.as_customer("customer-123")
    tenant.models.list
    parts = tenant.instance_variables.map { |name| tenant.instance_variable_get(name) }
    assert_silent shown(client, tenant, *parts)
    assert_match(/customer-123/, tenant.inspect)
  end

  def test_marshal_refuses_what_holds_a_secret
    [client, client.as_customer("c"), InnoAI::Token.new(TOKEN), InnoAI::Secret.new("access-1"),
     client.instance_variable_get(:@key), client.instance_variable_get(:@settings)].each do |holder|
      assert_silent assert_raises(TypeError) { Marshal.dump(holder) }.message
    end
  end

  def test_records_without_a_secret_are_dumped_whole
    key = InnoAI::ApiKey.new(id: "key_1", created_at: "2026-11-24T09:00:00Z", budgets: { monthly: "1.50", total: nil })
    again = Marshal.load(Marshal.dump(key))
    assert_equal key, again
    assert_equal key.to_h, again.to_h
    assert_predicate again, :frozen?
  end

  def test_what_is_shown_once_is_given_and_not_shown
    records = {
      InnoAI::Token.new(TOKEN) => { access_token: "access-1", refresh_token: "refresh-1" },
      InnoAI::ApiKey.new(id: "key_1", key: "sk-inno-shown-once") => { key: "sk-inno-shown-once" },
      InnoAI::WebhookEndpoint.new(id: "whe_1", secret: "whsec_once") => { secret: "whsec_once" },
      InnoAI::Member.new(id: "mem_1", invite_url: "http://x/only-once") => { invite_url: "http://x/only-once" }
    }
    records.each do |record, secrets|
      secrets.each do |name, secret|
        assert_equal [secret] * 3, [record.public_send(name), record[name], record.to_h[name]]
        assert_equal secret, record.deconstruct_keys([name])[name]
      end
      assert_silent shown(record, [record], { record: record })
    end
  end

  def test_a_page_does_not_show_what_it_holds
    Scripted.server.script("GET /v1/keys" => [{ json: { data: [{ id: "key_1", key: "sk-inno-shown-once" }] } }])
    page = client.keys.list
    assert_equal "sk-inno-shown-once", page.data.first.key
    assert_silent [page.inspect, page.to_s, page.pretty_inspect].join
  end

  def test_exceptions_do_not_show_what_was_sent
    Scripted.server.script(
      "POST /v1/auth/token" => [{ json: TOKEN }, REFUSAL],
      "POST /v1/auth/refresh" => [REFUSAL], "GET /v1/auth/validate" => [REFUSAL]
    )
    error = problem { client(customer_id: "c").auth.validate }
    assert_instance_of InnoAI::InvalidApiKey, error
    while error
      assert_silent [error.full_message(highlight: false), error.inspect, within(error)].join
      assert_silent Marshal.dump(error)
      error = error.cause
    end
  end

  def test_a_broken_connection_does_not_show_what_was_sent
    Scripted.server.script("POST /v1/auth/refresh" => [{ close: "before" }])
    error = problem { client(max_retries: 0).auth.refresh("refresh-1") }
    assert_instance_of InnoAI::APIConnectionError, error
    assert_silent [error.full_message, error.cause.full_message, within(error)].join
  end

  def test_a_wrong_call_does_not_show_the_client
    error = assert_raises(NoMethodError) { client.no_such_method }
    assert_silent error.full_message
    assert_silent assert_raises(NoMethodError) { InnoAI::Token.new(TOKEN).no_such_method }.full_message
  end

  def test_keys_that_no_header_can_carry_are_refused_without_being_shown
    ["sk-inno-secret\nX: y", "sk-inno-secret more", "sk-inno-secrét"].each do |key|
      error = assert_raises(ArgumentError) { InnoAI::Client.new(api_key: key) }
      refute_match(/sk-inno|Y: y|more/, error.full_message)
    end
  end

  def test_a_keys_secret_does_not_get_into_a_url
    Scripted.server.script({})
    error = assert_raises(ArgumentError) { client.keys.revoke("sk-inno-shown-once") }
    assert_silent error.message
    assert_empty Scripted.server.seen
  end
end
