// A server in this process that answers what a test tells it to, and keeps what it was sent.

import { createServer } from 'node:http';

export class Peer {
  static async start() {
    const peer = new Peer();
    peer.server = createServer((request, response) => peer.#take(request, response));
    // A connection that is kept does not end while a busy machine is about something else.
    peer.server.keepAliveTimeout = 120_000;
    await new Promise((resolve) => peer.server.listen(0, '127.0.0.1', resolve));
    peer.baseURL = `http://127.0.0.1:${peer.server.address().port}/v1`;
    return peer;
  }

  received = [];
  #answers = new Map();

  /** The answers of a route, in turn, the last one for ever: objects, or functions of response and request. */
  on(route, ...answers) {
    this.#answers.set(route, answers);
    return this;
  }

  async #take(request, response) {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const url = new URL(request.url, 'http://peer');
    const route = `${request.method} ${url.pathname}`;
    const body = Buffer.concat(pieces).toString();
    const received = { route, headers: request.headers, query: Object.fromEntries(url.searchParams), body };
    this.received.push(received);
    const answers = this.#answers.get(route) ?? [{ status: 418 }];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (typeof answer === 'function') return answer(response, received);
    const { status = 200, headers = {}, json, text = JSON.stringify(json) ?? '' } = answer;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(status === 204 ? undefined : text);
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** The envelope, with the header that keeps retries from waiting. */
export function refusal(status, code, members = {}) {
  const error = { code, message: `It is ${code}.`, type: 'a_type', request_id: 'req_1', ...members };
  return { status, json: { error }, headers: { 'retry-after-ms': '1' } };
}

/** The connection is closed: at once, or after so much of an answer. */
export function cut(head = '', headers = { 'content-type': 'application/json' }) {
  return (response) => {
    if (head === '') return response.socket.destroy();
    response.writeHead(200, headers);
    response.write(head, () => response.socket.destroy());
  };
}

/** Nothing is answered, after so much of an answer, until the test is over. */
export function silence(head = '', headers = { 'content-type': 'application/json' }) {
  return (response) => {
    if (head === '') return;
    response.writeHead(200, headers);
    response.write(head);
  };
}
