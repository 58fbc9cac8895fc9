# frozen_string_literal: true

require_relative "../page"
require_relative "../request_stream"
require_relative "resource"

module InnoAI
  module Resources
    # The account's requests as they happen, and its last refusals: of the server that answers.
    class Requests < Resource
      # Seconds without a byte after which a stream counts as lost; the server says something every 15.
      STREAM_SILENCE = 45.0

      # The last refusals, the newest first, with the checks.
      # @param limit [Integer, nil] 1-100
      # @return [Page<DecidedRequest>]
      def refusals(key_id: nil, limit: nil)
        page_of("/requests/refusals", DecidedRequest, { key_id: key_id, limit: limit })
      end

      # Requests as they are decided and finished.
      # @param only [String, Symbol, nil] `refused` leaves out what is admitted
      # @param lost [#call, nil] told each time that the connection is lost, with the seconds until the next attempt
      # @return [RequestStream]
      def stream(key_id: nil, only: nil, lost: nil)
        events = EventStream.new(nil, lost) do
          client.open(Transport::Call.new("GET", "/requests/stream", query: { key_id: key_id, only: only },
                                                                     headers: { "accept" => "text/event-stream" },
                                                                     silence: STREAM_SILENCE))
        end
        RequestStream.new(events)
      end
    end
  end
end
