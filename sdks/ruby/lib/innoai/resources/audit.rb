# frozen_string_literal: true

require_relative "../audit"
require_relative "../download"
require_relative "../page"
require_relative "resource"

module InnoAI
  module Resources
    # The audit log: what was done, by whom, and from where.
    class Audit < Resource
      LINES = "application/jsonl"
      private_constant :LINES

      # The entries, the newest first.
      # @param action [String, nil] a name, or several as `key.*`
      # @param from [Time, Date, String, nil]
      # @param to [Time, Date, String, nil]
      # @param limit [Integer, nil] entries a page, 1-100
      # @return [AuditPage<AuditEntry>]
      def list(action: nil, actor_id: nil, target_id: nil, from: nil, to: nil, limit: nil, cursor: nil)
        query = { action: action, actor_id: actor_id, target_id: target_id, from: moment(:from, from),
                  to: moment(:to, to), limit: limit, cursor: cursor }
        page_of("/audit", AuditEntry, query, AuditPage)
      end

      # All entries, the oldest first, each as the JSON object that its hash covers.
      # @yieldparam entry [Hash{String => Object}]
      # @return [Enumerator::Lazy, nil]
      def export(action: nil, actor_id: nil, target_id: nil, from: nil, to: nil, &block)
        lines = export_jsonl(action: action, actor_id: actor_id, target_id: target_id, from: from, to: to).each_line
        entries = lines.lazy.map { |line| InnoAI::Audit.read(line) }
        return entries unless block

        entries.each(&block)
        nil
      end

      # The same as lines of JSON; they are read as they come.
      # @return [Download]
      def export_jsonl(action: nil, actor_id: nil, target_id: nil, from: nil, to: nil)
        query = { action: action, actor_id: actor_id, target_id: target_id, from: moment(:from, from),
                  to: moment(:to, to), format: "jsonl" }
        download("/audit", query, LINES)
      end

      # Whether the whole log fits together, up to what the server calls its head.
      # @param heads [Array<InnoAI::Audit::Head>] of earlier verifications, which the log has to pass through too
      # @return [InnoAI::Audit::Verified, InnoAI::Audit::BrokenLink]
      def verify(heads: [])
        named = list(limit: 1).head
        InnoAI::Audit.verify(export, heads: [InnoAI::Audit::Head.new(named.sequence, named.digest), *heads])
      end
    end
  end
end
