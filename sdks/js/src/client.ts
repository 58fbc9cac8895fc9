/** `InnoAI`: openai's client, pointed at an innoai server, with its control plane added. */

import { type ClientOptions, OpenAI } from 'openai';
import type { APIPromise } from 'openai/core/api-promise';
import type { APIError } from 'openai/core/error';

import { guarded, isJson, isObject, isPage, whole } from './answers.js';
import { variable } from './environment.js';
import { InvalidApiKey, MissingApiKey, notInnoAI, TokenExpired, typedError } from './errors.js';
import { mayRepeat, pause, pauseBefore } from './repeats.js';
import { Audit } from './resources/audit.js';
import { Auth } from './resources/auth.js';
import { Billing } from './resources/billing.js';
import { type RequestOptions, SAFE, withDefault } from './resources/call.js';
import { Customers } from './resources/customers.js';
import { Keys } from './resources/keys.js';
import { Members } from './resources/members.js';
import { Requests } from './resources/requests.js';
import type { AccessMatrix, Scope } from './resources/tiers.js';
import { Webhooks } from './resources/webhooks.js';
import { ROOT_KEY } from './root-key.js';
import { DENO_INSPECT, discreet, hide, INSPECT } from './secrecy.js';
import { type Grant, type KeySource, TokenKeeper } from './tokens.js';
import { TypedStream } from './typed-stream.js';
import { VERSION } from './version.js';

/** Where the client looks for a key, and for a server, when it is told none. */
export const KEY_VARIABLE = 'INNOAI_API_KEY';
export const BASE_URL_VARIABLE = 'INNOAI_BASE_URL';
export const DEFAULT_BASE_URL = 'http://127.0.0.1:8080/v1';
/** Seconds. */
export const DEFAULT_TOKEN_LIFETIME = 3600;

/** openai's options but for OpenAI's own ways to authenticate, and what token auth takes. */
export interface InnoAIOptions
  extends Omit<ClientOptions, 'apiKey' | 'adminAPIKey' | 'workloadIdentity' | 'provider'> {
  /** By default the environment's INNOAI_API_KEY. A function is asked before each request. */
  apiKey?: string | (() => Promise<string>) | null | undefined;
  /** With `/v1`; by default the environment's INNOAI_BASE_URL, and without that http://127.0.0.1:8080/v1. */
  baseURL?: string | null | undefined;
  /** Use tokens that act for this customer; the key then goes to /auth/token alone. */
  customerId?: string | undefined;
  /** Use tokens with these scopes alone; the key then goes to /auth/token alone. */
  scopes?: readonly Scope[] | undefined;
  /** Seconds that each token lives, 60-86,400; 3600 by default. */
  tokenLifetime?: number | undefined;
}

export interface AsCustomerOptions {
  /** Those of the key by default. */
  scopes?: readonly Scope[] | undefined;
  /** Seconds that each token lives, 60-86,400; 3600 by default. */
  expiresIn?: number | undefined;
}

type FinalRequestOptions = Awaited<Parameters<OpenAI['request']>[0]>;
/** What openai's private `makeRequest` gives to whoever reads the answer. */
interface Made {
  response: Response;
  options: FinalRequestOptions;
  controller: AbortController;
}
type MakeRequest = (
  this: InnoAI,
  options: FinalRequestOptions | Promise<FinalRequestOptions>,
  retriesRemaining: number | null,
  retryOf: string | undefined,
) => Promise<Made>;

const OPTION_BY_LETTERS: ReadonlyMap<string, string> = new Map(
  ['apiKey', 'baseURL', 'customerId', 'scopes', 'tokenLifetime'].map((name) => [letters(name), name]),
);
const SENDABLE_KEY = /^[!-~]+$/;
const CONTROL_PLANE = /^\/(auth|keys|customers|members|billing|webhooks|requests|audit|tiers)(\/|\?|$)/;
const EXPORTED = /^(text\/csv|application\/jsonl|text\/event-stream)\b/;
const IDEMPOTENCY_KEY = 'idempotency-key';
const TWICE_IS_ONCE: readonly string[] = ['get', 'put', 'delete', 'patch', 'head', 'options'];

/**
 * A client of an innoai server: all of `OpenAI`, and the control plane's resources.
 *
 * With `customerId` or `scopes` it uses token auth: it mints tokens narrowed to them and keeps them fresh; the
 * key then goes to /auth/token alone. Throws MissingApiKey without a key, TypeError on one that cannot be sent.
 */
export class InnoAI extends OpenAI {
  /** Tokens, and what a credential is worth. */
  readonly auth: Auth = new Auth(this);
  /** The account's API keys. */
  readonly keys: Keys = new Keys(this);
  /** The account's end customers. */
  readonly customers: Customers = new Customers(this);
  /** The people of the account. */
  readonly members: Members = new Members(this);
  /** What was used, what it cost, and what may be spent. */
  readonly billing: Billing = new Billing(this);
  /** Where events are sent, and what became of them. The module `innoai/webhooks` verifies what they bring. */
  override readonly webhooks: Webhooks = new Webhooks(this);
  /** Requests as they happen, and the last refusals. */
  readonly requests: Requests = new Requests(this);
  /** The audit log: what was done, by whom, and from where. */
  readonly audit: Audit = new Audit(this);

  readonly #keeper: TokenKeeper | undefined;
  /** The headers that a request under way was sent with, by its options. */
  readonly #sent = new WeakMap<object, Headers>();

  constructor(options: InnoAIOptions = {}) {
    refuseOtherSpellings(options);
    const { apiKey, customerId, scopes, tokenLifetime, ...rest } = options;
    const key = typeof apiKey === 'function' ? apiKey : usableKey(apiKey);
    const shared = TokenKeeper.behind(key);
    const keeper = shared ?? keeperFor(key, { customerId, scopes, lifetime: tokenLifetime }, () => this.auth);
    super({
      ...rest,
      apiKey: keeper?.ask ?? key,
      baseURL: rest.baseURL || variable(BASE_URL_VARIABLE) || DEFAULT_BASE_URL,
      // null keeps openai from looking into OPENAI_*: another server's credentials must not be sent to this one.
      adminAPIKey: null,
      organization: rest.organization ?? null,
      project: rest.project ?? null,
      webhookSecret: rest.webhookSecret ?? null,
      logger: discreet(rest.logger ?? console),
    });
    this.#keeper = keeper;
    // openai has put what OPENAI_CUSTOM_HEADERS says among the headers by now.
    const defaultHeaders = withDefault(rest.defaultHeaders, 'User-Agent', `InnoAI/JS ${VERSION}`);
    hide(this, '_options', { ...this._options, defaultHeaders });
    hide(this, 'apiKey', this.apiKey);
    hide(this, 'webhookSecret', this.webhookSecret);
  }

  static {
    // All of openai's ways out lead through this method, which it declares private.
    const prototype = OpenAI.prototype as unknown as { makeRequest?: MakeRequest };
    const makeRequest = prototype.makeRequest;
    if (makeRequest === undefined) {
      throw new Error('this version of innoai does not know this version of openai: install openai 6.49');
    }
    Object.defineProperty(InnoAI.prototype, 'makeRequest', {
      value: function (this: InnoAI, options: FinalRequestOptions | Promise<FinalRequestOptions>) {
        return this.#make(makeRequest, options);
      },
      writable: true,
      configurable: true,
    });
  }

  /** The access-control matrix: tiers, scopes, levels and the scope that each route asks for. */
  tiers(options?: RequestOptions): APIPromise<AccessMatrix> {
    return this.get('/tiers', options);
  }

  /** A client that acts for that customer by token. Throws TypeError without a customer's id. */
  asCustomer(customerId: string, options: AsCustomerOptions = {}): this {
    if (!customerId) {
      throw new TypeError("asCustomer needs a customer's id; without one it would act with the whole key");
    }
    const { scopes, expiresIn, ...others } = options;
    const [other] = Object.keys(others);
    if (other !== undefined) throw new TypeError(`asCustomer takes scopes and expiresIn, and no ${other}`);
    const narrowed = { apiKey: this.#key, customerId, scopes, tokenLifetime: expiresIn };
    return super.withOptions(narrowed as Partial<ClientOptions>);
  }

  /** This client with some options changed; token auth is carried over. */
  override withOptions(options: Partial<InnoAIOptions>): this {
    const keeper = this.#keeper;
    const others = ['apiKey', 'baseURL', 'fetch', 'customerId', 'scopes', 'tokenLifetime'] as const;
    if (keeper === undefined || !others.some((name) => options[name] !== undefined)) {
      return super.withOptions(options as Partial<ClientOptions>);
    }
    const { customerId, scopes, lifetime } = keeper.grant;
    const carried = { apiKey: this.#key, customerId, scopes, tokenLifetime: lifetime };
    return super.withOptions({ ...carried, ...options } as Partial<ClientOptions>);
  }

  /** What may be shown of the client: no credential. */
  toJSON(): { baseURL: string } {
    return { baseURL: withoutPassword(this.baseURL) };
  }

  [INSPECT](): string {
    return `InnoAI { baseURL: '${withoutPassword(this.baseURL)}' }`;
  }

  [DENO_INSPECT](): string {
    return this[INSPECT]();
  }

  /** @internal */
  async [ROOT_KEY](): Promise<string> {
    const key = this.#key;
    return typeof key === 'function' ? key() : (key ?? '');
  }

  protected override makeStatusError(
    status: number,
    error: object,
    message: string | undefined,
    headers: Headers,
  ): APIError {
    if (status >= 300 && status < 400) return notInnoAI(status, headers);
    return (
      typedError(status, error, message, headers) ?? super.makeStatusError(status, error, message, headers)
    );
  }

  protected override async prepareRequest(
    request: RequestInit,
    about: { url: string; options: FinalRequestOptions },
  ): Promise<void> {
    await super.prepareRequest(request, about);
    const headers = request.headers as Headers;
    const key = about.options.idempotencyKey;
    if (key && !headers.has(IDEMPOTENCY_KEY)) headers.set(IDEMPOTENCY_KEY, key);
    this.#sent.set(about.options, headers);
  }

  /**
   * One request, repeated where that is right. openai is told not to repeat anything: it would send a completion
   * again whose connection broke. A token refused with 401 is replaced, and the request sent once more.
   */
  async #make(
    makeRequest: MakeRequest,
    given: FinalRequestOptions | Promise<FinalRequestOptions>,
  ): Promise<Made> {
    const options = await given;
    const most = options.maxRetries ?? this.maxRetries;
    let replaced = false;
    for (let taken = 0; ; ) {
      // So many retries and none left: openai counts the attempts in a header.
      const attempt = { ...options, maxRetries: taken };
      try {
        const made = await makeRequest.call(this, attempt, 0, undefined);
        const response = await this.#answer(made, attempt);
        return { ...made, options: { ...options, __streamClass: TypedStream }, response };
      } catch (problem) {
        const headers = this.#sent.get(attempt);
        if (headers === undefined || attempt.__metadata?.hasStreamingBody === true) throw problem;
        if (!replaced && (await this.#replaced(problem, headers))) {
          replaced = true;
          continue;
        }
        if (taken >= most || !mayRepeat(problem, idempotent(attempt, headers))) throw problem;
        await pause(pauseBefore(taken, (problem as APIError).headers), options.signal);
        taken += 1;
      }
    }
  }

  /** The answer, such that a connection that breaks within it is this client's error. JSON is read whole. */
  async #answer({ response, controller }: Made, options: FinalRequestOptions): Promise<Response> {
    const answer = guarded(response, options.timeout ?? this.timeout, controller);
    const ofPieces = options.stream || options.__binaryResponse;
    if (isPage(response) || (!ofPieces && !mayAnswer(options, response))) {
      await answer.body?.cancel();
      throw notInnoAI(response.status, response.headers);
    }
    if (ofPieces || response.status === 204 || !isJson(response)) return answer;
    try {
      const read = await whole(answer);
      if (!ofControl(options.path) || (await isObject(read.clone()))) return read;
      throw notInnoAI(read.status, read.headers);
    } catch (problem) {
      if (options.signal?.aborted) throw new OpenAI.APIUserAbortError();
      throw problem;
    }
  }

  /** Whether the server refused a token of this client's, and there is another one now. */
  async #replaced(problem: unknown, headers: Headers): Promise<boolean> {
    if (!(problem instanceof InvalidApiKey || problem instanceof TokenExpired)) return false;
    const [scheme, refused = ''] = (headers.get('authorization') ?? '').split(' ');
    if (this.#keeper === undefined || scheme !== 'Bearer' || !this.#keeper.issued(refused)) return false;
    await this.#keeper.token(refused);
    return true;
  }

  /** The API key itself, or who is asked for it; in token auth it is sent to /auth/token alone. */
  get #key(): string | KeySource | null {
    if (this.#keeper !== undefined) return this.#keeper.grant.key;
    return typeof this._options.apiKey === 'function' ? this._options.apiKey : this.apiKey;
  }
}

/** The keeper of the tokens that were asked for, if any were. */
function keeperFor(
  key: string | KeySource,
  { customerId, scopes, lifetime = DEFAULT_TOKEN_LIFETIME }: Partial<Grant>,
  auth: () => Auth,
): TokenKeeper | undefined {
  if (customerId === undefined && scopes === undefined) return undefined;
  if (customerId !== undefined && !customerId) {
    throw new TypeError(
      "customerId is a customer's id; without one the client would act for the whole account",
    );
  }
  if (scopes !== undefined && !Array.isArray(scopes)) throw new TypeError('scopes is a list of texts');
  const source = typeof key === 'function' ? key : () => Promise.resolve(key);
  const params = {
    customer_id: customerId,
    scopes: scopes as readonly Scope[] | undefined,
    expires_in: lifetime,
  };
  return new TokenKeeper(
    { key: source, customerId, scopes, lifetime },
    { mint: () => auth().token(params), refresh: (refreshToken) => auth().refresh(refreshToken) },
  );
}

/** Whether the route is one of innoai's own, which answer JSON objects, and nothing to a DELETE. */
function ofControl(path: string): boolean {
  return CONTROL_PLANE.test(path);
}

/** Whether the head of an answer fits the route: JSON, or an export that was asked for by hand. What OpenAI's routes answer is that client's matter. */
function mayAnswer({ path, method }: FinalRequestOptions, response: Response): boolean {
  if (!ofControl(path)) return true;
  const deletes = method.toLowerCase() === 'delete';
  if (deletes || response.status === 204) return response.status === 204;
  return isJson(response) || EXPORTED.test(response.headers.get('content-type') ?? '');
}

/**
 * Throw TypeError on an option of ours in other letters, such as the `customer_id` of the other SDKs.
 *
 * Nobody would read it, and the client would act with the whole key. openai's options are openai's to know.
 */
function refuseOtherSpellings(options: object): void {
  for (const name of Object.keys(options)) {
    const meant = OPTION_BY_LETTERS.get(letters(name));
    if (meant !== undefined && meant !== name) {
      throw new TypeError(`there is no option ${name}; it is called ${meant}`);
    }
  }
}

function letters(name: string): string {
  return name.replaceAll('_', '').toLowerCase();
}

/** Whether sending it twice does what sending it once does. */
function idempotent(options: FinalRequestOptions, headers: Headers): boolean {
  if (TWICE_IS_ONCE.includes(options.method.toLowerCase())) return true;
  return Boolean(headers.get(IDEMPOTENCY_KEY)) || options.__metadata?.[SAFE] === true;
}

/**
 * The key given or the environment's, without surrounding white space (a file's last newline).
 *
 * Throws MissingApiKey without one, and TypeError on one that no header can carry; neither shows the key.
 */
function usableKey(given: string | null | undefined): string {
  const key = (given ?? variable(KEY_VARIABLE) ?? '').trim();
  if (key === '') {
    throw new MissingApiKey(`no API key: pass apiKey: … or set the environment variable ${KEY_VARIABLE}`);
  }
  if (!SENDABLE_KEY.test(key)) {
    throw new TypeError('the API key contains a space or a character outside ASCII: copy it again');
  }
  return key;
}

function withoutPassword(address: string): string {
  try {
    const url = new URL(address);
    url.username = '';
    url.password = '';
    return url.href;
  } catch {
    return '(not a URL)';
  }
}
