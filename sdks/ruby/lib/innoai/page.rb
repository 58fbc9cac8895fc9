# frozen_string_literal: true

require_relative "records/audit"

module InnoAI
  # A list by cursor: {#data} is this page; enumerating it walks this page and all that follow, each fetched
  # when it is come to.
  class Page
    include Enumerable

    # @return [Array<Record>] the items of this page
    attr_reader :data
    # @return [String, nil] names the next page
    attr_reader :next_cursor

    # @api private
    # @param members [Hash] the answer
    # @param item [Class] the records that it lists
    # @param fetch [#call] gives the page behind a cursor
    def initialize(members, item, &fetch)
      @data = Array(members[:data]).map { |each| item.from(each) }.freeze
      @next_cursor = members[:next_cursor]
      @fetch = fetch
    end

    # Whether the server named a next page; an empty page may still have one.
    def next_page?
      !next_cursor.nil?
    end

    # @return [Page, nil] the next page
    def next_page
      @fetch.call(next_cursor) if next_page?
    end

    # @yieldparam page [Page] this one and all that follow
    def each_page
      return enum_for(:each_page) unless block_given?

      page = self
      while page
        yield page
        page = page.next_page
      end
      self
    end

    # @yieldparam item [Record] of this page and all that follow
    def each(&block)
      return enum_for(:each) unless block

      each_page { |page| page.data.each(&block) }
      self
    end

    def inspect
      "#<#{self.class} data=#{data.inspect}, next_page?=#{next_page?}>"
    end
    alias to_s inspect
  end

  # A page of usage, which says what it tells about: from {#from} until {#to}, costs in {#currency}.
  class UsagePage < Page
    # @return [Time]
    attr_reader :from, :to
    # @return [String] `USD`
    attr_reader :currency

    def initialize(members, item, &fetch)
      super
      span = Span.from(members)
      @from = span.from
      @to = span.to
      @currency = span.currency
    end

    # What a page of usage is about.
    class Span < Record
      attributes :currency
      attribute :from, :time
      attribute :to, :time
    end
    private_constant :Span
  end

  # A page of the audit log.
  class AuditPage < Page
    # @return [AuditHead] the latest entry of the whole log
    attr_reader :head

    def initialize(members, item, &fetch)
      super
      @head = AuditHead.from(members[:head])
    end
  end
end
