/** SHA-256 (FIPS 180-4) and HMAC (RFC 2104), for where there is no WebCrypto: Node 18, and pages without TLS. */

const BLOCK = 64;
const LENGTH_PLACE = 56;
const PRIMES = primes(64);
/** The first 32 bits of the fractions of roots of the first primes, §4.2.2 and §5.3.3. */
const ROUND_WORDS = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const FIRST_STATE = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

/** The digest of the data. */
export function sha256(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const state = Uint32Array.from(FIRST_STATE);
  const padded = new Uint8Array(Math.ceil((data.length + 9) / BLOCK) * BLOCK);
  padded.set(data);
  padded[data.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - BLOCK + LENGTH_PLACE, BigInt(data.length) * 8n);
  for (let place = 0; place < padded.length; place += BLOCK) compress(state, view, place);
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  state.forEach((word, at) => {
    out.setUint32(4 * at, word);
  });
  return digest;
}

/** The HMAC of the data. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const short = key.length > BLOCK ? sha256(key) : key;
  const padded = (byte: number, rest: Uint8Array) => {
    const whole = new Uint8Array(BLOCK + rest.length).fill(byte, 0, BLOCK);
    short.forEach((found, at) => {
      whole[at] = found ^ byte;
    });
    whole.set(rest, BLOCK);
    return whole;
  };
  return sha256(padded(0x5c, sha256(padded(0x36, data))));
}

/** Whether both are the same; how long that takes tells nothing of where they differ. */
export function equal(one: Uint8Array, other: Uint8Array): boolean {
  let difference = one.length ^ other.length;
  for (let at = 0; at < one.length; at++) difference |= (one[at] ?? 0) ^ (other[at] ?? 0);
  return difference === 0;
}

/** §6.2.2, one block. */
function compress(state: Uint32Array, view: DataView, place: number): void {
  const words = new Uint32Array(BLOCK);
  const word = (at: number) => words[at] ?? 0;
  for (let at = 0; at < 16; at++) words[at] = view.getUint32(place + 4 * at);
  for (let at = 16; at < BLOCK; at++) {
    const [near, far] = [word(at - 2), word(at - 15)];
    const mixed = (turned(near, 17) ^ turned(near, 19) ^ (near >>> 10)) + word(at - 7);
    words[at] = mixed + (turned(far, 7) ^ turned(far, 18) ^ (far >>> 3)) + word(at - 16);
  }
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let at = 0; at < BLOCK; at++) {
    const chosen = (e & f) ^ (~e & g);
    const first =
      h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + chosen + (ROUND_WORDS[at] ?? 0) + word(at);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) >>> 0, c, b, a, (first + second) >>> 0];
  }
  [a, b, c, d, e, f, g, h].forEach((added, at) => {
    state[at] = (state[at] ?? 0) + added;
  });
}

function turned(word: number, places: number): number {
  return (word >>> places) | (word << (32 - places));
}

function fraction(root: number): number {
  return Math.floor((root % 1) * 2 ** 32);
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let number = 2; found.length < count; number++) {
    if (found.every((prime) => number % prime !== 0)) found.push(number);
  }
  return found;
}
