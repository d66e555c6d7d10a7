/**
 * What this project began with, in a real browser: a connection breaks and resumes by itself. Meanwhile one user left and
 * one joined. The SDK sends no SNAPSHOT. The page's listener, as the README has it, shows who slipped in and out.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, test } from 'node:test';
import { Browser, serveFolder } from './browser.mjs';
import { Rollbook } from './rollbook.mjs';
import { until } from './support.mjs';

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

/** The README's listener, for this server and channel. */
const listener = async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
  const code = blocks.find((block) => block.includes('/v1/subscribe'));
  assert.ok(code.trim().split('\n').length <= 10);
  return code.replace('ws://127.0.0.1:7400', rollbook.url.replace('http', 'ws')).replace('rehearsal-3', 'room');
};

const said = (entry) => Date.parse(entry.source_ts);

test('one left and one joined during a short interruption', async () => {
  await browser.run(`{
    page.slipped = [];
    const console = { log: (line) => page.slipped.push(line) };
    ${await listener()}
  }`);
  for (const user of ['ana', 'ben']) await page(`service.join('room', 'chat', '${user}')`);
  await page(`watch('${rollbook.url}/bridge.js', '${rollbook.url}')`);
  await until(() => page(`service.steps.includes('join room')`));
  await page(`crowd('before', 3, 2)`);

  // The link is dead for a while before the client notices.
  await page(`rtm.lose('room')`);
  await page(`service.leave('room', 'chat', 'ben')`);
  await page(`service.join('room', 'chat', 'cleo')`);
  await page(`rtm.disconnect('room')`);
  await page(`rtm.reconnect('room')`);
  await until(async () => (await page('slipped')).length >= 2, 'the listener to show who slipped in and out');
  await page(`crowd('after', 2, 2)`);
  assert.equal(await page('alive.stop()'), 0);
  assert.deepEqual(await page('problems'), []);
  assert.deepEqual(browser.complaints, []);
  const slipped = await page('slipped');

  await rollbook.stop();
  const history = await rollbook.ask('history', 'room');
  assert.equal(history.filter(({ type, reason }) => type === 'snapshot' && reason !== 'resync').length, 1);
  const differences = history.filter(({ disposition }) => disposition === 'collected');
  assert.deepEqual(differences.map(({ type, user }) => [type, user]), [['leave', 'ben'], ['join', 'cleo']]);

  const [gap] = await rollbook.ask('missed', 'room');
  const users = (members) => members.map(({ topic, user }) => `${topic} ${user}`);
  assert.deepEqual([users(gap.left), users(gap.joined)], [['chat ben'], ['chat cleo']]);
  assert.deepEqual([gap.evidence, gap.closed_by], ['link', 'differences']);
  const last = history.findLast(({ topic, seq }) => topic === 'crowd' && seq < differences[0].seq);
  assert.equal(Date.parse(gap.from), said(last));
  const synced = history.find(({ type, state }) => type === 'link' && state === 'synced');
  assert.equal(Date.parse(gap.to), said(synced));
  assert.ok(Date.parse(gap.to) > said(differences[1]));
  assert.deepEqual(slipped, [
    `ben, chat: leave between ${gap.from} and ${gap.to}`,
    `cleo, chat: join between ${gap.from} and ${gap.to}`,
  ]);

  const [who] = await rollbook.ask('who', 'room');
  const chat = who.topics.find(({ topic }) => topic === 'chat').publishers;
  assert.deepEqual(chat.map(({ user }) => user), ['ana', 'cleo']);
});
