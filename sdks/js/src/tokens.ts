/**
 * Token auth: who holds the current access token, and when a new one is fetched.
 *
 *     nothing ──mint──▶ fresh ──margin reached, or refused with 401──▶ due ──refresh──▶ fresh
 *                                                                       └─ refresh token dead ──mint──▶ fresh
 *
 * One flight: of all callers that find the token due, one fetches and the others wait for its outcome, be it a
 * token or an error.
 *
 * @module
 */

import { APIError } from 'openai';

import type { Token } from './resources/auth.js';

/** Seconds before expiry at which a token is replaced, at most. */
const MAX_MARGIN = 60;
/** The same as a share of the lifetime, for short-lived tokens. */
const MARGIN_SHARE = 0.1;
/** Seconds after a failed early refresh during which the still living token is used. */
const RETRY_PAUSE = 5;
/** How many past tokens are recognized when the server refuses one of them. */
const REMEMBERED = 32;
const DEAD_REFRESH_TOKEN: readonly unknown[] = [400, 401];

/** The API key, or who is asked for it. A function, so that nobody prints it by accident. */
export type KeySource = () => Promise<string>;

/** What is asked of /auth/token. `lifetime`: seconds, 60-86,400. */
export interface Grant {
  readonly key: KeySource;
  readonly customerId: string | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly lifetime: number;
}

/** The current pair; the instants are seconds on the keeper's clock. */
export class Held {
  readonly expiresAt: number;
  readonly renewAt: number;
  readonly #pair: Token;

  /** The pair that a request sent at `started` brought; its life is counted from there, to be safe. */
  constructor(started: number, pair: Token, renewAt?: number) {
    const margin = Math.min(MAX_MARGIN, MARGIN_SHARE * pair.expires_in);
    this.expiresAt = started + pair.expires_in;
    this.renewAt = renewAt ?? this.expiresAt - margin;
    this.#pair = pair;
  }

  get accessToken(): string {
    return this.#pair.access_token;
  }

  get refreshToken(): string {
    return this.#pair.refresh_token;
  }

  /** The same pair, to be replaced at another time. */
  renewedAt(instant: number): Held {
    return new Held(this.expiresAt - this.#pair.expires_in, this.#pair, Math.min(instant, this.expiresAt));
  }
}

/** How the keeper gets its pairs. */
export interface Source {
  mint(): Promise<Token>;
  refresh(refreshToken: string): Promise<Token>;
}

/** The keepers by the functions that ask them, so that copies of a client share one. */
const KEEPERS = new WeakMap<object, TokenKeeper>();

/** Gives an access token that is good now. Any number of callers may share it. */
export class TokenKeeper {
  readonly grant: Grant;
  /** `token()`, as openai asks its `apiKey` function. */
  readonly ask: () => Promise<string> = () => this.token();
  readonly #source: Source;
  readonly #clock: () => number;
  readonly #issued: string[] = [];
  #held: Held | undefined;
  #flight: Promise<string> | undefined;

  /** clock: seconds, never going back. */
  constructor(grant: Grant, source: Source, clock: () => number = () => performance.now() / 1000) {
    this.grant = grant;
    this.#source = source;
    this.#clock = clock;
    KEEPERS.set(this.ask, this);
  }

  /** The keeper that this function asks, if it is some keeper's. */
  static behind(ask: unknown): TokenKeeper | undefined {
    return typeof ask === 'function' ? KEEPERS.get(ask) : undefined;
  }

  /** Whether this keeper handed that token out. */
  issued(token: string): boolean {
    return this.#issued.includes(token);
  }

  /** A good token, and not `otherThan`, which the server refused. Rejects with what minting rejects with. */
  async token(otherThan?: string): Promise<string> {
    const held = this.#held;
    if (held !== undefined && held.accessToken !== otherThan && this.#clock() < held.renewAt) {
      return held.accessToken;
    }
    this.#flight ??= this.#fly().finally(() => {
      this.#flight = undefined;
    });
    try {
      return await this.#flight;
    } catch (failure) {
      const living = this.#living(otherThan);
      if (living !== undefined) return living;
      throw failure;
    }
  }

  async #fly(): Promise<string> {
    const started = this.#clock();
    const pair = await this.#fetch();
    this.#held = new Held(started, pair);
    this.#issued.push(pair.access_token);
    this.#issued.splice(0, this.#issued.length - REMEMBERED);
    return pair.access_token;
  }

  async #fetch(): Promise<Token> {
    if (this.#held === undefined) return this.#source.mint();
    try {
      return await this.#source.refresh(this.#held.refreshToken);
    } catch (refusal) {
      if (!(refusal instanceof APIError) || !DEAD_REFRESH_TOKEN.includes(refusal.status)) throw refusal;
    }
    return this.#source.mint();
  }

  /** The token whose early refresh just failed, while it lives; the next attempt is put off a little. */
  #living(otherThan: string | undefined): string | undefined {
    const held = this.#held;
    const now = this.#clock();
    if (held === undefined || held.accessToken === otherThan || now >= held.expiresAt) return undefined;
    this.#held = held.renewedAt(now + RETRY_PAUSE);
    return held.accessToken;
  }
}
