/** Keeping secrets out of what people print. */

import type { OpenAI } from 'openai';

type Logger = NonNullable<ConstructorParameters<typeof OpenAI>[0]>['logger'] & object;
type Record_ = Record<string, unknown>;

/** What `console.log` asks in Node and Bun, and in Deno, which has a name of its own as well. */
export const INSPECT = Symbol.for('nodejs.util.inspect.custom');
export const DENO_INSPECT = Symbol.for('Deno.customInspect');

const MASK = '***';
/** Members of bodies, sent and received, that openai's debug log would show. */
const SECRETS: readonly string[] = [
  'access_token',
  'refresh_token',
  'token',
  'api_key',
  'key',
  'secret',
  'invite_url',
  'headers',
];
/** A text that is searched for keys; OpenAI's routes have objects of that name. */
const SEARCHED = 'text';
const DISCREET = new WeakSet<object>();

/** The object, with those members masked when it is printed; as data it is unchanged. */
export function veiled<T extends object>(value: T, ...secrets: readonly (keyof T & string)[]): T {
  const show = (
    _depth: unknown,
    options: unknown,
    inspect?: (value: unknown, options: unknown) => string,
  ) => {
    const shown = masked(value as Record_, secrets);
    return inspect === undefined ? shown : inspect(shown, options);
  };
  Object.defineProperty(value, INSPECT, { value: show, configurable: true });
  return Object.defineProperty(value, DENO_INSPECT, {
    value: (inspect: (value: unknown, options: unknown) => string, options: unknown) =>
      inspect(masked(value as Record_, secrets), options),
    configurable: true,
  });
}

/** Keep a property of an object, and show it to nobody who lists, prints or copies the object. */
export function hide<T extends object>(target: T, name: string, value: unknown): void {
  let kept = value;
  Object.defineProperty(target, name, {
    get: () => kept,
    set: (given: unknown) => {
      kept = given;
    },
    enumerable: false,
    configurable: true,
  });
}

/** The logger, told about bodies without what is secret in them. */
export function discreet(logger: Logger): Logger {
  if (DISCREET.has(logger)) return logger;
  const speak =
    (level: 'error' | 'warn' | 'info' | 'debug') =>
    (message: string, ...rest: unknown[]): void =>
      logger[level](message, ...rest.map(withoutSecrets));
  const made: Logger = {
    error: speak('error'),
    warn: speak('warn'),
    info: speak('info'),
    debug: speak('debug'),
  };
  DISCREET.add(made);
  return made;
}

function withoutSecrets(details: unknown): unknown {
  if (!isRecord(details)) return details;
  const shown = { ...details };
  if (isRecord(shown.body)) {
    const searched = typeof shown.body[SEARCHED] === 'string' ? [SEARCHED] : [];
    shown.body = masked(shown.body, [...SECRETS, ...searched]);
  }
  if (isRecord(shown.options)) shown.options = withoutSecrets(shown.options);
  return shown;
}

function masked(value: Record_, secrets: readonly string[]): Record_ {
  const shown = { ...value };
  for (const name of secrets) if (shown[name] != null) shown[name] = MASK;
  return shown;
}

function isRecord(value: unknown): value is Record_ {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
