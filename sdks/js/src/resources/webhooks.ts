/** Where events are sent, what became of them, and the events themselves as they happen. */

import { OpenAI } from 'openai';
import type { APIPromise } from 'openai/core/api-promise';
import type { PagePromise } from 'openai/core/pagination';

import { Page } from '../pages.js';
import { veiled } from '../secrecy.js';
import { EventStream, type Lost } from '../streams.js';
import {
  joined,
  type Moment,
  moment,
  once,
  type PageParams,
  type RequestOptions,
  STREAM_SILENCE,
  secretive,
  segment,
  withHeaders,
} from './call.js';

/**
 * Where events are sent. `secret` signs them, and is there by create and rotateSecret only. `headers`: their
 * values are never shown. `disabled_because`: null where it was disabled by hand.
 */
export interface WebhookEndpoint {
  id: string;
  object: 'webhook_endpoint';
  url: string;
  event_types: string[];
  description: string | null;
  headers: Record<string, string>;
  disabled: boolean;
  disabled_because: 'gone' | 'failing' | null;
  failing_since: string | null;
  previous_secret_expires_at: string | null;
  created_at: string;
  updated_at: string;
  secret?: string;
}

/** An endpoint with its secret, which is shown this once. Printing it shows none; `JSON.stringify` does. */
export interface NewWebhookEndpoint extends WebhookEndpoint {
  secret: string;
}

/** What happened. The shape of `data` belongs to the type; `webhooks.eventTypes()` has its schema. */
export interface Event {
  id: string;
  object: 'event';
  type: string;
  created_at: string;
  account_id: string;
  // biome-ignore lint/suspicious/noExplicitAny: each type of event has a shape of its own
  data: Record<string, any>;
}

/** A type of event. `schema`: JSON Schema of a whole event. `example`: one. */
export interface EventType {
  type: string;
  description: string;
  schema: Record<string, unknown>;
  example: Record<string, unknown>;
}

/** One attempt at a delivery: an answer with its status, or an error. */
export interface Attempt {
  number: number;
  at: string;
  duration_ms: number;
  request_headers: Record<string, string>;
  status: number | null;
  response_headers: Record<string, string> | null;
  response_body: string | null;
  error: string | null;
}

/** An event on its way to an endpoint. `event` and `log` come with a single delivery only. */
export interface Delivery {
  id: string;
  object: 'delivery';
  endpoint_id: string;
  event_id: string;
  event_type: string;
  state: 'pending' | 'succeeded' | 'failed';
  attempts: number;
  next_attempt_at: string | null;
  created_at: string;
  finished_at: string | null;
  event?: Event;
  log?: Attempt[];
}

/** `count`: how many deliveries are made again. */
export interface Replay {
  object: 'replay';
  count: number;
}

export interface EndpointCreateParams {
  url: string;
  /** `key.created`, `key.*`; by default all. */
  event_types?: readonly string[];
  description?: string;
  /** Sent with each delivery, and never shown again. */
  headers?: Readonly<Record<string, string>>;
  disabled?: boolean;
}

/** What is given is changed, the rest stays. Enabling forgets why the endpoint was disabled. */
export interface EndpointUpdateParams {
  url?: string;
  event_types?: readonly string[];
  description?: string | null;
  headers?: Readonly<Record<string, string>>;
  disabled?: boolean;
}

export interface SecretRotateParams {
  /** Seconds during which deliveries bear both signatures, 0-604,800; a day by default. */
  overlap?: number;
}

export interface DeliveryListParams extends PageParams {
  endpoint_id?: string;
  state?: 'pending' | 'succeeded' | 'failed';
  event_type?: string;
}

export interface StreamParams {
  /** `key.created`, `key.*`; by default all. */
  event_types?: readonly string[];
  /** Begin behind that event. */
  last_event_id?: string;
  /** Told each time that the connection is lost, with the seconds until the next attempt. */
  onLost?: Lost;
}

/**
 * openai's `unwrap` and `verifySignature` speak of OpenAI's events; `innoai/webhooks` verifies what this server
 * sends.
 */
export class Webhooks extends OpenAI.Webhooks {
  /** Have events sent to that URL. The answer's `secret`, which they are signed with, is shown this once. */
  create(params: EndpointCreateParams, options?: RequestOptions): APIPromise<NewWebhookEndpoint> {
    return this._client
      .post<NewWebhookEndpoint>('/webhooks', secretive({ ...once(options), body: params }))
      ._thenUnwrap(withoutSecret);
  }

  /** The account's endpoints. Iterating walks all pages. */
  list(
    params: PageParams = {},
    options?: RequestOptions,
  ): PagePromise<Page<WebhookEndpoint>, WebhookEndpoint> {
    return this._client.getAPIList('/webhooks', Page<WebhookEndpoint>, { ...options, query: params });
  }

  /** The endpoint of that id, `whe_…`. */
  get(endpointId: string, options?: RequestOptions): APIPromise<WebhookEndpoint> {
    return this._client.get(endpointPath(endpointId), options);
  }

  /** Change what is given and leave the rest. */
  update(
    endpointId: string,
    params: EndpointUpdateParams,
    options?: RequestOptions,
  ): APIPromise<WebhookEndpoint> {
    return this._client.patch(endpointPath(endpointId), secretive({ ...options, body: params }));
  }

  /** Delete the endpoint; nothing is sent to it any more. */
  delete(endpointId: string, options?: RequestOptions): APIPromise<void> {
    return this._client.delete(endpointPath(endpointId), options);
  }

  /** A new secret, in `secret` this once. Until the overlap ends, deliveries bear both signatures. */
  rotateSecret(
    endpointId: string,
    params: SecretRotateParams = {},
    options?: RequestOptions,
  ): APIPromise<NewWebhookEndpoint> {
    return this._client
      .post<NewWebhookEndpoint>(`${endpointPath(endpointId)}/rotate-secret`, {
        ...once(options),
        body: params,
      })
      ._thenUnwrap(withoutSecret);
  }

  /** Send the event `webhook.test` to that endpoint alone. The delivery is under way when this resolves. */
  test(endpointId: string, options?: RequestOptions): APIPromise<Delivery> {
    return this._client.post(`${endpointPath(endpointId)}/test`, once(options));
  }

  /** Send again all that failed at that endpoint since then. The answer's `count` says how many. */
  replay(endpointId: string, params: { since: Moment }, options?: RequestOptions): APIPromise<Replay> {
    const body = { since: moment(params.since) };
    return this._client.post(`${endpointPath(endpointId)}/replay`, { ...once(options), body });
  }

  /** Every type of event, with its schema and an example. */
  eventTypes(options?: RequestOptions): PagePromise<Page<EventType>, EventType> {
    return this._client.getAPIList('/webhooks/event-types', Page<EventType>, options);
  }

  /** What was sent or will be, the newest first. Iterating walks all pages. */
  deliveries(
    params: DeliveryListParams = {},
    options?: RequestOptions,
  ): PagePromise<Page<Delivery>, Delivery> {
    return this._client.getAPIList('/webhooks/deliveries', Page<Delivery>, { ...options, query: params });
  }

  /** The delivery of that id, `dlv_…`, with its event and the log of its attempts. */
  delivery(deliveryId: string, options?: RequestOptions): APIPromise<Delivery> {
    return this._client.get(deliveryPath(deliveryId), options);
  }

  /** Send that event to that endpoint again: a new delivery with the same webhook-id. */
  replayDelivery(deliveryId: string, options?: RequestOptions): APIPromise<Delivery> {
    return this._client.post(`${deliveryPath(deliveryId)}/replay`, once(options));
  }

  /** The account's events as they happen; a lost connection is made again, and misses none. */
  stream(params: StreamParams = {}, options?: RequestOptions): EventStream {
    const { event_types, last_event_id, onLost } = params;
    const query = { event_types: joined('event_types', event_types) };
    const open = (behind: string | undefined) =>
      this._client.get<Response>('/webhooks/stream', {
        timeout: STREAM_SILENCE,
        ...withHeaders(options, {
          Accept: 'text/event-stream',
          ...(behind === undefined ? {} : { 'Last-Event-ID': behind }),
        }),
        query,
        __binaryResponse: true,
      });
    return new EventStream(open, { lastEventId: last_event_id, onLost, signal: options?.signal });
  }
}

function endpointPath(endpointId: string): string {
  return `/webhooks/${segment('endpointId', endpointId)}`;
}

function deliveryPath(deliveryId: string): string {
  return `/webhooks/deliveries/${segment('deliveryId', deliveryId)}`;
}

function withoutSecret(endpoint: NewWebhookEndpoint): NewWebhookEndpoint {
  return veiled(endpoint, 'secret');
}
