import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { BEGINNING, read, verify } from 'innoai/audit';

const EXAMPLE = readFileSync(new URL('../../../docs/audit-example.jsonl', import.meta.url));
const LINES = EXAMPLE.toString().trimEnd().split('\n');

/** A line with its hash over this content, which is canonical already. */
function line(content) {
  const hash = createHash('sha256').update(content).digest('hex');
  return { hash, text: `${content.slice(0, -1)},"hash":"${hash}"}` };
}

test("the documentation's example is whole, as lines, as bytes, and as objects", async () => {
  for (const entries of [LINES, LINES.map((found) => Buffer.from(found)), LINES.map(read)]) {
    const verdict = await verify(entries);
    assert.ok(verdict.whole);
    assert.equal(verdict.head.sequence, LINES.length);
    assert.deepEqual(
      await verify(entries, { heads: [verdict.head, { sequence: 0, hash: BEGINNING }] }),
      verdict,
    );
  }
});

test('an empty log is whole', async () => {
  assert.deepEqual(await verify([]), { whole: true, head: { sequence: 0, hash: BEGINNING } });
});

test('what was changed, removed, doubled or cut off shows', async () => {
  const { id } = read(LINES[1]);
  const changed = LINES.with?.(1, LINES[1].replace('customer', 'costumer')) ?? [];
  const broken = { whole: false, sequence: 2 };
  if (changed.length) assert.deepEqual(await verify(changed), { ...broken, id, why: 'content changed' });
  assert.deepEqual(await verify(LINES.filter((_, at) => at !== 1)), {
    ...broken,
    id: null,
    why: 'entry missing',
  });
  const again = [LINES[0], ...LINES];
  assert.deepEqual(await verify(again), { ...broken, id: read(LINES[0]).id, why: 'link broken' });
  const head = { sequence: 4, hash: read(LINES[3]).hash };
  const cut = await verify(LINES.slice(0, 3), { heads: [head] });
  assert.deepEqual(cut, { whole: false, sequence: 4, id: null, why: 'does not reach the head' });
  const other = await verify(LINES, { heads: [{ sequence: 2, hash: BEGINNING }] });
  assert.deepEqual(other, { whole: false, sequence: 2, id, why: 'does not reach the head' });
});

test('numbers keep their digits, and names are sorted by code point', async () => {
  const content = `{"after":{"n":12345678901234567890,"\uff00":1,"\u{1f600}":[true,null,"\\u0001é"]},"id":"a","previous_hash":"${BEGINNING}","sequence":1}`;
  const { text, hash } = line(content);
  assert.deepEqual(await verify([text]), { whole: true, head: { sequence: 1, hash } });
});

test('white space and the order of members are not part of an entry', async () => {
  const content = `{"id":"a","previous_hash":"${BEGINNING}","sequence":1}`;
  const { hash } = line(content);
  const spread = `{ "hash" : "${hash}",\t"sequence": 1 , "previous_hash": "${BEGINNING}", "id":"\\u0061" }\r`;
  assert.ok((await verify([spread])).whole);
});

test('a line that could be read in two ways is refused', () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":{"b":1,"b":1}}',
    '{"a":1,"\\u0061":2}',
    '{"a":1} {}',
    '{"a":01}',
    '{"a":"\n"}',
    '{"a":1,}',
    '[1]',
    '"a"',
    'null',
    '',
    '{',
    `${'{"a":'.repeat(9999)}1${'}'.repeat(9999)}`,
  ]) {
    assert.throws(() => read(text), TypeError, text.slice(0, 40));
  }
  assert.throws(() => read(Uint8Array.of(0xff)), TypeError);
});

test('a name of the language is a name as any other', () => {
  assert.equal(
    JSON.stringify(read('{"__proto__":{"a":1},"constructor":2}')),
    '{"__proto__":{"a":1},"constructor":2}',
  );
});
