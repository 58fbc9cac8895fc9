# frozen_string_literal: true

require "bigdecimal"

require_relative "helper"

# What each method sends, and that there is a route for it.
class ResourcesTest < Minitest::Test
  SPAN = { from: Time.new(2026, 11, 1, 8, 0, 0, "+08:00"), to: Date.new(2026, 12, 1) }.freeze
  SPAN_QUERY = "from=2026-11-01T00%3A00%3A00Z&to=2026-12-01T00%3A00%3A00Z"
  PAGE = { data: [], next_cursor: nil }.freeze

  # Those that make something, and so bear a key by which they may be repeated.
  REPEATED_BY_KEY = %w[keys.create keys.rotate customers.create members.create webhooks.create webhooks.rotate_secret
                       webhooks.test webhooks.replay webhooks.replay_delivery].freeze
  # Those for which possession is the proof.
  WITHOUT_CREDENTIAL = %w[auth.refresh auth.revoke].freeze
  ROUTES = [] # rubocop:disable Style/MutableConstant -- each `sends` below adds its own

  # The block asks for that route, and what comes of the answer is of that kind.
  def self.sends(name, route, kind, query: "", body: nil, answer: { json: PAGE }, &call)
    ROUTES << route
    define_method("test_what_is_sent_by_#{name}") do
      Scripted.server.script(route => [kind == NilClass ? { status: 204 } : answer])
      answered = call.call(client(max_retries: 0))
      request = Scripted.server.seen.first
      assert_equal [route, query], [request.route, request.query]
      body ? assert_equal(JSON.parse(JSON.generate(body)), request.json) : assert_empty(request.body)
      assert_instance_of kind, answered
      assert_equal [WITHOUT_CREDENTIAL.include?(name) ? nil : KEY], bearers
      assert_equal REPEATED_BY_KEY.include?(name), request.headers.key?("idempotency-key")
    end
  end

  sends("chat", "POST /v1/chat/completions", InnoAI::ChatCompletion,
        body: { model: "m", messages: HELLO, temperature: 0 }) do |c|
    c.chat.completions.create(model: "m", messages: HELLO, temperature: 0)
  end
  sends("completions", "POST /v1/completions", InnoAI::Completion, body: { model: "m", prompt: "Hi" }) do |c|
    c.completions.create(model: "m", prompt: "Hi")
  end
  sends("responses", "POST /v1/responses", InnoAI::ModelResponse, body: { model: "m", input: "Hi" }) do |c|
    c.responses.create(model: "m", input: "Hi")
  end
  sends("embeddings", "POST /v1/embeddings", InnoAI::EmbeddingList,
        body: { model: "m", input: ["Hi"], dimensions: 2 }) do |c|
    c.embeddings.create(model: "m", input: ["Hi"], dimensions: 2)
  end
  sends("moderations", "POST /v1/moderations", InnoAI::Moderation, body: { model: "m", input: "Hi" }) do |c|
    c.moderations.create(model: "m", input: "Hi")
  end
  sends("models.list", "GET /v1/models", InnoAI::Page) { |c| c.models.list }
  sends("models.get", "GET /v1/models/a%2Fb%20c", InnoAI::Model) { |c| c.models.get("a/b c") }
  sends("auth.token", "POST /v1/auth/token", InnoAI::Token,
        body: { customer_id: "c", scopes: %w[a b], expires_in: 60, rotate: true }) do |c|
    c.auth.token(customer_id: "c", scopes: %i[a b], expires_in: 60, rotate: true)
  end
  sends("auth.refresh", "POST /v1/auth/refresh", InnoAI::Token, body: { refresh_token: "r" }) do |c|
    c.auth.refresh("r")
  end
  sends("auth.validate", "GET /v1/auth/validate", InnoAI::Validation) { |c| c.auth.validate }
  sends("auth.revoke", "POST /v1/auth/revoke", NilClass, body: { token: "t" }) { |c| c.auth.revoke("t") }
  sends("auth.introspect", "POST /v1/auth/introspect", InnoAI::Introspection, body: { token: "t" }) do |c|
    c.auth.introspect("t")
  end
  sends("auth.explain", "POST /v1/auth/explain", InnoAI::Explanation,
        body: { key: "key_1", method: "GET", path: "/v1/keys", ip: "::1" }) do |c|
    c.auth.explain(key: "key_1", method: "GET", path: "/v1/keys", ip: "::1")
  end
  sends("keys.create", "POST /v1/keys", InnoAI::ApiKey,
        body: { name: "n", scopes: ["a"], allowed_ips: ["10.0.0.0/8"], rate_limit: 9, models: ["m"], customer_id: "c",
                expires_at: "2027-01-02T03:04:05.500000Z", budgets: { monthly: "20", total: "0.000000001" } }) do |c|
    c.keys.create(name: "n", scopes: ["a"], allowed_ips: ["10.0.0.0/8"], rate_limit: 9, models: ["m"],
                  customer_id: "c", expires_at: Time.utc(2027, 1, 2, 3, 4, 5.5r),
                  budgets: { monthly: 20, total: BigDecimal("1E-9") })
  end
  sends("keys.list", "GET /v1/keys", InnoAI::Page, query: "limit=5&cursor=x&status=active&search=y") do |c|
    c.keys.list(limit: 5, status: :active, search: "y", cursor: "x")
  end
  sends("keys.get", "GET /v1/keys/key_1", InnoAI::ApiKey) { |c| c.keys.get("key_1") }
  sends("keys.update", "PATCH /v1/keys/key_1", InnoAI::ApiKey,
        body: { name: "n", expires_at: nil, budgets: { monthly: nil } }) do |c|
    c.keys.update("key_1", expires_at: nil, budgets: { monthly: nil }, name: "n")
  end
  sends("keys.update of all", "PATCH /v1/keys/key_1", InnoAI::ApiKey,
        body: { scopes: ["a"], allowed_ips: [], rate_limit: nil, models: nil }) do |c|
    c.keys.update("key_1", scopes: %w[a], allowed_ips: [], rate_limit: nil, models: nil)
  end
  sends("keys.rotate", "POST /v1/keys/key_1/rotate", InnoAI::ApiKey, body: { overlap: 60 }) do |c|
    c.keys.rotate("key_1", overlap: 60)
  end
  sends("keys.revoke", "DELETE /v1/keys/key_1", NilClass) { |c| c.keys.revoke("key_1") }
  sends("keys.report_leak", "POST /v1/keys/leaks", InnoAI::LeakReport,
        body: { text: "a text", source: "a log", revoke: true }) do |c|
    c.keys.report_leak("a text", source: "a log", revoke: true)
  end
  sends("keys.activity", "GET /v1/keys/key_1/activity", InnoAI::KeyActivity, query: SPAN_QUERY) do |c|
    c.keys.activity("key_1", **SPAN)
  end
  sends("keys.advice", "GET /v1/keys/key_1/advice", InnoAI::KeyAdvice, query: "days=7") do |c|
    c.keys.advice("key_1", days: 7)
  end
  sends("keys.preview", "POST /v1/keys/key_1/preview", InnoAI::KeyPreview,
        body: { scopes: ["a"], allowed_ips: nil, days: 7 }) do |c|
    c.keys.preview("key_1", scopes: ["a"], allowed_ips: nil, days: 7)
  end
  sends("requests.refusals", "GET /v1/requests/refusals", InnoAI::Page, query: "key_id=key_1&limit=2") do |c|
    c.requests.refusals(key_id: "key_1", limit: 2)
  end
  sends("requests.stream", "GET /v1/requests/stream", InnoAI::DecidedRequest,
        query: "only=refused",
        answer: { text: "event: decided\ndata: {}\n\n", headers: { "content-type" => "text/event-stream" } }) do |c|
    c.requests.stream(only: :refused).first
  end
  sends("customers.create", "POST /v1/customers", InnoAI::Customer,
        body: { customer_id: "c 1", name: "Ada", metadata: { plan: "gold" }, rate_limit: 3,
                budgets: { total: "5" } }) do |c|
    c.customers.create(customer_id: "c 1", name: "Ada", metadata: { plan: "gold" }, rate_limit: 3,
                       budgets: { total: "5" })
  end
  sends("customers.list", "GET /v1/customers", InnoAI::Page, query: "search=a+b") do |c|
    c.customers.list(search: "a b")
  end
  sends("customers.get", "GET /v1/customers/c%201%2F2%3F%C3%A9", InnoAI::Customer) { |c| c.customers.get("c 1/2?é") }
  sends("customers.update", "PATCH /v1/customers/c", InnoAI::Customer,
        body: { name: nil, metadata: {}, disabled: true }) do |c|
    c.customers.update("c", name: nil, disabled: true, metadata: {})
  end
  sends("customers.delete", "DELETE /v1/customers/c", NilClass) { |c| c.customers.delete("c") }
  sends("members.create", "POST /v1/members", InnoAI::Member, body: { email: "a@b.c", role: "viewer" }) do |c|
    c.members.create(email: "a@b.c", role: :viewer)
  end
  sends("members.list", "GET /v1/members", InnoAI::Page, query: "limit=1") { |c| c.members.list(limit: 1) }
  sends("members.get", "GET /v1/members/mem_1", InnoAI::Member) { |c| c.members.get("mem_1") }
  sends("members.update", "PATCH /v1/members/mem_1", InnoAI::Member, body: { name: nil }) do |c|
    c.members.update("mem_1", name: nil)
  end
  sends("members.delete", "DELETE /v1/members/mem_1", NilClass) { |c| c.members.delete("mem_1") }
  sends("billing.usage", "GET /v1/billing/usage", InnoAI::UsagePage,
        query: "group_by=day%2Cmodel&#{SPAN_QUERY}&customer_id=c") do |c|
    c.billing.usage(group_by: %i[day model], customer_id: "c", **SPAN)
  end
  sends("billing.usage_csv", "GET /v1/billing/usage", InnoAI::Download, query: "key_id=key_1&format=csv") do |c|
    c.billing.usage_csv(key_id: "key_1")
  end
  sends("billing.summary", "GET /v1/billing/summary", InnoAI::BillingSummary, query: "month=2026-11") do |c|
    c.billing.summary(month: "2026-11")
  end
  sends("billing.settings", "GET /v1/billing/settings", InnoAI::BillingSettings) { |c| c.billing.settings }
  sends("billing.update_settings", "PATCH /v1/billing/settings", InnoAI::BillingSettings,
        body: { budgets: { monthly: "1" }, alert_thresholds: nil }) do |c|
    c.billing.update_settings(budgets: { monthly: 1 }, alert_thresholds: nil)
  end
  sends("billing.statements", "GET /v1/billing/statements", InnoAI::Page, query: "month=2026-11") do |c|
    c.billing.statements(month: "2026-11")
  end
  sends("billing.statements_csv", "GET /v1/billing/statements", InnoAI::Download, query: "format=csv") do |c|
    c.billing.statements_csv
  end
  sends("billing.statement", "GET /v1/billing/statements/2026-11/c%2F1", InnoAI::Statement) do |c|
    c.billing.statement("2026-11", "c/1")
  end
  sends("billing.statement_csv", "GET /v1/billing/statements/2026-11/c", InnoAI::Download, query: "format=csv") do |c|
    c.billing.statement_csv("2026-11", "c")
  end
  sends("webhooks.create", "POST /v1/webhooks", InnoAI::WebhookEndpoint,
        body: { url: "https://x/", event_types: ["key.*"], headers: { "x-a": "b" } }) do |c|
    c.webhooks.create(url: "https://x/", event_types: ["key.*"], headers: { "x-a" => "b" })
  end
  sends("webhooks.list", "GET /v1/webhooks", InnoAI::Page) { |c| c.webhooks.list }
  sends("webhooks.get", "GET /v1/webhooks/whe_1", InnoAI::WebhookEndpoint) { |c| c.webhooks.get("whe_1") }
  sends("webhooks.update", "PATCH /v1/webhooks/whe_1", InnoAI::WebhookEndpoint,
        body: { description: nil, disabled: false }) do |c|
    c.webhooks.update("whe_1", description: nil, disabled: false)
  end
  sends("webhooks.delete", "DELETE /v1/webhooks/whe_1", NilClass) { |c| c.webhooks.delete("whe_1") }
  sends("webhooks.rotate_secret", "POST /v1/webhooks/whe_1/rotate-secret", InnoAI::WebhookEndpoint,
        body: { overlap: 0 }) do |c|
    c.webhooks.rotate_secret("whe_1", overlap: 0)
  end
  sends("webhooks.test", "POST /v1/webhooks/whe_1/test", InnoAI::Delivery) { |c| c.webhooks.test("whe_1") }
  sends("webhooks.replay", "POST /v1/webhooks/whe_1/replay", InnoAI::Replay,
        body: { since: "2026-11-01T00:00:00Z" }) do |c|
    c.webhooks.replay("whe_1", since: DateTime.new(2026, 11, 1))
  end
  sends("webhooks.event_types", "GET /v1/webhooks/event-types", InnoAI::Page) { |c| c.webhooks.event_types }
  sends("webhooks.deliveries", "GET /v1/webhooks/deliveries", InnoAI::Page,
        query: "endpoint_id=whe_1&state=failed&event_type=t") do |c|
    c.webhooks.deliveries(endpoint_id: "whe_1", state: "failed", event_type: "t")
  end
  sends("webhooks.delivery", "GET /v1/webhooks/deliveries/dlv_1", InnoAI::Delivery) do |c|
    c.webhooks.delivery("dlv_1")
  end
  sends("webhooks.replay_delivery", "POST /v1/webhooks/deliveries/dlv_1/replay", InnoAI::Delivery) do |c|
    c.webhooks.replay_delivery("dlv_1")
  end
  sends("webhooks.stream", "GET /v1/webhooks/stream", InnoAI::EventDecoder::Frame,
        answer: { text: "data: {}\n\n", headers: { "content-type" => "text/event-stream" } }) do |c|
    c.webhooks.stream.each_frame.first
  end
  sends("audit.list", "GET /v1/audit", InnoAI::AuditPage,
        query: "action=key.*&actor_id=a&target_id=t&#{SPAN_QUERY}&limit=2") do |c|
    c.audit.list(action: "key.*", actor_id: "a", target_id: "t", limit: 2, **SPAN)
  end
  sends("audit.export_jsonl", "GET /v1/audit", InnoAI::Download,
        query: "from=2026-11-01T00%3A00%3A00Z&format=jsonl") do |c|
    c.audit.export_jsonl(from: "2026-11-01T00:00:00Z")
  end
  sends("tiers", "GET /v1/tiers", InnoAI::AccessMatrix, &:tiers)

  def test_every_method_has_a_route_of_the_server
    skip "innoai is not installed: make install, or INNOAI_COMMAND" unless (server = Installation.shared)
    matrix = InnoAI::Client.new(api_key: server.admin_key, base_url: server.base_url).tiers
    known = matrix.routes.map do |route|
      Regexp.new("\\A#{route.verb} #{route.path.gsub(/\{[a-z_]+\}/, "[^/]+")}\\z")
    end
    assert_empty(ROUTES.reject { |called| known.any? { |route| route.match?(called) } })
  end

  def test_a_list_is_walked_page_by_page_as_it_is_come_to
    pages = [{ json: { data: [{ id: "key_1" }], next_cursor: "a" } }, { json: { data: [], next_cursor: "b" } },
             { json: { data: [{ id: "key_2" }, { id: "key_3" }], next_cursor: nil } }]
    Scripted.server.script("GET /v1/keys" => pages)
    page = client.keys.list(limit: 1, status: "active")
    assert_equal [["key_1"], true], [page.data.map(&:id), page.next_page?]
    assert_equal "key_1", page.first.id
    assert_equal 1, routes.size
    assert_equal %w[key_1 key_2 key_3], page.map(&:id)
    queries = Scripted.server.seen.map(&:query)
    assert_equal ["limit=1&status=active", "limit=1&cursor=a&status=active", "limit=1&cursor=b&status=active"], queries
    assert_nil page.each_page.to_a.last.next_page
  end

  def test_a_page_of_usage_says_what_it_is_about
    bucket = { model: "m", requests: 2, cost: "0.012" }
    answer = { data: [bucket], next_cursor: nil, from: "2026-11-01T00:00:00Z", to: "2026-12-01T00:00:00Z",
               currency: "USD" }
    Scripted.server.script("GET /v1/billing/usage" => [{ json: answer }])
    page = client.billing.usage(group_by: [:model])
    assert_equal [Time.utc(2026, 11), Time.utc(2026, 12), "USD"], [page.from, page.to, page.currency]
    first = page.first
    assert_equal [InnoAI::UsageBucket, InnoAI::Amount.new("0.012"), 2], [first.class, first.cost, first.requests]
  end

  def test_a_download_is_read_whole_or_by_lines_and_can_be_closed
    lines = "a,b\n1,é\n\nlast"
    Scripted.server.script("GET /v1/billing/usage" => [{ text: lines, split: 7 }])
    assert_equal [lines, Encoding::UTF_8], [client.billing.usage_csv.read].map { |text| [text, text.encoding] }.first
    assert_equal ["a,b", "1,é", "", "last"], client.billing.usage_csv.each_line.to_a
    assert_equal lines.b, client.billing.usage_csv.to_a.join
    download = client.billing.usage_csv
    download.close
    assert_raises(IOError) { download.read }
  end

  def test_an_export_is_read_entry_by_entry
    Scripted.server.script("GET /v1/audit" => [{ text: %({"id":"aud_1"}\n{"id":"aud_2"}\n), split: 20 }])
    assert_equal %w[aud_1 aud_2], client.audit.export.map { |entry| entry["id"] }.to_a
    read = []
    assert_nil(client.audit.export { |entry| read << entry["id"] })
    assert_equal %w[aud_1 aud_2], read
  end

  def test_wrong_arguments_are_refused_before_anything_is_sent
    Scripted.server.script({})
    wrong = {
      TypeError => [->(c) { c.keys.create(name: "n", scopes: "a") }, ->(c) { c.keys.get(nil) },
                    ->(c) { c.keys.get(InnoAI::ApiKey.new(id: "key_1")) },
                    ->(c) { c.keys.create(name: "n", budgets: { monthly: 0.1 }) },
                    ->(c) { c.keys.create(name: "n", expires_at: 17) }, ->(c) { c.billing.usage(group_by: "day") }],
      ArgumentError => [->(c) { c.customers.get("") }, ->(c) { c.customers.get("..") }, lambda { |c|
                                                                                          c.customers.delete(".")
                                                                                        },
                        ->(c) { c.keys.rotate("sk-inno-x") },
                        ->(c) { c.keys.create(name: "n", budgets: { monthly: BigDecimal("NaN") }) },
                        ->(c) { c.keys.create }, ->(c) { c.keys.create(name: "n", colour: "blue") }]
    }
    wrong.each { |kind, calls| calls.each { |call| assert_raises(kind) { call.call(client) } } }
    assert_empty Scripted.server.seen
  end

  def test_requests_are_told_as_what_they_are
    text = %w[decided finished lost].map { |name| "event: #{name}\ndata: {\"count\":3}\n\n" }.join
    Scripted.server.script(
      "GET /v1/requests/stream" => [{ headers: { "content-type" => "text/event-stream" }, text: text }]
    )
    news = client.requests.stream.first(3)
    assert_equal [InnoAI::DecidedRequest, InnoAI::UsageRecord, InnoAI::LostRequests], news.map(&:class)
    assert_equal 3, news.last.count
  end

  def test_streamed_responses_bring_events_and_streamed_completions_pieces
    event = { type: "response.output_text.delta", delta: "Hi" }
    stream = { headers: { "content-type" => "text/event-stream" },
               text: "event: #{event[:type]}\ndata: #{JSON.generate(event)}\n\n" }
    Scripted.server.script("POST /v1/responses" => [stream])
    first = client.responses.create(model: "m", input: "Hi", stream: true).first
    assert_equal ["response.output_text.delta", "Hi"], [first.type, first[:delta]]
    piece = { headers: { "content-type" => "text/event-stream" },
              text: "data: {\"choices\":[{\"text\":\"Hi\"}]}\n\ndata: [DONE]\n\n" }
    Scripted.server.script("POST /v1/completions" => [piece])
    assert_equal(["Hi"], client.completions.create(model: "m", prompt: "x", stream: true).map do |c|
                           c.choices.first.text
                         end)
  end
end
