// @ts-check
/**
 * A stand-in for Agora: a service that knows who publishes what, and clients with the interface of `agora-rtm`'s `RTM`
 * class as far as the bridge goes. What it emits, and in which order, follows agora-rtm 2.3.0. Runs in Node and browsers.
 */

/** @typedef {import('agora-rtm').RTMEvents.RTMClientEventMap} EventMap */
/** @typedef {import('agora-rtm').RTMEvents.LinkState} LinkState */
/** @typedef {import('agora-rtm').RTMEvents.LinkStateChangeReasonCode} ReasonCode */
/** @typedef {import('agora-rtm').ServiceType} ServiceType */

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
    for (const rtm of this.alive) rtm.hear('REMOTE_LEAVE', channel, topic, user, '');
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

/** A client of that service, with the interface of the SDK's. */
export class RTM {
  /** @type {Map<string, Set<Function>>} */
  #listeners = new Map();
  /** Joined channels, and whether they hear. @type {Map<string, boolean>} */
  #joined = new Map();
  /** @type {Map<string, LinkState>} */
  #states = new Map();
  #loggingIn = false;

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
    this.#link('CONNECTING', 'LOGIN');
    this.#loggingIn = true;
    await answer();
    if (!this.#loggingIn) throw new Error('Login is canceled.');
    if (this.service.refuses(token)) {
      this.#link('FAILED', 'TOKEN_EXPIRED');
      throw Object.assign(new Error('Token is expired.'), { code: -10009 });
    }
    this.service.alive.add(this);
    this.service.crowd = Math.max(this.service.crowd, this.service.alive.size);
    this.#link('CONNECTED', 'LOGIN_SUCCESS');
    return { timestamp: 0 };
  }

  async logout() {
    this.service.steps.push('logout');
    this.#loggingIn = false;
    await answer();
    this.service.alive.delete(this);
    this.#joined.clear();
    this.#link('IDLE', 'LOGOUT');
    this.#listeners.clear(); // as the SDK's documentation has it
    return { timestamp: 0 };
  }

  /** @param {string} token @param {{ channelName?: string }} [options] */
  async renewToken(token, options) {
    this.service.steps.push(`renew ${options?.channelName ?? ''}`.trim());
    if (this.service.refuses(token)) throw new Error('Token is expired.');
    return { timestamp: 0 };
  }

  /** @param {string} name */
  createStreamChannel(name) {
    return {
      join: async ({ token = '' } = {}) => {
        if (!this.service.alive.has(this)) throw new Error('not logged in');
        this.service.steps.push(`join ${name}`);
        this.#link('CONNECTING', 'JOIN', name);
        await answer();
        if (this.service.refuses(token)) {
          this.#link('FAILED', 'TOKEN_EXPIRED', name);
          throw new Error('Token is expired.');
        }
        this.#joined.set(name, true);
        this.#link('CONNECTED', 'JOIN_SUCCESS', name);
        this.#snapshot(name);
        return { timestamp: 0 };
      },
    };
  }

  /** What happens in the channel now, nobody hears here. @param {string} channel */
  disconnect(channel) {
    this.#joined.set(channel, false);
    this.#link('DISCONNECTED', 'KEEP_ALIVE_TIMEOUT', channel);
  }

  /** @param {string} channel */
  reconnect(channel) {
    this.#link('CONNECTING', 'AUTO_RECONNECT', channel);
    this.#joined.set(channel, true);
    this.#link('CONNECTED', 'RECONNECT_SUCCESS', channel);
    this.#snapshot(channel);
  }

  warnOfExpiry() {
    // One end, two events.
    this.emit('tokenPrivilegeWillExpire', '');
    const reason = 'The token is about to expire';
    const affectedResources = { messageChannels: [] };
    this.emit('token', { eventType: 'WILL_EXPIRE', reason, affectedResources, timestamp: Date.now() });
  }

  /** @param {ReasonCode} reasonCode */
  fail(reasonCode) {
    this.service.alive.delete(this);
    const channels = [...this.#joined.keys()];
    this.#joined.clear();
    this.#link('FAILED', reasonCode);
    for (const channel of channels) this.#link('FAILED', reasonCode, channel);
  }

  /** @param {'REMOTE_JOIN' | 'REMOTE_LEAVE'} eventType @param {string} channel @param {string} topic @param {string} user @param {string} meta */
  hear(eventType, channel, topic, user, meta) {
    if (this.#joined.get(channel)) this.#topic(eventType, channel, user, [[topic, [[user, meta]]]]);
  }

  /** @param {string} channel */
  #snapshot(channel) {
    const topics = [...(this.service.rosters.get(channel) ?? [])].filter(([, users]) => users.size > 0);
    this.#topic('SNAPSHOT', channel, '', topics.map(([topic, users]) => [topic, [...users]]));
  }

  /** @param {'SNAPSHOT' | 'REMOTE_JOIN' | 'REMOTE_LEAVE'} eventType @param {string} channelName @param {string} publisher @param {[string, [string, string][]][]} topics */
  #topic(eventType, channelName, publisher, topics) {
    const topicInfos = topics.map(([topicName, users]) => ({
      topicName,
      publishers: users.map(([publisherUserId, publisherMeta]) => ({ publisherUserId, publisherMeta })),
      totalPublisher: users.length,
    }));
    this.emit('topic', { eventType, channelName, publisher, topicInfos, totalTopics: topics.length, timestamp: Date.now() });
  }

  /** @param {LinkState} currentState @param {ReasonCode} reasonCode @param {string} [channel] of none: the message service */
  #link(currentState, reasonCode, channel) {
    const key = channel ?? '';
    const previousState = this.#states.get(key) ?? 'IDLE';
    this.#states.set(key, currentState);
    this.emit('linkState', {
      currentState,
      previousState,
      serviceType: channel === undefined ? 'MESSAGE' : 'STREAM',
      operation: 'LOGIN',
      reason: reasonCode,
      reasonCode,
      affectedChannels: channel === undefined ? [] : [channel],
      unrestoredChannels: [],
      isResumed: false,
      timestamp: Date.now(),
    });
  }
}
