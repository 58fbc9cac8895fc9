import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { sign, signStandard, verify, verifyStandard } from 'innoai/webhooks';

const SECRET = `whsec_${Buffer.from('a secret of an endpoint').toString('base64')}`;
const BODY = '{"id":"evt_1","text":"ü"}';

test('the signature is the one that the documentation makes', async () => {
  const expected = createHmac('sha256', SECRET).update(BODY).digest('hex');
  assert.equal(await sign(BODY, SECRET), expected);
  for (const payload of [
    BODY,
    Buffer.from(BODY),
    new Uint8Array(Buffer.from(BODY)),
    Uint8Array.from(Buffer.from(BODY)).buffer,
  ]) {
    assert.equal(await verify(payload, expected, SECRET), true);
  }
  for (const wrong of [undefined, null, '', 'ab', expected.slice(2), ['x']]) {
    assert.equal(await verify(BODY, wrong, SECRET), false);
  }
});

test('headers of fetch and of Node are read, in any case and spelling', async () => {
  const now = 1_764_061_200;
  const signature = await signStandard(BODY, 'evt_1', now, SECRET);
  const headers = {
    'Webhook-Id': 'evt_1',
    'webhook-timestamp': String(now),
    'WEBHOOK-SIGNATURE': [signature],
  };
  for (const given of [headers, new Headers({ ...headers, 'WEBHOOK-SIGNATURE': signature })]) {
    assert.equal(await verifyStandard(BODY, given, SECRET, { now }), true);
    assert.equal(await verifyStandard(BODY, given, SECRET, { now: now + 301 }), false);
    assert.equal(await verifyStandard(BODY, given, SECRET, { now: now + 301, tolerance: 400 }), true);
    assert.equal(await verifyStandard(BODY, given, SECRET, { now, tolerance: Number.NaN }), false);
    assert.equal(await verifyStandard(BODY, given, SECRET), false);
  }
});

test('what was parsed already is no payload', async () => {
  await assert.rejects(verify(JSON.parse(BODY), 'a'.repeat(64), SECRET), /before parsing/);
});
