import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { sign, signStandard, verify, verifyStandard } from 'innoai/webhooks';

import { equal, hmacSha256, sha256 } from '../dist/sha256.js';

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

test('without WebCrypto it is the same', () => {
  const lengths = [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000];
  for (const [size, keySize] of lengths.flatMap((one) => lengths.map((other) => [one, other]))) {
    const [data, key] = [randomBytes(size), randomBytes(keySize)];
    assert.deepEqual(Buffer.from(sha256(data)), createHash('sha256').update(data).digest());
    assert.deepEqual(Buffer.from(hmacSha256(key, data)), createHmac('sha256', key).update(data).digest());
  }
  const [one, same, other] = [Buffer.from('abc'), Buffer.from('abc'), Buffer.from('abd')];
  assert.deepEqual(
    [equal(one, same), equal(one, other), equal(one, Buffer.from('ab'))],
    [true, false, false],
  );
  assert.deepEqual([equal(Buffer.from('ab'), one), equal(Buffer.alloc(0), Buffer.alloc(0))], [false, true]);
});

test('a runtime without WebCrypto verifies', async () => {
  const crypto = Object.getOwnPropertyDescriptor(globalThis, 'crypto');
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true, writable: true });
  try {
    const signature = await sign(BODY, SECRET);
    assert.equal(signature, createHmac('sha256', SECRET).update(BODY).digest('hex'));
    assert.equal(await verify(BODY, signature, SECRET), true);
    assert.equal(await verify(`${BODY} `, signature, SECRET), false);
  } finally {
    if (crypto) Object.defineProperty(globalThis, 'crypto', crypto);
    else delete globalThis.crypto;
  }
});
