# frozen_string_literal: true

require_relative "../download"
require_relative "../page"
require_relative "../records/billing"
require_relative "resource"

module InnoAI
  module Resources
    # What was used, what it cost, and what may be spent.
    class Billing < Resource
      CSV = "text/csv"
      private_constant :CSV

      # The usage of a time: records, the newest first, or with group_by sums of whole hours, ascending.
      # @param from [Time, Date, String, nil] the start of the month by default
      # @param to [Time, Date, String, nil] now by default
      # @param group_by [Array<Symbol, String>, nil] `day`, `hour`, `model`, `key`, `customer`
      # @param limit [Integer, nil] items a page, 1-100
      # @return [UsagePage<UsageRecord>, UsagePage<UsageBucket>]
      def usage(group_by: nil, from: nil, to: nil, model: nil, key_id: nil, customer_id: nil, limit: nil, cursor: nil)
        query = { group_by: joined(:group_by, group_by), from: moment(:from, from), to: moment(:to, to),
                  model: model, key_id: key_id, customer_id: customer_id, limit: limit, cursor: cursor }
        page_of("/billing/usage", group_by ? UsageBucket : UsageRecord, query, UsagePage)
      end

      # The same as one CSV file, however long; it is read as it comes.
      # @return [Download]
      def usage_csv(group_by: nil, from: nil, to: nil, model: nil, key_id: nil, customer_id: nil)
        query = { group_by: joined(:group_by, group_by), from: moment(:from, from), to: moment(:to, to),
                  model: model, key_id: key_id, customer_id: customer_id, format: "csv" }
        download("/billing/usage", query, CSV)
      end

      # Which keys, or customers, made the most requests in a month, those first.
      # @param by [Symbol, String, nil] `key` (the default) or `customer`
      # @param month [String, nil] `2026-11`, the current one (UTC) by default
      # @param limit [Integer, nil] 1-100
      # @return [Page<TopUsage>]
      def top(by: nil, month: nil, limit: nil)
        page_of("/billing/top", TopUsage, { by: by, month: month, limit: limit })
      end

      # A month's usage in total and by model, and how far the budgets are used.
      # @param month [String, nil] `2026-11`, the current one (UTC) by default
      # @param customer_id [String, nil] of this customer alone
      # @param key_id [String, nil] of this key alone
      # @return [BillingSummary]
      def summary(month: nil, customer_id: nil, key_id: nil)
        query = { month: month, customer_id: customer_id, key_id: key_id }
        show("/billing/summary", BillingSummary, query: query)
      end

      # The account's currency, budgets and alert thresholds.
      # @return [BillingSettings]
      def settings
        show("/billing/settings", BillingSettings)
      end

      # Change what is given and leave the rest.
      # @param currency [String] final once anything was charged
      # @param budgets [Hash] `{monthly: "1000", total: nil}`; nil takes one away
      # @param alert_thresholds [Array<Integer>, nil] percent of a budget, 1-100, or none at all; nil is the
      #   server's default
      # @return [BillingSettings]
      def update_settings(currency: UNSET, budgets: UNSET, alert_thresholds: UNSET)
        body = { currency: currency, budgets: amounts(budgets), alert_thresholds: alert_thresholds }
        change("/billing/settings", BillingSettings, body)
      end

      # The customers' monthly statements.
      # @param limit [Integer, nil] statements a page, 1-100
      # @return [Page<Statement>]
      def statements(month: nil, customer_id: nil, limit: nil, cursor: nil)
        query = { month: month, customer_id: customer_id, limit: limit, cursor: cursor }
        page_of("/billing/statements", Statement, query)
      end

      # The same as one CSV file; it is read as it comes.
      # @return [Download]
      def statements_csv(month: nil, customer_id: nil)
        download("/billing/statements", { month: month, customer_id: customer_id, format: "csv" }, CSV)
      end

      # A customer's statement of a month (`2026-11`), with its `lines` by day and model.
      # @return [Statement]
      def statement(month, customer_id)
        show(statement_path(month, customer_id), Statement)
      end

      # The statement's lines as a CSV file; it is read as it comes.
      # @return [Download]
      def statement_csv(month, customer_id)
        download(statement_path(month, customer_id), { format: "csv" }, CSV)
      end

      private

      def statement_path(month, customer_id)
        path(path("/billing/statements", :month, month), :customer_id, customer_id)
      end
    end
  end
end
