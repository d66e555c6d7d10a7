// @ts-check
/**
 * A stand-in for Agora: a service that knows who publishes what, and clients with the interface of `agora-rtm`'s `RTM`
 * class as far as the bridge goes. Runs in Node and browsers.
 *
 * What it emits, and in which order, follows the code of agora-rtm 2.3.0 and agora-rtc-sdk-ng 4.24.8. Each stream channel
 * has a connection of its own, whose `linkState` names just it. After a connection that resumed there is no SNAPSHOT:
 * the client compares the gateway's list with its own and emits the differences as live events. All are stamped when
 * they are emitted, by the client's clock and its offset to the server.
 */

/** @typedef {import('agora-rtm').RTMEvents.RTMClientEventMap} EventMap */
/** @typedef {import('agora-rtm').RTMEvents.LinkState} LinkState */
/** @typedef {import('agora-rtm').RTMEvents.LinkStateChangeReasonCode} ReasonCode */
/** @typedef {import('agora-rtm').ServiceType} ServiceType */

/** @typedef {Parameters<EventMap['linkState']>[0]['operation']} Operation */

/** The SDK's own words. @type {Partial<Record<ReasonCode, string>>} */
const REASONS = {
  LOGIN: 'Perform login operation',
  LOGIN_SUCCESS: 'Login success',
  LOGOUT: 'Logout success',
  JOIN: 'Perform join operation',
  REJOIN: 'Perform join operation again',
  JOIN_SUCCESS: 'Join channel success',
  LEAVE: 'Leave channel success',
  AUTO_RECONNECT: 'Reconnecting',
  RECONNECT_SUCCESS: 'Reconnect success',
  TOKEN_EXPIRED: 'Token expired',
  KICKED_OUT_BY_SERVER: 'Kicked out by server',
};

/** Nothing is answered in the same turn. @returns {Promise<void>} */
const answer = () => new Promise((resolve) => setTimeout(resolve));

/** The cloud: rosters, tokens, and how many instances are alive. */
export class Service {
  /** channel → topic → user → meta @type {Map<string, Map<string, Map<string, string>>>} */
  rosters = new Map();
  /** @type {Set<RTM>} */
  alive = new Set();
  /** The most that ever were alive at once. */
  crowd = 0;
  tokens = 0;
  /** Tokens of these numbers are refused. */
  expiredUpTo = 0;
  /** What the steps of all clients were, in order. @type {string[]} */
  steps = [];
  /** After a resume, users that the gateway has not named again are gone so many ms later. */
  offlineAfter = 3_000;

  fetchToken = async (/** @type {string} */ channel = '') => `token-${++this.tokens}${channel && `-${channel}`}`;

  /** @param {string} token */
  refuses(token) {
    return Number(token.split('-')[1]) <= this.expiredUpTo;
  }

  /** @param {string} channel @param {string} topic */
  #topic(channel, topic) {
    const topics = this.rosters.get(channel) ?? new Map();
    this.rosters.set(channel, topics);
    if (!topics.has(topic)) topics.set(topic, new Map());
    return topics.get(topic);
  }

  /** @param {string} channel @param {string} topic @param {string} user */
  join(channel, topic, user, meta = '') {
    this.#topic(channel, topic).set(user, meta);
    for (const rtm of this.alive) rtm.hear('REMOTE_JOIN', channel, topic, user, meta);
  }

  /** @param {string} channel @param {string} topic @param {string} user */
  leave(channel, topic, user) {
    this.#topic(channel, topic).delete(user);
    for (const rtm of this.alive) rtm.hear('REMOTE_LEAVE', channel, topic, user);
  }

  /** @param {string} channel */
  present(channel) {
    const topics = [...(this.rosters.get(channel) ?? [])].map(([topic, users]) => [topic, [...users.keys()].sort()]);
    return Object.fromEntries(topics.filter(([, users]) => users.length > 0));
  }

  /** All tokens given out until now are expired: whoever is connected is thrown out. */
  expireTokens() {
    this.expiredUpTo = this.tokens;
    for (const rtm of [...this.alive]) rtm.fail('TOKEN_EXPIRED');
  }
}

/** One stream channel of a client: a connection of its own, and the client's own list. */
class Stream {
  /** @type {LinkState} */
  state = 'IDLE';
  joined = false;
  hears = false;
  /** The next list is told as a SNAPSHOT, not by its differences. */
  first = true;
  /** topic → user → meta @type {Map<string, Map<string, string>>} */
  list = new Map();
  /** Requests that wait for the connection. @type {(() => void)[]} */
  waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  offline;
}

/** A client of that service, with the interface of the SDK's. */
export class RTM {
  /** @type {Map<string, Set<Function>>} */
  #listeners = new Map();
  /** @type {Map<string, Stream>} */
  #streams = new Map();
  /** @type {LinkState} */
  #messageState = 'IDLE';
  #loggingIn = false;
  /** How far the server's clock is ahead of the client's. */
  offset = 0;

  /** @param {Service} service @param {string} userId */
  constructor(service, userId) {
    this.service = service;
    this.userId = userId;
    service.steps.push('create');
  }

  /** @template {keyof EventMap} Name @param {Name} name @param {EventMap[Name]} listener */
  addEventListener(name, listener) {
    this.#listeners.set(name, (this.#listeners.get(name) ?? new Set()).add(listener));
  }

  /** @template {keyof EventMap} Name @param {Name} name @param {EventMap[Name]} listener */
  removeEventListener(name, listener) {
    this.#listeners.get(name)?.delete(listener);
  }

  get listeners() {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** @template {keyof EventMap} Name @param {Name} name @param {Parameters<EventMap[Name]>} said */
  emit(name, ...said) {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(...said);
  }

  async login({ token = '' } = {}) {
    this.service.steps.push('login');
    this.#messageLink('CONNECTING', 'LOGIN', 'LOGIN');
    this.#loggingIn = true;
    await answer();
    if (!this.#loggingIn) throw new Error('Login is canceled.');
    if (this.service.refuses(token)) {
      this.#messageLink('FAILED', 'TOKEN_EXPIRED', 'LOGIN');
      throw Object.assign(new Error('Token is expired.'), { code: -10009 });
    }
    this.service.alive.add(this);
    this.service.crowd = Math.max(this.service.crowd, this.service.alive.size);
    this.#messageLink('CONNECTED', 'LOGIN_SUCCESS', 'LOGIN');
    return { timestamp: 0 };
  }

  async logout() {
    this.service.steps.push('logout');
    this.#loggingIn = false;
    await answer();
    this.service.alive.delete(this);
    for (const stream of this.#streams.values()) this.#end(stream);
    this.#messageLink('IDLE', 'LOGOUT', 'LOGOUT');
    this.#listeners.clear(); // as the SDK's documentation has it
    return { timestamp: 0 };
  }

  /** A channel's token goes over the channel's own connection, in order with its events: the answer proves that one. */
  async renewToken(/** @type {string} */ token, /** @type {{ channelName?: string } | undefined} */ options) {
    const { channelName } = options ?? {};
    this.service.steps.push(`renew ${channelName ?? ''}`.trim());
    if (this.service.refuses(token)) throw new Error('Token is expired.');
    if (channelName !== undefined) {
      const stream = this.#streams.get(channelName);
      if (!stream?.joined || stream.state !== 'CONNECTED') throw new Error('Channel is not joined.');
      if (!stream.hears) await new Promise((resolve) => stream.waiting.push(() => resolve(undefined)));
      await answer();
    }
    return { timestamp: 0 };
  }

  /** @param {string} name */
  createStreamChannel(name) {
    const stream = this.#streams.get(name) ?? new Stream();
    this.#streams.set(name, stream);
    return {
      join: async ({ token = '' } = {}) => {
        if (!this.service.alive.has(this)) throw new Error('not logged in');
        this.service.steps.push(`join ${name}`);
        const again = stream.state === 'IDLE' ? 'JOIN' : 'REJOIN';
        this.#link(name, 'CONNECTING', again, 'JOIN');
        await answer();
        if (this.service.refuses(token)) {
          this.#link(name, 'FAILED', 'TOKEN_EXPIRED', 'JOIN');
          throw new Error('Token is expired.');
        }
        this.#link(name, 'CONNECTED', 'JOIN_SUCCESS', 'JOIN');
        [stream.joined, stream.hears] = [true, true];
        this.#fullList(name, stream);
        return { timestamp: 0 };
      },
      leave: async () => {
        await answer();
        this.#end(stream);
        this.#link(name, 'IDLE', 'LEAVE', 'LEAVE');
        return { timestamp: 0, channelName: name };
      },
    };
  }

  /** The connection is dead, and nobody has noticed. @param {string} channel */
  lose(channel) {
    const stream = this.#stream(channel);
    clearTimeout(stream.offline);
    stream.hears = false;
  }

  /** The connection is dead, and the client has noticed. @param {string} channel */
  disconnect(channel) {
    this.lose(channel);
    this.#link(channel, 'CONNECTING', 'AUTO_RECONNECT', 'AUTO_RECONNECT');
  }

  /**
   * The connection resumes by itself. `unnamed` are users who are gone: the list still has them, but the gateway does
   * not name them as being there. Kept once the list has been compared.
   * @param {string} channel @param {{ unnamed?: Record<string, string[]> }} [how]
   */
  async reconnect(channel, { unnamed = {} } = {}) {
    const stream = this.#stream(channel);
    stream.hears = true;
    this.#link(channel, 'CONNECTED', 'RECONNECT_SUCCESS', 'RECONNECTED');
    stream.offline = setTimeout(() => {
      for (const [topic, users] of Object.entries(unnamed)) {
        for (const user of users) this.hear('REMOTE_LEAVE', channel, topic, user);
      }
    }, this.service.offlineAfter);
    await answer();
    if (stream.hears) this.#fullList(channel, stream, unnamed);
    for (const go of stream.waiting.splice(0)) go();
  }

  warnOfExpiry() {
    // One end, two events.
    this.emit('tokenPrivilegeWillExpire', '');
    const reason = 'The token is about to expire';
    const affectedResources = { messageChannels: [] };
    this.emit('token', { eventType: 'WILL_EXPIRE', reason, affectedResources, timestamp: this.#now() });
  }

  /** @param {ReasonCode} reasonCode */
  fail(reasonCode) {
    this.service.alive.delete(this);
    this.#messageLink('FAILED', reasonCode, 'SERVER_REJECT');
    for (const [channel, stream] of this.#streams) if (stream.joined) this.failStream(channel, reasonCode);
  }

  /** As an expired token of one channel does. @param {string} channel @param {ReasonCode} reasonCode */
  failStream(channel, reasonCode) {
    this.#end(this.#stream(channel));
    this.#link(channel, 'FAILED', reasonCode, 'SERVER_REJECT');
  }

  /**
   * What the gateway tells while the connection is up. Other metadata of one who is there already is not told.
   * @param {'REMOTE_JOIN' | 'REMOTE_LEAVE'} eventType @param {string} channel @param {string} topic @param {string} user @param {string} [meta]
   */
  hear(eventType, channel, topic, user, meta = '') {
    const stream = this.#streams.get(channel);
    if (!stream?.joined || !stream.hears) return;
    const users = stream.list.get(topic) ?? new Map();
    const known = users.get(user);
    if (eventType === 'REMOTE_JOIN') {
      stream.list.set(topic, users.set(user, meta));
      if (known === undefined) this.#topic(eventType, channel, user, [[topic, [[user, meta]]]]);
    } else if (users.delete(user)) {
      this.#topic(eventType, channel, user, [[topic, [[user, known]]]]);
    }
  }

  /** The gateway's list has come. @param {string} channel @param {Stream} stream @param {Record<string, string[]>} [late] */
  #fullList(channel, stream, late = {}) {
    const list = [...(this.service.rosters.get(channel) ?? [])].filter(([, users]) => users.size > 0);
    if (stream.first) {
      stream.first = false;
      stream.list = new Map(list.map(([topic, users]) => [topic, new Map(users)]));
      this.#topic('SNAPSHOT', channel, '', list.map(([topic, users]) => [topic, [...users]]));
      return;
    }
    const told = new Map(list);
    for (const [topic, users] of stream.list) {
      for (const user of [...users.keys()]) {
        const named = told.get(topic)?.has(user) || late[topic]?.includes(user);
        if (!named) this.hear('REMOTE_LEAVE', channel, topic, user);
      }
    }
    for (const [topic, users] of told) for (const [user, meta] of users) this.hear('REMOTE_JOIN', channel, topic, user, meta);
  }

  /** @param {string} channel */
  #stream(channel) {
    const stream = this.#streams.get(channel);
    if (!stream) throw new Error(`${channel} was never joined`);
    return stream;
  }

  /** Kicked out, left or logged out: the client forgets its list. @param {Stream} stream */
  #end(stream) {
    clearTimeout(stream.offline);
    [stream.joined, stream.hears, stream.first, stream.list] = [false, false, true, new Map()];
  }

  #now() {
    return Date.now() + this.offset;
  }

  /** @param {'SNAPSHOT' | 'REMOTE_JOIN' | 'REMOTE_LEAVE'} eventType @param {string} channelName @param {string} publisher @param {[string, [string, string][]][]} topics */
  #topic(eventType, channelName, publisher, topics) {
    const topicInfos = topics.map(([topicName, users]) => ({
      publishers: users.map(([publisherUserId, publisherMeta]) => ({ publisherUserId, publisherMeta })),
      topicName,
      totalPublisher: users.length,
    }));
    this.emit('topic', { eventType, channelName, publisher, topicInfos, totalTopics: topics.length, timestamp: this.#now() });
  }

  /** @param {string} channel @param {LinkState} currentState @param {ReasonCode} reasonCode @param {Operation} operation */
  #link(channel, currentState, reasonCode, operation) {
    const stream = this.#stream(channel);
    const previousState = stream.state;
    stream.state = currentState;
    const isResumed = currentState === 'CONNECTED' && stream.joined;
    this.#emitLink('STREAM', [channel], { currentState, previousState, reasonCode, operation, isResumed });
  }

  /** The message service's. @param {LinkState} currentState @param {ReasonCode} reasonCode @param {Operation} operation */
  #messageLink(currentState, reasonCode, operation) {
    const previousState = this.#messageState;
    this.#messageState = currentState;
    this.#emitLink('MESSAGE', [], { currentState, previousState, reasonCode, operation, isResumed: false });
  }

  /**
   * @param {ServiceType} serviceType @param {string[]} affectedChannels
   * @param {Pick<Parameters<EventMap['linkState']>[0], 'currentState' | 'previousState' | 'reasonCode' | 'operation' | 'isResumed'>} said
   */
  #emitLink(serviceType, affectedChannels, { currentState, previousState, operation, reasonCode, isResumed }) {
    this.emit('linkState', {
      currentState,
      previousState,
      serviceType,
      operation,
      reason: REASONS[reasonCode] ?? reasonCode,
      reasonCode,
      affectedChannels,
      unrestoredChannels: [],
      timestamp: this.#now(),
      isResumed,
    });
  }
}
