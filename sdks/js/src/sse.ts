/** Server-sent events, as WHATWG HTML §9.2.6 reads them. */

/** An event, or what came in its place: only `retry`, or only `id`. */
export interface Frame {
  /** The event's name; null without one. */
  readonly event: string | null;
  /** Its data, lines joined by LF; empty where there was none. */
  readonly data: string;
  /** Its id; null where it named none. */
  readonly id: string | null;
  /** Milliseconds to wait before connecting again; null where it did not say. */
  readonly retry: number | null;
}

const LINE_END = /\r\n|\n|\r/;
const DIGITS = /^\d+$/;

/** The frames of a body in pieces. What the end cuts off is none. */
export async function* frames(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Frame, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let afterCr = false;
  let fields = new Fields();
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    if (rest === '') continue;
    // CR LF is one end of a line, even where the two come apart.
    if (afterCr && rest.startsWith('\n')) rest = rest.slice(1);
    afterCr = false;
    for (let end = LINE_END.exec(rest); end !== null; end = LINE_END.exec(rest)) {
      const line = rest.slice(0, end.index);
      rest = rest.slice(end.index + end[0].length);
      afterCr = end[0] === '\r' && rest === '';
      if (line !== '') {
        fields.take(line);
        continue;
      }
      const frame = fields.frame();
      fields = new Fields();
      if (frame !== undefined) yield frame;
    }
  }
}

/** The fields since the last empty line. */
class Fields {
  #event: string | null = null;
  #id: string | null = null;
  #retry: number | null = null;
  readonly #data: string[] = [];

  take(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const text = colon < 0 ? '' : line.slice(colon + 1);
    const value = text.startsWith(' ') ? text.slice(1) : text;
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && DIGITS.test(value)) this.#retry = Number(value);
  }

  frame(): Frame | undefined {
    const empty = this.#event === null && this.#id === null && this.#retry === null && !this.#data.length;
    if (empty) return undefined;
    return { event: this.#event, data: this.#data.join('\n'), id: this.#id, retry: this.#retry };
  }
}
