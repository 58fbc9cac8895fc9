/**
 * The client of an innoai server, its errors, and the verification of webhooks and audit logs.
 *
 * @module
 */

export {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  OpenAI,
  OpenAIError,
  PermissionDeniedError,
  RateLimitError,
  toFile,
  UnprocessableEntityError,
} from 'openai';

export * as audit from './audit.js';
export {
  type AsCustomerOptions,
  BASE_URL_VARIABLE,
  DEFAULT_BASE_URL,
  DEFAULT_TOKEN_LIFETIME,
  InnoAI,
  InnoAI as default,
  type InnoAIOptions,
  KEY_VARIABLE,
} from './client.js';
export * from './errors.js';
export { AuditPage, Page, UsagePage } from './pages.js';
export type * from './resources/activity.js';
export type * from './resources/audit.js';
export type * from './resources/auth.js';
export type * from './resources/billing.js';
export type { Amount, BudgetChanges, Moment, PageParams, RequestOptions } from './resources/call.js';
export type * from './resources/customers.js';
export type * from './resources/keys.js';
export type * from './resources/members.js';
export type * from './resources/requests.js';
export type * from './resources/tiers.js';
export type * from './resources/webhooks.js';
export type { EventFrame, EventStream, Lost, RequestNews, RequestStream } from './streams.js';
export { VERSION } from './version.js';
export * as webhooks from './webhooks.js';
