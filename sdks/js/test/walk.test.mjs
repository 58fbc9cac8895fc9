// A walk against the real innoai server: the installed command, a directory of its own, a port of loopback.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import * as innoai from 'innoai';
import { InnoAI, webhooks } from 'innoai';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BIN = process.env.INNOAI_BIN ?? join(ROOT, '.venv/bin');
const MODEL = 'inno-ai-boyong-4.5';
const HELLO = { model: MODEL, messages: [{ role: 'user', content: 'Hello there' }] };
const SETTINGS = `
[limits]
failed_auth = 1000000
[webhooks]
allowed_networks = ["127.0.0.0/8"]
[models."${MODEL}"]
upstreams = [{ base_url = "echo:" }]
[models."${MODEL}".price]
prompt = "1000"
completion = "2000"
`;
const skip = existsSync(join(BIN, 'innoai')) ? false : `there is no ${join(BIN, 'innoai')}: make install`;

/** The server; it ends with this process, however that ends. */
class Server {
  static async start() {
    const server = new Server();
    server.directory = mkdtempSync(join(tmpdir(), 'innoai-js-'));
    writeFileSync(join(server.directory, 'innoai.toml'), SETTINGS);
    const env = { PATH: process.env.PATH, PYTHONUTF8: '1' };
    const options = { cwd: server.directory, env };
    const made = execFileSync(join(BIN, 'innoai'), ['init', '--json'], { ...options, stdio: 'pipe' });
    server.adminKey = JSON.parse(made).api_key;
    const leash = [
      join(BIN, 'python'),
      '-I',
      '-S',
      join(ROOT, 'tests/support/leash.py'),
      String(process.pid),
    ];
    const [command, ...args] = [...leash, join(BIN, 'innoai'), 'serve'];
    const bound = { ...env, INNOAI_SERVER_BIND: '127.0.0.1:0' };
    server.child = spawn(command, args, { ...options, env: bound, stdio: ['ignore', 'ignore', 'pipe'] });
    server.ended = new Promise((resolve) => server.child.on('exit', resolve));
    server.baseURL = await server.#address();
    return server;
  }

  async #address() {
    const log = [];
    for await (const line of createInterface({ input: this.child.stderr })) {
      log.push(line);
      if (!line.startsWith('{')) continue;
      const { event, address } = JSON.parse(line);
      if (event === 'listening') {
        this.child.stderr.resume();
        return `${address}/v1`;
      }
    }
    throw new Error(`the server did not start:\n${log.join('\n')}`);
  }

  async close() {
    this.child.kill('SIGTERM');
    assert.equal(await this.ended, 0);
    rmSync(this.directory, { recursive: true });
  }
}

async function all(list) {
  const found = [];
  for await (const item of list) found.push(item);
  return found;
}

/** The first answer that is as it is to become. */
async function until(ask, holds) {
  for (;;) {
    const answer = await ask();
    if (holds(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a walk against the server', { skip }, () => {
  let server;
  let client;
  before(async () => {
    server = await Server.start();
    client = new InnoAI({ apiKey: server.adminKey, baseURL: server.baseURL, maxRetries: 0 });
  });
  after(() => server?.close());
  const as = (apiKey, options = {}) =>
    new InnoAI({ apiKey, baseURL: server.baseURL, maxRetries: 0, ...options });

  test('chat, streams, embeddings, responses and models', async () => {
    const completion = await client.chat.completions.create(HELLO);
    assert.equal(completion.choices[0].message.content, 'Hello there');
    const said = [];
    for await (const chunk of await client.chat.completions.create({ ...HELLO, stream: true })) {
      said.push(chunk.choices[0]?.delta.content ?? '');
    }
    assert.equal(said.join(''), 'Hello there');
    assert.equal((await client.embeddings.create({ model: MODEL, input: 'a' })).data.length, 1);
    assert.equal((await client.responses.create({ model: MODEL, input: 'a' })).output_text, 'a');
    assert.deepEqual(
      (await all(client.models.list())).map(({ id }) => id),
      [MODEL],
    );
  });

  test('keys live their whole life', async () => {
    const made = await client.keys.create({
      name: 'SDK',
      scopes: ['inference:read'],
      allowed_ips: ['127.0.0.0/8'],
      rate_limit: 500,
      models: [MODEL],
      expires_at: new Date(Date.now() + 86_400_000),
    });
    const shown = await client.keys.get(made.id);
    assert.deepEqual(
      [shown.name, shown.allowed_ips, shown.rate_limit, shown.key],
      ['SDK', ['127.0.0.0/8'], 500, undefined],
    );
    assert.equal((await client.keys.update(made.id, { name: 'SDK 2', expires_at: null })).expires_at, null);
    const successor = await client.keys.rotate(made.id, { overlap: 0 });
    assert.equal(successor.rotated_from, made.id);
    await assert.rejects(as(made.key).auth.validate(), innoai.InvalidApiKey);
    assert.equal((await as(successor.key).auth.validate()).rate_limit, 500);
    const activity = await client.keys.activity(successor.id);
    assert.deepEqual([activity.key_id, activity.allowed], [successor.id, 1]);
    assert.equal((await client.keys.advice(successor.id, { days: 7 })).days, 7);
    assert.equal((await client.keys.preview(successor.id, { rate_limit: 5, days: 7 })).refused, 0);
    await all(client.billing.top({ by: 'customer', limit: 5 }));
    await client.keys.revoke(successor.id);
    await assert.rejects(as(successor.key).auth.validate(), innoai.InvalidApiKey);
    assert.equal((await client.keys.get(successor.id)).status, 'revoked');
    for (let number = 0; number < 5; number++) await client.keys.create({ name: `Paged ${number}` });
    const names = (await all(client.keys.list({ limit: 2, status: 'active' }))).map(({ name }) => name);
    assert.equal(names.filter((name) => name.startsWith('Paged')).length, 5);
  });

  test('keys and customers are found, and a leaked key is revoked', async () => {
    const made = await client.keys.create({ name: 'Needle' });
    assert.deepEqual(
      (await all(client.keys.list({ search: 'eedl' }))).map(({ id }) => id),
      [made.id],
    );
    await client.customers.create({ customer_id: 'haystack', name: 'Found by name' });
    const [{ customer_id }] = await all(client.customers.list({ search: 'by na' }));
    assert.equal(customer_id, 'haystack');
    const { keys } = await client.keys.reportLeak({ text: `KEY=${made.key}`, source: 'a log', revoke: true });
    assert.deepEqual(
      keys.map(({ id }) => id),
      [made.id],
    );
    await assert.rejects(as(made.key).auth.validate(), innoai.InvalidApiKey);
  });

  test('an idempotency key makes one key of two creates', async () => {
    const options = { idempotencyKey: 'once-only' };
    const first = await client.keys.create({ name: 'Once' }, options);
    assert.equal((await client.keys.create({ name: 'Once' }, options)).key, first.key);
    await assert.rejects(client.keys.create({ name: 'Another' }, options), innoai.Conflict);
  });

  test('customers live their whole life', async () => {
    const made = await client.customers.create({
      customer_id: 'sdk:c@1|a',
      name: 'One',
      metadata: { plan: 'gold' },
    });
    assert.match(made.id, /^cus_/);
    await assert.rejects(client.customers.create({ customer_id: 'sdk:c@1|a' }), innoai.Conflict);
    const changed = await client.customers.update('sdk:c@1|a', {
      name: 'Two',
      disabled: true,
      budgets: { monthly: '5' },
    });
    assert.deepEqual([changed.name, changed.disabled, changed.budgets.monthly], ['Two', true, '5']);
    assert.ok((await all(client.customers.list())).some(({ customer_id }) => customer_id === 'sdk:c@1|a'));
    await client.customers.delete('sdk:c@1|a');
    await assert.rejects(client.customers.get('sdk:c@1|a'), innoai.NotFound);
  });

  test('tokens are minted, refreshed, introspected and revoked', async () => {
    const pair = await client.auth.token({
      customer_id: 'sdk-tokens',
      scopes: ['inference:read'],
      expires_in: 60,
    });
    assert.deepEqual([pair.token_type, pair.expires_in], ['Bearer', 60]);
    assert.equal((await client.auth.refresh(pair.refresh_token)).refresh_token, pair.refresh_token);
    const seen = await client.auth.introspect(pair.access_token);
    assert.deepEqual([seen.active, seen.scope, seen.customer_id], [true, 'inference:read', 'sdk-tokens']);
    await client.auth.revoke(pair.access_token);
    assert.equal((await client.auth.introspect(pair.access_token)).active, false);
  });

  test('a customer is served by tokens, which one flight replaces for all callers', async () => {
    let minted = 0;
    const counting = (url, init) => {
      if (/\/auth\/(token|refresh)$/.test(String(url))) minted += 1;
      return fetch(url, init);
    };
    const { key } = await client.keys.create({ name: 'Tenants' });
    const acme = as(key, { fetch: counting }).asCustomer('acme', {
      scopes: ['inference:write'],
      expiresIn: 60,
    });
    const ask = () => acme.chat.completions.create(HELLO);
    await Promise.all(Array.from({ length: 16 }, ask));
    assert.equal(minted, 1);
    await client.auth.revoke(acme.apiKey);
    await Promise.all(Array.from({ length: 16 }, ask));
    assert.equal(minted, 2);
    await assert.rejects(acme.customers.list(), (problem) => {
      assert.ok(problem instanceof innoai.InsufficientPermissions);
      return problem.requiredScope === 'customers:read' && /^req_/.test(problem.requestID);
    });
  });

  test('a limit that is reached is a typed error with the seconds to wait', async () => {
    const { key } = await client.keys.create({ name: 'Slow', rate_limit: 1 });
    await as(key).models.list();
    await assert.rejects(as(key).models.list(), (problem) => {
      assert.ok(problem instanceof innoai.RateLimitExceeded && problem instanceof innoai.RateLimitError);
      return problem.retryAfter > 0 && problem.headers.get('retry-after') === String(problem.retryAfter);
    });
  });

  test('explain and tiers', async () => {
    const { id } = await client.keys.create({ name: 'Explained', allowed_ips: ['10.0.0.0/8'] });
    const asked = { key: id, method: 'GET', path: '/v1/models', ip: '192.0.2.1' };
    const refused = await client.auth.explain(asked);
    assert.deepEqual([refused.allowed, refused.code], [false, 'ip_not_allowed']);
    assert.equal((await client.auth.explain({ ...asked, ip: '10.1.1.1' })).allowed, true);
    const { data, routes } = await client.tiers();
    assert.ok(data.some(({ name }) => name === 'startup') && routes.length > 40);
  });

  test('usage, budgets, settings and statements', async () => {
    const tenant = client.asCustomer('spender');
    for (let number = 0; number < 3; number++) await tenant.chat.completions.create(HELLO);
    const usage = () => all(client.billing.usage({ customer_id: 'spender', limit: 1 }));
    const records = await until(usage, ({ length }) => length === 3);
    assert.deepEqual(
      records.map(({ cost }) => cost),
      ['0.006', '0.006', '0.006'],
    );
    const page = await client.billing.usage({ group_by: ['model', 'customer'], customer_id: 'spender' });
    assert.deepEqual([page.data[0].requests, page.data[0].cost, page.currency], [3, '0.018', 'USD']);
    const { month, totals } = await client.billing.summary({ customer_id: 'spender' });
    assert.equal(totals.cost, '0.018');
    const csv = await client.billing.usageCsv({ customer_id: 'spender' });
    assert.equal((await csv.text()).trimEnd().split('\n').length, 4);
    assert.equal((await client.billing.statement(month, 'spender')).lines.length, 1);
    assert.match(await (await client.billing.statementCsv(month, 'spender')).text(), /0\.018/);
    assert.match(await (await client.billing.statementsCsv({ month })).text(), /spender/);
    assert.equal((await all(client.billing.statements({ customer_id: 'spender' }))).length, 1);
    const changed = await client.billing.updateSettings({
      budgets: { monthly: '1000.5' },
      alert_thresholds: [50],
    });
    assert.deepEqual([changed.budgets.monthly, changed.alert_thresholds], ['1000.5', [50]]);
    const { key } = await client.keys.create({ name: 'Poor', budgets: { total: '0.000000001' } });
    await assert.rejects(as(key).chat.completions.create(HELLO), innoai.InsufficientQuota);
  });

  test('webhooks are delivered, and verified by both signatures', async () => {
    const received = [];
    const receiver = createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      received.push({ body: Buffer.concat(pieces), headers: request.headers });
      response.end();
    });
    await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${receiver.address().port}/hook`;
    const made = await client.webhooks.create({ url, event_types: ['key.*'], headers: { 'x-a': 'b' } });
    await client.keys.create({ name: 'Told ü 😀' });
    const { body, headers } = (
      await until(
        async () => received,
        ({ length }) => length === 1,
      )
    )[0];
    assert.equal(await webhooks.verify(body, headers['x-innoai-signature'], made.secret), true);
    assert.equal(await webhooks.verifyStandard(body, headers, made.secret), true);
    await client.webhooks.verifySignature(body.toString(), headers, made.secret);
    body[body.length - 2] ^= 1;
    assert.equal(await webhooks.verify(body, headers['x-innoai-signature'], made.secret), false);
    assert.equal(await webhooks.verifyStandard(body, headers, made.secret), false);
    const tested = await client.webhooks.test(made.id);
    const delivery = await until(
      () => client.webhooks.delivery(tested.id),
      ({ state }) => state !== 'pending',
    );
    assert.deepEqual([delivery.event.type, delivery.log[0].status], ['webhook.test', 200]);
    assert.equal((await client.webhooks.replayDelivery(tested.id)).event_id, tested.event_id);
    assert.equal((await client.webhooks.replay(made.id, { since: new Date(0) })).count, 0);
    assert.ok((await all(client.webhooks.deliveries({ endpoint_id: made.id }))).length >= 3);
    assert.ok((await client.webhooks.rotateSecret(made.id, { overlap: 60 })).secret !== made.secret);
    assert.equal((await client.webhooks.update(made.id, { disabled: true })).disabled, true);
    assert.ok((await all(client.webhooks.list({ limit: 1 }))).some(({ id }) => id === made.id));
    await client.webhooks.delete(made.id);
    await assert.rejects(client.webhooks.get(made.id), innoai.NotFound);
    assert.ok((await all(client.webhooks.eventTypes())).some(({ type }) => type === 'key.created'));
    receiver.closeAllConnections();
    await new Promise((resolve) => receiver.close(resolve));
  });

  test('refusals are told as they happen, and kept', async () => {
    const made = await client.keys.create({ name: 'Refused', scopes: ['inference:read'] });
    const stream = client.requests.stream({ key_id: made.id, only: 'refused' })[Symbol.asyncIterator]();
    const next = stream.next();
    let heard;
    next.then(({ value }) => {
      heard = value;
    });
    while (heard === undefined) {
      await assert.rejects(as(made.key).keys.list(), innoai.InsufficientPermissions);
    }
    await stream.return();
    const { data } = await client.requests.refusals({ key_id: made.id, limit: 1 });
    for (const refused of [heard, ...data]) {
      assert.deepEqual([refused.object, refused.code], ['decided_request', 'insufficient_permissions']);
      assert.equal(refused.checks.find(({ name }) => name === 'scope').outcome, 'refused');
    }
  });

  test('events come as a stream', async () => {
    const stream = client.webhooks.stream({ event_types: ['customer.*'] })[Symbol.asyncIterator]();
    const next = stream.next();
    let heard;
    for (let number = 0; heard === undefined; number++) {
      await client.customers.create({ customer_id: `heard-${number}` });
      heard = await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 50))]);
    }
    assert.match(heard.value.data.customer_id, /^heard-/);
    assert.equal(heard.value.type, 'customer.created');
    await stream.return();
  });

  test('members are invited, changed and removed', async () => {
    const made = await client.members.create({ email: 'ada@example.com', role: 'viewer' });
    assert.match(made.invite_url, /^http/);
    assert.equal((await client.members.update(made.id, { role: 'developer' })).role, 'developer');
    assert.equal((await client.members.get(made.id)).invite_url, undefined);
    assert.ok((await all(client.members.list())).some(({ id }) => id === made.id));
    await client.members.delete(made.id);
    await assert.rejects(client.members.get(made.id), innoai.NotFound);
  });

  test('the audit log is listed, exported and verified', async () => {
    const page = await client.audit.list({ action: 'key.*', limit: 2 });
    assert.deepEqual([page.data.length, page.data[0].action.startsWith('key.')], [2, true]);
    const entries = await all(client.audit.export());
    assert.deepEqual([entries[0].sequence, entries.at(-1).hash], [1, page.head.hash]);
    const verdict = await client.audit.verify({ heads: [{ sequence: 2, hash: entries[1].hash }] });
    assert.deepEqual(verdict, { whole: true, head: page.head });
    const other = await client.audit.verify({ heads: [{ sequence: 2, hash: entries[2].hash }] });
    assert.deepEqual([other.whole, other.sequence], [false, 2]);
  });

  test('a revoked key ends its clients', async () => {
    const made = await client.keys.create({ name: 'Ended' });
    const ended = as(made.key, { customerId: 'ended' });
    await ended.models.list();
    await client.keys.revoke(made.id);
    await assert.rejects(ended.models.list(), innoai.InvalidApiKey);
  });
});
