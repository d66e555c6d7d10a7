/**
 * After a connection that resumed, the SDK tells differences and no SNAPSHOT, and does not say when it has told them all.
 * The bridge says it (`synced`), once it can know it.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { attach, keepAlive } from '../../src/server/bridge.js';
import { RTM, Service } from './stand-in-rtm.mjs';
import { StandInServer } from './stand-in-server.mjs';
import { until } from './support.mjs';

const SETTLE = { resumed: 60, quiet: 30 };
// Far longer than that: what has not come by then does not come.
const LONG = 300;

let server, service, rtm, problems, bridge;

const options = (more) =>
  ({ url: server.url, observer: 'lobby', settle: SETTLE, WebSocket, onError: (problem) => problems.push(problem), ...more });

/** A client that the bridge watches, in these channels. */
const bridged = async (channels = ['room'], more = {}) => {
  rtm = new RTM(service, 'me');
  const probe = async (channelName) => rtm.renewToken(await service.fetchToken(channelName), { channelName });
  bridge = attach(rtm, options({ probe, ...more }));
  await rtm.login({ token: await service.fetchToken() });
  for (const channel of channels) await rtm.createStreamChannel(channel).join({ token: await service.fetchToken() });
  return rtm;
};

/** The log from this line on, in a word each. */
const words = (from = 0) => server.log.slice(from).map((line) =>
  line.t ? `${line.t} ${line.state} ${line.channels ?? ''}`.trim()
    : line.event ? `${line.currentState} ${line.affectedChannels}${line.isResumed ? ' resumed' : ''}`
      : `${line.eventType} ${line.publisher}`.trim());

const synced = () => server.log.filter(({ state }) => state === 'synced');

beforeEach(async () => {
  server = await new StandInServer().start();
  service = new Service();
  service.offlineAfter = 20;
  problems = [];
  bridge = undefined;
});

afterEach(async () => {
  await bridge?.detach({ within: 0 });
  await server.stop();
});

test('differences, one event each, and then that all has been told, at the time of the asking', async () => {
  for (const user of ['ana', 'ben', 'cleo']) service.join('room', 'chat', user);
  await bridged();
  rtm.offset = -7_200_000; // the page's clock is two hours ahead
  await bridge.flushed();
  const before = server.log.length;
  rtm.disconnect('room');
  service.leave('room', 'chat', 'ben');
  service.leave('room', 'chat', 'cleo');
  service.join('room', 'chat', 'dora');
  service.join('room', 'chat', 'ana', 'changed'); // not told
  await rtm.reconnect('room', { unnamed: { chat: ['cleo'] } });
  await until(() => synced().length === 1);

  assert.deepEqual(words(before), [
    'CONNECTING room', 'CONNECTED room resumed', 'REMOTE_LEAVE ben', 'REMOTE_JOIN dora', 'REMOTE_LEAVE cleo',
    'link synced room',
  ]);
  const differences = server.log.slice(before + 2, -1);
  assert.ok(differences.every(({ totalTopics, topicInfos }) => totalTopics === 1 && topicInfos[0].totalPublisher === 1));
  const times = server.log.slice(before).map(({ timestamp, ts }) => timestamp ?? ts);
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  assert.ok(times[5] - times[1] >= SETTLE.resumed && times[5] - times[4] >= SETTLE.quiet);
  assert.ok(times.every((time) => time < Date.now() - 7_000_000), 'by the clock of the events');
  await sleep(LONG);
  assert.equal(synced().length, 1);
});

test('a connection that is dead again is quiet, and proves nothing', async () => {
  await bridged();
  rtm.disconnect('room');
  await rtm.reconnect('room');
  rtm.lose('room');
  await sleep(LONG);
  assert.deepEqual(synced(), []);
  rtm.disconnect('room');
  await sleep(LONG);
  assert.deepEqual(synced(), []);
  await rtm.reconnect('room');
  await until(() => synced().length === 1);
  assert.deepEqual(words().slice(-2), ['CONNECTED room resumed', 'link synced room']);
});

test('an event between the question and the answer: it is asked again', async () => {
  let asked = 0;
  await bridged(['room'], {
    probe: () => {
      asked += 1;
      if (asked < 3) service.join('room', 'chat', `late-${asked}`);
    },
  });
  rtm.disconnect('room');
  await rtm.reconnect('room');
  await until(() => synced().length === 1);
  assert.equal(asked, 3);
  assert.deepEqual(words().slice(-3), ['REMOTE_JOIN late-1', 'REMOTE_JOIN late-2', 'link synced room']);
});

test('each channel has a connection of its own', async () => {
  await bridged(['room', 'hall']);
  for (const channel of ['room', 'hall']) rtm.disconnect(channel);
  await rtm.reconnect('room');
  await until(() => synced().length === 1);
  await sleep(LONG);
  assert.deepEqual(synced().map(({ channels }) => channels), [['room']]);
  await rtm.reconnect('hall');
  await until(() => synced().length === 2);
  assert.deepEqual(synced().map(({ channels }) => channels), [['room'], ['hall']]);
});

test('a session that fails ends in a SNAPSHOT, which needs no more words', async () => {
  service.join('room', 'chat', 'ana');
  await bridged();
  rtm.disconnect('room');
  await rtm.reconnect('room');
  rtm.failStream('room', 'KICKED_OUT_BY_SERVER');
  await rtm.createStreamChannel('room').join({ token: await service.fetchToken() });
  await sleep(LONG);
  assert.deepEqual(words().slice(-5), [
    'CONNECTED room resumed', 'FAILED room', 'CONNECTING room', 'CONNECTED room', 'SNAPSHOT',
  ]);
});

test('without a request to ask with, nothing is claimed', async () => {
  await bridged(['room'], { probe: undefined });
  rtm.disconnect('room');
  await rtm.reconnect('room');
  await sleep(LONG);
  assert.deepEqual(words().slice(-1), ['CONNECTED room resumed']);
});

test('a request that fails is told once, and made again', async () => {
  let asked = 0;
  await bridged(['room'], { probe: () => { if (++asked === 1) throw new Error('the message link is down'); } });
  rtm.disconnect('room');
  await rtm.reconnect('room');
  await until(() => synced().length === 1);
  assert.equal(asked, 2);
  assert.deepEqual(problems.map(({ kind, cause }) => [kind, cause.message]), [['resync', 'the message link is down']]);
});

test('differences from a list that the server has not had are no snapshot', async () => {
  await bridged();
  await bridge.detach();
  bridge = attach(rtm, options({ probe: () => true })); // the same client, but later: nobody knows what was missed
  rtm.disconnect('room');
  await rtm.reconnect('room');
  await bridge.flushed();
  assert.deepEqual(words().slice(-1), ['CONNECTED room']);
  await sleep(LONG);
  assert.deepEqual(synced(), []);
  await rtm.createStreamChannel('room').leave();
  await rtm.createStreamChannel('room').join({ token: await service.fetchToken() });
  rtm.disconnect('room');
  await rtm.reconnect('room');
  await until(() => synced().length === 1);
});

test('nor are they after events were lost', async () => {
  await bridged(['room', 'hall'], { maxBuffered: 4_000 });
  await bridge.flushed();
  server.acknowledges = false;
  for (let n = 0; n < 50; n++) service.join('room', 'chat', `user-${n}`);
  assert.ok(bridge.status.lost > 0);
  server.acknowledges = true;
  server.dropAll();
  await bridge.flushed();
  for (const channel of ['room', 'hall']) {
    rtm.disconnect(channel);
    await rtm.reconnect(channel);
  }
  await bridge.flushed();
  assert.equal(server.log.filter(({ isResumed }) => isResumed).length, 0);
  await sleep(LONG);
  assert.deepEqual(synced(), []);
});

/** A client kept alive in one channel. */
const kept = async (fetchToken) => {
  const alive = keepAlive({
    create: () => (rtm = new RTM(service, 'me')),
    fetchToken,
    join: async (client) => client.createStreamChannel('room').join({ token: await service.fetchToken() }),
    bridge: options(),
  });
  await until(() => server.log.some(({ eventType }) => eventType === 'SNAPSHOT'));
  rtm.disconnect('room');
  await rtm.reconnect('room');
  return alive;
};

test("a client that is kept alive asks by renewing the channel's token", async () => {
  const alive = await kept(service.fetchToken);
  await until(() => synced().length === 1);
  await alive.stop();
  assert.deepEqual(service.steps, ['create', 'login', 'join room', 'renew room', 'logout']);
  const said = words();
  const place = said.indexOf('link synced room');
  assert.deepEqual(said.slice(place - 2, place), ['CONNECTED room resumed', 'token renewed']);
});

test('in testing mode there are no tokens, and nothing to ask with', async () => {
  const alive = await kept(() => '');
  await sleep(LONG);
  await alive.stop();
  assert.deepEqual([synced(), problems], [[], []]);
});

test('presence events go over as they are, where they are asked for', async () => {
  const event = {
    eventType: 'REMOTE_TIMEOUT', channelType: 'MESSAGE', channelName: 'news', publisher: 'ana', stateChanged: {},
    interval: null, snapshot: [], timestamp: 1_778_788_800_000,
  };
  await bridged();
  rtm.emit('presence', event);
  await bridge.flushed();
  assert.deepEqual(server.log.filter(({ channelType }) => channelType), []);
  await bridge.detach();

  bridge = attach(rtm, options({ presence: true }));
  rtm.emit('presence', event);
  await bridge.flushed();
  const { id, ...line } = server.log.at(-1);
  assert.deepEqual(line, event);
});
