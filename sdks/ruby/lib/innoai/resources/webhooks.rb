# frozen_string_literal: true

require_relative "../event_stream"
require_relative "../page"
require_relative "../records/webhooks"
require_relative "resource"

module InnoAI
  module Resources
    # Where events are sent, what became of them, and the events themselves. {InnoAI::Webhooks} verifies what
    # arrives.
    class Webhooks < Resource
      # Seconds without a byte after which a stream counts as lost; the server says something every 15.
      STREAM_SILENCE = 45.0

      # Have events sent to that URL. The answer's `secret`, which they are signed with, is shown this once.
      # @param event_types [Array<String>, nil] `key.created`, `key.*`; all by default
      # @param headers [Hash, nil] sent with each delivery, and never shown again
      # @param idempotency_key [String, nil] as for keys
      # @return [WebhookEndpoint]
      def create(url:, event_types: nil, description: nil, headers: nil, disabled: nil, idempotency_key: nil)
        body = { url: url, event_types: strings(:event_types, event_types), description: description,
                 headers: headers, disabled: disabled }.compact
        make("/webhooks", WebhookEndpoint, body: body, idempotency_key: idempotency_key)
      end

      # The account's endpoints.
      # @param limit [Integer, nil] endpoints a page, 1-100
      # @return [Page<WebhookEndpoint>]
      def list(limit: nil, cursor: nil)
        page_of("/webhooks", WebhookEndpoint, { limit: limit, cursor: cursor })
      end

      # The endpoint of that id, `whe_…`.
      # @return [WebhookEndpoint]
      def get(endpoint_id)
        show(endpoint_path(endpoint_id), WebhookEndpoint)
      end

      # Change what is given and leave the rest. Enabling forgets why the endpoint was disabled.
      # @return [WebhookEndpoint]
      def update(endpoint_id, url: UNSET, event_types: UNSET, description: UNSET, headers: UNSET, disabled: UNSET)
        body = { url: url, event_types: strings(:event_types, event_types), description: description,
                 headers: headers, disabled: disabled }
        change(endpoint_path(endpoint_id), WebhookEndpoint, body)
      end

      # Delete the endpoint; nothing is sent to it any more.
      # @return [nil]
      def delete(endpoint_id)
        remove(endpoint_path(endpoint_id))
      end

      # A new secret, in `secret` this once. Until the overlap ends, deliveries bear both signatures.
      # @param overlap [Integer, nil] seconds, 0-604,800, a day by default
      # @param idempotency_key [String, nil] as for keys
      # @return [WebhookEndpoint]
      def rotate_secret(endpoint_id, overlap: nil, idempotency_key: nil)
        make("#{endpoint_path(endpoint_id)}/rotate-secret", WebhookEndpoint,
             body: { overlap: overlap }.compact, idempotency_key: idempotency_key)
      end

      # Send the event `webhook.test` to that endpoint alone. The delivery is under way when this returns.
      # @param idempotency_key [String, nil] as for keys
      # @return [Delivery]
      def test(endpoint_id, idempotency_key: nil)
        make("#{endpoint_path(endpoint_id)}/test", Delivery, idempotency_key: idempotency_key)
      end

      # Send again all that failed at that endpoint since then. The answer's `count` says how many.
      # @param since [Time, Date, String]
      # @param idempotency_key [String, nil] as for keys
      # @return [Replay]
      def replay(endpoint_id, since:, idempotency_key: nil)
        make("#{endpoint_path(endpoint_id)}/replay", Replay, body: { since: moment(:since, since) },
                                                             idempotency_key: idempotency_key)
      end

      # Every type of event, with its schema and an example.
      # @return [Page<EventType>]
      def event_types
        page_of("/webhooks/event-types", EventType)
      end

      # What was sent or will be, the newest first.
      # @param state [String, Symbol, nil] `pending`, `succeeded` or `failed`
      # @param limit [Integer, nil] deliveries a page, 1-100
      # @return [Page<Delivery>]
      def deliveries(endpoint_id: nil, state: nil, event_type: nil, limit: nil, cursor: nil)
        query = { endpoint_id: endpoint_id, state: state, event_type: event_type, limit: limit, cursor: cursor }
        page_of("/webhooks/deliveries", Delivery, query)
      end

      # The delivery of that id, `dlv_…`, with its event and the log of its attempts.
      # @return [Delivery]
      def delivery(delivery_id)
        show(delivery_path(delivery_id), Delivery)
      end

      # Send that event to that endpoint again: a new delivery with the same webhook-id.
      # @param idempotency_key [String, nil] as for keys
      # @return [Delivery]
      def replay_delivery(delivery_id, idempotency_key: nil)
        make("#{delivery_path(delivery_id)}/replay", Delivery, idempotency_key: idempotency_key)
      end

      # The account's events as they happen; a lost connection is made again, and misses none.
      # @param event_types [Array<String>, nil] `key.created`, `key.*`; all by default
      # @param last_event_id [String, nil] begin behind that event
      # @param lost [#call, nil] told each time that the connection is lost, with the seconds until the next attempt
      # @return [EventStream]
      def stream(event_types: nil, last_event_id: nil, lost: nil)
        query = { event_types: joined(:event_types, event_types) }
        EventStream.new(last_event_id, lost) do |behind|
          headers = { "accept" => "text/event-stream", "last-event-id" => behind }.compact
          client.open(Transport::Call.new("GET", "/webhooks/stream", query: query, headers: headers,
                                                                     silence: STREAM_SILENCE))
        end
      end

      private

      def endpoint_path(endpoint_id)
        path("/webhooks", :endpoint_id, endpoint_id)
      end

      def delivery_path(delivery_id)
        path("/webhooks/deliveries", :delivery_id, delivery_id)
      end
    end
  end
end
