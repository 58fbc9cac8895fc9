/** The audit log: what was done, by whom, and from where. */

import type { APIPromise } from 'openai/core/api-promise';
import type { PagePromise } from 'openai/core/pagination';
import { APIResource } from 'openai/core/resource';

import { lines } from '../answers.js';
import { type BrokenLink, type Head, read, type Verified, verify } from '../audit.js';
import { AuditPage } from '../pages.js';
import { type Moment, moment, type PageParams, type RequestOptions, withHeaders } from './call.js';

/** Who did it. Of a token `id` is its jti, and `key_id` the key that it came from. */
export interface Actor {
  kind: string;
  id: string | null;
  key_id?: string | null;
  customer_id?: string | null;
}

/** What was done, by whom, from where; before and after without secrets. */
export interface AuditEntry {
  id: string;
  object: 'audit_entry';
  sequence: number;
  at: string;
  actor: Actor;
  action: string;
  target_id: string | null;
  address: string | null;
  request_id: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  previous_hash: string;
  hash: string;
}

/** The last entry of the log. */
export type AuditHead = Head;

/** Which entries. */
export interface AuditFilter {
  /** A name, or several as `key.*`. */
  action?: string;
  actor_id?: string;
  target_id?: string;
  from?: Moment;
  to?: Moment;
}

export interface AuditListParams extends AuditFilter, PageParams {}

export class Audit extends APIResource {
  /** The entries, the newest first. Iterating walks all pages. */
  list(
    params: AuditListParams = {},
    options?: RequestOptions,
  ): PagePromise<AuditPage<AuditEntry>, AuditEntry> {
    return this._client.getAPIList('/audit', AuditPage<AuditEntry>, { ...options, query: query(params) });
  }

  /** All entries, the oldest first. */
  async *export(
    params: AuditFilter = {},
    options?: RequestOptions,
  ): AsyncGenerator<AuditEntry, void, undefined> {
    for await (const line of lines(await this.exportJsonl(params, options))) {
      yield read(line) as unknown as AuditEntry;
    }
  }

  /** All entries, the oldest first, as lines of JSON: a Response whose body is read as it comes. */
  exportJsonl(params: AuditFilter = {}, options?: RequestOptions): APIPromise<Response> {
    return this._client.get('/audit', {
      ...withHeaders(options, { Accept: 'application/jsonl' }),
      query: { ...query(params), format: 'jsonl' },
      __binaryResponse: true,
    });
  }

  /**
   * Whether the whole log fits together, up to what the server calls its head.
   *
   * @param heads of earlier verifications, which the log has to pass through as well.
   */
  async verify(
    { heads = [] }: { heads?: Iterable<Head> } = {},
    options?: RequestOptions,
  ): Promise<Verified | BrokenLink> {
    const { head } = await this.list({ limit: 1 }, options);
    return verify(lines(await this.exportJsonl({}, options)), { heads: [head, ...heads] });
  }
}

function query(params: AuditListParams): object {
  return { ...params, from: moment(params.from), to: moment(params.to) };
}
