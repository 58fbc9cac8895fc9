/** The access-control matrix. */

/** What a credential may be allowed to do. */
export type Scope =
  | 'inference:read'
  | 'inference:write'
  | 'customers:read'
  | 'customers:write'
  | 'customers:delete'
  | 'billing:read'
  | 'billing:write'
  | 'webhooks:read'
  | 'webhooks:write'
  | 'admin:full';

/** A named preset of scopes. */
export type LevelName = 'read' | 'write' | 'delete' | 'admin';

/**
 * What an account of this tier may have; null is no bound. The rate limits are requests a minute,
 * `max_token_lifetime` is seconds.
 */
export interface Tier {
  name: string;
  default_rate_limit: number;
  max_rate_limit: number | null;
  max_keys: number | null;
  max_customers: number | null;
  max_endpoints: number | null;
  models: string[] | null;
  max_token_lifetime: number;
  features: string[];
}

/** Who may do what: tiers (`data`), scopes, levels and routes. */
export interface AccessMatrix {
  object: 'list';
  data: Tier[];
  scopes: { name: string; description: string }[];
  levels: { name: string; scopes: string[] }[];
  /** `scope` is null where any live credential will do. */
  routes: { method: string; path: string; scope: string | null }[];
}
