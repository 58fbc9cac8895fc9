/** The account's events as they happen, over connections that may be lost. */

import { APIConnectionError, APIError, APIUserAbortError } from 'openai';
import type { APIPromise } from 'openai/core/api-promise';

import { pieces } from './answers.js';
import { pause } from './repeats.js';
import type { UsageRecord } from './resources/billing.js';
import type { DecidedRequest, LostRequests } from './resources/requests.js';
import type { Event } from './resources/webhooks.js';
import { type Frame, frames } from './sse.js';

/** Seconds until the first attempt to connect again; each following one waits twice as long. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 30;
/** Events that are known again: a server that goes on behind one begins a little before it. */
const REMEMBERED = 1000;

/** Opens the stream that goes on behind the event of that id. */
export type Open = (behind: string | undefined) => APIPromise<Response>;

/** Told that the connection is lost, and in how many seconds it is tried again. */
export type Lost = (seconds: number) => void;

/** An event whose body is text in `data`: what a delivery would send and sign. */
export interface EventFrame extends Frame {}

export interface EventStreamOptions {
  lastEventId?: string | undefined;
  onLost?: Lost | undefined;
  signal?: AbortSignal | null | undefined;
}

/**
 * The account's events as they happen. It ends by `break`, by the caller's signal, or by an error that waiting
 * does not mend.
 *
 *     unopened ──answer──▶ open ──lost──▶ pausing ──answer──▶ open
 *         └─ any error is thrown             └─ a refusal is thrown; else a pause twice as long
 */
export class EventStream implements AsyncIterable<Event> {
  readonly #open: Open;
  readonly #options: EventStreamOptions;
  readonly #seen = new Set<string>();
  #lastEventId: string | undefined;
  #opened = false;
  #firstPause = FIRST_PAUSE;
  #failures = 0;

  constructor(open: Open, options: EventStreamOptions) {
    this.#open = open;
    this.#options = options;
    this.#lastEventId = options.lastEventId;
  }

  /** The event behind which another stream would go on. */
  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    for await (const frame of this.frames()) yield JSON.parse(frame.data) as Event;
  }

  /** The same, with each event's body as the text that it came as. */
  async *frames(): AsyncGenerator<EventFrame, void, undefined> {
    for (;;) {
      let problem: unknown;
      try {
        const response = await this.#open(this.#lastEventId);
        this.#opened = true;
        for await (const frame of frames(this.#watched(response))) {
          if (this.#passes(frame)) yield frame;
        }
      } catch (ended) {
        problem = ended;
      }
      if (this.#options.signal?.aborted) return;
      if (problem !== undefined && !(this.#opened && mayPass(problem))) throw problem;
      const seconds = Math.min(this.#firstPause * 2 ** this.#failures, LONGEST_PAUSE);
      this.#failures = Math.min(this.#failures + 1, 16);
      this.#options.onLost?.(seconds);
      try {
        await pause(seconds, this.#options.signal);
      } catch (aborted) {
        if (aborted instanceof APIUserAbortError) return;
        throw aborted;
      }
    }
  }

  /** Something came, be it only a sign of life: the next pause is short again. */
  async *#watched(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of pieces(response)) {
      this.#failures = 0;
      yield piece;
    }
  }

  /** Note what the frame says about going on; whether it holds an event that did not come before. */
  #passes(frame: Frame): boolean {
    if (frame.retry !== null) this.#firstPause = frame.retry / 1000;
    if (frame.id === null) return frame.data !== '';
    this.#lastEventId = frame.id;
    if (frame.data === '' || this.#seen.has(frame.id)) return false;
    this.#seen.add(frame.id);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value ?? '');
    return true;
  }
}

/** What a stream of requests brings; `object` tells which it is. */
export type RequestNews = DecidedRequest | UsageRecord | LostRequests;

/**
 * The account's requests as they are decided and finished, from when it is read. It ends as a stream of events does;
 * what happens while the connection is lost is not told.
 */
export class RequestStream implements AsyncIterable<RequestNews> {
  readonly #events: EventStream;

  constructor(events: EventStream) {
    this.#events = events;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RequestNews, void, undefined> {
    for await (const { event, data } of this.#events.frames()) {
      const told = JSON.parse(data) as RequestNews;
      yield event === 'lost' ? ({ ...told, object: 'lost_requests' } as LostRequests) : told;
    }
  }
}

/** Whether the server may answer otherwise in a while. */
function mayPass(problem: unknown): boolean {
  if (problem instanceof APIConnectionError) return true;
  const status = problem instanceof APIError ? problem.status : undefined;
  return status !== undefined && (status === 429 || status >= 500);
}
