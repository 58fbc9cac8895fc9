/**
 * Is this webhook from our server? Two signatures of the same secret; either alone proves the sender.
 *
 * `verify` checks `x-innoai-signature`; `verifyStandard` the Standard Webhooks headers, which stop replays too.
 * Both take the body's exact bytes and answer with a boolean. `sign` and `signStandard` make what they check,
 * for tests of a receiver. None needs the openai package.
 *
 * @module
 */

import { hex, hmac, isHmac } from './crypto.js';

/** A body as it came: bytes (a Buffer too), or text, which stands for its UTF-8. */
export type Payload = string | Uint8Array | ArrayBuffer;

/** Headers of a request: those of `fetch`, or an object such as Node's, whose names may be in any case. */
export type RequestHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface VerifyStandardOptions {
  /** Seconds that the timestamp may lie off `now`, 300 by default. */
  tolerance?: number;
  /** Seconds since the epoch, the clock's by default. */
  now?: number;
}

/** Seconds that a delivery's timestamp may differ from the receiver's clock. */
export const DEFAULT_TOLERANCE = 300;

const SECRET_PREFIX = 'whsec_';
const SCHEME = 'v1';
const HEX_DIGEST = /^[0-9a-f]{64}$/;
/** 32 bytes; the last digit has only four bits of its own, so that one digest has one spelling. */
const BASE64_DIGEST = /^v1,([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const SECONDS = /^\d{1,15}$/;

/**
 * Whether `signature` is the lower-case hex HMAC-SHA256 of the payload; compared in constant time.
 *
 * @throws TypeError on an empty secret, with which anyone could sign.
 */
export async function verify(
  payload: Payload,
  signature: string | null | undefined,
  secret: string,
): Promise<boolean> {
  const key = plainKey(secret);
  if (typeof signature !== 'string' || !HEX_DIGEST.test(signature)) return false;
  const digits = signature.match(/../g) ?? [];
  const mac = Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
  return isHmac([mac], key, bytes(payload));
}

/**
 * The payload's `x-innoai-signature`.
 *
 * @throws TypeError on an empty secret.
 */
export async function sign(payload: Payload, secret: string): Promise<string> {
  return hex(await hmac(plainKey(secret), bytes(payload)));
}

/**
 * Whether `webhook-id`, `webhook-timestamp` and `webhook-signature` fit the payload (Standard Webhooks 1.0).
 * One good signature of several is enough, so that a secret can be changed.
 *
 * @param secret base64, with or without `whsec_`.
 * @throws TypeError on a secret that is not base64 or empty.
 */
export async function verifyStandard(
  payload: Payload,
  headers: RequestHeaders,
  secret: string,
  { tolerance = DEFAULT_TOLERANCE, now = Date.now() / 1000 }: VerifyStandardOptions = {},
): Promise<boolean> {
  const key = standardKey(secret);
  const id = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = header(headers, 'webhook-signature');
  if (id === undefined || timestamp === undefined || signatures === undefined) return false;
  // Written so that a tolerance or a clock that is no number refuses.
  if (!SECONDS.test(timestamp) || !(Math.abs(now - Number(timestamp)) <= tolerance)) return false;
  const digests = signatures.split(' ').flatMap((signature) => BASE64_DIGEST.exec(signature)?.[1] ?? []);
  return isHmac(digests.map(fromBase64), key, standardContent(payload, id, timestamp));
}

/**
 * The `webhook-signature` of a payload beside that webhook-id and webhook-timestamp (Unix seconds).
 *
 * @throws TypeError on a secret that is not base64 or empty.
 */
export async function signStandard(
  payload: Payload,
  id: string,
  timestamp: string | number,
  secret: string,
): Promise<string> {
  const content = standardContent(payload, id, String(timestamp));
  return `${SCHEME},${toBase64(await hmac(standardKey(secret), content))}`;
}

function plainKey(secret: string): Uint8Array<ArrayBuffer> {
  return required(bytes(secret));
}

function standardKey(secret: string): Uint8Array<ArrayBuffer> {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  if (!BASE64.test(text)) {
    throw new TypeError('the webhook secret is not base64: pass it as the server showed it');
  }
  return required(fromBase64(text));
}

function required(secret: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (secret.length === 0) throw new TypeError("the webhook secret is empty: pass the endpoint's secret");
  return secret;
}

function standardContent(payload: Payload, id: string, timestamp: string): Uint8Array<ArrayBuffer> {
  const head = bytes(`${id}.${timestamp}.`);
  const body = bytes(payload);
  const whole = new Uint8Array(head.length + body.length);
  whole.set(head);
  whole.set(body, head.length);
  return whole;
}

function bytes(payload: Payload): Uint8Array<ArrayBuffer> {
  if (typeof payload === 'string') return new TextEncoder().encode(payload);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  if (ArrayBuffer.isView(payload)) return payload as Uint8Array<ArrayBuffer>;
  throw new TypeError('the payload is the body as it came, bytes or text: verify before parsing');
}

function header(headers: RequestHeaders, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined;
  for (const [found, value] of Object.entries(headers)) {
    if (found.toLowerCase() === name) return typeof value === 'string' ? value : value?.join(', ');
  }
  return undefined;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(found: Uint8Array): string {
  return btoa(String.fromCharCode(...found));
}
