/** What the requests of the control plane are made of. */

import type { OpenAI } from 'openai';

import { unique } from '../crypto.js';

/** openai's options of a single request: `timeout`, `maxRetries`, `signal`, `headers`, `idempotencyKey`, … */
export type RequestOptions = OpenAI.RequestOptions;

/** An instant: a Date, or RFC 3339 text. */
export type Moment = Date | string;

/** An amount of money, exact: decimal text, a bigint, or a whole number. */
export type Amount = string | bigint | number;

/** What may be spent in a calendar month (UTC), and altogether; null takes a budget away. */
export interface BudgetChanges {
  monthly?: Amount | null;
  total?: Amount | null;
}

/** Which part of a list. */
export interface PageParams {
  /** Items a page, 1-100. */
  limit?: number;
  /** Where the page begins: the `next_cursor` of the one before it. */
  cursor?: string;
}

/** Milliseconds without a byte after which a stream counts as lost; the server says something every 15 s. */
export const STREAM_SILENCE = 45_000;

/** `__metadata` of a request that may be sent twice although it is a POST. */
export const SAFE = 'innoaiSafe';

/** A create: repeated by its Idempotency-Key alone, the caller's or one of its own. */
export function once(options: RequestOptions | undefined): RequestOptions {
  return { ...options, idempotencyKey: options?.idempotencyKey ?? unique() };
}

/** A request that creates nothing which a second one would double. */
export function safe(options: RequestOptions | undefined): RequestOptions {
  return { ...options, __metadata: { ...options?.__metadata, [SAFE]: true } };
}

/** A request whose body is secret, so that a redirect is not followed. */
export function secretive(options: RequestOptions): RequestOptions {
  return { ...options, fetchOptions: { ...options.fetchOptions, redirect: 'manual' } };
}

/** The options with these headers in place of any of the same name; null takes one away. */
export function withHeaders(
  options: RequestOptions | undefined,
  own: Readonly<Record<string, string | null>>,
): RequestOptions {
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const given = entries(options?.headers).filter(([name]) => !names.has(name.toLowerCase()));
  return { ...options, headers: [...given, ...Object.entries(own)] };
}

/** The headers with one more, unless it is among them. */
export function withDefault(headers: RequestOptions['headers'], name: string, value: string): HeaderEntry[] {
  const given = entries(headers);
  const found = given.some(([known]) => known.toLowerCase() === name.toLowerCase());
  return found ? given : [...given, [name, value]];
}

type HeaderEntry = [name: string, value: string | null | undefined];

/** Headers in any of the forms that openai's options take. */
function entries(headers: RequestOptions['headers']): HeaderEntry[] {
  if (!headers) return [];
  if (headers instanceof Headers) return [...headers.entries()];
  if (Array.isArray(headers)) return headers as HeaderEntry[];
  const { values, nulls } = headers as { values?: unknown; nulls?: ReadonlySet<string> };
  if (values instanceof Headers) {
    return [...values.entries(), ...[...(nulls ?? [])].map((name): HeaderEntry => [name, null])];
  }
  return Object.entries(headers as Record<string, string | readonly string[] | null | undefined>).flatMap(
    ([name, value]): HeaderEntry[] =>
      Array.isArray(value) ? value.map((one) => [name, one]) : [[name, value as HeaderEntry[1]]],
  );
}

/** One path segment. Throws TypeError where a URL would be read as another path. */
export function segment(name: string, value: string): string {
  if (typeof value !== 'string' || value === '' || value === '.' || value === '..') {
    throw new TypeError(`${name} must be a text that names something, not ${JSON.stringify(value)}`);
  }
  return encodeURIComponent(value);
}

/** RFC 3339, null and undefined as they are. */
export function moment<T extends null | undefined>(value: Moment | T): string | T {
  return value instanceof Date ? value.toISOString() : value;
}

/** Texts as a query has them. Throws TypeError on what is no list. */
export function joined(name: string, value: readonly string[] | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new TypeError(`${name} is a list of texts`);
  return value.join(',');
}

/** Budgets as they are sent. Throws TypeError on an amount that is not exact. */
export function amounts(value: BudgetChanges | undefined): Record<string, string | null> | undefined {
  if (value === undefined) return undefined;
  const found: Record<string, string | null> = {};
  for (const [name, amount] of Object.entries(value) as [string, Amount | null | undefined][]) {
    if (amount !== undefined) found[name] = amount === null ? null : exact(amount);
  }
  return found;
}

function exact(amount: Amount): string {
  if (typeof amount === 'string') return amount;
  if (typeof amount === 'bigint' || Number.isSafeInteger(amount)) return String(amount);
  throw new TypeError('an amount is decimal text or a whole number: a fraction of type number is not exact');
}
