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
