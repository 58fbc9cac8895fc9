/** HMAC and SHA-256 by WebCrypto, and where that is missing by hand. */

import * as fallback from './sha256.js';

type Bytes = Uint8Array<ArrayBuffer>;

const HMAC = { name: 'HMAC', hash: 'SHA-256' };

/** The HMAC of the data. */
export async function hmac(secret: Bytes, data: Bytes): Promise<Bytes> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) return fallback.hmacSha256(secret, data);
  const key = await subtle.importKey('raw', secret, HMAC, false, ['sign']);
  return new Uint8Array(await subtle.sign('HMAC', key, data));
}

/** Whether one of these is the HMAC of the data; compared in constant time. */
export async function isHmac(macs: readonly Bytes[], secret: Bytes, data: Bytes): Promise<boolean> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    const expected = fallback.hmacSha256(secret, data);
    return macs.filter((mac) => fallback.equal(expected, mac)).length > 0;
  }
  const key = await subtle.importKey('raw', secret, HMAC, false, ['verify']);
  const verdicts = await Promise.all(macs.map((mac) => subtle.verify('HMAC', key, mac, data)));
  return verdicts.includes(true);
}

/** The SHA-256 of a text's UTF-8, in hexadecimal digits. */
export async function sha256(text: string): Promise<string> {
  const data = new TextEncoder().encode(text);
  const subtle = globalThis.crypto?.subtle;
  return hex(
    subtle === undefined ? fallback.sha256(data) : new Uint8Array(await subtle.digest('SHA-256', data)),
  );
}

/** The bytes in lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A text that no other call gives: a UUID where the runtime makes them, else as many random bits. */
export function unique(): string {
  const made = globalThis.crypto?.randomUUID?.();
  if (made !== undefined) return made;
  const part = () =>
    Math.floor(Math.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return `${part()}${part()}${part()}${part()}`;
}
