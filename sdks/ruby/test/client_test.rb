# frozen_string_literal: true

require_relative "helper"

# How a client is made, and copied.
class ClientTest < Minitest::Test
  def with_environment(**variables)
    before = variables.to_h { |name, _| [name.to_s, ENV.fetch(name.to_s, nil)] }
    ENV.update(variables.transform_keys(&:to_s))
    yield
  ensure
    ENV.update(before)
  end

  def base_url(given)
    InnoAI::Client.new(api_key: KEY, base_url: given).base_url
  end

  def test_key_and_address_come_from_the_environment_unless_given
    with_environment(INNOAI_API_KEY: KEY, INNOAI_BASE_URL: "https://gateway.example/v1/") do
      assert_equal "https://gateway.example/v1", InnoAI::Client.new.base_url
      assert_equal "http://here.example/v1", InnoAI::Client.new(base_url: "http://here.example/v1").base_url
      assert_equal "https://gateway.example/v1", InnoAI::Client.new(api_key: nil, base_url: nil).base_url
    end
    with_environment(INNOAI_API_KEY: KEY, INNOAI_BASE_URL: nil) do
      assert_equal "http://127.0.0.1:8080/v1", InnoAI::Client.new.base_url
    end
  end

  def test_a_missing_key_names_what_to_set
    with_environment(INNOAI_API_KEY: nil) do
      [nil, "", " \n"].each do |key|
        error = assert_raises(InnoAI::MissingApiKey) { InnoAI::Client.new(api_key: key) }
        assert_match(/api_key: .*INNOAI_API_KEY/, error.message)
      end
    end
  end

  def test_a_key_read_from_a_file_is_sent_without_the_last_newline
    Scripted.server.script("GET /v1/models" => [{ json: { data: [] } }])
    InnoAI::Client.new(api_key: "#{KEY}\n", base_url: Scripted.server.base_url).models.list
    assert_equal [KEY], bearers
  end

  def test_addresses
    assert_equal "http://[::1]:8080/v1", base_url("http://[::1]:8080/v1//")
    assert_equal "https://host", base_url(URI("https://host/"))
    ["ftp://host/v1", "host/v1", "http://user:pass@host/v1", "http://host/v1?x=1", "http://host/v1#x",
     "http:// /"].each do |bad|
      error = assert_raises(ArgumentError) { base_url(bad) }
      refute_match(/pass/, error.full_message)
    end
  end

  def test_wrong_options_are_refused_at_once
    assert_raises(TypeError) { client(scopes: "inference:read") }
    assert_raises(ArgumentError) { client(max_retries: -1) }
    assert_raises(ArgumentError) { client(max_retries: nil) }
    assert_raises(ArgumentError) { client(no_such_option: 1) }
  end

  def test_as_customer_mints_for_that_customer_and_leaves_the_first_client_as_it_was
    token = { access_token: "access-1", token_type: "Bearer", expires_in: 3600, refresh_token: "refresh-1" }
    Scripted.server.script("POST /v1/auth/token" => [{ json: token }], "GET /v1/models" => [{ json: { data: [] } }])
    first = client
    tenant = first.as_customer("customer-123", scopes: ["inference:read"], expires_in: 60)
    tenant.with_options(max_retries: 0).models.list
    tenant.models.list
    first.models.list
    assert_equal [KEY, "access-1", "access-1", KEY], bearers
    minted = { "customer_id" => "customer-123", "scopes" => ["inference:read"], "expires_in" => 60 }
    assert_equal minted, Scripted.server.seen.first.json
    assert_equal ["customer-123", nil], [tenant.customer_id, first.customer_id]
  end

  def test_a_customer_that_is_none_is_no_way_to_the_keys_own_rights
    [nil, ""].each { |none| assert_raises(ArgumentError) { client.as_customer(none) } }
  end

  def test_a_tenant_of_a_tenant_is_minted_with_the_key
    token = { access_token: "access-1", token_type: "Bearer", expires_in: 3600, refresh_token: "refresh-1" }
    Scripted.server.script("POST /v1/auth/token" => [{ json: token }], "GET /v1/models" => [{ json: { data: [] } }])
    client.as_customer("one").as_customer("two").models.list
    assert_equal [KEY, "access-1"], bearers
    assert_equal "two", Scripted.server.seen.first.json["customer_id"]
  end

  def test_a_client_never_changes
    assert_predicate client, :frozen?
  end

  def test_any_request_can_be_made
    Scripted.server.script(
      "POST /v1/images/generations" => [{ status: 201, json: { a: 1 }, headers: { "x-request-id" => "req_1" } }]
    )
    answer = client.request(:post, "/images/generations", body: { prompt: "A fox" }, query: { a: "b c", d: nil })
    assert_equal [201, { a: 1 }, "req_1"], [answer.status, answer.json, answer.request_id]
    sent = Scripted.server.seen.first
    assert_equal [{ "prompt" => "A fox" }, "a=b+c"], [sent.json, sent.query]
    assert_raises(ArgumentError) { client.request(:get, "keys") }
    assert_raises(ArgumentError) { client.request(:trace, "/keys") }
  end

  def test_the_agent_is_named
    Scripted.server.script("GET /v1/models" => [{ json: { data: [] } }])
    client.models.list
    assert_equal "innoai-ruby/#{InnoAI::VERSION}", Scripted.server.seen.first.headers["user-agent"]
  end
end
