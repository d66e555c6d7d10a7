/**
 * Without Agora, in a real browser: `rollbook replay --serve` plays recorded history ten times as fast as it was, the
 * example's page hears it and forwards it by the bridge, and a `rollbook serve` has the same history in the end.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Browser, serveFolder } from './browser.mjs';
import { Rollbook } from './rollbook.mjs';
import { numbers, range, until } from './support.mjs';

const EXAMPLE = fileURLToPath(new URL('../../examples/agora-bridge', import.meta.url));
const CHANNEL = 'room #1 🎈';
const OBSERVER = 'rollbook-watcher'; // the page's own
const BEGAN = Date.now() - 3_600_000;
const SPEED = 10;

const topic = (eventType, at, publisher, topics) => ({
  eventType,
  channelName: CHANNEL,
  publisher,
  timestamp: BEGAN + at,
  topicInfos: Object.entries(topics).map(([topicName, users]) => ({
    topicName,
    publishers: Object.entries(users).map(([publisherUserId, publisherMeta]) => ({ publisherUserId, publisherMeta })),
  })),
});
const link = (currentState, reasonCode, at) =>
  ({ event: 'linkState', currentState, reasonCode, serviceType: 'STREAM', affectedChannels: [CHANNEL], timestamp: BEGAN + at });

/** Twenty seconds: a link is lost, and who came, went and changed meanwhile must be inferred. */
const LINES = [
  link('CONNECTED', 'JOIN_SUCCESS', 0),
  topic('SNAPSHOT', 100, '', { chat: { tony: '', ana: 'role=host' }, ['__proto__']: { ana: '' } }),
  topic('REMOTE_JOIN', 2_000, 'kim 🎈', { chat: { 'kim 🎈': '{"hand":"up"}' } }),
  topic('REMOTE_JOIN', 2_000, 'kim 🎈', { chat: { 'kim 🎈': '{"hand":"up"}' } }),
  topic('REMOTE_JOIN', 4_000, 'kim 🎈', { chat: { 'kim 🎈': '{"hand":"down"}' } }),
  link('DISCONNECTED', 'KEEP_ALIVE_TIMEOUT', 9_000),
  link('CONNECTED', 'RECONNECT_SUCCESS', 14_000),
  topic('SNAPSHOT', 14_100, '', { chat: { ana: 'role=guest', lily: '', 'kim 🎈': '{"hand":"down"}' } }),
  topic('REMOTE_LEAVE', 17_000, 'ana', { chat: { ana: '' } }),
  topic('REMOTE_LEAVE', 18_000, 'nobody', { chat: { nobody: '' } }),
  topic('REMOTE_JOIN', 20_000, 'zoe', { screen: { zoe: '' } }),
];

let original, copy, pages, browser;

/** Plays these lines of a channel to the page, and watches it there. */
const watch = async (channel, lines, speed) => {
  pages = await serveFolder(EXAMPLE);
  original = await Rollbook.play(channel, lines, OBSERVER, `${speed}`, pages.url);
  copy = await Rollbook.start({ origin: pages.url });
  const feed = `${original.url.replace('http', 'ws')}/v1/feed`;
  browser = await Browser.open(`${pages.url}/index.html?${new URLSearchParams({ feed })}`);
  await browser.run(`{
    const { channel, rollbook } = document.querySelector('#watch').elements;
    [channel.value, rollbook.value] = [${JSON.stringify(channel)}, '${copy.url}'];
    document.querySelector('#watch').requestSubmit();
  }`);
};

const text = (of) => browser.run(`document.querySelector('${of}').textContent`);

afterEach(async () => {
  await browser?.close();
  pages?.server.close();
  await copy?.remove();
  await original?.remove();
});

/** Entries numbered among themselves, without their ids and when they were recorded. */
const plain = (entries) => {
  const places = new Map(entries.map(({ seq }, place) => [seq, place]));
  return entries.map(({ id, recorded_at, seq, snapshot_seq, ...entry }) =>
    ({ ...entry, place: places.get(seq), snapshot: places.get(snapshot_seq) }));
};

test('what is played reaches the copy through the page, in its time', async () => {
  const began = performance.now();
  await watch(CHANNEL, LINES, SPEED);
  await until(async () => (await text('#problems')).includes('has been played'), 'the end of what is played');
  assert.ok(performance.now() - began >= 20_000 / SPEED, 'it is not played faster than it was asked for');
  await browser.run(`document.querySelector('#stop').click()`);
  const status = async () => JSON.parse(await text('#status'));
  await until(async () => (await status()).state === 'closed', 'the bridge to be closed');
  const { pending, acknowledged, lost } = await status();
  assert.deepEqual([pending, lost, acknowledged], [0, 0, LINES.length + 2]);
  assert.equal((await text('#problems')).trim().split('\n').length, 1);
  assert.deepEqual(browser.complaints, []);

  await copy.stop();
  await original.stop();
  const entries = await copy.ask('history', CHANNEL);
  // What is not of the feed: the connection's own entries, which have no id, and the bridge's two words of farewell.
  const farewell = ({ reason }) => reason === 'logout' || reason === 'bridge_detached';
  const connection = ({ type, id }) => type === 'link' && id === null;
  assert.equal(entries.filter(farewell).length, 2);
  const copied = entries.filter((entry) => !farewell(entry) && !connection(entry));
  const recorded = await original.ask('history', CHANNEL);
  assert.deepEqual(plain(copied), plain(recorded));
  assert.equal(copied.filter(({ origin }) => origin === 'inferred').length, 7);
  assert.deepEqual(numbers(copied.filter(({ id }) => id !== null)), range(1, LINES.length));
});

test('a short interruption is played, and the page shows who slipped in and out', async () => {
  const file = await readFile(new URL('../../examples/short-interruption.jsonl', import.meta.url), 'utf8');
  await watch('rehearsal-3', file.trim().split('\n').map((line) => JSON.parse(line)), 600);
  await until(async () => (await text('#problems')).includes('has been played'), 'the end of what is played');
  await until(async () => (await text('#slipped')).trim().split('\n').length === 2, 'who slipped in and out');
  const window = 'between 2026-05-15T18:11:32.408Z and 2026-05-15T18:15:18.236Z';
  assert.equal(await text('#slipped'), `ben, chat: leave ${window}\nfay, chat: join ${window}\n`);
  assert.deepEqual(browser.complaints, []);
});
