/** JSON whose every member is read once, and whose numbers keep the digits that they were written with. */

/** A value, and the same as JSON with sorted names and no white space. */
export interface Read {
  readonly value: unknown;
  readonly canonical: string;
}

const SPACE = /[ \t\n\r]*/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 §7 has these escaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORDS: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
/** Deeper than any log goes, and far from the end of the stack. */
const DEEPEST = 500;

/** The JSON object in a text. Throws TypeError on what is none, or shows a member twice. */
export function readObject(text: string): { value: Record<string, unknown>; members: Map<string, string> } {
  const reader = new Reader(text);
  const members = new Map<string, string>();
  reader.space();
  const read = reader.at('{') ? reader.object(0, members) : undefined;
  reader.space();
  if (read === undefined || !reader.ended) throw new TypeError('it is no JSON object');
  return { value: read.value as Record<string, unknown>, members };
}

/** An object as JSON with sorted names and no white space. */
export function canonicalObject(members: Iterable<readonly [string, string]>): string {
  const sorted = [...members].sort(([one], [other]) => byCodePoint(one, other));
  return `{${sorted.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

/** Any value as JSON with sorted names and no white space. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return canonicalObject(members.map(([name, member]) => [name, canonical(member)]));
}

class Reader {
  readonly #text: string;
  #place = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#place === this.#text.length;
  }

  at(character: string): boolean {
    return this.#text[this.#place] === character;
  }

  space(): void {
    this.#match(SPACE);
  }

  object(depth: number, members = new Map<string, string>()): Read {
    const value: Record<string, unknown> = {};
    this.#listed('}', () => {
      const name = this.#string();
      if (members.has(name)) throw new TypeError('it has a member twice');
      this.space();
      this.#expect(':');
      const member = this.#value(depth + 1);
      members.set(name, member.canonical);
      // An assignment would set the prototype of one that is called __proto__.
      Object.defineProperty(value, name, {
        value: member.value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    });
    return { value, canonical: canonicalObject(members) };
  }

  #value(depth: number): Read {
    if (depth > DEEPEST) throw new TypeError('it is no JSON object');
    this.space();
    if (this.at('{')) return this.object(depth);
    if (this.at('[')) return this.#array(depth);
    if (this.at('"')) {
      const value = this.#string();
      return { value, canonical: JSON.stringify(value) };
    }
    for (const [word, value] of WORDS) {
      if (this.#text.startsWith(word, this.#place)) {
        this.#place += word.length;
        return { value, canonical: word };
      }
    }
    const digits = this.#match(NUMBER);
    if (!digits) throw new TypeError('it is no JSON object');
    return { value: Number(digits), canonical: digits };
  }

  #array(depth: number): Read {
    const found: Read[] = [];
    this.#listed(']', () => found.push(this.#value(depth + 1)));
    return {
      value: found.map((item) => item.value),
      canonical: `[${found.map((item) => item.canonical).join(',')}]`,
    };
  }

  /** What stands between a bracket and its end, with commas between the items. */
  #listed(end: string, item: () => void): void {
    this.#place += 1;
    this.space();
    if (this.at(end)) {
      this.#place += 1;
      return;
    }
    for (;;) {
      this.space();
      item();
      this.space();
      if (this.at(end)) {
        this.#place += 1;
        return;
      }
      this.#expect(',');
    }
  }

  #string(): string {
    const found = this.#match(STRING);
    if (!found) throw new TypeError('it is no JSON object');
    return JSON.parse(found) as string;
  }

  #expect(character: string): void {
    if (!this.at(character)) throw new TypeError('it is no JSON object');
    this.#place += 1;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#place;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#place += found.length;
    return found;
  }
}

/** JavaScript compares UTF-16 units, in which U+FF00 comes after U+1F600. */
function byCodePoint(one: string, other: string): number {
  const [left, right] = [[...one], [...other]];
  for (let place = 0; place < left.length && place < right.length; place++) {
    const difference = (left[place]?.codePointAt(0) ?? 0) - (right[place]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
