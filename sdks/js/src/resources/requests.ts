/** The account's requests as they happen, and its last refusals: of the server that answers. */

import type { PagePromise } from 'openai/core/pagination';
import { APIResource } from 'openai/core/resource';

import { Page } from '../pages.js';
import { EventStream, type Lost, RequestStream } from '../streams.js';
import type { Check } from './auth.js';
import { type RequestOptions, STREAM_SILENCE, withHeaders } from './call.js';

/** A request that was decided about, check by check. `path`: its row of the matrix. */
export interface DecidedRequest {
  object: 'decided_request';
  request_id: string | null;
  at: string;
  key_id: string;
  customer_id: string | null;
  bearer: 'key' | 'token' | 'customer';
  method: string;
  path: string;
  address: string | null;
  model: string | null;
  allowed: boolean;
  code: string | null;
  message: string | null;
  checks: Check[];
}

/** So many requests of the stream were lost, as they were not read in time. */
export interface LostRequests {
  object: 'lost_requests';
  count: number;
}

export interface RefusalListParams {
  key_id?: string;
  /** 1-100. */
  limit?: number;
}

export interface RequestStreamParams {
  key_id?: string;
  /** Leaves out what is admitted. */
  only?: 'refused';
  /** Told each time that the connection is lost, with the seconds until the next attempt. */
  onLost?: Lost;
}

export class Requests extends APIResource {
  /** The last refusals, the newest first, with the checks. */
  refusals(
    params: RefusalListParams = {},
    options?: RequestOptions,
  ): PagePromise<Page<DecidedRequest>, DecidedRequest> {
    return this._client.getAPIList('/requests/refusals', Page<DecidedRequest>, { ...options, query: params });
  }

  /** Requests as they are decided and finished; a lost connection is made again, with a gap. */
  stream(params: RequestStreamParams = {}, options?: RequestOptions): RequestStream {
    const { onLost, ...query } = params;
    const open = () =>
      this._client.get<Response>('/requests/stream', {
        timeout: STREAM_SILENCE,
        ...withHeaders(options, { Accept: 'text/event-stream' }),
        query,
        __binaryResponse: true,
      });
    return new RequestStream(new EventStream(open, { onLost, signal: options?.signal }));
  }
}
