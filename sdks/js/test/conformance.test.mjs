// The vectors that all SDKs share, against this one; sdks/conformance/README.md says what they mean.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import * as innoai from 'innoai';

import { pauseBefore } from '../dist/repeats.js';
import { frames } from '../dist/sse.js';
import { Held } from '../dist/tokens.js';
import { bodyOf, KEY, Scripted, vectors } from './support.mjs';

const VALIDATE = 'GET /v1/auth/validate';
const CHAT = 'POST /v1/chat/completions';
const DRAWS = 200;
const results = new Map();
let scripted;

before(async () => {
  scripted = await Scripted.start();
});

after(async () => {
  const out = process.env.INNOAI_CONFORMANCE_OUT;
  if (out) {
    const verdicts = [...results.values()].map(({ suite, case: name, checks, good }) => ({
      suite,
      case: name,
      passed: good === checks,
    }));
    const table = { sdk: 'js', version: innoai.VERSION, results: verdicts };
    writeFileSync(out, `${JSON.stringify(table, null, 1)}\n`);
  }
  assert.equal(await scripted.close(), 0);
});

/** One test a case of that file. Its outcome is noted for the table of all SDKs; several tests can make it up. */
function each(file, cases, check, name = file) {
  describe(name, () => {
    for (const vector of cases) {
      const key = `${file} ${vector.name}`;
      const verdict = results.get(key) ?? { suite: file, case: vector.name, checks: 0, good: 0 };
      results.set(key, verdict);
      verdict.checks += 1;
      test(vector.name, async () => {
        await check(vector);
        verdict.good += 1;
      });
    }
  });
}

function call(client, vector) {
  const text = vector.text;
  const options = vector.idempotency_key ? { idempotencyKey: vector.idempotency_key } : undefined;
  const chat = { model: 'm', messages: [{ role: 'user', content: text ?? 'Hello' }] };
  const calls = {
    validate: () => client.auth.validate(),
    'keys.list': () => client.keys.list(),
    'keys.create': () => client.keys.create({ name: 'ci', level: 'read' }, options),
    'keys.revoke': () => client.keys.revoke('key_1'),
    'customers.create': () => client.customers.create({ customer_id: 'customer-123', name: text ?? 'Ada' }),
    chat: () => client.chat.completions.create(chat),
    'chat.stream': async () => {
      const read = [];
      const stream = await client.chat.completions.create({ ...chat, stream: true });
      for await (const chunk of stream) read.push(chunk);
      return read;
    },
  };
  return calls[vector.call]();
}

/** What the call rejected with, if with one of the client's errors. */
async function outcome(client, vector) {
  try {
    await call(client, vector);
  } catch (problem) {
    if (problem instanceof innoai.APIError) return problem;
    throw problem;
  }
  return null;
}

function fits(problem, expected) {
  if (expected === 'ok') return problem === null;
  if (expected === 'connection') return problem instanceof innoai.APIConnectionError;
  // openai's JavaScript has one class for all errors that an answer made: its status tells.
  if (expected === 'APIStatusError') return problem instanceof innoai.APIError && problem.status > 0;
  // biome-ignore lint/performance/noDynamicNamespaceImportAccess: the vectors name the class
  return problem instanceof innoai[expected];
}

function assertFits(problem, expected) {
  assert.ok(fits(problem, expected), `expected ${expected}, not ${problem?.stack}`);
}

const { signatures, errors, retries, tokens, sse, unicode } = Object.fromEntries(
  ['signatures', 'errors', 'retries', 'tokens', 'sse', 'unicode'].map((name) => [name, vectors(name)]),
);

each('signatures', signatures.cases, async ({ style, body, headers, secret, now, tolerance, valid, err }) => {
  const payload = Buffer.from(body, 'base64');
  const verdict = () =>
    style === 'innoai'
      ? innoai.webhooks.verify(payload, headers['x-innoai-signature'], secret)
      : innoai.webhooks.verifyStandard(payload, headers, secret, { tolerance, now });
  if (err === 'secret') await assert.rejects(verdict, { name: 'TypeError', message: /secret/ });
  else assert.equal(await verdict(), valid);
});

each('errors', errors.cases, async (vector) => {
  const { status, headers, body } = vector;
  await scripted.script({ [VALIDATE]: [{ status, headers, base64: body }] });
  const problem = await outcome(scripted.client({ maxRetries: 0 }), { call: 'validate' });
  assertFits(problem, vector.class);
  const found = { ...problem, code: problem.code, request_id: problem.requestID };
  found.required_scope = problem.required_scope;
  found.retry_after = problem.retry_after;
  for (const name of ['code', 'type', 'param', 'required_scope', 'retry_after', 'request_id']) {
    if (name in vector) assert.equal(found[name] ?? null, vector[name], name);
  }
});

each(
  'retries',
  retries.backoff,
  ({ retry, headers, min, max }) => {
    const drawn = Array.from({ length: DRAWS }, () => pauseBefore(retry, new Headers(headers)));
    assert.ok(Math.min(...drawn) >= min && Math.max(...drawn) <= max);
    assert.equal(new Set(drawn).size > 1, min !== max);
  },
  'backoff',
);

each('retries', retries.cases, async (vector) => {
  const { outcome: expected, requests, idempotency_key, min_waits = [] } = vector.expect;
  await scripted.script(vector.script);
  const problem = await outcome(scripted.client({ maxRetries: vector.max_retries ?? 2 }), vector);
  const seen = await scripted.seen();
  assertFits(problem, expected);
  assert.equal(seen.length, requests);
  assert.equal(new Set(seen.map(({ method, path, body }) => `${method} ${path} ${body}`)).size, 1);
  const keys = [...new Set(seen.map(({ headers }) => headers['idempotency-key']))];
  if (idempotency_key === 'absent') assert.deepEqual(keys, [undefined]);
  else if (idempotency_key === 'same') assert.ok(keys.length === 1 && keys[0]);
  else if (idempotency_key) assert.deepEqual(keys, [idempotency_key.is]);
  for (const [place, least] of min_waits.entries()) {
    assert.ok(seen[place + 1].at - seen[place].at >= least, `wait ${place}`);
  }
});

each(
  'tokens',
  tokens.renewal,
  ({ expires_in, age, due }) => {
    const held = new Held(0, { access_token: 'a', token_type: 'Bearer', expires_in, refresh_token: 'r' });
    assert.equal(age >= held.renewAt, due);
  },
  'renewal',
);

each('tokens', tokens.cases, async (vector) => {
  const { customer_id: customerId, scopes, token_lifetime: tokenLifetime } = vector.client;
  const maxRetries = vector.max_retries ?? 2;
  await scripted.script(vector.script);
  const client = scripted.client({ maxRetries, customerId, scopes, tokenLifetime });
  for (const step of vector.steps) {
    const calls = Array.from({ length: step.parallel ?? 1 }, () => outcome(client, step));
    for (const problem of await Promise.all(calls)) assertFits(problem, step.outcome);
  }
  const seen = await scripted.seen();
  const { requests, counts = {} } = vector.expect;
  const shown = seen.map((request) => {
    const bearer = request.headers.authorization?.replace(/^Bearer /, '') ?? null;
    const json = JSON.parse(bodyOf(request) || 'null');
    return { route: `${request.method} ${request.path}`, bearer: bearer === KEY ? 'key' : bearer, json };
  });
  if (requests) {
    const members = shown.map((request, place) =>
      Object.fromEntries(Object.keys(requests[place] ?? {}).map((name) => [name, request[name]])),
    );
    assert.deepEqual(members, requests);
  }
  for (const [route, count] of Object.entries(counts)) {
    assert.equal(shown.filter((request) => request.route === route).length, count, route);
  }
});

/** The stream cut in two at every byte boundary, and byte by byte. */
function* cuts(stream) {
  for (let at = 0; at <= stream.length; at++) yield [stream.subarray(0, at), stream.subarray(at)];
  yield Array.from(stream, (byte) => Uint8Array.of(byte));
}

each('sse', sse.cases, async (vector) => {
  const stream = Buffer.from(vector.stream, 'base64');
  for (const pieces of cuts(stream)) {
    const read = [];
    for await (const frame of frames(pieces)) if (frame.data !== '') read.push(frame);
    const payloads = read.map((frame) => frame.data);
    const done = payloads.includes('[DONE]');
    const end = done ? payloads.indexOf('[DONE]') : payloads.length;
    assert.deepEqual(payloads.slice(0, end), vector.data);
    assert.equal(done, vector.done);
    if (vector.events)
      assert.deepEqual(
        read.slice(0, end).map((frame) => frame.event),
        vector.events,
      );
  }
});

const chatStreams = sse.cases.filter((vector) => 'text' in vector || 'error' in vector);

each(
  'sse',
  chatStreams,
  async (vector) => {
    const headers = { 'content-type': 'text/event-stream' };
    const middle = Math.floor(Buffer.from(vector.stream, 'base64').length / 2);
    await scripted.script({ [CHAT]: [{ headers, base64: vector.stream, split: middle }] });
    const messages = [{ role: 'user', content: 'Hello' }];
    const read = [];
    let raised = null;
    try {
      const stream = await scripted.client().chat.completions.create({ model: 'm', messages, stream: true });
      for await (const chunk of stream) read.push(chunk.choices[0].delta.content);
    } catch (problem) {
      assert.ok(problem instanceof innoai.APIError, problem.stack);
      raised = problem.message;
    }
    assert.equal(raised, vector.error ?? null);
    if ('yields' in vector) assert.equal(read.length, vector.yields);
    if ('text' in vector) assert.equal(read.join(''), vector.text);
  },
  'chat streams',
);

each('unicode', unicode.cases, async (vector) => {
  await scripted.script(vector.script);
  const customer = await call(scripted.client(), vector);
  const [request, ...more] = await scripted.seen();
  assert.equal(more.length, 0);
  assert.equal(JSON.parse(bodyOf(request)).name, vector.text);
  assert.equal(customer.name, vector.text);
});
