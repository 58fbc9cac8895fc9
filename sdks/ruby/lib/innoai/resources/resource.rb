# frozen_string_literal: true

require "date"
require "securerandom"
require "time"

require_relative "../amount"
require_relative "../transport/call"

module InnoAI # rubocop:disable Style/Documentation
  # Stands for what the caller did not give, where nil means to take something away.
  UNSET = Object.new
  class << UNSET
    def inspect
      "InnoAI::UNSET"
    end
    alias to_s inspect
  end
  UNSET.freeze

  module Resources
    # A part of what the server offers, reached through a client.
    class Resource
      # @param client [Client]
      def initialize(client)
        @client = client
        freeze
      end

      def inspect
        "#<#{self.class}>"
      end
      alias to_s inspect

      private

      attr_reader :client

      def show(path, answer, **options)
        client.perform(Transport::Call.new("GET", path, answer, **options))
      end

      def post(path, answer = nil, **options)
        client.perform(Transport::Call.new("POST", path, answer, **options))
      end

      # A POST that makes something. Its key makes it one thing, however often it is sent.
      def make(path, answer, idempotency_key:, **options)
        post(path, answer, idempotency_key: idempotency_key || SecureRandom.uuid, **options)
      end

      def change(path, answer, body)
        client.perform(Transport::Call.new("PATCH", path, answer, body: given(body)))
      end

      # @return [nil]
      def remove(path)
        client.perform(Transport::Call.new("DELETE", path))
      end

      def page_of(path, item, query = {}, page = Page)
        answer = client.fetch(Transport::Call.new("GET", path, query: query))
        page.new(answer.object, item) do |cursor|
          page_of(path, item, query.merge(cursor: cursor), page)
        end
      end

      def download(path, query, accept)
        Download.new(client.open(Transport::Call.new("GET", path, query: query, headers: { "accept" => accept })))
      end

      # The members that the caller gave, nil among them.
      def given(members)
        members.reject { |_, value| UNSET.equal?(value) }
      end

      # A list of texts. Raises TypeError on one text alone, where a list was forgotten.
      def strings(name, value)
        return value if value.nil? || UNSET.equal?(value)
        return value.map(&:to_s) if value.is_a?(Array)

        raise TypeError, "#{name} is a list of strings, not #{value.class}"
      end

      # The same as a query has it.
      def joined(name, value)
        strings(name, value)&.join(",")
      end

      # RFC 3339 in UTC, of a Time, a Date (its midnight in UTC) or text.
      def moment(name, value)
        case value
        when nil, UNSET, String then value
        when Time then value.getutc.iso8601(value.subsec.zero? ? 0 : 6)
        when DateTime then moment(name, value.to_time)
        when Date then "#{value.iso8601}T00:00:00Z"
        else raise TypeError, "#{name} is a Time, a Date or RFC 3339 text, not #{value.class}"
        end
      end

      # Budgets as they are sent; nil takes one away.
      def amounts(budgets)
        return budgets if budgets.nil? || UNSET.equal?(budgets)

        budgets.to_h.transform_values { |value| value.nil? ? nil : Amount.new(value).to_s }
      end

      # A path with its last segment escaped. Raises ArgumentError on what would lead to another path.
      def path(root, name, value)
        raise TypeError, "#{name} is a String, not #{value.class}" unless [String, Symbol].include?(value.class)
        raise ArgumentError, "#{name} must not be #{value.inspect}" if ["", ".", ".."].include?(value.to_s)

        "#{root}/#{value.to_s.b.gsub(/[^A-Za-z0-9\-._~]/n) { |byte| format("%%%02X", byte.ord) }}"
      end
    end
  end
end
