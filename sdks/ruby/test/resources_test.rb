# frozen_string_literal: true

require "bigdecimal"

require_relative "helper"

# What each method sends, and that there is a route for it.
class ResourcesTest < Minitest::Test
  SPAN = { from: Time.new(2026, 11, 1, 8, 0, 0, "+08:00"), to: Date.new(2026, 12, 1) }.freeze
  SPAN_QUERY = "from=2026-11-01T00%3A00%3A00Z&to=2026-12-01T00%3A00%3A00Z"
  PAGE = { data: [], next_cursor: nil }.freeze
  # name => [call, route, query, body, what it answers]; the body nil where there is none.
  CALLS = {
    "chat" => [->(c) { c.chat.completions.create(model: "m", messages: HELLO, temperature: 0) },
               "POST /v1/chat/completions", "", { model: "m", messages: HELLO, temperature: 0 },
               InnoAI::ChatCompletion],
    "completions" => [->(c) { c.completions.create(model: "m", prompt: "Hi") }, "POST /v1/completions", "",
                      { model: "m", prompt: "Hi" }, InnoAI::Completion],
    "responses" => [->(c) { c.responses.create(model: "m", input: "Hi") }, "POST /v1/responses", "",
                    { model: "m", input: "Hi" }, InnoAI::ModelResponse],
    "embeddings" => [->(c) { c.embeddings.create(model: "m", input: ["Hi"], dimensions: 2) }, "POST /v1/embeddings", "",
                     { model: "m", input: ["Hi"], dimensions: 2 }, InnoAI::EmbeddingList],
    "moderations" => [->(c) { c.moderations.create(model: "m", input: "Hi") }, "POST /v1/moderations", "",
                      { model: "m", input: "Hi" }, InnoAI::Moderation],
    "models.list" => [->(c) { c.models.list }, "GET /v1/models", "", nil, InnoAI::Page],
    "models.get" => [->(c) { c.models.get("a/b c") }, "GET /v1/models/a%2Fb%20c", "", nil, InnoAI::Model],
    "auth.token" => [->(c) { c.auth.token(customer_id: "c", scopes: %i[a b], expires_in: 60, rotate: true) },
                     "POST /v1/auth/token", "", { customer_id: "c", scopes: %w[a b], expires_in: 60, rotate: true },
                     InnoAI::Token],
    "auth.refresh" => [lambda { |c|
                         c.auth.refresh("r")
                       }, "POST /v1/auth/refresh", "", { refresh_token: "r" }, InnoAI::Token],
    "auth.validate" => [->(c) { c.auth.validate }, "GET /v1/auth/validate", "", nil, InnoAI::Validation],
    "auth.revoke" => [->(c) { c.auth.revoke("t") }, "POST /v1/auth/revoke", "", { token: "t" }, NilClass],
    "auth.introspect" => [->(c) { c.auth.introspect("t") }, "POST /v1/auth/introspect", "", { token: "t" },
                          InnoAI::Introspection],
    "auth.explain" => [->(c) { c.auth.explain(key: "key_1", method: "GET", path: "/v1/keys", ip: "::1") },
                       "POST /v1/auth/explain", "", { key: "key_1", method: "GET", path: "/v1/keys", ip: "::1" },
                       InnoAI::Explanation],
    "keys.create" => [lambda do |c|
      c.keys.create(name: "n", scopes: ["a"], allowed_ips: ["10.0.0.0/8"], rate_limit: 9, models: ["m"],
                    customer_id: "c",
                    expires_at: Time.utc(2027, 1, 2, 3, 4, 5.5r), budgets: { monthly: 20, total: BigDecimal("1E-9") })
    end, "POST /v1/keys", "",
                      { name: "n", scopes: ["a"], allowed_ips: ["10.0.0.0/8"], rate_limit: 9,
                        expires_at: "2027-01-02T03:04:05.500000Z", models: ["m"], customer_id: "c",
                        budgets: { monthly: "20", total: "0.000000001" } }, InnoAI::ApiKey],
    "keys.list" => [->(c) { c.keys.list(limit: 5, status: :active, search: "y", cursor: "x") }, "GET /v1/keys",
                    "limit=5&cursor=x&status=active&search=y", nil, InnoAI::Page],
    "keys.get" => [->(c) { c.keys.get("key_1") }, "GET /v1/keys/key_1", "", nil, InnoAI::ApiKey],
    "keys.update" => [->(c) { c.keys.update("key_1", expires_at: nil, budgets: { monthly: nil }, name: "n") },
                      "PATCH /v1/keys/key_1", "", { name: "n", expires_at: nil, budgets: { monthly: nil } },
                      InnoAI::ApiKey],
    "keys.update of all" => [lambda do |c|
      c.keys.update("key_1", scopes: %w[a], allowed_ips: [], rate_limit: nil, models: nil)
    end, "PATCH /v1/keys/key_1", "", { scopes: ["a"], allowed_ips: [], rate_limit: nil, models: nil }, InnoAI::ApiKey],
    "keys.rotate" => [->(c) { c.keys.rotate("key_1", overlap: 60) }, "POST /v1/keys/key_1/rotate", "", { overlap: 60 },
                      InnoAI::ApiKey],
    "keys.revoke" => [->(c) { c.keys.revoke("key_1") }, "DELETE /v1/keys/key_1", "", nil, NilClass],
    "keys.report_leak" => [lambda { |c|
                             c.keys.report_leak("a text", source: "a log", revoke: true)
                           }, "POST /v1/keys/leaks", "",
                           { text: "a text", source: "a log", revoke: true }, InnoAI::LeakReport],
    "customers.create" => [lambda do |c|
      c.customers.create(customer_id: "c 1", name: "Ada", metadata: { plan: "gold" }, rate_limit: 3,
                         budgets: { total: "5" })
    end, "POST /v1/customers", "", { customer_id: "c 1", name: "Ada", metadata: { plan: "gold" }, rate_limit: 3,
                                     budgets: { total: "5" } }, InnoAI::Customer],
    "customers.list" => [->(c) { c.customers.list(search: "a b") }, "GET /v1/customers", "search=a+b", nil,
                         InnoAI::Page],
    "customers.get" => [->(c) { c.customers.get("c 1/2?é") }, "GET /v1/customers/c%201%2F2%3F%C3%A9", "", nil,
                        InnoAI::Customer],
    "customers.update" => [->(c) { c.customers.update("c", name: nil, disabled: true, metadata: {}) },
                           "PATCH /v1/customers/c", "", { name: nil, metadata: {}, disabled: true }, InnoAI::Customer],
    "customers.delete" => [->(c) { c.customers.delete("c") }, "DELETE /v1/customers/c", "", nil, NilClass],
    "members.create" => [->(c) { c.members.create(email: "a@b.c", role: :viewer) }, "POST /v1/members", "",
                         { email: "a@b.c", role: "viewer" }, InnoAI::Member],
    "members.list" => [->(c) { c.members.list(limit: 1) }, "GET /v1/members", "limit=1", nil, InnoAI::Page],
    "members.get" => [->(c) { c.members.get("mem_1") }, "GET /v1/members/mem_1", "", nil, InnoAI::Member],
    "members.update" => [->(c) { c.members.update("mem_1", name: nil) }, "PATCH /v1/members/mem_1", "", { name: nil },
                         InnoAI::Member],
    "members.delete" => [->(c) { c.members.delete("mem_1") }, "DELETE /v1/members/mem_1", "", nil, NilClass],
    "billing.usage" => [->(c) { c.billing.usage(group_by: %i[day model], customer_id: "c", **SPAN) },
                        "GET /v1/billing/usage", "group_by=day%2Cmodel&#{SPAN_QUERY}&customer_id=c", nil,
                        InnoAI::UsagePage],
    "billing.usage_csv" => [->(c) { c.billing.usage_csv(key_id: "key_1") }, "GET /v1/billing/usage",
                            "key_id=key_1&format=csv", nil, InnoAI::Download],
    "billing.summary" => [lambda { |c|
                            c.billing.summary(month: "2026-11")
                          }, "GET /v1/billing/summary", "month=2026-11", nil,
                          InnoAI::BillingSummary],
    "billing.settings" => [->(c) { c.billing.settings }, "GET /v1/billing/settings", "", nil, InnoAI::BillingSettings],
    "billing.update_settings" => [->(c) { c.billing.update_settings(budgets: { monthly: 1 }, alert_thresholds: nil) },
                                  "PATCH /v1/billing/settings", "", { budgets: { monthly: "1" },
                                                                      alert_thresholds: nil },
                                  InnoAI::BillingSettings],
    "billing.statements" => [->(c) { c.billing.statements(month: "2026-11") }, "GET /v1/billing/statements",
                             "month=2026-11", nil, InnoAI::Page],
    "billing.statements_csv" => [->(c) { c.billing.statements_csv }, "GET /v1/billing/statements", "format=csv", nil,
                                 InnoAI::Download],
    "billing.statement" => [lambda { |c|
                              c.billing.statement("2026-11", "c/1")
                            }, "GET /v1/billing/statements/2026-11/c%2F1", "",
                            nil, InnoAI::Statement],
    "billing.statement_csv" => [lambda { |c|
                                  c.billing.statement_csv("2026-11", "c")
                                }, "GET /v1/billing/statements/2026-11/c",
                                "format=csv", nil, InnoAI::Download],
    "webhooks.create" => [lambda { |c|
                            c.webhooks.create(url: "https://x/", event_types: ["key.*"], headers: { "x-a" => "b" })
                          },
                          "POST /v1/webhooks", "", { url: "https://x/", event_types: ["key.*"],
                                                     headers: { "x-a": "b" } },
                          InnoAI::WebhookEndpoint],
    "webhooks.list" => [->(c) { c.webhooks.list }, "GET /v1/webhooks", "", nil, InnoAI::Page],
    "webhooks.get" => [->(c) { c.webhooks.get("whe_1") }, "GET /v1/webhooks/whe_1", "", nil, InnoAI::WebhookEndpoint],
    "webhooks.update" => [->(c) { c.webhooks.update("whe_1", description: nil, disabled: false) },
                          "PATCH /v1/webhooks/whe_1", "", { description: nil, disabled: false },
                          InnoAI::WebhookEndpoint],
    "webhooks.delete" => [->(c) { c.webhooks.delete("whe_1") }, "DELETE /v1/webhooks/whe_1", "", nil, NilClass],
    "webhooks.rotate_secret" => [->(c) { c.webhooks.rotate_secret("whe_1", overlap: 0) },
                                 "POST /v1/webhooks/whe_1/rotate-secret", "", { overlap: 0 }, InnoAI::WebhookEndpoint],
    "webhooks.test" => [->(c) { c.webhooks.test("whe_1") }, "POST /v1/webhooks/whe_1/test", "", nil, InnoAI::Delivery],
    "webhooks.replay" => [->(c) { c.webhooks.replay("whe_1", since: DateTime.new(2026, 11, 1)) },
                          "POST /v1/webhooks/whe_1/replay", "", { since: "2026-11-01T00:00:00Z" }, InnoAI::Replay],
    "webhooks.event_types" => [->(c) { c.webhooks.event_types }, "GET /v1/webhooks/event-types", "", nil, InnoAI::Page],
    "webhooks.deliveries" => [->(c) { c.webhooks.deliveries(endpoint_id: "whe_1", state: "failed", event_type: "t") },
                              "GET /v1/webhooks/deliveries", "endpoint_id=whe_1&state=failed&event_type=t", nil,
                              InnoAI::Page],
    "webhooks.delivery" => [->(c) { c.webhooks.delivery("dlv_1") }, "GET /v1/webhooks/deliveries/dlv_1", "", nil,
                            InnoAI::Delivery],
    "webhooks.replay_delivery" => [->(c) { c.webhooks.replay_delivery("dlv_1") },
                                   "POST /v1/webhooks/deliveries/dlv_1/replay", "", nil, InnoAI::Delivery],
    "webhooks.stream" => [->(c) { c.webhooks.stream.each_frame.first }, "GET /v1/webhooks/stream", "", nil,
                          InnoAI::EventDecoder::Frame],
    "audit.list" => [->(c) { c.audit.list(action: "key.*", actor_id: "a", target_id: "t", limit: 2, **SPAN) },
                     "GET /v1/audit", "action=key.*&actor_id=a&target_id=t&#{SPAN_QUERY}&limit=2", nil,
                     InnoAI::AuditPage],
    "audit.export_jsonl" => [->(c) { c.audit.export_jsonl(from: "2026-11-01T00:00:00Z") }, "GET /v1/audit",
                             "from=2026-11-01T00%3A00%3A00Z&format=jsonl", nil, InnoAI::Download],
    "tiers" => [->(c) { c.tiers }, "GET /v1/tiers", "", nil, InnoAI::AccessMatrix]
  }.freeze
  REPEATED_BY_KEY = %w[keys.create keys.rotate customers.create members.create webhooks.create webhooks.rotate_secret
                       webhooks.test webhooks.replay webhooks.replay_delivery].freeze
  WITHOUT_CREDENTIAL = %w[auth.refresh auth.revoke].freeze

  CALLS.each do |name, (call, route, query, body, kind)|
    define_method("test_what_is_sent_by_#{name}") do
      Scripted.server.script(route => [answer_to(name, kind)])
      answered = call.call(client(max_retries: 0))
      request = Scripted.server.seen.first
      assert_equal [route, query], [request.route, request.query]
      body ? assert_equal(JSON.parse(JSON.generate(body)), request.json) : assert_empty(request.body)
      assert_instance_of kind, answered
      assert_equal [WITHOUT_CREDENTIAL.include?(name) ? nil : KEY], bearers
      assert_equal REPEATED_BY_KEY.include?(name), request.headers.key?("idempotency-key")
    end
  end

  def answer_to(name, kind)
    return { status: 204 } if kind == NilClass
    return { text: "data: {}\n\n", headers: { "content-type" => "text/event-stream" } } if name == "webhooks.stream"

    { json: PAGE }
  end

  def test_every_method_has_a_route_of_the_server
    skip "innoai is not installed: make install, or INNOAI_COMMAND" unless (server = Installation.shared)
    matrix = InnoAI::Client.new(api_key: server.admin_key, base_url: server.base_url).tiers
    known = matrix.routes.map do |route|
      Regexp.new("\\A#{route.verb} #{route.path.gsub(/\{[a-z_]+\}/, "[^/]+")}\\z")
    end
    assert_empty(CALLS.values.map { |call| call[1] }.reject { |called| known.any? { |route| route.match?(called) } })
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
