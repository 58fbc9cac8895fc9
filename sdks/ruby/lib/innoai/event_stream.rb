# frozen_string_literal: true

require "json"

require_relative "errors"
require_relative "event_decoder"
require_relative "records/webhooks"

module InnoAI
  # The account's events as they happen. A lost connection is made again, and misses none; it ends by `break`,
  # or by an error that waiting does not mend.
  #
  #   unopened ──answer──▶ open ──lost──▶ pausing ──answer──▶ open
  #       └─ any error is raised             └─ a refusal is raised; else a pause twice as long
  class EventStream
    include Enumerable

    # Seconds until the first attempt to connect again; each following one waits twice as long.
    FIRST_PAUSE = 1.0
    # Seconds that a pause is long at most.
    LONGEST_PAUSE = 30.0
    # So many failures are counted, and no more.
    MANY_FAILURES = 16
    # Events that are known again: a server that goes on behind one begins a little before it.
    REMEMBERED = 1000

    # @return [String, nil] the event behind which another stream would go on
    attr_reader :last_event_id

    # @api private
    # @param lost [#call, nil] told each time that the connection is lost, with the seconds until the next attempt
    # @param open_behind [#call] gives the answer that goes on behind the event of that id
    def initialize(last_event_id, lost, pauses: ->(seconds) { sleep(seconds) }, &open_behind)
      @last_event_id = last_event_id
      @lost = lost
      @pauses = pauses
      @open_behind = open_behind
      @seen = []
      @opened = false
      @first_pause = FIRST_PAUSE
      @failures = 0
    end

    # @yieldparam event [Event]
    def each
      return enum_for(:each) unless block_given?

      each_frame { |frame| yield event(frame) }
    end

    # The same with each event's body as text in `data`, which is what a delivery would send and sign.
    # @yieldparam frame [EventDecoder::Frame]
    def each_frame(&block)
      return enum_for(:each_frame) unless block

      # Not `loop`, which would take a StopIteration of the block for its own.
      @pauses.call(pause_after(connect(&block))) while true # rubocop:disable Style/InfiniteLoop
    end

    def inspect
      "#<#{self.class} last_event_id=#{last_event_id.inspect}>"
    end
    alias to_s inspect

    private

    def event(frame)
      Event.from(JSON.parse(frame.data, symbolize_names: true))
    rescue JSON::ParserError
      raise APIError, "the stream brought what is no JSON", cause: nil
    end

    # Read one connection to its end.
    # @return [APIError, nil] what ended it, unless it was the server
    def connect(&block)
      @with_caller = false
      answer = @open_behind.call(last_event_id)
      @opened = true
      read(answer, &block)
      nil
    rescue APIConnectionError, APIStatusError => e
      raise if @with_caller

      e
    end

    def read(answer)
      decoder = EventDecoder.new
      answer.each do |piece|
        @failures = 0
        decoder.feed(piece) do |frame|
          next unless passes?(frame)

          # What is raised in the meantime is the caller's own.
          @with_caller = true
          yield frame
          @with_caller = false
        end
      end
    end

    # Note what the frame says about going on; whether it holds an event that did not come before.
    def passes?(frame)
      @first_pause = frame.retry / 1000.0 if frame.retry
      return !frame.data.empty? unless frame.id

      @last_event_id = frame.id
      return false if frame.data.empty? || @seen.include?(frame.id)

      @seen.shift if @seen.push(frame.id).size > REMEMBERED
      true
    end

    # Seconds to wait after the connection ended. Raises the problem where waiting is no remedy.
    def pause_after(problem)
      raise problem if problem && !(@opened && may_pass?(problem))

      pause = [@first_pause * (2.0**@failures), LONGEST_PAUSE].min
      @failures = [@failures + 1, MANY_FAILURES].min
      @lost&.call(pause)
      pause
    end

    # Whether the server may answer otherwise in a while.
    def may_pass?(problem)
      return true unless problem.is_a?(APIStatusError)

      problem.status == 429 || problem.status >= 500
    end
  end
end
