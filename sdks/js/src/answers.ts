/**
 * Answers as they are read: silence ends, and a broken connection is an error of this client.
 *
 * openai's client stops its clock at an answer's head, and lets what breaks behind it through as it is.
 *
 * @module
 */

import { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai';

/**
 * The same answer, of which no piece may be longer in coming than `patience` milliseconds. Reading rejects with
 * openai's errors for connections; an abort stays the abort that it is.
 */
export function guarded(response: Response, patience: number, controller: AbortController): Response {
  if (response.body === null) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(out) {
        try {
          const { done, value } = await within(patience, reader.read(), controller);
          if (done) out.close();
          else out.enqueue(value);
        } catch (problem) {
          out.error(connectionError(problem));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return like(response, body);
}

/** The same answer, read to its end. */
export async function whole(response: Response): Promise<Response> {
  return response.body === null ? response : like(response, await response.arrayBuffer());
}

/** Whether the answer is JSON, which is read whole. */
export function isJson(response: Response): boolean {
  const type = response.headers.get('content-type')?.split(';')[0]?.trim() ?? '';
  return type === 'application/json' || type.endsWith('+json');
}

/** Whether the answer is a web page, which innoai's API has none of. */
export function isPage(response: Response): boolean {
  return (response.headers.get('content-type') ?? '').trim().toLowerCase().startsWith('text/html');
}

/** Whether the body is a JSON object; it is read. */
export async function isObject(response: Response): Promise<boolean> {
  try {
    const body: unknown = await response.json();
    return typeof body === 'object' && body !== null && !Array.isArray(body);
  } catch {
    return false;
  }
}

/** The lines of a body, without their ends; what is behind the last end is a line, too, unless it is empty. */
export async function* lines(response: Response): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let rest = '';
  for await (const piece of pieces(response)) {
    const found = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = found.pop() ?? '';
    yield* found;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}

/** The body in pieces; leaving early ends the connection. Not every runtime can iterate a stream itself. */
export async function* pieces(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield value;
    }
    ended = true;
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}

function like(response: Response, body: BodyInit): Response {
  const { status, statusText, headers } = response;
  return Object.defineProperty(new Response(body, { status, statusText, headers }), 'url', {
    value: response.url,
  });
}

async function within<T>(patience: number, reading: Promise<T>, controller: AbortController): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new APIConnectionTimeoutError());
      controller.abort();
    }, patience);
  });
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

function connectionError(problem: unknown): unknown {
  if (problem instanceof APIError || (problem as Error | undefined)?.name === 'AbortError') return problem;
  const cause = problem instanceof Error ? problem : undefined;
  return new APIConnectionError({ message: 'The connection broke before the answer had ended.', cause });
}
