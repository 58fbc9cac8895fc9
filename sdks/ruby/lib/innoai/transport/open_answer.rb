# frozen_string_literal: true

require_relative "answer"

module InnoAI
  module Transport
    # An answer of which only the head has been read.
    class OpenAnswer
      # @return [Integer]
      attr_reader :status
      # @return [Hash{String => String}] names in lower case
      attr_reader :headers

      # Seconds that the end of an answer is waited for, once all that matters of it has come.
      LAST_WORDS = 0.5

      # @param connection [Net::HTTP] that this answer came on
      # @param response [Net::HTTPResponse]
      # @param socket [Net::BufferedIO] of the connection
      # @param release [#call] is told once that it is over: whether the connection can be used again
      def initialize(connection, response, socket, &release)
        @connection = connection
        @response = response
        @socket = socket
        @release = release
        @status = response.code.to_i
        @headers = response.each_header.to_h.freeze
        @expected = (response.content_length unless response.chunked?)
        @came = 0
      end

      # Whether it is a success.
      def success?
        Answer.success?(status)
      end

      # Itself, unless it is a web page: innoai streams none. Raises UnreadableAnswer.
      def no_page
        return self unless headers["content-type"].to_s.downcase.start_with?("text/html")

        close
        raise UnreadableAnswer.new("the server answered #{status} with a web page: look at base_url, which ends in /v1",
                                   headers: headers)
      end

      # The body in pieces, as they come; once. Raises APIConnectionError where it breaks off.
      def each(&block)
        raise IOError, "this answer has been read already" unless @release

        Transport.translating(@connection, except: -> { @with_caller }) { read(&block) }
        ended(reusable: true)
      rescue APIConnectionError
        raise unless @until
      ensure
        close
      end

      # All of it.
      # @return [Answer]
      def whole
        body = String.new(encoding: Encoding::BINARY)
        each { |piece| body << piece }
        Answer.new(status, headers, body)
      end

      # From now on the end is waited for only briefly.
      def no_more_wanted
        @until = now + LAST_WORDS
        @connection.read_timeout = LAST_WORDS
      end

      # End the connection, unless all has come. What did not come yet is lost.
      def close
        ended(reusable: false)
      end

      def inspect
        "#<#{self.class} #{status}>"
      end

      private

      def read(&block)
        @response.reading_body(@socket, true) do
          @response.read_body do |piece|
            @came += piece.bytesize
            hand_over(piece, &block)
            return close if @until && now > @until
          end
        end
        # Net::HTTP takes an end that comes too soon for the end.
        raise EOFError, "the answer broke off" if @expected && @came < @expected
      end

      # What is raised in the meantime is the caller's own.
      def hand_over(piece)
        @with_caller = true
        yield piece
        @with_caller = false
      end

      def ended(reusable:)
        release = @release
        @release = nil
        release&.call(reusable)
      end

      def now
        Process.clock_gettime(Process::CLOCK_MONOTONIC)
      end
    end
  end
end
