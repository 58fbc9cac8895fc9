/** WebCrypto, of whichever runtime. */

let found: Crypto | undefined = globalThis.crypto;

/** Node 18 has WebCrypto, but not as a global. The name is put together so that bundlers leave it alone. */
async function webcrypto(): Promise<Crypto> {
  if (found === undefined) {
    const name = ['node', 'crypto'].join(':');
    found = ((await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as { webcrypto: Crypto })
      .webcrypto;
  }
  return found;
}

/** A key for HMAC-SHA256. */
export async function hmacKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const { subtle } = await webcrypto();
  return subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
}

/** The HMAC of the data. */
export async function hmac(key: CryptoKey, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { subtle } = await webcrypto();
  return new Uint8Array(await subtle.sign('HMAC', key, data));
}

/** Whether that is the HMAC of the data; compared by the runtime in constant time. */
export async function isHmac(
  key: CryptoKey,
  mac: Uint8Array<ArrayBuffer>,
  data: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { subtle } = await webcrypto();
  return subtle.verify('HMAC', key, mac, data);
}

/** The SHA-256 of a text's UTF-8, in hexadecimal digits. */
export async function sha256(text: string): Promise<string> {
  const { subtle } = await webcrypto();
  return hex(new Uint8Array(await subtle.digest('SHA-256', new TextEncoder().encode(text))));
}

/** The bytes in lower-case hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A text that no other call gives: a UUID where the runtime makes them, else as many random bits. */
export function unique(): string {
  if (found?.randomUUID !== undefined) return found.randomUUID();
  const part = () =>
    Math.floor(Math.random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return `${part()}${part()}${part()}${part()}`;
}
