// @ts-check
/**
 * A stand-in for the server's side of `/v1/ingest`, for what a real one does too rarely to test by: late acknowledgements,
 * a crash between a line and its acknowledgement, tokens that expire at once. What it calls durable outlives `stop`.
 */
import { once } from 'node:events';
import { WebSocketServer } from 'ws';

/** @typedef {{ t?: string, id: string, [field: string]: any }} Line */

export class StandInServer {
  /** Durable lines of each feed. @type {Map<string, Line[]>} */
  feeds = new Map();
  /** All the durable lines of all feeds, once for each time they came. @type {Line[]} */
  log = [];
  /** Each connection: what it asked for, how it ended. @type {{ path: string, query: URLSearchParams, resumedAt: number, code?: number }[]} */
  connections = [];
  /** @type {string[]} */
  renewed = [];
  /** Lines received, durable or not. */
  received = 0;
  /** Does this line reach the disk? The first that does not takes along all behind it. @type {(line: Line) => boolean} */
  keeps = () => true;
  /** Acknowledge at all? */
  acknowledges = true;
  /** Say anything at all? */
  speaks = true;
  /** Is this line one to reject? @type {(line: Line) => string | undefined} */
  rejects = () => undefined;
  /** Who gets in with this token? A close code for who does not. @type {(token: string | null) => number | undefined} */
  refuses = () => undefined;
  /** @type {WebSocketServer | undefined} */
  #server;
  #port = 0;

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start() {
    const server = new WebSocketServer({ host: '127.0.0.1', port: this.#port });
    await once(server, 'listening');
    this.#port = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
    server.on('connection', (socket, request) => this.#greet(socket, new URL(request.url ?? '', this.url)));
    this.#server = server;
    return this;
  }

  /** As a kill -9 would: no farewell. */
  async stop() {
    this.dropAll();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  dropAll() {
    for (const socket of this.#server?.clients ?? []) socket.terminate();
  }

  /** @param {object} said */
  tellAll(said) {
    for (const socket of this.#server?.clients ?? []) socket.send(JSON.stringify(said));
  }

  /** @param {number} code */
  closeAll(code) {
    for (const socket of this.#server?.clients ?? []) socket.close(code);
  }

  /** @param {import('ws').WebSocket} socket @param {URL} address */
  #greet(socket, address) {
    const feed = address.searchParams.get('feed') ?? '';
    const lines = this.feeds.get(feed) ?? [];
    this.feeds.set(feed, lines);
    /** @type {typeof this.connections[number]} */
    const connection = { path: address.pathname, query: address.searchParams, resumedAt: lines.length };
    this.connections.push(connection);
    socket.on('close', (code) => (connection.code = code));
    const refused = this.refuses(address.searchParams.get('access_token'));
    if (refused) return socket.close(refused);
    const say = (/** @type {object} */ said) => this.speaks && socket.send(JSON.stringify(said));
    say({ t: 'resume', line: lines.length });
    let torn = false;
    socket.on('message', (data) => {
      for (const text of `${data}`.split('\n')) {
        const line = JSON.parse(text);
        if (line.t === 'renew') {
          this.renewed.push(line.token);
          continue;
        }
        this.received += 1;
        torn ||= !this.keeps(line);
        if (torn) break;
        lines.push(line);
        const reason = this.rejects(line);
        if (reason) say({ t: 'reject', line: lines.length, reason });
        else this.log.push(line);
      }
      if (this.acknowledges) say({ t: 'ack', line: lines.length, seq: this.log.length });
    });
  }
}
