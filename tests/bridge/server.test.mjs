/** The bridge and the tokens of a real `rollbook serve`, whose clock is the real one: tokens are good for three seconds. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { attach } from '../../src/server/bridge.js';
import { Rollbook } from './rollbook.mjs';
import { RTM, Service } from './stand-in-rtm.mjs';
import { numbers, range, until } from './support.mjs';

let rollbook, service, rtm, problems;

beforeEach(async () => {
  rollbook = await Rollbook.start({ tokens: true });
  service = new Service();
  problems = [];
  rtm = new RTM(service, 'me');
  await rtm.login({ token: await service.fetchToken() });
  await rtm.createStreamChannel('room').join({ token: await service.fetchToken() });
});

afterEach(() => rollbook.remove());

const bridged = (token) =>
  attach(rtm, {
    url: rollbook.url,
    observer: 'lobby',
    token,
    retry: { first: 5, most: 100 },
    WebSocket,
    onError: ({ kind, message }) => problems.push(`${kind}: ${message}`),
  });

/** Longer than the first token is good for. What of it came into the log: the server's own link entries. */
const watchFor5Seconds = async (bridge) => {
  for (const end = Date.now() + 5_000; Date.now() < end; ) {
    service.join('room', 'chat', `user-${Date.now()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await bridge.flushed();
  assert.equal(await bridge.detach(), 0);
  await rollbook.stop();
  const history = await rollbook.ask('history');
  assert.deepEqual([...new Set(numbers(history.filter(({ id }) => id !== null)))], range(1, bridge.status.acknowledged));
  return history.filter(({ type, id }) => type === 'link' && id === null);
};

test('a token renewed in time keeps the connection', async () => {
  let tokens = 0;
  const links = await watchFor5Seconds(bridged(() => rollbook.token(++tokens === 1 ? '3s' : '1h')));
  assert.deepEqual([tokens, problems], [2, []]);
  assert.equal(links.filter(({ state }) => state === 'up').length, 1);
});

test('an expired token: a new one, the same feed, and nothing missed', async () => {
  let tokens = 0;
  const links = await watchFor5Seconds(bridged(async () => {
    tokens += 1;
    if (tokens === 2) throw new Error('not now');
    return rollbook.token(tokens === 1 ? '3s' : '1h');
  }));
  assert.equal(tokens, 3);
  assert.deepEqual(problems, ['token: the token for Rollbook could not be renewed', 'token: the token for Rollbook has expired']);
  assert.ok(links.some(({ state, reason }) => state === 'up' && reason === 'resumed'));
});

test('without a token nobody gets in, and nothing is lost meanwhile', async () => {
  let token;
  const bridge = bridged(() => token);
  service.join('room', 'chat', 'tony');
  await until(() => problems.length > 2);
  assert.equal(bridge.status.pending, 1);
  token = await rollbook.token('1h');
  await bridge.flushed();
  await bridge.detach();
});
