# frozen_string_literal: true

require "json"

require_relative "errors"
require_relative "event_stream"
require_relative "records/activity"
require_relative "records/billing"

module InnoAI
  # The account's requests as they happen. It ends by `break` or by an error that waiting does not mend; a lost
  # connection is made again, with a gap.
  class RequestStream
    include Enumerable

    KINDS = { "decided" => DecidedRequest, "finished" => UsageRecord }.freeze
    private_constant :KINDS

    # @api private
    # @param events [EventStream]
    def initialize(events)
      @events = events
    end

    # @yieldparam news [DecidedRequest, UsageRecord, LostRequests] a request is decided, or finished with its usage,
    #   or so many of these lines were lost
    def each
      return enum_for(:each) unless block_given?

      @events.each_frame { |frame| yield news(frame) }
    end

    def inspect
      "#<#{self.class}>"
    end
    alias to_s inspect

    private

    def news(frame)
      KINDS.fetch(frame.event, LostRequests).from(JSON.parse(frame.data, symbolize_names: true))
    rescue JSON::ParserError
      raise APIError, "the stream brought what is no JSON", cause: nil
    end
  end
end
