# frozen_string_literal: true

require "io/wait"
require "net/http"
require "openssl"

module InnoAI
  module Transport
    # Connections to one server that are kept for the next request. Threads and copies of a client share it.
    class Pool
      # Seconds that a connection is kept unused: less than the five after which servers commonly close theirs.
      IDLE = 4.0
      # So many unused connections are kept.
      KEPT = 32

      # A connection and when it was last used.
      Kept = Struct.new(:connection, :since)
      private_constant :Kept

      # @param origin [URI::HTTP]
      def initialize(origin, clock: -> { Process.clock_gettime(Process::CLOCK_MONOTONIC) })
        @origin = origin
        @clock = clock
        @kept = []
        @lock = Mutex.new
        @process = Process.pid
      end

      # @return [String] the server's host
      def address
        @origin.hostname
      end

      # @return [Integer] the server's port
      def port
        @origin.port
      end

      # A connection, open. Raises what opening one raises.
      # @param timeout [Numeric, nil] seconds without a byte; nil waits for ever
      # @param open_timeout [Numeric, nil] seconds to connect
      # @return [Net::HTTP]
      def take(timeout:, open_timeout:)
        connection = unused || Net::HTTP.new(address, port)
        connection.open_timeout = open_timeout
        connection.read_timeout = timeout
        connection.write_timeout = timeout
        connection.started? ? connection : begin_session(connection)
      end

      # Keep a connection whose answer has been read to the end.
      # @param response [Net::HTTPResponse] which says whether the server keeps it too
      def give(connection, response)
        return drop(connection) if response.http_version < "1.1" || response.connection_close?

        surplus = @lock.synchronize do
          @kept.push(Kept.new(connection, @clock.call))
          @kept.shift(@kept.size - [@kept.count { |kept| fresh?(kept) }, KEPT].min)
        end
        surplus.each { |kept| drop(kept.connection) }
      end

      # Close a connection, at whatever point of a request it is.
      def drop(connection)
        connection.finish if connection.started?
      rescue IOError, SystemCallError, OpenSSL::SSL::SSLError
        # It is gone, which is what was asked for.
      end

      # Close all that are unused.
      def close
        gone = @lock.synchronize { @kept.slice!(0..) }
        gone.each { |kept| drop(kept.connection) } if @process == Process.pid
      end

      def inspect
        "#<#{self.class} #{@origin}>"
      end

      private

      def begin_session(connection)
        connection.use_ssl = @origin.is_a?(URI::HTTPS)
        # Net::HTTP repeats by itself otherwise, and knows nothing of keys and counts.
        connection.max_retries = 0
        connection.start
      end

      # The connection that was used last, since that is the least likely to have been closed by the server.
      def unused
        leave_the_parents_connections
        loop do
          kept = @lock.synchronize { @kept.pop } or return
          return kept.connection if fresh?(kept) && quiet?(kept.connection)

          drop(kept.connection)
        end
      end

      def fresh?(kept)
        @clock.call - kept.since <= IDLE
      end

      # Whether nothing came since the last answer. What comes between two answers is the end of the connection, or
      # belongs to no request.
      def quiet?(connection)
        io = connection.instance_variable_get(:@socket)&.io
        !io.respond_to?(:to_io) || !io.to_io.wait_readable(0)
      rescue IOError
        false
      end

      # After a fork the connections are the parent's. They are not even closed, as that would say goodbye to
      # the server in the parent's name.
      def leave_the_parents_connections
        return if @process == Process.pid

        @lock.synchronize do
          @kept = []
          @process = Process.pid
        end
      end
    end
  end
end
