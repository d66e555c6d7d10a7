/** What Agora asks of who keeps a client logged in: renew in time, else log out, make a new instance, log in, join again. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { keepAlive } from '../../src/server/bridge.js';
import { RTM, Service } from './stand-in-rtm.mjs';
import { StandInServer } from './stand-in-server.mjs';
import { numbers, range, until } from './support.mjs';

let server, service, instances, problems, alive;

const kept = (how = {}) => {
  alive = keepAlive({
    create: () => instances[instances.push(new RTM(service, 'me')) - 1],
    fetchToken: service.fetchToken,
    join: async (rtm) => rtm.createStreamChannel('room').join({ token: await service.fetchToken('room') }),
    bridge: { url: server.url, observer: 'lobby', self: 'me', WebSocket, onError: (problem) => problems.push(problem) },
    retry: { first: 5, most: 40 },
    ...how,
  });
};

/** Until the newest instance has joined for the nth time. */
const joined = (times) => until(() => service.steps.filter((step) => step === 'join room').length === times);
const snapshots = (times) => until(() => server.log.filter(({ eventType }) => eventType === 'SNAPSHOT').length === times);
const own = () => server.log.filter(({ t }) => t).map(({ t, state, reason = '' }) => `${t} ${state} ${reason}`.trim());

beforeEach(async () => {
  server = await new StandInServer().start();
  service = new Service();
  [instances, problems] = [[], []];
});

afterEach(async () => {
  await alive.stop();
  await server.stop();
  assert.ok(service.crowd <= 1, 'never two instances at once');
  assert.equal(service.alive.size, 0);
});

test('an expired token: logout, a new instance, login, join, and a new snapshot in the log', async () => {
  service.join('room', 'chat', 'tony');
  kept();
  await snapshots(1);
  service.expireTokens();
  service.leave('room', 'chat', 'tony');
  service.join('room', 'chat', 'lily');
  await snapshots(2);
  await alive.bridge.flushed();

  const life = ['create', 'login', 'join room'];
  assert.deepEqual(service.steps, [...life, 'logout', ...life]);
  assert.deepEqual(own(), ['token expired', 'link down logout']);
  const links = server.log.filter(({ event }) => event === 'linkState');
  assert.ok(links.some(({ currentState, reasonCode }) => currentState === 'FAILED' && reasonCode === 'TOKEN_EXPIRED'));
  assert.deepEqual(links.at(-1).affectedChannels, ['room']);
  assert.equal(links.at(-1).currentState, 'CONNECTED');
  assert.deepEqual(server.log.at(-1).topicInfos[0].publishers, [{ publisherUserId: 'lily', publisherMeta: '' }]);
  assert.deepEqual(numbers(server.log), range(1, server.log.length));
  assert.equal(server.feeds.size, 1);
  assert.equal(instances[0].listeners, 0);
});

test('the expiry of one channel\'s token names that channel', async () => {
  kept();
  await snapshots(1);
  instances[0].emit('linkState', {
    currentState: 'FAILED', previousState: 'CONNECTED', serviceType: 'STREAM', operation: 'SERVER_REJECT', reason: '',
    reasonCode: 'TOKEN_EXPIRED', affectedChannels: ['room'], unrestoredChannels: [], isResumed: false, timestamp: 0,
  });
  await snapshots(2);
  assert.equal(server.log.find(({ state }) => state === 'expired').channel, 'room');
});

test('a token is renewed in time, once for the login\'s two warnings, and by its channel for a channel', async () => {
  kept();
  await snapshots(1);
  instances[0].warnOfExpiry();
  instances[0].emit('tokenPrivilegeWillExpire', 'room');
  await until(() => own().length === 2);
  assert.deepEqual(service.steps.slice(3).sort(), ['renew', 'renew room']);
  assert.deepEqual(own(), ['token renewed', 'token renewed']);
  assert.deepEqual(server.log.filter(({ t }) => t).map(({ channel }) => channel).sort(), ['room', undefined]);
  assert.equal(instances.length, 1);
});

test('a renewal that fails is told; the expiry that follows replaces the client', async () => {
  kept();
  await snapshots(1);
  instances[0].renewToken = async () => { throw new Error('no'); };
  instances[0].warnOfExpiry();
  await until(() => problems.some(({ kind }) => kind === 'token'));
  service.expireTokens();
  await snapshots(2);
  assert.equal(instances.length, 2);
});

test('a token server that hands out old tokens, or none, is asked again', async () => {
  let tries = 0;
  kept({
    fetchToken: (channel) => {
      tries += 1;
      if (tries === 1) throw new Error('the token server is down');
      return tries < 4 ? 'token-0' : service.fetchToken(channel);
    },
  });
  await snapshots(1);
  assert.deepEqual(service.steps.slice(-3), ['create', 'login', 'join room']);
  assert.equal(instances.length, 4);
  assert.ok(problems.some(({ cause }) => cause?.message === 'the token server is down'));
});

test('a token that expires while joining does not leave two instances', async () => {
  let first = true;
  kept({
    join: async (rtm) => {
      if (first) {
        first = false;
        service.expireTokens();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await rtm.createStreamChannel('room').join({ token: await service.fetchToken('room') });
    },
  });
  await snapshots(1);
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(instances.length, 2);
  assert.equal(service.steps.filter((step) => step === 'join room').length, 1);
});

test('the same user elsewhere: told, and left to the application', async () => {
  kept();
  await snapshots(1);
  instances[0].fail('SAME_UID_LOGIN');
  await until(() => problems.some(({ reasonCode }) => reasonCode === 'SAME_UID_LOGIN'));
  assert.equal(instances.length, 1);
  alive.restart();
  await snapshots(2);
  assert.equal(instances.length, 2);
});

test('stop in the middle of a wait for the next try ends it', async () => {
  kept({ fetchToken: () => { throw new Error('down for good'); }, retry: { first: 600_000, most: 600_000 } });
  await until(() => problems.length > 0);
  assert.equal(await alive.stop(), 0);
});

test('a token that comes after the stop logs nobody in', async () => {
  let answer;
  kept({ fetchToken: () => new Promise((resolve) => (answer = resolve)) });
  await until(() => answer !== undefined);
  await alive.stop();
  answer('token-1');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(service.steps, ['create', 'logout']);
});

test('stop in the middle of a login leaves nobody logged in', async () => {
  let stopped;
  const create = () => {
    const rtm = new RTM(service, 'me');
    const login = rtm.login.bind(rtm);
    rtm.login = (options) => {
      queueMicrotask(() => (stopped ??= alive.stop()));
      return login(options);
    };
    return rtm;
  };
  kept({ create });
  await until(() => stopped !== undefined);
  await stopped;
  assert.deepEqual(service.steps, ['create', 'login', 'logout']);
});

test('events of a server outage and of a replaced client arrive once, in order', async () => {
  kept({ bridge: { url: server.url, observer: 'lobby', retry: { first: 5, most: 20 }, WebSocket } });
  await joined(1);
  await server.stop();
  for (let n = 0; n < 50; n++) service.join('room', 'chat', `user-${n}`);
  service.expireTokens();
  await joined(2);
  await server.start();
  await alive.bridge.flushed();
  assert.deepEqual(numbers(server.log), range(1, server.log.length));
  const last = server.log.at(-1);
  assert.equal(last.topicInfos[0].publishers.length, 50);
});
