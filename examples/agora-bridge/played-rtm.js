// @ts-check
/**
 * A stand-in for `agora-rtm`'s `RTM`, for a page without Agora: what its listeners hear, `rollbook replay --serve` plays.
 * It has what this page and the bridge use of a client, takes any token, and plays a channel when that is joined.
 */

/** @typedef {import('agora-rtm').RTMEvents.RTMClientEventMap} EventMap */

export class PlayedRTM {
  #feed;
  /** @type {Map<string, Set<Function>>} */
  #listeners = new Map();
  /** @type {Set<WebSocket>} */
  #playing = new Set();
  #onOver;

  /**
   * @param {string} feed Where it is played: `ws://127.0.0.1:7401/v1/feed`.
   * @param {(channel: string, whole: boolean) => void} [onOver] Nothing more comes of a channel: it has told all, or broke off.
   */
  constructor(feed, onOver) {
    this.#feed = feed;
    this.#onOver = onOver;
  }

  /** @template {keyof EventMap} Name @param {Name} name @param {EventMap[Name]} listener */
  addEventListener(name, listener) {
    this.#listeners.set(name, (this.#listeners.get(name) ?? new Set()).add(listener));
  }

  /** @template {keyof EventMap} Name @param {Name} name @param {EventMap[Name]} listener */
  removeEventListener(name, listener) {
    this.#listeners.get(name)?.delete(listener);
  }

  /** @param {{ token?: string }} [_options] */
  async login(_options) {
    return { timestamp: 0 };
  }

  async logout() {
    for (const socket of this.#playing) socket.close();
    this.#playing.clear();
    this.#listeners.clear();
    return { timestamp: 0 };
  }

  /** @param {string} _token @param {{ channelName?: string }} [_options] */
  async renewToken(_token, _options) {
    return { timestamp: 0 };
  }

  /** @param {string} name */
  createStreamChannel(name) {
    return {
      join: async (/** @type {{ token?: string }} */ _options = {}) => {
        const address = new URL(this.#feed);
        address.searchParams.set('channel', name);
        const socket = new WebSocket(address);
        this.#playing.add(socket);
        await new Promise((resolve, reject) => {
          socket.onopen = resolve;
          socket.onmessage = ({ data }) => this.#tell(JSON.parse(data));
          socket.onclose = ({ code }) => {
            reject(new Error(`"${name}" is not played at ${this.#feed}`));
            if (this.#playing.delete(socket)) this.#onOver?.(name, code === 1000);
          };
        });
        return { timestamp: 0 };
      },
    };
  }

  /** A line without the name of its event is of a topic; one with a `t` is Rollbook's own. @param {{ event?: string, t?: string }} line */
  #tell({ event = 'topic', ...said }) {
    if (said.t !== undefined) return; // the SDK has no such event
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(said);
  }
}
