import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { inspect } from 'node:util';

import * as innoai from 'innoai';
import { InnoAI } from 'innoai';
import packageJson from 'innoai/package.json' with { type: 'json' };
import OpenAI from 'openai';
import { cut, Peer, refusal, silence } from './peer.mjs';

const KEY = 'sk-inno-the-key-of-these-tests';
const HELLO = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
const CHAT = 'POST /v1/chat/completions';
const VALIDATE = 'GET /v1/auth/validate';
const VALIDATION = { valid: true, key_id: 'key_1', scopes: [], rate_limit: 1000, tier: 'startup' };
const COMPLETION = { id: 'c', object: 'chat.completion', choices: [] };
const PAIR = { access_token: 'access-1', token_type: 'Bearer', expires_in: 3600, refresh_token: 'refresh-1' };
const EVENTS = { 'content-type': 'text/event-stream' };

let peer;
let environment;
beforeEach(async () => {
  peer = await Peer.start();
  environment = { ...process.env };
  for (const name of Object.keys(process.env)) if (/^(INNOAI|OPENAI)_/.test(name)) delete process.env[name];
});
afterEach(async () => {
  process.env = environment;
  await peer.close();
});

const client = (options = {}) => new InnoAI({ apiKey: KEY, baseURL: peer.baseURL, ...options });
const tenant = (options = {}) => client({ customerId: 'customer-123', ...options });
const bearers = () => peer.received.map(({ headers }) => headers.authorization?.replace('Bearer ', ''));

async function rejection(promise) {
  return promise.then(
    () => assert.fail('it was to be refused'),
    (problem) => problem,
  );
}

test('it is an OpenAI client, of the version that package.json states', () => {
  assert.ok(client() instanceof OpenAI);
  assert.equal(innoai.default, InnoAI);
  assert.equal(innoai.VERSION, packageJson.version);
});

test('key and address come from the environment unless given', () => {
  process.env.INNOAI_API_KEY = ` ${KEY}\n`;
  process.env.INNOAI_BASE_URL = 'https://gateway.example/v1';
  process.env.OPENAI_BASE_URL = 'https://another.example/v1';
  const [found, given] = [new InnoAI(), new InnoAI({ apiKey: 'mine', baseURL: 'http://here.example/v1' })];
  assert.deepEqual([found.apiKey, found.baseURL], [KEY, 'https://gateway.example/v1']);
  assert.deepEqual([given.apiKey, given.baseURL], ['mine', 'http://here.example/v1']);
  delete process.env.INNOAI_BASE_URL;
  assert.equal(new InnoAI().baseURL, 'http://127.0.0.1:8080/v1');
});

test('a missing key names what to set', () => {
  process.env.OPENAI_API_KEY = 'sk-of-another-server';
  for (const options of [{}, { apiKey: '' }, { apiKey: ' \n' }, { apiKey: null }]) {
    assert.throws(
      () => new InnoAI(options),
      (problem) => {
        assert.ok(problem instanceof innoai.MissingApiKey && problem instanceof OpenAI.OpenAIError);
        return /apiKey: .*INNOAI_API_KEY/.test(problem.message);
      },
    );
  }
});

test('a key that no header can carry is refused without being shown', () => {
  for (const apiKey of ['sk-inno-secret\nX: y', 'sk-inno-secret more', 'sk-inno-secrét']) {
    assert.throws(
      () => new InnoAI({ apiKey }),
      (problem) => !inspect(problem).includes('secr'),
    );
  }
});

test("nothing of OpenAI's environment is sent", async () => {
  Object.assign(process.env, {
    OPENAI_API_KEY: 'foreign-key',
    OPENAI_ADMIN_KEY: 'foreign-admin',
    OPENAI_ORG_ID: 'foreign-org',
    OPENAI_PROJECT_ID: 'foreign-project',
    OPENAI_WEBHOOK_SECRET: 'foreign-secret',
    OPENAI_CUSTOM_HEADERS: 'Authorization: Bearer foreign\nX-Foreign: foreign',
  });
  peer.on(CHAT, { json: COMPLETION });
  const first = client();
  await first.chat.completions.create(HELLO);
  await first.withOptions({ timeout: 5000 }).chat.completions.create(HELLO);
  assert.deepEqual(bearers(), [KEY, KEY]);
  assert.ok(!JSON.stringify(peer.received).includes('foreign'));
  assert.equal(first.webhookSecret, null);
});

test('given headers, organization and project are sent', async () => {
  peer.on(VALIDATE, { json: VALIDATION });
  const made = client({ defaultHeaders: { 'X-Mine': '1' }, organization: 'o' }).withOptions({ project: 'p' });
  await made.auth.validate();
  const { headers } = peer.received[0];
  assert.deepEqual(
    [headers['x-mine'], headers['openai-organization'], headers['openai-project']],
    ['1', 'o', 'p'],
  );
  assert.equal(headers['user-agent'], `InnoAI/JS ${innoai.VERSION}`);
});

test('a key may be asked for before each request', async () => {
  peer.on(VALIDATE, { json: VALIDATION }).on('POST /v1/auth/token', { json: PAIR });
  let asked = 0;
  const made = client({ apiKey: async () => `key-${++asked}` });
  await made.auth.validate();
  await made.auth.token();
  await made.asCustomer('customer-123').auth.validate();
  assert.deepEqual(bearers(), ['key-1', 'key-2', 'key-3', 'access-1']);
});

for (const [name, made] of Object.entries({
  'a client': () => client(),
  'a client with token auth': () => tenant(),
  'a copy': () => tenant().withOptions({ timeout: 60_000 }),
  'a resource': () => client().keys,
  "one of openai's resources": () => client().chat.completions,
  'a client in an object': () => ({ made: client({ webhookSecret: 'whsec_the-key-of-these-tests' }) }),
})) {
  test(`${name} shows no secret`, async () => {
    peer.on('POST /v1/auth/token', { json: PAIR }).on(VALIDATE, { json: VALIDATION });
    const found = made();
    await (found.auth?.validate() ?? found._client?.auth.validate());
    const secrets = /the-key-of-these|access-1|refresh-1/;
    for (const shown of [
      inspect(found),
      inspect(found, { depth: 20, showHidden: true }),
      inspect(found, { depth: 20, showHidden: true, customInspect: false }),
      JSON.stringify(found),
      JSON.stringify({ ...found }),
      String(found),
    ]) {
      assert.doesNotMatch(shown, secrets);
    }
  });
}

test('an address with a password is shown without it', () => {
  const made = new InnoAI({ apiKey: KEY, baseURL: 'https://me:pass@gateway.example/v1' });
  assert.doesNotMatch(inspect(made) + JSON.stringify(made), /pass/);
});

test('answers are printed without their secrets, and are data all the same', async () => {
  const key = { id: 'key_1', key: 'sk-inno-secret' };
  peer
    .on('POST /v1/keys', { json: key })
    .on('POST /v1/auth/token', { json: PAIR })
    .on('POST /v1/webhooks', { json: { id: 'whe_1', secret: 'whsec_secret' } })
    .on('POST /v1/members', { json: { id: 'mem_1', invite_url: 'https://x/secret' } });
  const made = [
    await client().keys.create({ name: 'ci' }),
    await client().auth.token(),
    await client().webhooks.create({ url: 'https://example.com' }),
    await client().members.create({ email: 'a@example.com' }),
  ];
  assert.doesNotMatch(inspect(made, { showHidden: true }), /secret'|secret"|access-1|refresh-1/);
  assert.match(inspect(made[0]), /id: 'key_1', key: '\*\*\*'/);
  assert.deepEqual(JSON.parse(JSON.stringify(made[0])), key);
  assert.equal({ ...made[1] }.access_token, 'access-1');
});

test("openai's debug log is told no secret", async () => {
  const told = [];
  const tell = (...details) => told.push(inspect(details, { depth: 10 }));
  const logger = { error: tell, warn: tell, info: tell, debug: tell };
  peer
    .on('POST /v1/auth/token', { json: PAIR })
    .on('POST /v1/auth/refresh', { json: PAIR })
    .on('POST /v1/keys', { json: { id: 'key_1', key: 'sk-inno-of-another' } })
    .on('POST /v1/keys/leaks', { json: {} })
    .on(CHAT, { json: COMPLETION });
  const made = tenant({ logger, logLevel: 'debug' });
  await made.chat.completions.create(HELLO);
  await made.auth.refresh('refresh-1');
  await made.keys.create({ name: 'ci' });
  await made.keys.reportLeak({ text: 'found: sk-inno-of-another' });
  await made
    .withOptions({ maxRetries: 0 })
    .auth.explain({ key: 'sk-inno-of-another', method: 'GET', path: '/' })
    .catch(() => undefined);
  assert.match(told.join(''), /Hello/);
  assert.doesNotMatch(told.join(''), /the-key-of-these|access-1|refresh-1|of-another/);
});

test("the server's refusals are openai's errors, too", async () => {
  peer.on(VALIDATE, refusal(403, 'insufficient_permissions', { required_scope: 'customers:write' }));
  const problem = await rejection(client().auth.validate());
  assert.ok(problem instanceof innoai.InsufficientPermissions);
  assert.ok(problem instanceof innoai.InnoAIError);
  assert.ok(problem instanceof OpenAI.PermissionDeniedError && problem instanceof OpenAI.APIError);
  assert.ok(!(problem instanceof innoai.IpNotAllowed) && !(problem instanceof innoai.InsufficientQuota));
  assert.equal(problem.name, 'InsufficientPermissions');
  assert.deepEqual(
    [
      problem.status,
      problem.code,
      problem.type,
      problem.requiredScope,
      problem.requestID,
      problem.retryAfter,
    ],
    [403, 'insufficient_permissions', 'a_type', 'customers:write', 'req_1', null],
  );
  assert.deepEqual(
    [problem.required_scope, problem.request_id, problem.retry_after],
    ['customers:write', 'req_1', null],
  );
  assert.match(inspect(problem), /^InsufficientPermissions: 403 It is insufficient_permissions\./);
});

test('a refusal without a class of openai is the general one and its own', async () => {
  peer.on(VALIDATE, refusal(402, 'insufficient_quota'));
  const problem = await rejection(client().auth.validate());
  assert.ok(problem instanceof innoai.InsufficientQuota && problem instanceof innoai.InnoAIError);
  assert.ok(!(problem instanceof innoai.PayloadTooLarge));
});

test("what is not the server's error is openai's alone", async () => {
  peer.on(VALIDATE, refusal(403, 'of_tomorrow'));
  const problem = await rejection(client().auth.validate());
  assert.ok(problem instanceof OpenAI.PermissionDeniedError && !(problem instanceof innoai.InnoAIError));
});

for (const [name, create] of Object.entries({
  'a completion': (made) => made.chat.completions.create(HELLO),
  'a stream': (made) => made.chat.completions.create({ ...HELLO, stream: true }),
  'an embedding': (made) => made.embeddings.create({ model: 'm', input: 'a' }),
})) {
  for (const [how, lost] of [
    ['closed', cut()],
    ['silent', silence()],
  ]) {
    test(`${name} is not sent again when the connection is ${how}`, async () => {
      peer.on(CHAT, lost).on('POST /v1/embeddings', lost);
      const timeout = how === 'silent' ? 300 : 60_000;
      const problem = await rejection(create(client({ timeout })));
      assert.ok(problem instanceof innoai.APIConnectionError);
      assert.equal(problem instanceof innoai.APIConnectionTimeoutError, how === 'silent');
      // On a busy machine the clock may run out before the request is there.
      assert.ok(peer.received.length === 1 || (how === 'silent' && peer.received.length === 0));
    });
  }
}

test('a completion under an idempotency key is sent again, with it', async () => {
  peer.on(CHAT, cut(), refusal(502, 'upstream_error'), { json: COMPLETION });
  await client().chat.completions.create(HELLO, { idempotencyKey: 'mine' });
  assert.deepEqual(
    peer.received.map(({ headers }) => [headers['idempotency-key'], headers['x-stainless-retry-count']]),
    [
      ['mine', '0'],
      ['mine', '1'],
      ['mine', '2'],
    ],
  );
});

test('a request that never left is tried again', async () => {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  let attempts = 0;
  const counting = (...request) => {
    attempts += 1;
    return fetch(...request);
  };
  const made = client({ baseURL: `http://127.0.0.1:${port}/v1`, fetch: counting, maxRetries: 1 });
  assert.ok((await rejection(made.chat.completions.create(HELLO))) instanceof innoai.APIConnectionError);
  assert.equal(attempts, 2);
});

test('minting creates nothing, and is sent again', async () => {
  peer.on('POST /v1/auth/token', cut(), refusal(502, 'upstream_error'), { json: PAIR });
  assert.equal((await client().auth.token()).access_token, 'access-1');
  assert.equal(peer.received.length, 3);
});

test('a conflict is final unless the server calls it passing', async () => {
  const passing = {
    ...refusal(409, 'conflict'),
    headers: { 'x-should-retry': 'true', 'retry-after-ms': '1' },
  };
  peer
    .on('DELETE /v1/customers/a', refusal(409, 'conflict'))
    .on('DELETE /v1/customers/b', passing, { status: 204 });
  assert.ok((await rejection(client().customers.delete('a'))) instanceof innoai.Conflict);
  await client().customers.delete('b');
  assert.equal(peer.received.length, 3);
});

test("a caller's own headers win over the client's", async () => {
  peer.on('POST /v1/keys', { json: {} });
  const made = client({ defaultHeaders: { 'user-agent': 'mine' } }).withOptions({ timeout: 5000 });
  await made.keys.create({ name: 'ci' }, { headers: { 'Idempotency-Key': 'mine' } });
  const { headers } = peer.received[0];
  assert.deepEqual([headers['user-agent'], headers['idempotency-key']], ['mine', 'mine']);
});

test('another call has another idempotency key', async () => {
  peer.on('POST /v1/keys', { json: {} });
  await client().keys.create({ name: 'ci' });
  await client().keys.create({ name: 'ci' });
  const keys = peer.received.map(({ headers }) => headers['idempotency-key']);
  assert.ok(keys[0] && keys[1] && keys[0] !== keys[1]);
});

test('an answer that stops coming ends at the timeout', async () => {
  peer.on(VALIDATE, silence('{"valid":'));
  const problem = await rejection(client({ timeout: 150, maxRetries: 0 }).auth.validate());
  assert.ok(problem instanceof innoai.APIConnectionTimeoutError);
});

test('a stream that stops coming ends at the timeout, one that breaks with an error of the connection', async () => {
  const chunk = 'data: {"choices":[]}\n\n';
  for (const [answer, timeout, kind] of [
    [silence(chunk, EVENTS), 1000, innoai.APIConnectionTimeoutError],
    [cut(chunk, EVENTS), 60_000, innoai.APIConnectionError],
  ]) {
    peer.on(CHAT, answer);
    const read = [];
    const reading = async () => {
      const stream = await client({ timeout }).chat.completions.create({ ...HELLO, stream: true });
      for await (const found of stream) read.push(found);
    };
    assert.ok((await rejection(reading())) instanceof kind);
    if (kind === innoai.APIConnectionError) assert.equal(read.length, 1);
  }
});

test('whoever stops reading a stream ends the connection', async () => {
  let gone;
  const left = new Promise((resolve) => {
    gone = resolve;
  });
  peer.on(CHAT, (response) => {
    response.on('close', gone);
    silence('data: {"choices":[]}\n\n', EVENTS)(response);
  });
  for await (const _ of await client().chat.completions.create({ ...HELLO, stream: true })) break;
  await left;
});

test('an aborted request is not sent again, whether it waits for its answer or for the next attempt', async () => {
  for (const answer of [
    silence(),
    silence('{'),
    { ...refusal(503, 'x'), headers: { 'retry-after': '60' } },
  ]) {
    peer.received.length = 0;
    peer.on(VALIDATE, (response, request) => {
      setTimeout(() => controller.abort(), 50);
      if (typeof answer === 'function') return answer(response, request);
      response.writeHead(answer.status, answer.headers).end();
    });
    const controller = new AbortController();
    const problem = await rejection(client().auth.validate({ signal: controller.signal }));
    assert.ok(problem instanceof innoai.APIUserAbortError);
    assert.equal(peer.received.length, 1);
  }
});

test('secrets are not sent on to where a redirect leads', async () => {
  peer.on('POST /v1/auth/refresh', { status: 307, headers: { location: '/v1/elsewhere' } });
  const problem = await rejection(client().auth.refresh('refresh-1'));
  assert.equal(problem.status, 307);
  assert.deepEqual(
    peer.received.map(({ route }) => route),
    ['POST /v1/auth/refresh'],
  );
});

test('copies of a client share its token, but for another key or server', async () => {
  peer.on('POST /v1/auth/token', { json: PAIR }).on(VALIDATE, { json: VALIDATION });
  const first = tenant();
  await first.auth.validate();
  await first.withOptions({ timeout: 5000 }).auth.validate();
  assert.deepEqual(bearers(), [KEY, 'access-1', 'access-1']);
  await first.withOptions({ baseURL: peer.baseURL }).auth.validate();
  await first.withOptions({ apiKey: 'another' }).auth.validate();
  await first.asCustomer('customer-456', { scopes: ['inference:read'], expiresIn: 60 }).auth.validate();
  assert.deepEqual(bearers().slice(3), [KEY, 'access-1', 'another', 'access-1', KEY, 'access-1']);
  const { customer_id, scopes, expires_in } = JSON.parse(peer.received.at(-2).body);
  assert.deepEqual([customer_id, scopes, expires_in], ['customer-456', ['inference:read'], 60]);
  assert.equal(JSON.parse(peer.received[5].body).customer_id, 'customer-123');
});

test('a client of no customer is refused instead of acting with the whole key', () => {
  for (const nobody of [undefined, null, '']) {
    assert.throws(() => client().asCustomer(nobody), {
      name: 'TypeError',
      message: "asCustomer needs a customer's id; without one it would act with the whole key",
    });
    assert.throws(() => tenant().asCustomer(nobody), /needs a customer's id/);
  }
  for (const nobody of [null, '']) {
    assert.throws(() => client({ customerId: nobody }), /customerId is a customer's id/);
    assert.throws(() => client().withOptions({ customerId: nobody }), /customerId is a customer's id/);
  }
});

test("an option in another SDK's spelling is refused by name, and none of openai's", () => {
  for (const [name, meant] of [
    ['customer_id', 'customerId'],
    ['customerID', 'customerId'],
    ['token_lifetime', 'tokenLifetime'],
    ['api_key', 'apiKey'],
    ['base_url', 'baseURL'],
    ['baseUrl', 'baseURL'],
  ]) {
    const message = `there is no option ${name}; it is called ${meant}`;
    assert.throws(() => client({ [name]: 'x' }), { name: 'TypeError', message });
    assert.throws(() => client().withOptions({ [name]: 'x' }), { message });
  }
  assert.throws(
    () => client().asCustomer('c', { expires_in: 60 }),
    /takes scopes and expiresIn, and no expires_in/,
  );
  const query = { project: 'p' };
  assert.ok(client({ defaultQuery: query, dangerouslyAllowBrowser: true, logLevel: 'off' }).withOptions({}));
});

test('a token that is refused within a stream or with a raw answer is replaced, too', async () => {
  peer
    .on('POST /v1/auth/token', { json: PAIR })
    .on('POST /v1/auth/refresh', { json: { ...PAIR, access_token: 'access-2' } })
    .on(CHAT, refusal(401, 'token_expired'), { headers: EVENTS, text: 'data: [DONE]\n\n' });
  for await (const _ of await tenant({ maxRetries: 0 }).chat.completions.create({ ...HELLO, stream: true }));
  assert.deepEqual(bearers(), [KEY, 'access-1', undefined, 'access-2']);
});

test('a body that can be read once is not sent twice', async () => {
  peer
    .on('POST /v1/auth/token', { json: PAIR })
    .on('POST /v1/audio/transcriptions', refusal(401, 'token_expired'), { json: {} });
  const body = new ReadableStream({
    pull(out) {
      out.enqueue(new TextEncoder().encode('x'));
      out.close();
    },
  });
  const problem = await rejection(tenant().post('/audio/transcriptions', { body }));
  assert.ok(problem instanceof innoai.TokenExpired);
});

test('a page is walked through all that follow, an empty one among them', async () => {
  const page = (data, next_cursor) => ({ json: { object: 'list', data, next_cursor } });
  peer.on('GET /v1/keys', page([{ id: 'key_1' }], 'a'), page([], 'b'), page([{ id: 'key_2' }], null));
  const ids = [];
  for await (const key of client().keys.list({ limit: 1, status: 'active' })) ids.push(key.id);
  assert.deepEqual(ids, ['key_1', 'key_2']);
  const asked = peer.received.map(({ query }) => query);
  const rest = { limit: '1', status: 'active' };
  assert.deepEqual(asked, [rest, { ...rest, cursor: 'a' }, { ...rest, cursor: 'b' }]);
  peer.on('GET /v1/keys', page([{ id: 'key_1' }], 'a'));
  assert.match(
    inspect(await client().keys.list()),
    /^Page \{\s+data: \[ \{ id: 'key_1' \} \],\s+next_cursor: 'a'\s+\}$/,
  );
});

test('what would be another path, or a secret in one, is refused', async () => {
  for (const id of ['', '.', '..', undefined]) assert.throws(() => client().customers.get(id), TypeError);
  assert.throws(
    () => client().keys.revoke('sk-inno-secret'),
    (problem) =>
      problem instanceof TypeError &&
      !problem.message.includes('secret-') &&
      /auth\.revoke/.test(problem.message),
  );
  peer.on('GET /v1/customers/a%2Fb%3F%23%20%C3%BC', { json: {} });
  await client().customers.get('a/b?# ü');
  assert.equal(peer.received.length, 1);
});

test('amounts are exact, and instants are RFC 3339', async () => {
  peer.on('POST /v1/keys', { json: {} }).on('PATCH /v1/customers/a', { json: {} });
  const at = new Date(Date.UTC(2026, 10, 29));
  await client().keys.create({ name: 'ci', expires_at: at, budgets: { monthly: '20.50', total: 100n } });
  await client().customers.update('a', { name: null, budgets: { monthly: 7, total: null } });
  assert.deepEqual(
    peer.received.map(({ body }) => JSON.parse(body)),
    [
      { name: 'ci', expires_at: '2026-11-29T00:00:00.000Z', budgets: { monthly: '20.50', total: '100' } },
      { name: null, budgets: { monthly: '7', total: null } },
    ],
  );
  for (const monthly of [0.1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, true, {}]) {
    assert.throws(() => client().keys.update('key_1', { budgets: { monthly } }), /exact/);
  }
});

test('the queries of usage and its CSV', async () => {
  const page = { object: 'list', data: [], next_cursor: null, from: 'f', to: 't', currency: 'USD' };
  peer.on(
    'GET /v1/billing/usage',
    { json: page },
    { text: 'a,b\n1,2\n', headers: { 'content-type': 'text/csv' } },
  );
  const from = new Date(0);
  const { currency } = await client().billing.usage({ group_by: ['day', 'model'], from, limit: 5 });
  assert.equal(currency, 'USD');
  const csv = await client().billing.usageCsv({ key_id: 'key_1' });
  assert.equal(await csv.text(), 'a,b\n1,2\n');
  assert.deepEqual(
    peer.received.map(({ query }) => query),
    [
      { group_by: 'day,model', from: '1970-01-01T00:00:00.000Z', limit: '5' },
      { key_id: 'key_1', format: 'csv' },
    ],
  );
  assert.equal(peer.received[1].headers.accept, 'text/csv');
  assert.throws(() => client().billing.usage({ group_by: 'day' }), TypeError);
});

test("a caller's headers stay beside the client's own, in each of openai's forms", async () => {
  peer.on('GET /v1/billing/usage', { text: '' });
  for (const headers of [{ 'X-Mine': '1' }, [['X-Mine', '1']], new Headers({ 'X-Mine': '1' })]) {
    await client().billing.usageCsv({}, { headers });
  }
  for (const { headers } of peer.received) {
    assert.deepEqual(
      [headers['x-mine'], headers.accept, headers.authorization],
      ['1', 'text/csv', `Bearer ${KEY}`],
    );
  }
});

const PAGE = { text: '<h1>Sign in</h1>', headers: { 'content-type': 'text/html; charset=utf-8' } };
const ANSWERED = {
  'GET /v1/auth/validate': (c) => c.auth.validate(),
  'GET /v1/customers/x': (c) => c.customers.get('x'),
  'GET /v1/customers': (c) => c.customers.list(),
  'GET /v1/billing/summary': (c) => c.billing.summary(),
  'DELETE /v1/keys/key_1': (c) => c.keys.revoke('key_1'),
  'POST /v1/auth/revoke': (c) => c.auth.revoke('a-secret'),
  'GET /v1/audit': (c) => c.audit.verify(),
  'GET /v1/models': (c) => c.models.list(),
  'POST /v1/chat/completions': (c) => c.chat.completions.create({ ...HELLO, stream: true }),
};

for (const [route, call] of Object.entries(ANSWERED)) {
  test(`a page in place of an answer to ${route} is an error that names the base URL`, async () => {
    peer.on(route, PAGE);
    const problem = await rejection(call(client()));
    assert.ok(problem instanceof innoai.UnreadableAnswer && problem instanceof innoai.InnoAIError);
    assert.match(problem.message, /text\/html.*baseURL.*\/v1/);
    assert.equal(peer.received.length, 1);
  });

  test(`so is a page that ${route} is sent to, as the dashboard does without /v1`, async () => {
    peer.on(route, { status: 303, headers: { location: '/login' } }).on('GET /login', PAGE);
    assert.ok((await rejection(call(client()))) instanceof innoai.UnreadableAnswer);
  });
}

for (const answer of [
  { json: {} },
  { json: [] },
  { text: 'ok' },
  { text: 'ok', headers: { 'content-type': 'text/plain' } },
]) {
  test(`a key does not count as revoked by 200 with ${JSON.stringify(answer)}`, async () => {
    peer.on('DELETE /v1/keys/key_1', answer);
    assert.ok((await rejection(client().keys.revoke('key_1'))) instanceof innoai.UnreadableAnswer);
  });
}

for (const answer of [{ json: [] }, { text: '{"valid":' }, { text: '' }]) {
  test(`JSON that is no object, or broken, is the same error: ${JSON.stringify(answer)}`, async () => {
    peer.on(VALIDATE, answer);
    assert.ok((await rejection(client().auth.validate())) instanceof innoai.UnreadableAnswer);
  });
}

test('an error in the middle of a stream has the class of its code', async () => {
  const error = { code: 'upstream_error', message: 'It failed.', type: 'upstream_error' };
  const text = `data: {"id":"c","choices":[]}\n\nevent: error\ndata: ${JSON.stringify({ error })}\n\n`;
  peer.on(CHAT, { text, headers: { ...EVENTS, 'x-request-id': 'req_7' } });
  const came = [];
  const problem = await rejection(
    (async () => {
      for await (const chunk of await client().chat.completions.create({ ...HELLO, stream: true }))
        came.push(chunk.id);
    })(),
  );
  assert.deepEqual(came, ['c']);
  assert.ok(problem instanceof innoai.UpstreamError && problem instanceof innoai.InnoAIError);
  assert.deepEqual(
    [problem.code, problem.message, problem.requestID],
    ['upstream_error', 'It failed.', 'req_7'],
  );
});

test('an export that is asked for by hand comes as it is', async () => {
  peer.on('GET /v1/billing/usage', { text: 'a,b\n', headers: { 'content-type': 'text/csv; charset=utf-8' } });
  const answer = await client()
    .get('/billing/usage', { query: { format: 'csv' } })
    .asResponse();
  assert.equal(await answer.text(), 'a,b\n');
});
