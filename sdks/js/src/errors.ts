/**
 * The server's refusals as errors: one class a code, each also openai's class for the status.
 *
 * They are named like the codes, and like those of innoai's other SDKs; openai's `NotFoundError` and
 * `ConflictError` are the wider classes above `NotFound` and `Conflict`.
 *
 * @module
 */

import {
  APIError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  OpenAIError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';

/** No API key was given and INNOAI_API_KEY is not set. */
export class MissingApiKey extends OpenAIError {
  override readonly name = 'MissingApiKey';
}

/** The members of a refusal, beside openai's `status`, `code`, `type`, `param`, `headers` and `message`. */
export interface Refusal {
  /** The scope that would have allowed the request, on `insufficient_permissions`. */
  readonly requiredScope: string | null;
  /** Seconds to wait, on `rate_limit_exceeded` and wherever else the server names a wait. */
  readonly retryAfter: number | null;
  /** `requiredScope`, as the server spells it. */
  readonly required_scope: string | null;
  /** `retryAfter`, as the server spells it. */
  readonly retry_after: number | null;
  /** The id to quote to the operator, `req_…`: openai's `requestID`, as the server spells it. */
  readonly request_id: string | null;
}

type Given = [status: number, envelope: object, message: string | undefined, headers: Headers];
type ErrorClass<Made extends APIError = APIError> = new (...given: Given) => Made;

const REFUSALS = new WeakSet<object>();

/** openai's class for a status, with the envelope's further members. */
function refusal<Made extends APIError>(base: new (...given: never) => Made): ErrorClass<Made & Refusal> {
  class Refused extends (base as unknown as ErrorClass) implements Refusal {
    readonly requiredScope: string | null;
    readonly retryAfter: number | null;

    constructor(...given: Given) {
      super(...given);
      const [, envelope, , headers] = given;
      const members = envelope as Record<string, unknown>;
      const id = this.requestID || text(members.request_id);
      Object.assign(this, { requestID: id });
      this.requiredScope = text(members.required_scope);
      this.retryAfter = seconds(members.retry_after ?? headers.get('retry-after'));
      // Not enumerable: as openai's errors, it is shown by its class and not as a member.
      Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
      REFUSALS.add(this);
    }

    get required_scope(): string | null {
      return this.requiredScope;
    }

    get retry_after(): number | null {
      return this.retryAfter;
    }

    get request_id(): string | null {
      return this.requestID ?? null;
    }
  }
  return Refused as unknown as ErrorClass<Made & Refusal>;
}

/**
 * Any refusal by the server that bears one of its codes. `instanceof` knows those below that extend openai's
 * class for their status, too.
 */
export class InnoAIError extends refusal(APIError<number, Headers>) {
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this, and ask about themselves
    if (this !== InnoAIError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && REFUSALS.has(value);
  }
}

/**
 * What answered is not innoai's API, such as a web page: `baseURL` names something else, or lacks `/v1`. `status` is
 * that of the answer, 2xx or 3xx.
 */
export class UnreadableAnswer extends InnoAIError {}

/** 401: the key or token is malformed, unknown, revoked or disabled. */
export class InvalidApiKey extends refusal(AuthenticationError) {}

/** 401: the access or refresh token has outlived its lifetime. */
export class TokenExpired extends refusal(AuthenticationError) {}

/** 403: the credential lacks `requiredScope`. */
export class InsufficientPermissions extends refusal(PermissionDeniedError) {}

/** 403: the key's allowed_ips do not contain the caller's address. */
export class IpNotAllowed extends refusal(PermissionDeniedError) {}

/** 403: the model exists, but not for this key. */
export class ModelNotAllowed extends refusal(PermissionDeniedError) {}

/** 404: no such model here. */
export class ModelNotFound extends refusal(NotFoundError) {}

/** 402: the budget is used up. */
export class InsufficientQuota extends InnoAIError {}

/** 429: more than the key's requests a minute; wait `retryAfter` seconds. */
export class RateLimitExceeded extends refusal(RateLimitError) {}

/** 400: the request does not fit the route; `param` names the member. */
export class InvalidRequest extends refusal(BadRequestError) {}

/** 404: no such route or resource. */
export class NotFound extends refusal(NotFoundError) {}

/** 405: the route has no such method. */
export class MethodNotAllowed extends InnoAIError {}

/** 409: it exists already, or its state forbids this. */
export class Conflict extends refusal(ConflictError) {}

/** 413: the body is larger than the server takes. */
export class PayloadTooLarge extends InnoAIError {}

/** 431: the header fields are larger than the server takes. */
export class HeadersTooLarge extends InnoAIError {}

/** 415: the route does not read this content type. */
export class UnsupportedMediaType extends InnoAIError {}

/** 502: the model server failed. */
export class UpstreamError extends refusal(InternalServerError) {}

/** 504: the model server did not answer in time. */
export class UpstreamTimeout extends refusal(InternalServerError) {}

/** 503: the server cannot decide or serve at the moment. */
export class ServiceUnavailable extends refusal(InternalServerError) {}

/** 500: a fault of the server; quote `requestID` to its operator. */
export class InternalError extends refusal(InternalServerError) {}

const BY_CODE: ReadonlyMap<unknown, ErrorClass> = new Map<string, ErrorClass>([
  ['invalid_api_key', InvalidApiKey],
  ['token_expired', TokenExpired],
  ['insufficient_permissions', InsufficientPermissions],
  ['ip_not_allowed', IpNotAllowed],
  ['model_not_allowed', ModelNotAllowed],
  ['model_not_found', ModelNotFound],
  ['insufficient_quota', InsufficientQuota],
  ['rate_limit_exceeded', RateLimitExceeded],
  ['invalid_request', InvalidRequest],
  ['not_found', NotFound],
  ['method_not_allowed', MethodNotAllowed],
  ['conflict', Conflict],
  ['payload_too_large', PayloadTooLarge],
  ['headers_too_large', HeadersTooLarge],
  ['unsupported_media_type', UnsupportedMediaType],
  ['upstream_error', UpstreamError],
  ['upstream_timeout', UpstreamTimeout],
  ['service_unavailable', ServiceUnavailable],
  ['internal_error', InternalError],
]);

/** The error for an answer in the server's envelope; undefined when the code is not the server's. */
export function typedError(
  status: number,
  body: unknown,
  message: string | undefined,
  headers: Headers,
): APIError | undefined {
  const envelope = member(body, 'error');
  const kind = BY_CODE.get(member(envelope, 'code'));
  return kind && new kind(status, envelope as object, message, headers);
}

/** What an error event within a stream is: openai's error for it, or the server's where it bears one of its codes. */
export function streamError(problem: unknown, headers: Headers): unknown {
  if (!(problem instanceof APIError) || problem.status !== undefined) return problem;
  // The status was sent with the head, before anything failed.
  const noStatus = undefined as unknown as number;
  return typedError(noStatus, { error: problem.error }, undefined, headers) ?? problem;
}

/** The error for an answer, or a redirect, that innoai does not give. */
export function notInnoAI(status: number, headers: Headers): UnreadableAnswer {
  const type = headers.get('content-type')?.split(';')[0] || 'no content type';
  const found = status >= 300 ? 'a redirect' : type;
  const message = `that is no answer of innoai's (${found}): look at baseURL, which names the server and ends in /v1`;
  return new UnreadableAnswer(status, { message }, undefined, headers);
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** Whole seconds, from the envelope's number or the header's digits (its date form is not read). */
function seconds(value: unknown): number | null {
  const found = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof found === 'number' && Number.isInteger(found) ? found : null;
}
