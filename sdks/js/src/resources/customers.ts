/** The account's end customers. */

import type { APIPromise } from 'openai/core/api-promise';
import type { PagePromise } from 'openai/core/pagination';
import { APIResource } from 'openai/core/resource';

import { Page } from '../pages.js';
import type { Budgets } from './billing.js';
import { amounts, type BudgetChanges, once, type PageParams, type RequestOptions, segment } from './call.js';

/**
 * An end customer of the account. `id` is the server's, `customer_id` the account's own. `rate_limit`: requests
 * a minute of all its credentials together; null is no bound beside theirs.
 */
export interface Customer {
  id: string;
  object: 'customer';
  customer_id: string;
  name: string | null;
  metadata: Record<string, string>;
  disabled: boolean;
  rate_limit?: number | null;
  budgets?: Budgets | null;
  created_at: string;
  updated_at: string;
}

export interface CustomerCreateParams {
  /** The account's own id for it. */
  customer_id: string;
  name?: string;
  metadata?: Readonly<Record<string, string>>;
  /** Requests a minute of all its credentials together. */
  rate_limit?: number;
  budgets?: BudgetChanges;
}

/** What is given is changed, the rest stays. null takes the name, the rate limit or a budget away. */
export interface CustomerUpdateParams {
  name?: string | null;
  metadata?: Readonly<Record<string, string>>;
  disabled?: boolean;
  rate_limit?: number | null;
  budgets?: BudgetChanges;
}

export interface CustomerListParams extends PageParams {
  /** Part of the customer_id or the name. */
  search?: string;
}

export class Customers extends APIResource {
  /** Create a customer under the account's own id for it; with an Idempotency-Key, as keys. */
  create(params: CustomerCreateParams, options?: RequestOptions): APIPromise<Customer> {
    const body = { ...params, budgets: amounts(params.budgets) };
    return this._client.post('/customers', { ...once(options), body });
  }

  /** The account's customers. Iterating walks all pages. */
  list(params: CustomerListParams = {}, options?: RequestOptions): PagePromise<Page<Customer>, Customer> {
    return this._client.getAPIList('/customers', Page<Customer>, { ...options, query: params });
  }

  /** The customer of that account-given id. */
  get(customerId: string, options?: RequestOptions): APIPromise<Customer> {
    return this._client.get(path(customerId), options);
  }

  /** Change what is given and leave the rest. A disabled customer's tokens are refused. */
  update(customerId: string, params: CustomerUpdateParams, options?: RequestOptions): APIPromise<Customer> {
    const body = { ...params, budgets: amounts(params.budgets) };
    return this._client.patch(path(customerId), { ...options, body });
  }

  /** Delete the customer; its tokens die with it. */
  delete(customerId: string, options?: RequestOptions): APIPromise<void> {
    return this._client.delete(path(customerId), options);
  }
}

function path(customerId: string): string {
  return `/customers/${segment('customerId', customerId)}`;
}
