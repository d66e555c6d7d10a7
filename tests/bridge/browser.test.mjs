/**
 * The whole way, in a real browser: a stand-in for Agora, the bridge, `rollbook serve`; links lost, tokens expired, the
 * server killed. In the end `rollbook history` has every event exactly once.
 */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Browser, serveFolder } from './browser.mjs';
import { Rollbook } from './rollbook.mjs';
import { numbers, range, until } from './support.mjs';

let rollbook, pages, browser;

const page = (expression) => browser.run(`page.${expression}`);

beforeEach(async () => {
  pages = await serveFolder(import.meta.dirname);
  rollbook = await Rollbook.start({ origin: pages.url });
  browser = await Browser.open(`${pages.url}/page.html`);
});

afterEach(async () => {
  await browser?.close();
  pages?.server.close();
  await rollbook?.remove();
});

test('every event exactly once', async () => {
  const flushed = () => page('alive.bridge.flushed()');
  const joined = (times) =>
    until(() => page(`service.steps.filter((step) => step === 'join room').length === ${times}`), `join ${times}`);

  await page(`service.join('room', 'chat', 'tony')`);
  await page(`watch('${rollbook.url}/bridge.js', '${rollbook.url}')`);
  await joined(1);
  await page(`crowd('first', 20)`);
  await flushed();

  // A lost link: tony leaves and lily comes while nobody watches. The link resumes by itself.
  const told = async () => {
    const { pending, acknowledged } = await page('alive.bridge.status');
    return pending + acknowledged;
  };
  const before = await told();
  await page(`rtm.disconnect('room')`);
  await page(`service.leave('room', 'chat', 'tony')`);
  await page(`service.join('room', 'chat', 'lily')`);
  await page(`rtm.reconnect('room')`);
  const lines = ['down', 'up', 'tony', 'lily', 'the token is renewed', 'synced'];
  await until(async () => (await told()) === before + lines.length, 'all differences to be told');

  // A token that ends: renewed the first time, too late the second.
  await page('rtm.warnOfExpiry()');
  await until(() => page(`service.steps.includes('renew')`));
  // All in one turn: the next instance is quick.
  await browser.run(`{
    page.service.expireTokens();
    page.service.leave('room', 'chat', 'lily');
    page.service.join('room', 'chat', 'rose');
  }`);
  await joined(2);

  // The server dies in the middle of a crowd, and goes in the middle of another.
  const killed = page(`crowd('killed', 200, 2)`);
  await until(async () => (await page('alive.bridge.status.acknowledged')) > 60);
  await rollbook.kill();
  await page(`crowd('alone', 100)`);
  await rollbook.again();
  await killed;
  const ended = page(`crowd('ended', 200, 2)`);
  await rollbook.stop();
  await rollbook.again();
  await ended;
  await flushed();

  const present = await page(`service.present('room')`);
  assert.equal(await page('alive.stop()'), 0);
  const { acknowledged, pending, lost } = await page('alive.bridge.status');
  assert.deepEqual([pending, lost], [0, 0]);
  assert.deepEqual(await page('service.crowd'), 1);
  assert.deepEqual((await page('problems')).filter(({ kind }) => !['connection', 'login'].includes(kind)), []);
  assert.deepEqual(browser.complaints, []);

  await rollbook.stop();
  // An entry that a line made bears its id; the server's own link lines have none.
  const said = (await rollbook.ask('history')).filter(({ id }) => id !== null);
  assert.ok(acknowledged > 540);
  assert.deepEqual([...new Set(numbers(said))], range(1, acknowledged));
  const joins = said.filter(({ type, origin, topic }) => type === 'join' && origin === 'observed' && topic === 'crowd');
  assert.equal(joins.length, 520);
  assert.ok(joins.every(({ disposition }) => disposition === 'applied'));

  const missed = (await rollbook.ask('missed', 'room')).map(({ joined, left }) => [joined, left].map((members) =>
    members.map(({ user }) => user)));
  const slipped = missed.map(([came, went]) => `${came} ${went}`);
  assert.deepEqual(slipped.filter((pair) => pair !== ' '), ['lily tony', 'rose lily']);

  // Nothing was missed while the server was away: the bridge went on with its feed.
  const resumed = (await rollbook.ask('gaps', 'room')).filter((gap) => gap.resumed);
  assert.ok(resumed.length >= 2 && resumed.every(({ to }) => to !== null));

  const [who] = await rollbook.ask('who', 'room');
  const roster = who.topics.map(({ topic, publishers }) => [topic, publishers.map(({ user }) => user)]);
  assert.deepEqual(Object.fromEntries(roster), present);
});

test('the SDK itself, as far as it goes without Agora: each login, its failure and its logout', async () => {
  await page(`watchForReal('${rollbook.url}/bridge.js', '${rollbook.url}')`);
  const invalid = `problems.filter(({ reasonCode }) => reasonCode === 'INVALID_TOKEN').length`;
  await until(async () => (await page(invalid)) >= 3, 'three logins');
  await page('alive.stop()');
  const lives = await page(invalid);
  await rollbook.stop();

  const said = (await rollbook.ask('history')).filter(({ id }) => id !== null);
  const life = ['LOGIN', 'INVALID_TOKEN', 'LOGOUT'];
  assert.deepEqual(said.map(({ reason }) => reason), [...Array(lives).fill(life).flat(), 'bridge_detached']);
  assert.ok(said.every(({ type, observer }) => type === 'link' && observer === 'real'));
  assert.deepEqual(numbers(said), range(1, said.length));
  assert.deepEqual(browser.complaints, []);
});
