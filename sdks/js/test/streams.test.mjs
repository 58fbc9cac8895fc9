import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { InnoAI, InsufficientPermissions } from 'innoai';

import { cut, Peer, refusal, silence } from './peer.mjs';

const ROUTE = 'GET /v1/webhooks/stream';
const HEADERS = { 'content-type': 'text/event-stream' };
const SOON = 'retry: 1\n\n';
const event = (id) =>
  `id: ${id}\nevent: key.created\ndata: {"id":"${id}","type":"key.created","data":{}}\n\n`;

let peer;
beforeEach(async () => {
  peer = await Peer.start();
});
afterEach(() => peer.close());

const client = (options = {}) =>
  new InnoAI({ apiKey: 'sk-inno-x', baseURL: peer.baseURL, maxRetries: 0, ...options });

async function take(stream, count) {
  const ids = [];
  for await (const { id } of stream) {
    ids.push(id);
    if (ids.length === count) break;
  }
  return ids;
}

test('a lost connection is made again behind the last event, and none comes twice', async () => {
  const lost = [];
  peer.on(ROUTE, cut(SOON + event('evt_1') + event('evt_2'), HEADERS), refusal(503, 'service_unavailable'), {
    headers: HEADERS,
    text: event('evt_2') + event('evt_3'),
  });
  const stream = client().webhooks.stream({
    event_types: ['key.*', 'customer.*'],
    onLost: (s) => lost.push(s),
  });
  assert.deepEqual(await take(stream, 3), ['evt_1', 'evt_2', 'evt_3']);
  assert.equal(stream.lastEventId, 'evt_3');
  assert.deepEqual(lost, [0.001, 0.002]);
  assert.deepEqual(
    peer.received.map(({ headers, query }) => [headers['last-event-id'], query.event_types]),
    [
      [undefined, 'key.*,customer.*'],
      ['evt_2', 'key.*,customer.*'],
      ['evt_2', 'key.*,customer.*'],
    ],
  );
});

test('it begins behind a given event, and gives the bodies as they came', async () => {
  peer.on(ROUTE, { headers: HEADERS, text: event('evt_8') });
  for await (const frame of client().webhooks.stream({ last_event_id: 'evt_7' }).frames()) {
    assert.equal(frame.data, '{"id":"evt_8","type":"key.created","data":{}}');
    assert.equal(frame.event, 'key.created');
    break;
  }
  assert.equal(peer.received[0].headers['last-event-id'], 'evt_7');
});

test('silence is a lost connection', async () => {
  const first = silence(SOON + event('evt_1'), HEADERS);
  peer.on(ROUTE, first, { headers: HEADERS, text: event('evt_2') });
  const stream = client().webhooks.stream({}, { timeout: 2000 });
  assert.deepEqual(await take(stream, 2), ['evt_1', 'evt_2']);
});

test('a refusal is thrown, at first and later', async () => {
  peer.on(ROUTE, refusal(403, 'insufficient_permissions'));
  await assert.rejects(take(client().webhooks.stream(), 1), InsufficientPermissions);
  peer.on(ROUTE, cut(SOON + event('evt_1'), HEADERS), refusal(403, 'insufficient_permissions'));
  await assert.rejects(take(client().webhooks.stream(), 2), InsufficientPermissions);
});

test("it ends by the caller's signal, while it reads and while it waits", async () => {
  for (const answers of [
    [silence(event('evt_1'), HEADERS)],
    [cut(`retry: 60000\n\n${event('evt_1')}`, HEADERS)],
  ]) {
    peer.on(ROUTE, ...answers);
    const controller = new AbortController();
    const ids = [];
    for await (const { id } of client().webhooks.stream({}, { signal: controller.signal })) {
      ids.push(id);
      setTimeout(() => controller.abort(), 50);
    }
    assert.deepEqual(ids, ['evt_1']);
  }
});

test('whoever stops reading ends the connection', async () => {
  let gone;
  const left = new Promise((resolve) => {
    gone = resolve;
  });
  peer.on(ROUTE, (response) => {
    response.on('close', gone);
    silence(event('evt_1'), HEADERS)(response);
  });
  await take(client().webhooks.stream(), 1);
  await left;
});

// Requests as they happen.

const LIVE = 'GET /v1/requests/stream';
const told = (name, members) => `event: ${name}\ndata: ${JSON.stringify(members)}\n\n`;

async function news(stream, count) {
  const all = [];
  for await (const one of stream) {
    all.push(one);
    if (all.length === count) break;
  }
  return all;
}

test('requests are told as what they are, and those that come again after a loss are no repetition', async () => {
  const decided = { object: 'decided_request', request_id: 'req_1', allowed: true, checks: [] };
  const finished = { object: 'usage_record', request_id: 'req_1', status: 200 };
  const lost = [];
  peer.on(LIVE, cut(SOON + told('decided', decided) + told('finished', finished), HEADERS), {
    headers: HEADERS,
    text: told('decided', decided) + told('lost', { count: 3 }),
  });
  const stream = client().requests.stream({ key_id: 'key_1', only: 'refused', onLost: (s) => lost.push(s) });
  assert.deepEqual(await news(stream, 4), [
    decided,
    finished,
    decided,
    { object: 'lost_requests', count: 3 },
  ]);
  assert.deepEqual(lost, [0.001]);
  assert.deepEqual(peer.received[0].query, { key_id: 'key_1', only: 'refused' });
  assert.equal(peer.received[0].headers.accept, 'text/event-stream');
});

test('a stream of requests that is refused throws, and ends by its signal', async () => {
  peer.on(LIVE, refusal(403, 'insufficient_permissions'));
  await assert.rejects(news(client().requests.stream(), 1), InsufficientPermissions);
  peer.on(LIVE, silence(told('lost', { count: 1 }), HEADERS));
  const controller = new AbortController();
  const all = [];
  for await (const one of client().requests.stream({}, { signal: controller.signal })) {
    all.push(one);
    setTimeout(() => controller.abort(), 50);
  }
  assert.equal(all.length, 1);
});

test('the last refusals come with their checks', async () => {
  const refused = { object: 'decided_request', code: 'ip_not_allowed', checks: [{ name: 'network' }] };
  peer.on('GET /v1/requests/refusals', { json: { object: 'list', data: [refused], next_cursor: null } });
  const page = await client().requests.refusals({ key_id: 'key_1', limit: 2 });
  assert.deepEqual(page.data, [refused]);
  assert.deepEqual(peer.received[0].query, { key_id: 'key_1', limit: '2' });
});
