/** Tokens, and what a credential is worth. */

import type { APIPromise } from 'openai/core/api-promise';
import { APIResource } from 'openai/core/resource';

import { ROOT_KEY, type WithRootKey } from '../root-key.js';
import { veiled } from '../secrecy.js';
import { type RequestOptions, safe, secretive, withHeaders } from './call.js';
import type { Scope } from './tiers.js';

/** A pair of tokens. `expires_in`: seconds that the access token lives from its minting. */
export interface Token {
  access_token: string;
  token_type: string;
  expires_in: number;
  refresh_token: string;
}

/** What a live credential stands for. `rate_limit`: requests a minute. */
export interface Validation {
  valid: boolean;
  key_id: string;
  scopes: string[];
  rate_limit: number;
  tier: string;
}

/** A token's claims (RFC 7662 §2.2); of a dead one only `active`. `exp`, `iat`: seconds since the epoch. */
export interface Introspection {
  active: boolean;
  scope?: string;
  client_id?: string;
  sub?: string;
  aud?: string;
  iss?: string;
  exp?: number;
  iat?: number;
  jti?: string;
  token_type?: string;
  token_use?: string;
  customer_id?: string;
}

/** One step of a decision. */
export interface Check {
  name: string;
  outcome: 'passed' | 'refused' | 'not_reached';
  detail?: string | null;
}

/** How the server would decide on a request, check by check in the order of the deciding. */
export interface Explanation {
  allowed: boolean;
  code: string | null;
  message: string | null;
  checks: Check[];
}

export interface TokenParams {
  /** The customer that the token acts for. */
  customer_id?: string;
  /** Those of the key by default. */
  scopes?: readonly Scope[];
  /** Seconds, 60-86,400; 3600 by default. */
  expires_in?: number;
  /** Each refresh then gives a successor to the refresh token (RFC 9700 §4.14.2). */
  rotate?: boolean;
}

export interface ExplainParams {
  /** An id, a secret or a token. */
  key: string;
  method: string;
  path: string;
  ip?: string;
  model?: string;
}

export class Auth extends APIResource {
  /** Mint a token pair, never wider than the API key, which alone authorizes this. */
  token(params: TokenParams = {}, options?: RequestOptions): APIPromise<Token> {
    const made = (this._client as unknown as WithRootKey)
      [ROOT_KEY]()
      .then((key) => secretive({ ...credential(safe(options), `Bearer ${key}`), body: params }));
    return this._client.post<Token>('/auth/token', made)._thenUnwrap(pair);
  }

  /** A new access token for a refresh token, whose possession is the proof: nothing else is sent. */
  refresh(refreshToken: string, options?: RequestOptions): APIPromise<Token> {
    const body = { refresh_token: refreshToken };
    return this._client
      .post<Token>('/auth/refresh', secretive({ ...credential(safe(options), null), body }))
      ._thenUnwrap(pair);
  }

  /** What this client's credential stands for. Rejects with the typed 401 or 403 when it is not valid. */
  validate(options?: RequestOptions): APIPromise<Validation> {
    return this._client.get('/auth/validate', options);
  }

  /**
   * End an access token, a refresh token or an API key by its secret (RFC 7009). One that is unknown or dead is
   * no error.
   */
  revoke(token: string, options?: RequestOptions): APIPromise<void> {
    return this._client.post(
      '/auth/revoke',
      secretive({ ...credential(safe(options), null), body: { token } }),
    );
  }

  /** The claims of a token (RFC 7662); `active` is false for whatever the server does not honour. */
  introspect(token: string, options?: RequestOptions): APIPromise<Introspection> {
    return this._client.post('/auth/introspect', secretive({ ...safe(options), body: { token } }));
  }

  /** How the server would decide on that request, without making it. Needs admin:full. */
  explain(params: ExplainParams, options?: RequestOptions): APIPromise<Explanation> {
    return this._client.post('/auth/explain', secretive({ ...safe(options), body: params }));
  }
}

/** Options with that Authorization in place of the client's, for which no token is then fetched. */
function credential(options: RequestOptions, authorization: string | null): RequestOptions {
  return { ...withHeaders(options, { Authorization: authorization }), __security: {} };
}

function pair(token: Token): Token {
  return veiled(token, 'access_token', 'refresh_token');
}
