# frozen_string_literal: true

require_relative "account"

# What was used, what it cost, and what may be spent. Amounts are {Amount}s, durations milliseconds.
module InnoAI
  # One finished request. cost: nil where nothing was charged. estimated: the upstream did not say how many
  # tokens it were.
  class UsageRecord < Record
    attributes :object, :request_id, :account_id, :key_id, :customer_id, :route, :model, :upstream, :status,
               :outcome, :prompt_tokens, :cached_tokens, :completion_tokens, :estimated, :duration_ms,
               :time_to_first_token_ms
    attribute :at, :time
    attribute :cost, :amount
  end

  # Usage added up.
  class Totals < Record
    attributes :requests, :failures, :prompt_tokens, :cached_tokens, :completion_tokens
    attribute :cost, :amount
  end

  # The usage of one group; the members that it was not grouped by are nil.
  class UsageBucket < Totals
    attributes :object, :day, :hour, :model, :key_id, :customer_id, :mean_duration_ms
  end

  # What a key or a customer used in a month.
  class TopUsage < Record
    attributes :key_id, :name, :customer_id, :requests, :prompt_tokens, :cached_tokens, :completion_tokens
    attribute :cost, :amount
  end

  # The usage of one model.
  class ModelTotals < Totals
    attributes :model
  end

  # A budget and how far it is used. period: `2026-11`, or `total`. held: for requests under way.
  class BudgetUse < Record
    attributes :subject_id, :customer_id, :key_id, :period
    attribute :budget, :amount
    attribute :spent, :amount
    attribute :held, :amount
    attribute :remaining, :amount
  end

  # A month's usage in total and by model, and how far the budgets are used.
  class BillingSummary < Record
    attributes :object, :month, :currency
    attribute :totals, Totals
    attribute :models, [ModelTotals]
    attribute :budgets, [BudgetUse]
  end

  # currencies: what `currency` may be. alert_thresholds: percent of a budget.
  class BillingSettings < Record
    attributes :object, :currency, :currencies, :alert_thresholds
    attribute :budgets, Budgets
  end

  # The usage of one model on one day.
  class StatementLine < Totals
    attributes :day, :model
  end

  # A customer's month. status: `open` or `closed`. `lines` come with a single statement only.
  class Statement < Totals
    attributes :object, :customer_id, :month, :status, :currency
    attribute :lines, [StatementLine]
  end
end
