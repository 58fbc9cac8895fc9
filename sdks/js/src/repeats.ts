/**
 * Which requests are sent a second time, and after which pause.
 *
 * A completion may have been generated, and charged, though its answer never arrived. So a request that is not
 * idempotent is sent again only where it is known that nothing was done: it was refused with 429 or 503, or no
 * connection came about.
 *
 * @module
 */

import { APIConnectionError, APIError, APIUserAbortError } from 'openai';

/** Seconds. A server that asks for more is not waited for. */
const LONGEST_WAIT = 120;
const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 8;
const JITTER = 0.25;
/** Refusals that say that nothing was done. */
const UNTOUCHED: readonly unknown[] = [429, 503];
/** What connecting fails with, in Node's words and Bun's: the request never left. */
const NEVER_SENT: readonly unknown[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ConnectionRefused',
];
const NUMBER = /^\s*[+-]?\d+(?:\.\d+)?\s*$/;

/** Whether a request that failed so may be sent again. `idempotent`: twice does what once does. */
export function mayRepeat(problem: unknown, idempotent: boolean): boolean {
  if (!(problem instanceof APIError) || problem instanceof APIUserAbortError) return false;
  if (problem instanceof APIConnectionError) return idempotent || neverSent(problem);
  const { status, headers } = problem;
  if (status === undefined || headers === undefined) return false;
  if ((retryAfter(headers) ?? 0) > LONGEST_WAIT) return false;
  const asked = headers.get('x-should-retry');
  if (asked === 'true' || asked === 'false') return asked === 'true';
  return UNTOUCHED.includes(status) || (idempotent && (status === 408 || status >= 500));
}

/** Seconds until the next attempt: what the answer asks for, else twice as long each time, with jitter. */
export function pauseBefore(attempt: number, headers: Headers | undefined): number {
  const asked = headers && retryAfter(headers);
  if (asked !== undefined && asked > 0 && asked <= LONGEST_WAIT) return asked;
  return Math.min(FIRST_PAUSE * 2 ** attempt, LONGEST_PAUSE) * (1 - JITTER * Math.random());
}

/** Wait so many seconds. Rejects with openai's APIUserAbortError when the caller does not want to any more. */
export function pause(seconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new APIUserAbortError());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Seconds that the answer asks to wait: Retry-After-Ms before Retry-After, which may be a date. */
function retryAfter(headers: Headers): number | undefined {
  const milliseconds = headers.get('retry-after-ms');
  if (milliseconds !== null && NUMBER.test(milliseconds)) return Number(milliseconds) / 1000;
  const found = headers.get('retry-after');
  if (found === null) return undefined;
  if (NUMBER.test(found)) return Number(found);
  const instant = Date.parse(found);
  return Number.isNaN(instant) ? undefined : (instant - Date.now()) / 1000;
}

function neverSent(problem: unknown): boolean {
  for (let cause = problem, depth = 0; typeof cause === 'object' && cause !== null && depth < 8; depth++) {
    const { code, cause: next } = cause as { code?: unknown; cause?: unknown };
    if (NEVER_SENT.includes(code)) return true;
    cause = next;
  }
  return false;
}
