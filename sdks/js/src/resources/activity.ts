/** What keys did, and could do without. Instants are ISO 8601. */

/** An hour in which the key was used, or refused. */
export interface ActivityHour {
  hour: string;
  allowed: number;
  refused: number;
}

/** A route that the key asked for. `required_scope`: what another service asked for beside it. */
export interface RouteActivity {
  method: string;
  path: string;
  scope: string | null;
  required_scope: string | null;
  allowed: number;
  refused: number;
  last_at: string;
}

/** Where the key was called from: an address, the network of many, or `other`. */
export interface AddressActivity {
  address: string | null;
  allowed: number;
  refused: number;
  last_at: string;
}

/** A model that the key asked for. */
export interface ModelActivity {
  model: string;
  allowed: number;
  refused: number;
  last_at: string;
}

/** Requests that were refused alike. */
export interface RefusalActivity {
  code: string;
  message: string;
  method: string;
  path: string;
  required_scope: string | null;
  address: string | null;
  model: string | null;
  requests: number;
  last_at: string;
}

/** What a key did in whole hours. `peak_minute`: requests of the busiest minute. */
export interface KeyActivity {
  object: 'key_activity';
  key_id: string;
  from: string;
  to: string;
  kept_days: number;
  allowed: number;
  refused: number;
  peak_minute: number | null;
  hours: ActivityHour[];
  routes: RouteActivity[];
  addresses: AddressActivity[];
  models: ModelActivity[];
  refusals: RefusalActivity[];
}

export type Verdict = 'keep' | 'narrow' | 'unused' | 'unknown';

/** What of a bound was used, what was not, and what would do instead; null where nothing is advised. */
export interface AdvicePart {
  verdict: Verdict;
  used: string[];
  unused: string[];
  advised: string[] | null;
}

/** The limit, the busiest minute, and a limit that leaves it room, all in requests a minute. */
export interface RateAdvice {
  verdict: Verdict;
  current: number;
  peak_minute: number | null;
  advised: number | null;
}

/** What to give to `keys.update`. */
export interface AdvisedChange {
  scopes?: string[];
  allowed_ips?: string[];
  models?: string[];
  rate_limit?: number;
}

/** What a key may do beyond what it did. `would_refuse`: admitted requests that `change` would refuse. */
export interface KeyAdvice {
  object: 'key_advice';
  key_id: string;
  days: number;
  kept_days: number;
  requests: number;
  last_at: string | null;
  scopes: AdvicePart;
  allowed_ips: AdvicePart;
  models: AdvicePart;
  rate_limit: RateAdvice;
  change: AdvisedChange | null;
  would_refuse: number;
}

/** Requests that were alike. */
export interface PreviewExample {
  method: string;
  path: string;
  address: string | null;
  model: string | null;
  requests: number;
  last_at: string;
}

/** Requests to which the change makes one difference. `check`, `message`: of the new refusal. */
export interface Difference {
  code: string;
  check: string | null;
  message: string | null;
  required_scope: string | null;
  requests: number;
  examples: PreviewExample[];
}

/** What the limit would have met. `hours_above`: hours that had a minute with more requests. */
export interface RatePreview {
  limit: number;
  peak_minute: number | null;
  hours_above: number;
}

/**
 * What difference a change would have made to what the key did.
 *
 * Of `requests`, which were admitted, `refused` would not have been. `let_in`: others that would. `uncertain`: too
 * little is on record. `outdated`: refused as the key is now, with the change or without it.
 */
export interface KeyPreview {
  object: 'key_preview';
  key_id: string;
  days: number;
  kept_days: number;
  requests: number;
  refused: number;
  let_in: number;
  uncertain: number;
  outdated: number;
  reasons: Difference[];
  admissions: Difference[];
  rate: RatePreview | null;
}
