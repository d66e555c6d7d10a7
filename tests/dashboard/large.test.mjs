/**
 * The dashboard on a store of a million entries, where ROLLBOOK_LONG is set: the first view within a second, rosters of
 * the busiest channel beside those of `rollbook who`, and views that are loaded in part.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Rollbook } from '../bridge/rollbook.mjs';
import { until } from '../bridge/support.mjs';
import { answeredRoster, chance, close, drag, launch, live, momentOf, open, shownRoster } from './browser.mjs';

const skip = process.env.ROLLBOOK_LONG ? false : 'only with ROLLBOOK_LONG=1';
const LINES = 1_000_000;
const CHANNELS = 1_000;
const SEATS = 200;

let browser, rollbook, folder;

/** Joins and leaves of a crowd: the first channels have most of them. */
async function crowd(path) {
  const next = chance();
  const seats = new Int32Array(CHANNELS * SEATS);
  const user = (seat) => `user-${`${(Math.imul(seat + 1, 2654435761) ^ Math.imul(Math.ceil(seats[seat] / 2), 40503)) >>> 0}`.slice(-6)}-${seat % SEATS}`;
  const out = createWriteStream(path);
  let [ts, text] = [Date.UTC(2026, 0, 1), ''];
  for (let line = 0; line < LINES; line += 1) {
    ts += Math.floor(next() * 40);
    const channel = Math.floor((CHANNELS + 1) ** next()) - 1;
    if (next() < 0.001) {
      const there = Array.from({ length: SEATS }, (_, seat) => channel * SEATS + seat).filter((seat) => seats[seat] % 2);
      text += `${JSON.stringify({ t: 'snapshot', channel: `room-${channel}`, topics: { chat: there.map((seat) => ({ user: user(seat) })) }, ts })}\n`;
    } else {
      const seat = channel * SEATS + Math.floor(next() * SEATS);
      seats[seat] += 1;
      text += `{"t":"${seats[seat] % 2 ? 'join' : 'leave'}","channel":"room-${channel}","topic":"chat","user":"${user(seat)}","ts":${ts}}\n`;
    }
    if (text.length > 1 << 20) {
      if (!out.write(text)) await once(out, 'drain');
      text = '';
    }
  }
  out.end(text);
  await once(out, 'finish');
}

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'rollbook-dashboard-'));
  const path = join(folder, 'crowd.jsonl');
  await crowd(path);
  rollbook = await Rollbook.start({ ingested: [path] });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await rollbook?.remove();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** How long it takes until this is seen. */
async function timed(what, place, ready) {
  const page = await open(browser, 'about:blank');
  const began = performance.now();
  await page.goto(`${rollbook.url}${place}`);
  await page.locator(ready).first().waitFor();
  const took = performance.now() - began;
  console.log(`dashboard: ${what} of a million entries: ${took.toFixed(0)} ms`);
  return [page, took];
}

test('the first view takes a second at most', { skip }, async () => {
  // The first answer of a server that has just started, and then what a reader usually meets.
  const [cold] = await timed('first view, right after the start,', '/', '.channels td.present');
  await close(cold);
  const [page, took] = await timed('first view', '/', '.channels td.present');
  assert.ok(took <= 1000, `${took} ms`);
  assert.equal(await page.locator('.tile dd').first().textContent(), '1\u202f000');
  await page.getByLabel('Search channels').fill('room-99');
  await until(async () => (await page.locator('.channels tbody tr').count()) === 11, 'room-99 and room-990 to room-999');
  await close(page);
});

test('the roster of the busiest channel is the one of who, at 50 instants', { skip }, async () => {
  const [page] = await timed('the busiest channel', '/#/channel/room-0', '.roster li[data-user]');
  await live(page);
  await until(async () => !/Loading/.test(await page.locator('.status').textContent()), 'all to be loaded');
  for (let nth = 0; nth < 50; nth += 1) {
    // From time to time further back, by the whole history and in again.
    if (nth % 10 === 9) await page.getByRole('button', { name: 'Zoom out' }).click();
    await drag(page, 'moment', 0.03 + ((nth * 19) % 50) * 0.018);
    const at = await momentOf(page, 'moment');
    const now = (await page.locator('.handle.moment').getAttribute('aria-valuetext')) === 'now';
    const shown = await shownRoster(page, now ? 'now' : at);
    const [who] = await rollbook.ask('who', 'room-0', ...(now ? [] : ['--at', at]));
    const answered = answeredRoster(who);
    assert.deepEqual(shown, answered.slice(0, 200), at);
    assert.match(await page.locator('.roster-count').textContent(), new RegExp(`^${answered.length} member`));
  }
  await close(page);
});

test('where stays are too many, counts are shown; zooming in shows stays', { skip }, async () => {
  const [page] = await timed('the busiest channel', '/#/channel/room-0', '.roster li[data-user]');
  await live(page);
  await page.getByRole('button', { name: 'Show the whole history' }).click();
  const zoom = page.getByRole('button', { name: /^Zoom in to the last/ });
  await zoom.click();
  await zoom.waitFor({ state: 'hidden' });
  await until(async () => !/Loading/.test(await page.locator('.status').textContent()), 'the stays');
  await page.locator('.stays summary').click();
  await until(async () => (await page.locator('.stays tbody tr').count()) === 200, 'the first stays');
  await close(page);
});
