/** Streams of openai's client that reject with this client's errors. */

import type { OpenAI } from 'openai';
import { Stream } from 'openai/core/streaming';

import { streamError } from './errors.js';

/** openai makes a stream of this class where it is named in a request's options. */
export class TypedStream<Item> extends Stream<Item> {
  static override fromSSEResponse<Item>(
    response: Response,
    controller: AbortController,
    client?: OpenAI,
    synthesizeEventData?: boolean,
  ): Stream<Item> {
    const stream = Stream.fromSSEResponse<Item>(response, controller, client, synthesizeEventData);
    return new Stream(() => typed(stream, response.headers), controller, client);
  }
}

async function* typed<Item>(stream: Stream<Item>, headers: Headers): AsyncGenerator<Item, void, undefined> {
  try {
    yield* stream;
  } catch (problem) {
    throw streamError(problem, headers);
  }
}
