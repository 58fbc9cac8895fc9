/** Lists by cursor. Iterating a page walks it and all pages after it. */

import type { OpenAI } from 'openai';
import { AbstractPage, type PageRequestOptions } from 'openai/core/pagination';

import type { AuditHead } from './resources/audit.js';

type Made = ConstructorParameters<typeof AbstractPage>;

interface Body<Item> {
  data?: Item[];
  next_cursor?: string | null;
}

/** `.data` is this page, `.next_cursor` names the next one; `for await (const item of page)` walks them all. */
export class Page<Item> extends AbstractPage<Item> {
  readonly data: Item[];
  readonly next_cursor: string | null;

  constructor(client: OpenAI, response: Response, body: unknown, options: Made[3]) {
    super(client, response, body, options);
    const found = (body ?? {}) as Body<Item>;
    this.data = found.data ?? [];
    this.next_cursor = found.next_cursor ?? null;
    // What the page came from is for the next one, and not for those who print it.
    for (const name of ['options', 'response', 'body']) {
      Object.defineProperty(this, name, { enumerable: false });
    }
  }

  getPaginatedItems(): Item[] {
    return this.data;
  }

  /** Whether the server named a next page; an empty page may still have one. */
  override hasNextPage(): boolean {
    return this.next_cursor !== null;
  }

  nextPageRequestOptions(): PageRequestOptions | null {
    if (this.next_cursor === null) return null;
    return { ...this.options, query: { ...this.options.query, cursor: this.next_cursor } };
  }
}

/** A page of usage; `from`, `to` and `currency` say what it tells about. */
export class UsagePage<Item> extends Page<Item> {
  readonly from: string;
  readonly to: string;
  readonly currency: string;

  constructor(client: OpenAI, response: Response, body: unknown, options: Made[3]) {
    super(client, response, body, options);
    const found = body as { from: string; to: string; currency: string };
    this.from = found.from;
    this.to = found.to;
    this.currency = found.currency;
  }
}

/** A page of the audit log; `head` is the latest entry of the whole. */
export class AuditPage<Item> extends Page<Item> {
  readonly head: AuditHead;

  constructor(client: OpenAI, response: Response, body: unknown, options: Made[3]) {
    super(client, response, body, options);
    this.head = (body as { head: AuditHead }).head;
  }
}
