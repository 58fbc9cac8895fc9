/** What was used, what it cost, and what may be spent. Amounts are decimal text, durations milliseconds. */

import type { APIPromise } from 'openai/core/api-promise';
import type { PagePromise } from 'openai/core/pagination';
import { APIResource } from 'openai/core/resource';

import { Page, UsagePage } from '../pages.js';
import {
  amounts,
  type BudgetChanges,
  joined,
  type Moment,
  moment,
  type PageParams,
  type RequestOptions,
  segment,
  withHeaders,
} from './call.js';

/** What may be spent in a calendar month (UTC), and altogether; null is no bound. */
export interface Budgets {
  monthly: string | null;
  total: string | null;
}

/**
 * One finished request. `cost`: null where nothing was charged. `estimated`: the upstream did not say how many
 * tokens it were.
 */
export interface UsageRecord {
  object: 'usage_record';
  request_id: string;
  at: string;
  account_id: string;
  key_id: string | null;
  customer_id: string | null;
  route: string;
  model: string | null;
  upstream: string | null;
  status: number;
  outcome: string;
  prompt_tokens: number | null;
  cached_tokens: number | null;
  completion_tokens: number | null;
  cost: string | null;
  estimated: boolean;
  duration_ms: number;
  time_to_first_token_ms: number | null;
}

/** Usage added up. */
export interface Totals {
  requests: number;
  failures: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  cost: string;
}

/** The usage of one group; the members that it was not grouped by are absent. */
export interface UsageBucket extends Totals {
  object: 'usage_bucket';
  day?: string;
  hour?: string;
  model?: string | null;
  key_id?: string | null;
  customer_id?: string | null;
}

/** A budget and how far it is used. `period`: `2026-11`, or `total`. `held`: for requests under way. */
export interface BudgetUse {
  subject_id: string;
  customer_id: string | null;
  key_id: string | null;
  period: string;
  budget: string;
  spent: string;
  held: string;
  remaining: string;
}

/** A month's usage in total and by model, and how far the budgets are used. */
export interface BillingSummary {
  object: 'billing_summary';
  month: string;
  currency: string;
  totals: Totals;
  models: (Totals & { model: string | null })[];
  budgets: BudgetUse[];
}

/** `currencies`: what `currency` may be. `alert_thresholds`: percent of a budget. */
export interface BillingSettings {
  object: 'billing_settings';
  currency: string;
  currencies: string[];
  budgets: Budgets;
  alert_thresholds: number[];
}

/** The usage of one model on one day. */
export interface StatementLine extends Totals {
  day: string;
  model: string | null;
}

/** A customer's month. `lines` come with a single statement only. */
export interface Statement {
  object: 'statement';
  customer_id: string;
  month: string;
  status: 'open' | 'closed';
  currency: string;
  requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  cost: string;
  lines?: StatementLine[];
}

export type GroupName = 'day' | 'hour' | 'model' | 'key' | 'customer';

/** Which usage; by default from the start of the month until now. */
export interface UsageFilter {
  from?: Moment;
  to?: Moment;
  model?: string;
  key_id?: string;
  customer_id?: string;
}

export interface UsageParams extends UsageFilter, PageParams {}

export interface SummaryParams {
  /** `2026-11`; the current one (UTC) by default. */
  month?: string;
  /** Of this customer, or this key, alone. */
  customer_id?: string;
  key_id?: string;
}

/** What is given is changed, the rest stays. */
export interface BillingSettingsParams {
  /** Final once anything was charged. */
  currency?: string;
  budgets?: BudgetChanges;
  /** Percent of a budget, 1-100, or none at all; null is the server's default. */
  alert_thresholds?: readonly number[] | null;
}

export interface StatementsFilter {
  month?: string;
  customer_id?: string;
}

/** `month`: `2026-11`, by default the current one (UTC). */
export interface TopParams {
  by?: 'key' | 'customer';
  month?: string;
  limit?: number;
}

/** What a key or a customer used in a month. */
export interface TopUsage {
  key_id: string | null;
  name: string | null;
  customer_id: string | null;
  requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  cost: string;
}

export interface StatementsParams extends StatementsFilter, PageParams {}

export class Billing extends APIResource {
  /**
   * The usage of a time: records, the newest first, or with `group_by` sums of whole hours, ascending. Iterating
   * walks all pages.
   */
  usage(
    params?: UsageParams & { group_by?: undefined },
    options?: RequestOptions,
  ): PagePromise<UsagePage<UsageRecord>, UsageRecord>;
  usage(
    params: UsageParams & { group_by: readonly GroupName[] },
    options?: RequestOptions,
  ): PagePromise<UsagePage<UsageBucket>, UsageBucket>;
  usage(
    params: UsageParams & { group_by?: readonly GroupName[] | undefined } = {},
    options?: RequestOptions,
  ): PagePromise<UsagePage<UsageRecord>, UsageRecord> | PagePromise<UsagePage<UsageBucket>, UsageBucket> {
    const asked = { ...options, query: query(params) };
    return this._client.getAPIList<UsageRecord, UsagePage<UsageRecord>>('/billing/usage', UsagePage, asked);
  }

  /** The same as one CSV file, however long: a Response whose body is read as it comes. */
  usageCsv(
    params: UsageFilter & { group_by?: readonly GroupName[] } = {},
    options?: RequestOptions,
  ): APIPromise<Response> {
    return this.#csv('/billing/usage', query(params), options);
  }

  /** Who used most in a month, by key or by customer. */
  top(params: TopParams = {}, options?: RequestOptions): PagePromise<Page<TopUsage>, TopUsage> {
    return this._client.getAPIList('/billing/top', Page<TopUsage>, { ...options, query: params });
  }

  /** A month's usage in total and by model, and how far the budgets are used. */
  summary(params: SummaryParams = {}, options?: RequestOptions): APIPromise<BillingSummary> {
    return this._client.get('/billing/summary', { ...options, query: params });
  }

  /** The account's currency, budgets and alert thresholds. */
  settings(options?: RequestOptions): APIPromise<BillingSettings> {
    return this._client.get('/billing/settings', options);
  }

  /** Change what is given and leave the rest. */
  updateSettings(params: BillingSettingsParams, options?: RequestOptions): APIPromise<BillingSettings> {
    const body = { ...params, budgets: amounts(params.budgets) };
    return this._client.patch('/billing/settings', { ...options, body });
  }

  /** The customers' monthly statements. Iterating walks all pages. */
  statements(
    params: StatementsParams = {},
    options?: RequestOptions,
  ): PagePromise<Page<Statement>, Statement> {
    return this._client.getAPIList('/billing/statements', Page<Statement>, { ...options, query: params });
  }

  /** The same as one CSV file: a Response whose body is read as it comes. */
  statementsCsv(params: StatementsFilter = {}, options?: RequestOptions): APIPromise<Response> {
    return this.#csv('/billing/statements', params, options);
  }

  /** A customer's statement of a month (`2026-11`), with its `lines` by day and model. */
  statement(month: string, customerId: string, options?: RequestOptions): APIPromise<Statement> {
    return this._client.get(statementPath(month, customerId), options);
  }

  /** The statement's lines as a CSV file: a Response whose body is read as it comes. */
  statementCsv(month: string, customerId: string, options?: RequestOptions): APIPromise<Response> {
    return this.#csv(statementPath(month, customerId), {}, options);
  }

  #csv(path: string, which: object, options: RequestOptions | undefined): APIPromise<Response> {
    return this._client.get(path, {
      ...withHeaders(options, { Accept: 'text/csv' }),
      query: { ...which, format: 'csv' },
      __binaryResponse: true,
    });
  }
}

function query(params: UsageParams & { group_by?: readonly GroupName[] | undefined }): object {
  const { from, to, group_by, ...rest } = params;
  return { ...rest, from: moment(from), to: moment(to), group_by: joined('group_by', group_by) };
}

function statementPath(month: string, customerId: string): string {
  return `/billing/statements/${segment('month', month)}/${segment('customerId', customerId)}`;
}
