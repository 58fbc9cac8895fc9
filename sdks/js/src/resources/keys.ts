/** The account's API keys. */

import type { APIPromise } from 'openai/core/api-promise';
import type { PagePromise } from 'openai/core/pagination';
import { APIResource } from 'openai/core/resource';

import { Page } from '../pages.js';
import { veiled } from '../secrecy.js';
import type { KeyActivity, KeyAdvice, KeyPreview } from './activity.js';
import type { Budgets } from './billing.js';
import {
  amounts,
  type BudgetChanges,
  type Moment,
  moment,
  once,
  type PageParams,
  type RequestOptions,
  safe,
  secretive,
  segment,
} from './call.js';
import type { LevelName, Scope } from './tiers.js';

/** A key of the account. `key` is the secret, there by create and rotate only. `rate_limit`: requests a minute. */
export interface ApiKey {
  id: string;
  object: 'api_key';
  name: string;
  prefix: string;
  last4: string;
  scopes: string[];
  level: string | null;
  allowed_ips: string[];
  rate_limit: number;
  models: string[] | null;
  customer_id: string | null;
  status: 'active' | 'expired' | 'revoked';
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
  rotated_from: string | null;
  rotated_to?: string | null;
  budgets?: Budgets | null;
  key?: string;
}

/** A key with its secret, which is shown this once. Printing it shows no secret; `JSON.stringify` does. */
export interface NewApiKey extends ApiKey {
  key: string;
}

export interface KeyCreateParams {
  name: string;
  /** Scopes or a level, not both. */
  scopes?: readonly Scope[];
  level?: LevelName;
  /** CIDRs. */
  allowed_ips?: readonly string[];
  /** Requests a minute. */
  rate_limit?: number;
  expires_at?: Moment;
  models?: readonly string[];
  customer_id?: string;
  /** What it may spend, like `{ monthly: '20' }`, in the account's currency. */
  budgets?: BudgetChanges;
}

/** What is given is changed, the rest stays. null takes a bound away or resets it. */
export interface KeyUpdateParams {
  name?: string;
  scopes?: readonly Scope[];
  allowed_ips?: readonly string[];
  rate_limit?: number | null;
  expires_at?: Moment | null;
  models?: readonly string[] | null;
  budgets?: BudgetChanges;
}

export interface KeyListParams extends PageParams {
  /** Part of the name, or the last four characters, the id or the customer_id. */
  search?: string;
  status?: 'active' | 'expired' | 'revoked';
  customer_id?: string;
}

export interface KeyRotateParams {
  /** Seconds that the old key lives on, 0-2,592,000; a day by default. */
  overlap?: number;
  name?: string;
}

export interface LeakReportParams {
  /** What may hold keys of the account: a log, a file, a page. */
  text: string;
  /** Where it was found, for the audit log. */
  source?: string;
  /** Revoke at once what is found. */
  revoke?: boolean;
}

/** The account's keys that stood in a text. `others`: whole keys in it that are not the account's. */
export interface LeakReport {
  object: 'leak_report';
  keys: ApiKey[];
  others: number;
}

/** Instants; the last 30 days by default. */
export interface KeyActivityParams {
  from?: Moment;
  to?: Moment;
}

/** `days`: up to now, 1-400, 30 by default. */
export interface KeyAdviceParams {
  days?: number;
}

/** A change to try; what is not given stays. */
export interface KeyPreviewParams extends Omit<KeyUpdateParams, 'name' | 'budgets'> {
  level?: LevelName;
  days?: number;
}

export class Keys extends APIResource {
  /**
   * Create a key. The answer's `key` is the secret, shown this once.
   *
   * Each call bears an Idempotency-Key, `options.idempotencyKey` or one of its own, so that a retry cannot
   * create a second key.
   */
  create(params: KeyCreateParams, options?: RequestOptions): APIPromise<NewApiKey> {
    const { expires_at, budgets, ...rest } = params;
    const body = { ...rest, expires_at: moment(expires_at), budgets: amounts(budgets) };
    return this._client.post<NewApiKey>('/keys', { ...once(options), body })._thenUnwrap(withoutSecret);
  }

  /** The account's keys. Iterating walks all pages. */
  list(params: KeyListParams = {}, options?: RequestOptions): PagePromise<Page<ApiKey>, ApiKey> {
    return this._client.getAPIList('/keys', Page<ApiKey>, { ...options, query: params });
  }

  /** The key of that id, `key_…`. */
  get(keyId: string, options?: RequestOptions): APIPromise<ApiKey> {
    return this._client.get(path(keyId), options);
  }

  /** Change what is given and leave the rest. */
  update(keyId: string, params: KeyUpdateParams, options?: RequestOptions): APIPromise<ApiKey> {
    const { expires_at, budgets, ...rest } = params;
    const body = { ...rest, expires_at: moment(expires_at), budgets: amounts(budgets) };
    return this._client.patch(path(keyId), { ...options, body });
  }

  /** A successor to the key, its secret in `key`; the old one expires after the overlap. */
  rotate(keyId: string, params: KeyRotateParams = {}, options?: RequestOptions): APIPromise<NewApiKey> {
    return this._client
      .post<NewApiKey>(`${path(keyId)}/rotate`, { ...once(options), body: params })
      ._thenUnwrap(withoutSecret);
  }

  /** Revoke the key of that id, and every token minted from it. */
  revoke(keyId: string, options?: RequestOptions): APIPromise<void> {
    return this._client.delete(path(keyId), options);
  }

  /** What the key did by hour, route, address and model, and what it was refused. */
  activity(keyId: string, params: KeyActivityParams = {}, options?: RequestOptions): APIPromise<KeyActivity> {
    const query = { from: moment(params.from), to: moment(params.to) };
    return this._client.get(`${path(keyId)}/activity`, { ...options, query });
  }

  /** What could be taken away from the key without refusing anything that it did. */
  advice(keyId: string, params: KeyAdviceParams = {}, options?: RequestOptions): APIPromise<KeyAdvice> {
    return this._client.get(`${path(keyId)}/advice`, { ...options, query: params });
  }

  /** What a change to the key would have refused of what it did in so many days. Nothing is changed. */
  preview(keyId: string, params: KeyPreviewParams, options?: RequestOptions): APIPromise<KeyPreview> {
    const { expires_at, ...rest } = params;
    const body = { ...rest, expires_at: moment(expires_at) };
    return this._client.post(`${path(keyId)}/preview`, { ...safe(options), body });
  }

  /** The account's keys in a text, which are put on record as leaked. */
  reportLeak(params: LeakReportParams, options?: RequestOptions): APIPromise<LeakReport> {
    return this._client.post('/keys/leaks', secretive({ ...options, body: params }));
  }
}

/** Throws TypeError on a secret, which does not belong into a URL: URLs are logged. */
function path(keyId: string): string {
  if (String(keyId).startsWith('sk-')) {
    throw new TypeError("that is a key's secret, not its id (key_…); to revoke by secret use auth.revoke");
  }
  return `/keys/${segment('keyId', keyId)}`;
}

function withoutSecret(key: NewApiKey): NewApiKey {
  return veiled(key, 'key');
}
