// @ts-check
/**
 * Follows the log over a WebSocket. It begins behind an entry and goes on behind the last one that it has, over
 * connections that break: no entry is missing and none comes twice. Entries come in batches, so that a crowd costs one
 * drawing and not a thousand.
 */

import { Trouble, list, socketAddress } from './api.js';

/** @typedef {import('./model.js').Row} Row */
/**
 * - `joining`: not connected yet. `live`: all that there is has come.
 * - `lost`: the server is not reached; it is tried again at `again`.
 * - `token`: it answers, but not without another token.
 * @typedef {{ is: 'joining' | 'live' | 'lost' | 'token' | 'ended', again?: number }} LiveState
 */

const FIRST_WAIT = 250;
const LONGEST_WAIT = 8_000;
const BATCH_MS = 40;
const CLOSE_TOKEN_EXPIRED = 4401;
const CLOSE_TOO_SLOW = 4408;

export class Live {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #flush;
  /** @type {Row[]} */
  #batch = [];
  #wait = FIRST_WAIT;
  #ended = false;
  #options;
  #seq;

  /**
   * @param {object} options
   * @param {string} [options.channel] All where missing.
   * @param {number} options.seq Entries behind this one.
   * @param {(entries: Row[]) => void} options.onEntries
   * @param {(state: LiveState) => void} options.onState
   * @param {(inMs: number) => void} options.onExpiring The token ends soon.
   */
  constructor(options) {
    this.#options = options;
    this.#seq = options.seq;
    this.#connect();
  }

  #connect() {
    if (this.#ended) return;
    clearTimeout(this.#timer);
    this.#options.onState({ is: 'joining' });
    const socket = new WebSocket(socketAddress('v1/subscribe', { channel: this.#options.channel, after_seq: this.#seq }));
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => (opened = true);
    socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    socket.onclose = ({ code }) => {
      if (this.#socket !== socket || this.#ended) return;
      this.#socket = null;
      if (code === CLOSE_TOKEN_EXPIRED) this.#options.onState({ is: 'token' });
      else if (code === CLOSE_TOO_SLOW) this.#connect();
      else if (opened) this.#again();
      else void this.#why();
    };
  }

  /** A browser does not say why a socket did not open; a request does. */
  async #why() {
    try {
      await list('v1/history', { channel: this.#options.channel, limit: 0 });
    } catch (error) {
      if (error instanceof Trouble && error.kind === 'token') return this.#options.onState({ is: 'token' });
    }
    return this.#again();
  }

  #again() {
    if (this.#ended) return;
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
    this.#options.onState({ is: 'lost', again: Date.now() + wait });
    this.#timer = setTimeout(() => this.#connect(), wait);
  }

  /** @param {Row} said */
  #hear(said) {
    if (said.t === 'live') {
      this.#wait = FIRST_WAIT;
      this.#give();
      this.#options.onState({ is: 'live' });
    } else if (said.t === 'token') {
      if (said.state === 'will_expire') this.#options.onExpiring(said.in_ms);
    } else if (said.seq > this.#seq) {
      this.#seq = said.seq;
      this.#batch.push(said);
      this.#flush ??= setTimeout(() => this.#give(), BATCH_MS);
    }
  }

  #give() {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length) this.#options.onEntries(batch);
  }

  /** Tries at once, perhaps with another token. */
  retry() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#wait = FIRST_WAIT;
    this.#connect();
  }

  /** Goes on with this token, without a break. @param {string} token */
  renew(token) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ t: 'renew', token }));
    else this.retry();
  }

  close() {
    this.#ended = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#flush);
    this.#socket?.close();
  }
}
