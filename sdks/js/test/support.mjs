// What the tests share: the scripted server of the conformance suite, and vectors.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { InnoAI } from 'innoai';

export const SUITE = fileURLToPath(new URL('../../conformance/', import.meta.url));
export const KEY = 'sk-inno-conformance';
const PYTHON = process.env.INNOAI_PYTHON ?? 'python3';

/** A JSON file of the conformance suite. */
export function vectors(name) {
  return JSON.parse(readFileSync(`${SUITE}${name}.json`, 'utf8'));
}

/** A process that prints one line when it is ready, and ends when its standard input does. */
export class Child {
  constructor(command, args, options = {}) {
    this.process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], ...options });
    this.ended = new Promise((resolve) => this.process.on('close', resolve));
    this.lines = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
  }

  async line() {
    return (await this.lines.next()).value;
  }

  async close() {
    this.process.stdin.end();
    return this.ended;
  }
}

/** The scripted server, as a process of its own. */
export class Scripted {
  static async start() {
    const child = new Child(PYTHON, [`${SUITE}server.py`]);
    return Object.assign(new Scripted(), { child, ...JSON.parse(await child.line()) });
  }

  async script(answers) {
    const answer = await fetch(`${this.control_url}/script`, {
      method: 'POST',
      body: JSON.stringify(answers),
    });
    if (answer.status !== 204) throw new Error(`the script was refused: ${answer.status}`);
  }

  async seen() {
    return (await (await fetch(`${this.control_url}/requests`)).json()).requests;
  }

  client(options = {}) {
    return new InnoAI({ apiKey: KEY, baseURL: this.base_url, ...options });
  }

  close() {
    return this.child.close();
  }
}

/** The body that a request of the scripted server had. */
export function bodyOf(request) {
  return Buffer.from(request.body, 'base64').toString('utf8');
}
