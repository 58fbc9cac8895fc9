# frozen_string_literal: true

require "json"

require_relative "errors"
require_relative "event_decoder"

module InnoAI
  # An answer that comes in pieces: enumerate it, once. Leaving the loop early ends the connection, and with it
  # the work upstream; {#close} does the same for who does not enumerate to the end.
  #
  # A streamed answer that breaks off raises APIConnectionError, and an error that the server tells in the
  # middle of it is raised as the class of its code.
  class Stream
    include Enumerable

    # What ends a stream.
    DONE = "[DONE]"

    # @api private
    # @param answer [Transport::OpenAnswer]
    # @param item [Class] the records that it brings
    def initialize(answer, item)
      @answer = answer
      @item = item
    end

    # @yieldparam item [Record] as it comes
    # @return [Enumerator, self] an Enumerator without a block
    def each
      return enum_for(:each) unless block_given?

      done = false
      decoder = EventDecoder.new
      @answer.each do |piece|
        # What comes behind the end does not count; it is read so that the connection can be used again.
        next if done

        decoder.feed(piece) do |frame|
          next if done || frame.data.empty?

          done = frame.data == DONE
          done ? @answer.no_more_wanted : yield(item(frame.data))
        end
      end
      self
    end

    # End it early.
    def close
      @answer.close
    end

    # @return [Hash{String => String}] of the answer, names in lower case
    def headers
      @answer.headers
    end

    # @return [String, nil] the id to quote to the operator
    def request_id
      headers["x-request-id"]
    end

    def inspect
      "#<#{self.class} of #{@item}>"
    end
    alias to_s inspect

    private

    def item(data)
      event = JSON.parse(data, symbolize_names: true)
      error = Errors.from_event(event)
      raise error if error

      @item.from(event)
    rescue JSON::ParserError
      raise APIError.new("the stream brought what is no JSON", headers: headers), cause: nil
    end
  end
end
