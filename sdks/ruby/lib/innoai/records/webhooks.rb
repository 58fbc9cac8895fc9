# frozen_string_literal: true

require_relative "../record"

# Where events are sent, what became of them, and the events themselves.
module InnoAI
  # Where events are sent. `secret` signs them, and is set by create and rotate_secret only. headers: their
  # values are never shown. disabled_because: nil where it was disabled by hand, else `gone` or `failing`.
  class WebhookEndpoint < Record
    attributes :id, :object, :url, :event_types, :description, :headers, :disabled, :disabled_because
    attribute :failing_since, :time
    attribute :previous_secret_expires_at, :time
    attribute :created_at, :time
    attribute :updated_at, :time
    attribute :secret, secret: true
  end

  # What happened. The shape of `data`, a Hash, belongs to the type; `webhooks.event_types` has its schema.
  class Event < Record
    attributes :id, :object, :type, :account_id, :data
    attribute :created_at, :time
  end

  # A type of event. schema: JSON Schema of a whole event. example: one.
  class EventType < Record
    attributes :type, :description, :schema, :example
  end

  # One attempt at a delivery: an answer with its status, or an error.
  class Attempt < Record
    attributes :number, :duration_ms, :request_headers, :status, :response_headers, :response_body, :error
    attribute :at, :time
  end

  # An event on its way to an endpoint. state: `pending`, `succeeded` or `failed`. `event` and `log` come with
  # a single delivery only.
  class Delivery < Record
    attributes :id, :object, :endpoint_id, :event_id, :event_type, :state, :attempts
    attribute :next_attempt_at, :time
    attribute :created_at, :time
    attribute :finished_at, :time
    attribute :event, Event
    attribute :log, [Attempt]
  end

  # count: how many deliveries are made again.
  class Replay < Record
    attributes :object, :count
  end
end
