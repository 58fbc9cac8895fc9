# frozen_string_literal: true

require_relative "helper"
require_relative "support/receiver"

# A walk through a real innoai server, with its echo model.
class ServerTest < Minitest::Test
  COST = InnoAI::Amount.new("0.003") # of HELLO: a token in, a token out, at 1000 and 2000 dollars a million

  def setup
    @server = Installation.shared or skip "innoai is not installed: make install, or INNOAI_COMMAND"
    @admin = InnoAI::Client.new(api_key: @server.admin_key, base_url: @server.base_url, max_retries: 0)
  end

  def with_key(key)
    InnoAI::Client.new(api_key: key, base_url: @server.base_url, max_retries: 0)
  end

  def hello(client, **others)
    client.chat.completions.create(model: MODEL, messages: HELLO, **others)
  end

  # Until the block says what is neither nil nor false.
  def eventually
    Timeout.timeout(20) do
      loop do
        found = yield
        return found if found

        sleep 0.02
      end
    end
  end

  def test_a_completion
    answer = hello(@admin)
    choice = answer.choices.first
    assert_equal %w[Hello assistant stop], [choice.message.content, choice.message.role, choice.finish_reason]
    assert_equal [1, 1, 2], answer.usage.to_h.values_at(:prompt_tokens, :completion_tokens, :total_tokens)
    assert_equal MODEL, answer.model
  end

  def test_a_stream
    messages = [{ role: "user", content: "one two three" }]
    stream = @admin.chat.completions.create(model: MODEL, messages: messages, stream: true,
                                            stream_options: { include_usage: true })
    assert_match(/\Areq_/, stream.request_id)
    chunks = stream.to_a
    text = chunks.flat_map { |chunk| chunk.choices.map { |choice| choice.delta&.content } }.join
    assert_equal "one two three", text
    assert_operator chunks.size, :>, 2
    assert_equal 3, chunks.filter_map(&:usage).last.completion_tokens
    said = +""
    @admin.chat.completions.create(model: MODEL, messages: messages) do |chunk|
      said << chunk.dig(:choices, 0, :delta, :content).to_s
    end
    assert_equal "one two three", said
  end

  def test_the_other_inference_routes
    assert_equal "Hello", @admin.completions.create(model: MODEL, prompt: "Hello").choices.first.text
    assert_equal "Hello", @admin.responses.create(model: MODEL, input: "Hello").output_text
    events = @admin.responses.create(model: MODEL, input: "Hello", stream: true).to_a
    assert_equal "response.completed", events.last.type
    vectors = @admin.embeddings.create(model: MODEL, input: %w[Hello Bye]).data
    assert_equal [[0, 1], true], [vectors.map(&:index), vectors.all? { |vector| vector.embedding.all?(Float) }]
    refute @admin.moderations.create(model: MODEL, input: "Hello").results.first.flagged
    assert_includes @admin.models.list.map(&:id), MODEL
    assert_equal MODEL, @admin.models.get(MODEL).id
  end

  def test_a_keys_life
    made = @admin.keys.create(name: "Ruby", scopes: %w[inference:read inference:write], rate_limit: 1000,
                              expires_at: Time.now + 3600, budgets: { monthly: InnoAI::Amount.new("20.5") })
    own = with_key(made.key)
    assert_equal [made.id, %w[inference:read inference:write], 1000],
                 own.auth.validate.to_h.values_at(:key_id, :scopes, :rate_limit)
    assert_equal InnoAI::Amount.new("20.5"), @admin.keys.get(made.id).budgets.monthly
    assert_nil @admin.keys.update(made.id, expires_at: nil, name: "Ruby 2").expires_at
    error = problem { own.customers.create(customer_id: "not-mine") }
    assert_equal [InnoAI::InsufficientPermissions, "customers:write", 403, "authorization_error"],
                 [error.class, error.required_scope, error.status, error.type]
    assert_match(/\Areq_/, error.request_id)
    second = @admin.keys.rotate(made.id, overlap: 60)
    assert_equal made.id, second.rotated_from
    assert_includes @admin.keys.list(limit: 1).map(&:id), second.id
    assert_nil @admin.keys.revoke(made.id)
    assert_instance_of InnoAI::InvalidApiKey, problem { own.auth.validate }
    assert_predicate with_key(second.key).auth.validate, :valid?
    with_key(second.key).auth.revoke(second.key)
    assert_instance_of InnoAI::InvalidApiKey, problem { hello(with_key(second.key)) }
  end

  def test_the_same_idempotency_key_makes_one_key
    once = Array.new(2) { @admin.keys.create(name: "Once", idempotency_key: "ruby-once") }
    assert_equal [1, 1], [once.map(&:id).uniq.size, once.map(&:key).uniq.size]
    assert_instance_of InnoAI::Conflict, problem { @admin.keys.create(name: "Other", idempotency_key: "ruby-once") }
  end

  def test_tokens
    token = @admin.auth.token(customer_id: "ruby-123", scopes: ["inference:write"], expires_in: 60)
    assert_equal ["Bearer", 60], [token.token_type, token.expires_in]
    assert_equal "Hello", hello(with_key(token.access_token)).choices.first.message.content
    claims = @admin.auth.introspect(token.access_token)
    assert_equal [true, "ruby-123", "inference:write"], [claims.active?, claims.customer_id, claims.scope]
    again = @admin.auth.refresh(token.refresh_token)
    refute_equal token.access_token, again.access_token
    @admin.auth.revoke(token.access_token)
    refute_predicate @admin.auth.introspect(token.access_token), :active?
    explanation = @admin.auth.explain(key: again.access_token, method: "GET", path: "/v1/keys")
    assert_equal [false, "insufficient_permissions", "passed"],
                 [explanation.allowed?, explanation.code, explanation.checks.first.outcome]
  end

  def test_a_customers_client_gets_on_with_a_revoked_token
    tenant = @admin.as_customer("ruby-tenant", scopes: %w[inference:read inference:write])
    assert_equal "Hello", hello(tenant).choices.first.message.content
    assert_equal "ruby-tenant", @admin.customers.get("ruby-tenant").customer_id
    held = tenant.instance_variable_get(:@credential).bearer
    @admin.auth.revoke(held)
    answers = Array.new(6) { Thread.new { hello(tenant).choices.first.message.content } }.map(&:value)
    assert_equal ["Hello"], answers.uniq
    refute_equal held, tenant.instance_variable_get(:@credential).bearer
    assert_instance_of InnoAI::InsufficientPermissions, problem { tenant.keys.list }
    @admin.customers.update("ruby-tenant", disabled: true)
    assert_instance_of InnoAI::InsufficientPermissions, problem { hello(tenant) }
  end

  def test_a_rotated_refresh_token_that_is_used_again_ends_its_family
    token = @admin.auth.token(customer_id: "ruby-rotating", rotate: true)
    again = @admin.auth.refresh(token.refresh_token)
    refute_equal token.refresh_token, again.refresh_token
    assert_equal again.refresh_token, @admin.auth.refresh(token.refresh_token).refresh_token
  end

  def test_a_customers_life
    made = @admin.customers.create(customer_id: "ruby:c=1|2", name: "Åsa 🦊", metadata: { "plan" => "gold" },
                                   budgets: { total: 5 }, rate_limit: 60)
    assert_equal ["ruby:c=1|2", "Åsa 🦊", { plan: "gold" }, 60],
                 made.to_h.values_at(:customer_id, :name, :metadata, :rate_limit)
    assert_equal made, @admin.customers.get("ruby:c=1|2")
    assert_nil @admin.customers.update("ruby:c=1|2", rate_limit: nil).rate_limit
    assert_instance_of InnoAI::Conflict, problem { @admin.customers.create(customer_id: "ruby:c=1|2") }
    @admin.customers.delete("ruby:c=1|2")
    assert_instance_of InnoAI::NotFound, problem { @admin.customers.get("ruby:c=1|2") }
  end

  def test_a_members_life
    made = @admin.members.create(email: "ruby@example.com", role: :viewer)
    assert_match(/\Ahttp/, made.invite_url)
    assert_equal "developer", @admin.members.update(made.id, role: "developer").role
    assert_includes @admin.members.list.map(&:email), "ruby@example.com"
    assert_nil @admin.members.delete(made.id)
    assert_instance_of InnoAI::NotFound, problem { @admin.members.get(made.id) }
  end

  def test_what_was_spent_is_known_to_the_last_digit
    tenant = @admin.as_customer("ruby-spender")
    3.times { hello(tenant) }
    records = eventually do
      found = @admin.billing.usage(customer_id: "ruby-spender", limit: 2).to_a
      found if found.size == 3
    end
    assert_equal [COST] * 3, records.map(&:cost)
    page = @admin.billing.usage(group_by: %w[day model customer], customer_id: "ruby-spender")
    assert_equal [[3, COST * 3]], page.map { |bucket| [bucket.requests, bucket.cost] }
    assert_equal ["USD", true], [page.currency, page.from < page.to]
    summary = @admin.billing.summary(customer_id: "ruby-spender")
    assert_equal [COST * 3, MODEL], [summary.totals.cost, summary.models.first.model]
    statement = @admin.billing.statement(summary.month, "ruby-spender")
    assert_equal [COST * 3, COST * 3], [statement.cost, statement.lines.sum(&:cost)]
    rows = @admin.billing.usage_csv(customer_id: "ruby-spender").each_line.to_a
    assert_equal records.map(&:request_id), rows.drop(1).map { |row| row.split(",").first }
    assert_includes @admin.billing.statement_csv(summary.month, "ruby-spender").read, "0.009"
    assert_includes @admin.billing.statements_csv(month: summary.month).read, "ruby-spender"
    assert_includes @admin.billing.statements(month: summary.month).map(&:customer_id), "ruby-spender"
  end

  def test_budgets
    changed = @admin.billing.update_settings(budgets: { monthly: "1000.5", total: 5000 },
                                             alert_thresholds: [50, 90])
    assert_equal [InnoAI::Amount.new("1000.5"), 5000, [50, 90]],
                 [changed.budgets.monthly, changed.budgets.total, changed.alert_thresholds]
    assert_operator @admin.billing.summary.budgets.first.remaining, :>, 0
    @admin.billing.update_settings(budgets: { monthly: nil, total: nil }, alert_thresholds: nil)
    assert_equal [nil, [80, 100]], [@admin.billing.settings.budgets.monthly, @admin.billing.settings.alert_thresholds]
    poor = with_key(@admin.keys.create(name: "Poor", budgets: { total: "0.000000001" }).key)
    error = problem { hello(poor) }
    assert_equal [InnoAI::InsufficientQuota, 402], [error.class, error.status]
  end

  def test_a_rate_limit_says_how_long_to_wait
    slow = with_key(@admin.keys.create(name: "Slow", rate_limit: 1).key)
    slow.models.list
    error = problem { slow.models.list }
    assert_equal [InnoAI::RateLimitExceeded, 429, "rate_limit_error"], [error.class, error.status, error.type]
    assert_includes 1..60, error.retry_after
  end

  def test_refusals
    assert_instance_of InnoAI::ModelNotFound, problem {
                                                @admin.chat.completions.create(model: "nobody's", messages: HELLO)
                                              }
    error = problem { @admin.keys.create(name: "", level: "read") }
    assert_equal [InnoAI::InvalidRequest, "name"], [error.class, error.param]
    assert_instance_of InnoAI::InvalidApiKey, problem { with_key("sk-inno-nobody").auth.validate }
    assert_instance_of InnoAI::NotFound, problem { @admin.request(:get, "/nowhere") }
    elsewhere = with_key(@admin.keys.create(name: "Elsewhere", allowed_ips: ["198.51.100.0/24"]).key)
    assert_instance_of InnoAI::IpNotAllowed, problem { elsewhere.auth.validate }
    bound = with_key(@admin.keys.create(name: "Bound", models: ["another"]).key)
    assert_instance_of InnoAI::ModelNotAllowed, problem { hello(bound, stream: true) }
  end

  def test_webhooks_from_the_endpoint_to_the_verified_delivery
    receiver = Receiver.new
    endpoint = @admin.webhooks.create(url: receiver.url, event_types: ["key.created"], headers: { "x-mine" => "1" })
    key = @admin.keys.create(name: "Told")
    told = receiver.wait
    assert InnoAI::Webhooks.verify(told.body, told.headers["x-innoai-signature"], endpoint.secret)
    assert InnoAI::Webhooks.verify_standard(told.body, told.headers, endpoint.secret)
    refute InnoAI::Webhooks.verify_standard("#{told.body} ", told.headers, endpoint.secret)
    event = InnoAI::Event.new(JSON.parse(told.body, symbolize_names: true))
    assert_equal ["key.created", key.id], [event.type, event.data[:id]]

    tested = @admin.webhooks.test(endpoint.id)
    assert_match(/webhook\.test/, receiver.wait.body)
    delivery = eventually { (found = @admin.webhooks.delivery(tested.id)).state == "succeeded" && found }
    assert_equal ["webhook.test", 200], [delivery.event.type, delivery.log.first.status]
    assert_equal tested.event_id, @admin.webhooks.replay_delivery(tested.id).event_id
    assert_equal 0, @admin.webhooks.replay(endpoint.id, since: Time.utc(2026)).count
    assert_includes @admin.webhooks.deliveries(endpoint_id: endpoint.id, limit: 1).map(&:id), tested.id
    refute_equal endpoint.secret, @admin.webhooks.rotate_secret(endpoint.id, overlap: 60).secret
    assert @admin.webhooks.update(endpoint.id, disabled: true).disabled
    assert_includes @admin.webhooks.event_types.map(&:type), "key.created"
    @admin.webhooks.delete(endpoint.id)
    assert_instance_of InnoAI::NotFound, problem { @admin.webhooks.get(endpoint.id) }
  ensure
    receiver&.close
  end

  def test_events_as_they_happen
    stream = @admin.webhooks.stream(event_types: ["customer.created"])
    heard = Queue.new
    thread = Thread.new { stream.each { |event| heard << event } }
    eventually { stream.last_event_id }
    @admin.customers.create(customer_id: "ruby-heard")
    event = Timeout.timeout(20) { heard.pop }
    assert_equal ["customer.created", "ruby-heard"], [event.type, event.data[:customer_id]]
    @admin.customers.create(customer_id: "ruby-missed")
    behind = @admin.webhooks.stream(event_types: ["customer.created"], last_event_id: event.id)
    missed = Timeout.timeout(20) { behind.find { |each| each.data[:customer_id] == "ruby-missed" } }
    assert_equal missed.id, behind.last_event_id
  ensure
    thread&.kill
  end

  def test_the_audit_log_is_whole
    made = @admin.keys.create(name: "On record")
    page = @admin.audit.list(action: "key.*", target_id: made.id, limit: 1)
    entry = page.first
    assert_equal ["key.created", made.id, "key"], [entry.action, entry.target_id, entry.actor.kind]
    verdict = @admin.audit.verify
    assert_predicate verdict, :whole?
    assert_operator verdict.head.sequence, :>=, page.head.sequence
    assert_predicate @admin.audit.verify(heads: [verdict.head]), :whole?
    assert_equal verdict.head.sequence, @admin.audit.export.first(verdict.head.sequence).last["sequence"]
  end

  def test_the_matrix
    matrix = @admin.tiers
    assert_equal 10, matrix.scopes.size
    assert_equal %w[read write delete admin], matrix.levels.map(&:name)
    routes = matrix.routes.map { |route| [route.verb, route.path, route.scope] }
    assert_includes routes, ["POST", "/v1/keys", "admin:full"]
  end

  # Of the documentation's page on authentication, with another host in it and nothing else changed.
  SEED = <<~RUBY
    require 'innoai'

    client = InnoAI::Client.new(
      api_key: ENV['INNOAI_API_KEY'],
      base_url: 'https://ai-gateway.innoserver.cloud/v1'
    )
  RUBY

  def test_the_seeds_snippet_makes_a_client_that_works
    program = SEED.sub("https://ai-gateway.innoserver.cloud", @server.origin) + <<~RUBY
      print client.chat.completions.create(model: "#{MODEL}", messages: [{role: "user", content: "Hello"}]).choices[0].message.content
    RUBY
    said, problems, status = Open3.capture3({ "INNOAI_API_KEY" => @server.admin_key }, RbConfig.ruby, "-w", "-I",
                                            File.expand_path("../lib", __dir__), "-e", program)
    assert_equal ["Hello", "", true], [said, problems, status.success?]
  end
end
