/** The bridge's side of `/v1/ingest`: every event once, whatever becomes of the connection. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { attach } from '../../src/server/bridge.js';
import { RTM, Service } from './stand-in-rtm.mjs';
import { StandInServer } from './stand-in-server.mjs';
import { numbers, range, until } from './support.mjs';

let server, service, rtm, problems, bridge, told;

const bridged = (options = {}) => {
  const all = { url: server.url, observer: 'lobby', retry: { first: 5, most: 40 }, WebSocket };
  bridge = attach(rtm, { ...all, onError: (problem) => problems.push(problem), ...options });
  return bridge;
};

/** So many events of the client. */
const tell = (count, meta = '') => {
  for (let n = 0; n < count; n++) service.join('room', 'chat', `user-${told++}`, meta);
};

const kinds = () => problems.map(({ kind }) => kind);

beforeEach(async () => {
  server = await new StandInServer().start();
  service = new Service();
  [problems, told] = [[], 0];
  rtm = new RTM(service, 'me');
  await rtm.login({ token: await service.fetchToken() });
  await rtm.createStreamChannel('room').join({ token: await service.fetchToken() });
});

afterEach(async () => {
  await bridge.detach({ within: 0 });
  await server.stop();
});

test('events go over as the SDK gave them, with an id and the own user', async () => {
  bridged({ observer: 'lobby & co', self: 'me', feed: 'f/1', token: 'a b' });
  service.join('room', 'chat', 'tony', '{"hand":"up"}');
  rtm.disconnect('room');
  rtm.warnOfExpiry();
  await bridge.flushed();

  const { query } = server.connections[0];
  assert.deepEqual(Object.fromEntries(query), { observer: 'lobby & co', feed: 'f/1', access_token: 'a b' });
  const [topic, link, expiry, token] = server.log;
  const publishers = [{ publisherUserId: 'tony', publisherMeta: '{"hand":"up"}' }];
  assert.deepEqual(topic.topicInfos, [{ topicName: 'chat', publishers, totalPublisher: 1 }]);
  assert.equal(topic.eventType, 'REMOTE_JOIN');
  assert.equal(topic.event, undefined);
  assert.deepEqual([link.event, link.currentState, link.affectedChannels], ['linkState', 'CONNECTING', ['room']]);
  assert.deepEqual([expiry.event, expiry.channelName, typeof expiry.timestamp], ['tokenPrivilegeWillExpire', '', 'number']);
  assert.deepEqual([token.event, token.eventType], ['token', 'WILL_EXPIRE']);
  assert.ok(server.log.every(({ id, self }) => id.length <= 128 && self === 'me'));
  assert.equal(new Set(server.log.map(({ id }) => id)).size, 4);
});

test('an event is written down as it was, even if its object is changed later', async () => {
  bridged();
  const event = { eventType: 'SNAPSHOT', channelName: 'room', publisher: '', topicInfos: [], totalTopics: 0, timestamp: 7 };
  rtm.emit('topic', event);
  event.channelName = 'changed';
  await bridge.flushed();
  assert.equal(server.log[0].channelName, 'room');
});

test('a base path is kept, and a wrong address fails at once', async () => {
  bridged({ url: `${server.url}/behind/a/proxy/` });
  tell(1);
  await bridge.flushed();
  assert.equal(server.connections[0].path, '/behind/a/proxy/v1/ingest');
  assert.throws(() => attach(rtm, { url: 'not an address', observer: 'x' }), TypeError);
});

test('acknowledgements trim the buffer and are told', async () => {
  const acks = [];
  bridged({ onAck: (line, seq) => acks.push([line, seq]) });
  tell(3);
  assert.equal(bridge.status.pending, 3);
  assert.equal(await bridge.flushed(), true);
  const { pending, acknowledged, state } = bridge.status;
  assert.deepEqual({ pending, acknowledged, state }, { pending: 0, acknowledged: 3, state: 'open' });
  assert.deepEqual(acks.at(-1), [3, 3]);
});

test('what was not acknowledged is sent again, and nothing else', async () => {
  server.acknowledges = false;
  server.keeps = ({ id }) => Number(id.split('.')[1]) <= 40;
  bridged();
  tell(100);
  await until(() => server.received > 40);
  await server.stop(); // 40 lines are durable, unknown to the bridge
  tell(20);
  const before = server.received;
  server.acknowledges = true;
  server.keeps = () => true;
  await server.start();
  await bridge.flushed();

  assert.deepEqual(numbers(server.log), range(1, 120));
  assert.deepEqual(server.connections.map(({ resumedAt }) => resumedAt), [0, 40]);
  assert.equal(server.received - before, 80);
  assert.equal(server.feeds.size, 1);
});

test('connections that break again and again lose and repeat nothing', async () => {
  bridged();
  for (let round = 1; round <= 20; round++) {
    const torn = round * 25 - 9;
    server.keeps = ({ id }) => Number(id.split('.')[1]) < torn;
    tell(25);
    await until(() => bridge.status.state === 'open' && bridge.status.acknowledged === torn - 1);
    server.keeps = () => true;
    if (round % 3) server.dropAll();
    else await server.stop().then(() => server.start());
    await bridge.flushed();
  }
  assert.deepEqual(numbers(server.log), range(1, 500));
  assert.equal(server.feeds.size, 1);
});

test('much waits at home, not under way', async () => {
  server.acknowledges = false;
  bridged();
  tell(5_000, 'x'.repeat(100));
  await until(() => server.received === 2_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(server.received, 2_000);
  server.acknowledges = true;
  server.dropAll();
  await bridge.flushed();
  assert.deepEqual(numbers(server.log), range(1, 5_000));
});

test('a bad line is told, counted, and holds up no other', async () => {
  server.rejects = ({ publisher }) => (publisher === 'user-1' ? 'a reason' : undefined);
  bridged();
  tell(3);
  await bridge.flushed();
  assert.deepEqual(numbers(server.log), [1, 3]);
  const { kind, message, text } = problems[0];
  assert.deepEqual([kind, message, JSON.parse(text).publisher], ['rejected', 'a reason', 'user-1']);
});

test('close code 4401: a fresh token, the same feed', async () => {
  let tokens = 0;
  server.refuses = (token) => (token === 'token-1' ? 4401 : undefined);
  bridged({ token: async () => `token-${++tokens}` });
  tell(5);
  await bridge.flushed();
  assert.deepEqual(server.connections.map(({ query }) => query.get('access_token')), ['token-1', 'token-2']);
  assert.deepEqual(numbers(server.log), range(1, 5));
  assert.equal(server.feeds.size, 1);
  assert.deepEqual(kinds(), ['token']);
});

test('a token about to expire is renewed in the connection, which counts as no line', async () => {
  let tokens = 0;
  bridged({ token: () => `token-${++tokens}` });
  tell(1);
  await bridge.flushed();
  server.tellAll({ t: 'token', state: 'will_expire', in_ms: 30_000 });
  await until(() => server.renewed.length === 1);
  server.tellAll({ t: 'token', state: 'refused', reason: 'another scope' });
  tell(1);
  await bridge.flushed();
  assert.deepEqual([server.renewed, server.connections.length], [['token-2'], 1]);
  assert.deepEqual(problems.map(({ kind, message }) => [kind, message]), [['token', 'another scope']]);
  assert.deepEqual(numbers(server.log), [1, 2]);
});

test('a token that is no newer is not shown again', async () => {
  let asked = 0;
  bridged({ token: () => (asked++, 'the same') });
  tell(1);
  await bridge.flushed();
  server.tellAll({ t: 'token', state: 'will_expire', in_ms: 30_000 });
  await until(() => asked === 2);
  tell(1);
  await bridge.flushed();
  assert.deepEqual(server.renewed, []);
});

test('a token that cannot be had is told, and asked for again', async () => {
  let tries = 0;
  bridged({
    token: () => {
      if (++tries < 4) throw new Error('the token server is down');
      return 'token';
    },
  });
  tell(1);
  await bridge.flushed();
  assert.deepEqual(kinds(), ['token', 'token', 'token']);
});

test('a server that falls silent is given up', async () => {
  bridged({ patience: 200 });
  tell(1);
  await bridge.flushed();
  server.speaks = false;
  tell(1);
  await until(() => server.connections.length >= 3); // the second is met with silence, too
  server.speaks = true;
  await bridge.flushed();
  assert.deepEqual(numbers(server.log), [1, 2]);
});

test('a quiet connection is no silent server', async () => {
  bridged({ patience: 10 });
  tell(1);
  await bridge.flushed();
  const before = server.connections.length;
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(server.connections.length, before);
});

test('a full buffer keeps what it has, and the log says where something is missing', async () => {
  await server.stop();
  bridged({ maxBuffered: 4_000 });
  tell(100);
  const { pending, lost } = bridge.status;
  assert.equal(pending + lost, 101); // one line says it
  assert.ok(lost > 0);
  await server.start();
  await bridge.flushed();
  tell(2);
  await bridge.flushed();

  const said = server.log.map(({ t, state, eventType }) => (t ? `${t} ${state}` : eventType));
  const joins = (count) => Array(count).fill('REMOTE_JOIN');
  assert.deepEqual(said, [...joins(100 - lost), 'link down', 'link up', ...joins(2)]);
  assert.deepEqual(kinds().filter((kind) => kind === 'lost'), ['lost']);
});

test('an event that no server would take is lost like one too many', async () => {
  bridged();
  tell(1);
  tell(1, 'x'.repeat(5 * 1024 * 1024));
  await until(() => server.log.length === 3);
  tell(1);
  await bridge.flushed();
  const said = server.log.map(({ t, state, eventType }) => (t ? `${t} ${state}` : eventType));
  assert.deepEqual(said, ['REMOTE_JOIN', 'link down', 'link up', 'REMOTE_JOIN']);
  assert.equal(bridge.status.lost, 1);
});

test('two bridges for one observer do not throw each other out without a pause', async () => {
  bridged({ retry: { first: 1, most: 600_000 } });
  tell(1);
  await bridge.flushed();
  server.closeAll(4409);
  await until(() => bridge.status.state === 'waiting');
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(server.connections.length, 1);
});

test('a server that knows another past of the feed gets a new one', async () => {
  server.feeds.set('used', [{ id: 'of another life' }]);
  bridged({ feed: 'used' });
  tell(3);
  await bridge.flushed();
  assert.deepEqual(numbers(server.log), [1, 2, 3]);
  server.feeds.clear(); // a backup was restored
  server.dropAll();
  tell(2);
  await bridge.flushed();
  assert.deepEqual(numbers(server.log), [1, 2, 3, 4, 5]);
  assert.equal(new Set(server.connections.map(({ query }) => query.get('feed'))).size, 3);
  assert.deepEqual(kinds().filter((kind) => kind === 'feed'), ['feed', 'feed']);
});

test('detach hears no more, waits for the rest, and says farewell', async () => {
  bridged();
  tell(10);
  const done = bridge.detach();
  tell(5);
  assert.equal(await done, 0);
  assert.equal(rtm.listeners, 0);
  const farewell = server.log.at(-1);
  assert.deepEqual([farewell.t, farewell.state, farewell.reason], ['link', 'down', 'bridge_detached']);
  assert.deepEqual(numbers(server.log), range(1, 11));
  await until(() => server.connections[0].code === 1000);
  assert.equal(bridge.status.state, 'closed');
});

test('detach gives up in the end, says how much, and does not say farewell', async () => {
  server.acknowledges = false;
  bridged();
  tell(3);
  const flushed = bridge.flushed();
  await until(() => server.received === 3);
  assert.equal(await bridge.detach({ within: 10 }), 4);
  assert.equal(await flushed, false);
  await until(() => server.connections[0].code !== undefined);
  assert.notEqual(server.connections[0].code, 1000);
  assert.equal(problems.find(({ kind }) => kind === 'lost').count, 4);
});
