// @ts-check
/**
 * The bridge from Agora to Rollbook: what an `agora-rtm` 2.x client tells of topics, links and tokens goes to a running
 * `rollbook serve`, each event once. For the browser, without dependencies; the server has all of it, as one module, at
 * `/bridge.js`.
 *
 *     import { attach } from 'https://rollbook.example/bridge.js'
 *     const bridge = attach(rtm, { url: 'https://rollbook.example', observer: 'lobby', self: userId, token: fetchToken })
 *
 * `Outbox` numbers lines and keeps them until they are acknowledged; `Bridge` carries them over a WebSocket that may
 * break at any moment; `Resync` finds out when a resumed channel has told all; `keepAlive` replaces a client whose token
 * has expired. What events mean is the server's business.
 *
 * Lines wait in memory: a page that is closed or reloaded loses those that are not acknowledged yet. The server then
 * sees a connection end without a farewell, and notes a gap.
 */

import { Outbox } from './bridge/outbox.js';
import { Resync, SETTLE } from './bridge/resync.js';
import { atMost, delay } from './bridge/timing.js';

/** @typedef {import('./bridge/resync.js').Probe} Probe */
/** @typedef {import('./bridge/timing.js').Retry} Retry */
/** @typedef {import('agora-rtm').RTMClient} RTMClient */
/** @typedef {import('agora-rtm').RTMEvents.RTMClientEventMap} EventMap */
/** @typedef {Pick<RTMClient, 'addEventListener' | 'removeEventListener'>} Source What the bridge needs of a client. */
/** @typedef {Source & Pick<RTMClient, 'login' | 'logout' | 'renewToken'>} Account What `keepAlive` needs of one. */

/**
 * Something that the page should know; the bridge goes on in any case.
 * - `connection`: the one to Rollbook was lost. Nothing is, yet.
 * - `lost`: `count` events or more will not be recorded: the buffer was full, or `detach` ran out of time.
 * - `rejected`: the server put the line `text` aside, because of `message`.
 * - `feed`: the server knows another past of this feed (was its store put back?). The bridge goes on under a new id.
 * - `token`: one of either service has expired, could not be had or not be renewed.
 * - `login`: a client could not log in, join or log out, or Agora ended its session, for `reasonCode`.
 * - `resync`: a resumed channel could not be asked whether it has told all. It is asked again.
 * @typedef {{ kind: 'connection' | 'lost' | 'rejected' | 'feed' | 'token' | 'login' | 'resync', message: string, count?: number,
 *   text?: string, reasonCode?: string, cause?: unknown }} Problem
 */

/**
 * @typedef {object} Options
 * @property {string} url The server, `http(s):` or `ws(s):`; a path is kept, and `/v1/ingest` goes behind it.
 * @property {string} observer Who watches. One bridge at a time speaks for one observer.
 * @property {string} [self] The client's own user id: a snapshot that lacks it does not say that it left.
 * @property {string | (() => string | Promise<string>)} [token] Rollbook's, or better: what fetches a fresh one.
 * @property {string} [feed] The id of this unbroken connection; made up where missing. Never use one twice.
 * @property {boolean} [presence] Forward `presence` events, too.
 * @property {Probe} [probe] Lets the bridge say when a resumed channel has told all. `keepAlive` has one.
 * @property {{ resumed: number, quiet: number }} [settle] Ask so many ms after a resume, and after the last event: 4 s, 2 s.
 * @property {number} [maxBuffered] How much may wait for its acknowledgement, in UTF-16 units: 8 Mi, some 20,000 events.
 * @property {Retry} [retry] 250 ms to 15 s.
 * @property {number} [patience] A server that owes an answer for so many ms is given up: 20,000.
 * @property {(problem: Problem) => void} [onError]
 * @property {(line: number, seq: number) => void} [onAck] The feed is durable up to this line, the log's entry `seq`.
 * @property {typeof WebSocket} [WebSocket] Another one than the global.
 */

const BUFFERED_MOST = 8 * 1024 * 1024;
const LINE_LENGTH_MOST = 4 * 1024 * 1024; // in UTF-8 below 16 MiB, beyond which the server takes no line
const PATIENCE = 20_000;
const RETRY = { first: 250, most: 15_000 };
const RETRY_LOGIN = { first: 1_000, most: 60_000 };
const LOGOUT_PATIENCE = 10_000;

const CLOSE_DONE = 1000;
const CLOSE_GIVEN_UP = 4000; // anything but 1000 tells the server that somebody still meant to watch
const CLOSE_TOKEN_EXPIRED = 4401;
const CLOSE_REPLACED = 4409;

/** For these, Agora wants a new instance. Others (a ban, the same user elsewhere) are for the application to judge. */
const TOKEN_IS_DEAD = ['TOKEN_EXPIRED', 'INVALID_TOKEN'];

// `crypto.randomUUID` is missing on pages that came over plain HTTP.
const unique = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('');

/** One feed, over connections that break. Made by `attach` and `keepAlive`. */
class Bridge {
  #options;
  #feed;
  #outbox = new Outbox();
  #life = unique(); // ids must not repeat, even where a page uses a feed twice
  #events = 0;
  #lost = 0;
  #ahead = 0; // the client's events against the clock of this page, in ms
  /** Does the server have the client's own list? By channel. @type {Record<'topic' | 'presence', Map<string, boolean>>} */
  #listed = { topic: new Map(), presence: new Map() };
  #overflowed = false;
  /** @type {'connecting' | 'open' | 'waiting' | 'closed'} */
  #state = 'waiting'; // for the next try
  #connection = 0; // whatever calls back from an older one is not heard
  #failures = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {string | undefined} */
  #bearer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {(() => void) | undefined} */
  #unwatch;
  #endResync = () => {};
  /** @type {Promise<number> | undefined} */
  #detached;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#feed = options.feed ?? unique();
    this.#connect(new URL(options.url)); // a wrong one fails here
  }

  /** Counts events: not acknowledged yet, acknowledged, come while the buffer was full. */
  get status() {
    const { size: pending, acknowledged } = this.#outbox;
    return { state: this.#state, feed: this.#feed, pending, acknowledged, lost: this.#lost };
  }

  /** True as soon as all events until now are durable, false if `detach` gives them up. */
  flushed() { return this.#outbox.flushed(); }

  /** The time by the clock of the client's events, for lines of the bridge's own that stand beside them. */
  now() { return Date.now() + this.#ahead; }

  /** Listens to this client, and no more to the one before. @param {Source} rtm @param {Probe} [probe] */
  watch(rtm, probe = this.#options.probe) {
    this.#unwatch?.();
    this.#forget();
    const { settle = SETTLE } = this.#options;
    const resync = probe && new Resync({
      probe,
      settle,
      now: () => this.now(),
      onSynced: (channel, ts) => this.note({ t: 'link', state: 'synced', channels: [channel], ts }),
      onFailure: (channel, cause) =>
        this.report({ kind: 'resync', message: `whether "${channel}" has told all could not be asked`, cause }),
    });
    const tell = (/** @type {{ timestamp?: number }} */ said, /** @type {object} */ line = said) => {
      if (said.timestamp) this.#ahead = said.timestamp - Date.now();
      this.note(line);
    };
    /** @type {Pick<EventMap, 'topic' | 'linkState' | 'token' | 'tokenPrivilegeWillExpire'> & Partial<Pick<EventMap, 'presence'>>} */
    const listeners = {
      topic: (said) => {
        tell(said);
        this.#list('topic', said.channelName, said.eventType);
        resync?.[said.eventType === 'SNAPSHOT' ? 'end' : 'heard'](said.channelName);
      },
      linkState: (said) => {
        const { serviceType, affectedChannels = [] } = said;
        const resumed = () => said.isResumed && this.#followed(serviceType, affectedChannels);
        tell(said, { event: 'linkState', ...said, isResumed: resumed() });
        if (serviceType !== 'STREAM') return;
        const step = resumed() ? 'begin' : 'end'; // the line itself may have been lost
        for (const channel of affectedChannels) resync?.[step](channel);
      },
      token: (said) => tell(said, { event: 'token', ...said }),
      // The SDK gives no time with this one.
      tokenPrivilegeWillExpire: (channelName = '') =>
        this.note({ event: 'tokenPrivilegeWillExpire', channelName, timestamp: this.now() }),
    };
    if (this.#options.presence) {
      listeners.presence = (said) => {
        tell(said);
        this.#list('presence', `${said.channelType} ${said.channelName}`, said.eventType);
      };
    }
    const names = /** @type {(keyof typeof listeners)[]} */ (Object.keys(listeners));
    for (const name of names) rtm.addEventListener(name, /** @type {any} */ (listeners[name]));
    this.#unwatch = () => {
      for (const name of names) rtm.removeEventListener(name, /** @type {any} */ (listeners[name]));
      resync?.end();
      this.#unwatch = undefined;
    };
    this.#endResync = () => resync?.end();
  }

  /** @param {'topic' | 'presence'} of @param {string} channel @param {string} eventType */
  #list(of, channel, eventType) {
    const listed = this.#listed[of];
    if (eventType === 'SNAPSHOT' && !this.#overflowed) listed.set(channel, true);
    else if (!listed.has(channel)) listed.set(channel, false);
  }

  /**
   * Does the server have what the client compares with? Differences from a list that it has not had, or not whole, say
   * nothing: such a resume is told as a plain one, and its gap waits for a SNAPSHOT.
   * @param {string} serviceType @param {string[]} channels
   */
  #followed(serviceType, channels) {
    const { topic, presence } = this.#listed;
    return serviceType !== 'MESSAGE' ? channels.every((channel) => topic.get(channel)) : [...presence.values()].every(Boolean);
  }

  /** Events are missing from here on, or before: no list is whole. */
  #forget() {
    for (const listed of Object.values(this.#listed)) for (const channel of listed.keys()) listed.set(channel, false);
    this.#endResync();
  }

  /**
   * Sends one event, of any shape that Rollbook reads.
   *
   * A full buffer keeps what it has: without its oldest lines the server could not see what is missing. What comes now
   * is lost, and the log says so in this very place: link down, and up again when half of the buffer is free.
   * @param {object} event
   */
  note(event) {
    if (this.#state === 'closed') return;
    const line = this.#line(event); // at once: the SDK may change its object
    const full = this.#outbox.length >= (this.#options.maxBuffered ?? BUFFERED_MOST);
    if (!this.#overflowed && (full || line.length > LINE_LENGTH_MOST)) {
      this.#overflowed = true;
      this.#forget();
      this.#outbox.add(this.#line({ t: 'link', state: 'down', reason: 'bridge_overflow', ts: this.now() }));
      const what = full ? 'the buffer is full' : `an event is ${line.length} long`;
      this.report({ kind: 'lost', count: 1, message: `${what}: events are lost until half of the buffer is free` });
    }
    if (this.#overflowed) this.#lost += 1;
    else this.#outbox.add(line);
    this.#pump();
  }

  /**
   * Listens no more, waits until all is acknowledged, at most `within` ms, and says farewell. Returns how many events
   * were given up.
   */
  detach({ within = 10_000 } = {}) {
    this.#detached ??= (async () => {
      this.#unwatch?.();
      // Whatever the client goes on to do, nobody watches from here on.
      if (this.#events > 0 && !this.#overflowed) {
        this.note({ t: 'link', state: 'down', reason: 'bridge_detached', ts: this.now() });
      }
      await atMost(within, this.flushed());
      const count = this.#outbox.size;
      if (count > 0) this.report({ kind: 'lost', count, message: 'detached before all was acknowledged' });
      this.#hangUp(count > 0 ? CLOSE_GIVEN_UP : CLOSE_DONE);
      this.#state = 'closed';
      this.#outbox.abandon();
      return count;
    })();
    return this.#detached;
  }

  /** Later, for a listener that throws must break neither the bridge nor the SDK. @param {Problem} problem */
  report(problem) { queueMicrotask(() => this.#options.onError?.(problem)); }

  /** @param {object} event */
  #line(event) {
    return JSON.stringify({ ...event, id: `${this.#life}.${++this.#events}`, self: this.#options.self });
  }

  async #connect(address = new URL(this.#options.url)) {
    const connection = ++this.#connection;
    const current = () => connection === this.#connection;
    this.#state = 'connecting';
    this.#expectNothing();
    this.#expectWord();
    const { observer, token, WebSocket: Socket = WebSocket } = this.#options;
    try {
      const bearer = typeof token === 'function' ? await token() : token;
      if (!current()) return;
      this.#bearer = bearer;
      address.protocol = address.protocol.replace('http', 'ws');
      address.pathname = `${address.pathname.replace(/\/$/, '')}/v1/ingest`;
      address.search = `${new URLSearchParams({ observer, feed: this.#feed, ...(bearer && { access_token: bearer }) })}`;
      const socket = new Socket(address.href);
      socket.onmessage = ({ data }) => current() && this.#heard(JSON.parse(data));
      socket.onclose = ({ code }) => current() && this.#ended(code);
      socket.onerror = () => {}; // the close that follows says more
      this.#socket = socket;
    } catch (cause) {
      if (!current()) return;
      this.report({ kind: 'token', message: 'no token for Rollbook could be had, or no socket opened', cause });
      this.#later();
    }
  }

  /** @param {{ t: string, line: number, seq: number, reason: string, state: string }} said */
  #heard({ t, line, seq, reason, state }) {
    this.#expectNothing();
    if (t === 'resume') this.#resume(line);
    if (t === 'ack') this.#acknowledged(line, seq);
    if (t === 'reject') {
      this.#forget();
      this.report({ kind: 'rejected', message: reason, text: this.#outbox.line(line) });
    }
    if (t === 'token' && state === 'will_expire') this.#renew();
    if (t === 'token' && state === 'refused') this.report({ kind: 'token', message: reason });
    this.#pump();
  }

  /** @param {number} line */
  #resume(line) {
    if (this.#outbox.resume(line)) {
      this.#state = 'open';
      return;
    }
    this.report({ kind: 'feed', message: `the server has feed ${this.#feed} up to line ${line}, which does not fit` });
    this.#feed = unique();
    this.#outbox.renumber();
    this.#hangUp(CLOSE_GIVEN_UP);
    this.#later();
  }

  /** @param {number} line @param {number} seq */
  #acknowledged(line, seq) {
    queueMicrotask(() => this.#options.onAck?.(line, seq));
    this.#failures = 0;
    this.#outbox.settle(line);
    if (this.#overflowed && this.#outbox.length * 2 <= (this.#options.maxBuffered ?? BUFFERED_MOST)) {
      this.#overflowed = false;
      this.note({ t: 'link', state: 'up', reason: 'bridge_overflow_over', ts: this.now() });
    }
  }

  async #renew() {
    const { token } = this.#options;
    const socket = this.#socket;
    if (typeof token !== 'function') return;
    try {
      const fresh = await token();
      // The same one again would only be warned of again.
      if (socket !== this.#socket || fresh === this.#bearer) return;
      this.#bearer = fresh;
      socket?.send(JSON.stringify({ t: 'renew', token: fresh }));
    } catch (cause) {
      // Not the last chance: the next connection asks again.
      this.report({ kind: 'token', message: 'the token for Rollbook could not be renewed', cause });
    }
  }

  #pump() {
    if (this.#state === 'open') {
      for (let text; (text = this.#outbox.take()) !== undefined; ) this.#socket?.send(text);
    }
    this.#expectWord();
  }

  /** A half-open connection never ends by itself: a server that owes an answer is given up after a while. */
  #expectWord() {
    const owed = this.#state === 'connecting' || (this.#state === 'open' && this.#outbox.underWay > 0);
    if (!owed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#hangUp(CLOSE_GIVEN_UP);
      this.#ended(undefined);
    }, this.#options.patience ?? PATIENCE);
  }

  #expectNothing() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @param {number | undefined} code */
  #ended(code) {
    if (code === CLOSE_TOKEN_EXPIRED) this.report({ kind: 'token', message: 'the token for Rollbook has expired' });
    else this.report({ kind: 'connection', message: `the connection to Rollbook ended (${code ?? 'silence'})` });
    // Another bridge speaks for this observer. The two should not throw each other out without a pause.
    if (code === CLOSE_REPLACED) this.#failures = Infinity;
    this.#later();
  }

  #later() {
    this.#state = 'waiting';
    this.#socket = undefined;
    this.#expectNothing();
    this.#timer = setTimeout(() => this.#connect(), delay(this.#options.retry ?? RETRY, this.#failures++));
  }

  /** @param {number} code */
  #hangUp(code) {
    this.#connection += 1;
    this.#expectNothing();
    this.#socket?.close(code);
    this.#socket = undefined;
  }
}

/**
 * Forwards what this client tells, from now on: attach before `login()`, for the client says nothing twice.
 * @param {Source} rtm
 * @param {Options} options
 */
export function attach(rtm, options) {
  const bridge = new Bridge(options);
  bridge.watch(rtm);
  return bridge;
}

/**
 * Keeps a client logged in, and a bridge attached to it. Tokens are renewed when Agora warns of their end. When one has
 * expired all the same, Agora wants a new instance: logout, `create`, login with a new token, `join` again. Never are two
 * alive at once, and each step is in the log. Any other end of a session is told to `onError`: `restart` or `stop`.
 * @template {Account} T
 * @param {object} how
 * @param {() => T} how.create Makes a client, not logged in: `() => new AgoraRTM.RTM(appId, userId)`. agora-rtm 2.3.0
 *   refuses a page its second instance for one user, even after a logout, unless told before:
 *   `AgoraRTM.setParameter('IGNORE_DUPLICATE_USER_ID_ERR', true)`.
 * @param {(channel?: string) => string | Promise<string>} how.fetchToken Agora's, to log in or for this stream channel.
 * @param {(rtm: T) => unknown} [how.join] Joins the channels with a client that has logged in: the first and each new one.
 * @param {Options} how.bridge
 * @param {Retry} [how.retry] Of the login: 1 s to 60 s. Agora refuses who is too hasty.
 */
export function keepAlive({ create, fetchToken, join, bridge: options, retry = RETRY_LOGIN }) {
  const bridge = new Bridge(options);
  let stopped = false;
  /** Ends the present instance, or the wait for the next. @type {() => void} */
  let end = () => {};

  const failed = (/** @type {unknown} */ cause) =>
    bridge.report({ kind: 'login', message: 'login, join or logout failed', cause });

  /** One instance, from its creation to its logout. */
  async function live() {
    const rtm = create();
    const renewing = new Set();
    let [over, loggedIn] = [false, false];
    const ended = new Promise((resolve) => (end = () => resolve((over = true))));

    const renew = async (channel = '') => {
      if (over || renewing.has(channel)) return; // the SDK warns of a login's end by two events
      renewing.add(channel);
      try {
        const token = await fetchToken(channel || undefined);
        if (over) return;
        await rtm.renewToken(token, channel ? { channelName: channel } : undefined);
        bridge.note({ t: 'token', state: 'renewed', channel: channel || undefined, ts: bridge.now() });
      } catch (cause) {
        bridge.report({ kind: 'token', message: "Agora's token could not be renewed", cause });
      } finally {
        renewing.delete(channel);
      }
    };
    /** @type {EventMap['linkState']} */
    const judge = ({ currentState, reasonCode, reason, serviceType, affectedChannels }) => {
      if (over || currentState !== 'FAILED') return;
      bridge.report({ kind: 'login', message: `Agora ended the session: ${reason}`, reasonCode });
      const [channel] = serviceType === 'STREAM' ? affectedChannels : [];
      if (reasonCode === 'TOKEN_EXPIRED') bridge.note({ t: 'token', state: 'expired', channel, ts: bridge.now() });
      if (TOKEN_IS_DEAD.includes(reasonCode)) end();
    };
    const probe = async (/** @type {string} */ channel) => {
      const token = await fetchToken(channel);
      if (over || !token) return false; // a project in testing mode has none
      await rtm.renewToken(token, { channelName: channel });
      bridge.note({ t: 'token', state: 'renewed', channel, ts: bridge.now() });
    };
    bridge.watch(rtm, options.probe ?? probe); // listens first, so that Agora's own words stand before ours
    rtm.addEventListener('linkState', judge);
    rtm.addEventListener('tokenPrivilegeWillExpire', renew);
    rtm.addEventListener('token', ({ eventType }) => void (eventType === 'WILL_EXPIRE' && renew()));

    const rise = async () => {
      const token = await fetchToken();
      if (over) return;
      await rtm.login({ token });
      loggedIn = true;
      if (!over) await join?.(rtm);
    };
    try {
      await Promise.race([rise(), ended]);
      await ended;
    } finally {
      over = true;
      if (loggedIn) bridge.note({ t: 'link', state: 'down', reason: 'logout', ts: bridge.now() });
      // Should it not answer: of two logins of one user, Agora itself ends the older.
      await atMost(LOGOUT_PATIENCE, rtm.logout()).catch(failed);
    }
  }

  const running = (async () => {
    for (let failures = 0; !stopped; ) {
      const born = Date.now();
      await live().catch(failed);
      // After a long life the next instance comes at once; after a short one, the token server may be at fault.
      failures = Date.now() - born > retry.most ? 0 : failures + 1;
      if (failures && !stopped) {
        await atMost(delay(retry, failures - 1), new Promise((resolve) => (end = () => resolve(undefined))));
      }
    }
  })();

  return {
    bridge,
    /** Replaces the client. */
    restart: () => end(),
    /** Logs out for good and detaches; returns how many events were given up. */
    async stop() {
      stopped = true;
      end();
      await running;
      return bridge.detach();
    },
  };
}
