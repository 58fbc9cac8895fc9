/**
 * Is this audit log whole? The chain of its hashes, recomputed; no server is asked, and openai is not needed.
 *
 * The hash of an entry is SHA-256 over all its other members as JSON: sorted by name, without white space, UTF-8
 * unescaped. Among them is the hash before it, so that a changed, removed or inserted entry breaks a link. Who
 * owns the whole log could write all of it anew; a Head kept from an earlier time tells even that.
 *
 * @module
 */

import { sha256 } from './crypto.js';
import { canonical, canonicalObject, readObject } from './strict-json.js';

/** What the first entry names as the hash before it. */
export const BEGINNING = '0'.repeat(64);

/** How far a log had come: the sequence and hash of an entry that has to be in it. 0 is before all. */
export interface Head {
  sequence: number;
  hash: string;
}

/** The log is whole up to `head`, which is worth keeping. */
export interface Verified {
  whole: true;
  head: Head;
}

/** The first entry that does not fit. `id`: null where there is no such entry. */
export interface BrokenLink {
  whole: false;
  sequence: number;
  id: string | null;
  why: 'content changed' | 'link broken' | 'entry missing' | 'does not reach the head';
}

/** An entry: a line of an export, or the object that was read from one. */
export type Entry = string | Uint8Array | object;

/**
 * Follow the chain through all entries of a log, the oldest first, as `audit.exportJsonl()` gives them.
 *
 * @param heads what the log has to pass through, as the server or an earlier verification names it.
 * @throws TypeError on a line that is no JSON object, or shows a member twice.
 */
export async function verify(
  entries: Iterable<Entry> | AsyncIterable<Entry>,
  { heads = [] }: { heads?: Iterable<Head> } = {},
): Promise<Verified | BrokenLink> {
  const required = new Map<number, Set<string>>();
  for (const { sequence, hash } of heads) {
    required.set(sequence, (required.get(sequence) ?? new Set()).add(hash));
  }
  let last: Head = { sequence: 0, hash: BEGINNING };
  for await (const entry of entries) {
    const link = await linkOf(entry);
    const broken = brokenAfter(last, link, required);
    if (broken !== undefined) return broken;
    last = { sequence: last.sequence + 1, hash: link.computed };
  }
  const missed = [...required.keys()].filter((sequence) => sequence > last.sequence);
  if (missed.length > 0) {
    return { whole: false, sequence: Math.min(...missed), id: null, why: 'does not reach the head' };
  }
  return { whole: true, head: last };
}

/**
 * The entry in a line of an export.
 *
 * @throws TypeError on what is no JSON object, or one whose text shows a member twice: a reader may see the one,
 * and the hash cover the other.
 */
export function read(line: string | Uint8Array): Record<string, unknown> {
  return readObject(textOf(line)).value;
}

interface Link {
  readonly entry: Readonly<Record<string, unknown>>;
  readonly computed: string;
}

async function linkOf(given: Entry): Promise<Link> {
  let entry: Record<string, unknown>;
  let members: [string, string][];
  if (typeof given === 'string' || given instanceof Uint8Array) {
    const found = readObject(textOf(given));
    entry = found.value;
    members = [...found.members];
  } else {
    entry = given as Record<string, unknown>;
    members = Object.entries(entry).map(([name, value]) => [name, canonical(value)]);
  }
  const content = canonicalObject(members.filter(([name]) => name !== 'hash'));
  return { entry, computed: await sha256(content) };
}

function brokenAfter(
  last: Head,
  { entry, computed }: Link,
  required: ReadonlyMap<number, ReadonlySet<string>>,
): BrokenLink | undefined {
  const sequence = last.sequence + 1;
  const id = typeof entry.id === 'string' ? entry.id : null;
  const found = entry.sequence;
  if (typeof found === 'number' && found > sequence) {
    return { whole: false, sequence, id: null, why: 'entry missing' };
  }
  const broken = (why: BrokenLink['why']): BrokenLink => ({ whole: false, sequence, id, why });
  if (entry.hash !== computed) return broken('content changed');
  if (found !== sequence || entry.previous_hash !== last.hash) return broken('link broken');
  for (const hash of required.get(sequence) ?? []) {
    if (hash !== computed) return broken('does not reach the head');
  }
  return undefined;
}

function textOf(line: string | Uint8Array): string {
  if (typeof line === 'string') return line;
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
}
