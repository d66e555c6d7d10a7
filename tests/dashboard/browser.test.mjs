/**
 * The whole dashboard, in a real browser, on the sample: its rosters beside those of `rollbook who`, live entries, links,
 * tokens that expire, a server that is killed, hostile names, keys alone, and axe-core. No page leaves an error in its
 * console.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Rollbook } from '../bridge/rollbook.mjs';
import { until } from '../bridge/support.mjs';
import { SAMPLE, answeredRoster, close, drag, launch, live, momentOf, open, shownRoster, tabTo } from './browser.mjs';

const AXE = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const STUDIO = '/#/channel/studio-7';
const HOSTILE = ['<img src=x onerror="document.title=1">', '"><script>document.title=2</script>', '\u202Emoor\u202C', 'שלום', '👩‍👩‍👧', '__proto__', ' ', 'a/b?c#d&e', 'x'.repeat(300)];

let browser, rollbook, folder;
/** Servers, to be gone in the end whatever a test says. */
const started = [];

async function serve(options) {
  const server = await Rollbook.start(options);
  started.push(server);
  return server;
}

before(async () => {
  browser = await launch();
  folder = await mkdtemp(join(tmpdir(), 'rollbook-dashboard-'));
  rollbook = await serve({ ingested: [SAMPLE] });
});

after(async () => {
  await browser?.close();
  await Promise.all(started.map((server) => server.remove()));
  await rm(folder, { recursive: true, force: true });
});

/** Records lines. */
async function send(of, lines, observer = 'default') {
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const answer = await fetch(`${of.url}/v1/events?observer=${observer}`, { method: 'POST', body });
  assert.equal(answer.status, 200, await answer.text());
}

/** A file of lines. */
async function file(name, lines) {
  const path = join(folder, name);
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return path;
}

const join_ = (channel, user, ts) => ({ t: 'join', channel, topic: 'chat', user, ts });

test('the roster beside the cursor is the one of who, at 50 instants', async () => {
  const page = await open(browser, `${rollbook.url}${STUDIO}`);
  await live(page);
  const certainties = new Set();
  for (let nth = 0; nth < 50; nth += 1) {
    await drag(page, 'moment', 0.025 + ((nth * 19) % 50) * 0.0182);
    const at = await momentOf(page, 'moment');
    const shown = await shownRoster(page, at);
    const [who] = await rollbook.ask('who', 'studio-7', '--at', at);
    assert.deepEqual(shown, answeredRoster(who), at);
    for (const [, , , certainty] of shown) certainties.add(certainty);
  }
  assert.deepEqual([...certainties].sort(), ['assumed', 'certain', 'possible']);
  await close(page);
});

test('a link shows the same view to somebody else', async () => {
  const page = await open(browser, `${rollbook.url}${STUDIO}`);
  await live(page);
  await page.getByRole('button', { name: 'Zoom in' }).click();
  await drag(page, 'moment', 0.3);
  await page.getByLabel('Find people and topics in this channel').fill('an');
  const at = await momentOf(page, 'moment');
  await page.waitForURL((url) => url.hash.includes(`at=${at}`) && url.hash.includes('q=an') && url.hash.includes('from='));
  const shown = await shownRoster(page, at);
  const status = await page.locator('.status').textContent();
  const other = await open(browser, page.url(), { viewport: { width: 800, height: 700 } });
  assert.deepEqual(await shownRoster(other, at), shown);
  await until(async () => (await other.locator('.status').textContent()) === status, 'the same stretch of time');
  await close(other);
  await close(page);
});

test('known at: what was believed then', async () => {
  // The sample, recorded 200 ms after each event.
  const lines = (await rollbook.ask('replay', 'studio-7', '--as', 'rollbook')).map((line) => ({ ...line, recorded_at: line.ts + 200 }));
  const recorded = await serve({ ingested: ['--keep-recorded', await file('recorded.jsonl', lines)] });
  const page = await open(browser, `${recorded.url}${STUDIO}`);
  await live(page);
  let differ = 0;
  for (const part of [0.36, 0.45, 0.64, 0.9]) {
    await drag(page, 'moment', 0.37);
    await drag(page, 'known', part);
    const [at, known] = [await momentOf(page, 'moment'), await momentOf(page, 'known')];
    await page.waitForURL((url) => url.hash.includes(`known=${known}`));
    const [who] = await recorded.ask('who', 'studio-7', '--at', at, '--known-at', known);
    await until(async () => `${await shownRoster(page, at)}` === `${answeredRoster(who)}`, `the roster of ${at}, known at ${known}`);
    const gaps = await recorded.ask('missed', 'studio-7', '--known-at', known);
    await until(async () => (await page.locator('.gap').count()) === gaps.length, `${gaps.length} gaps`);
    const [all] = await recorded.ask('who', 'studio-7', '--at', at);
    differ += Number(`${answeredRoster(all)}` !== `${answeredRoster(who)}`);
  }
  assert.ok(differ > 0, 'something was believed that is known better now');
  await page.getByRole('button', { name: 'All', exact: true }).first().click();
  await page.waitForURL((url) => !url.hash.includes('known='));
  await close(page);
});

test('a live join is there within a second, in the list and in the channel', async () => {
  const own = await serve({ ingested: [SAMPLE] });
  const [list, page] = [await open(browser, own.url), await open(browser, `${own.url}${STUDIO}`)];
  await Promise.all([live(list), live(page)]);
  const present = () => list.locator('td.present').first().textContent();
  const before = Number(await present());
  for (const user of ['zoe', 'yan']) {
    const began = performance.now();
    await send(own, [join_('studio-7', user, Date.now())]);
    await page.locator(`.roster li[data-user="${user}"]`).waitFor();
    assert.ok(performance.now() - began < 1000, `${user}: ${performance.now() - began} ms`);
  }
  await until(async () => Number(await present()) === before + 2, 'both in the list');
  assert.notEqual(await list.locator('td.rate').first().textContent(), '0');
  // A channel that did not exist turns up, and one that is waited for begins.
  const waiting = await open(browser, `${own.url}/#/channel/new`);
  await live(waiting);
  await send(own, [join_('new', 'ana', Date.now())]);
  await waiting.locator('.roster li[data-user="ana"]').waitFor();
  await list.getByRole('link', { name: 'new' }).waitFor();
  for (const one of [waiting, list, page]) await close(one);
});

test('a server that is killed and comes back: nothing is missing', async () => {
  const own = await serve({ ingested: [SAMPLE] });
  const page = await open(browser, `${own.url}${STUDIO}`, { fails: true });
  await live(page);
  await own.kill();
  await page.locator('.pill.lost').waitFor();
  assert.match(await page.locator('.banner').textContent(), /lost|does not answer/);
  await own.again();
  await send(own, [join_('studio-7', 'back', Date.now())]);
  await live(page);
  await page.locator('.roster li[data-user="back"]').waitFor();
  await page.locator('.banner').waitFor({ state: 'hidden' });
  await close(page);
});

test('a token is asked for, expires, and is asked for again', async () => {
  const own = await serve({ tokens: true, ingested: [SAMPLE] });
  const page = await open(browser, `${own.url}${STUDIO}`, { fails: true });
  const enter = async (token) => {
    await page.getByLabel('Token with the scope').fill(token);
    await page.keyboard.press('Enter');
  };
  await page.getByRole('dialog').waitFor();
  await enter('none');
  await page.getByText('not valid here').waitFor();
  await page.getByRole('button', { name: 'Not now' }).click();
  await page.getByRole('button', { name: 'Enter a token' }).click();
  await enter(await own.token('3s', 'read'));
  await live(page);
  assert.equal(await page.locator('.roster li[data-user]').count(), 6);
  // It ends: the page says so, and goes on with a newer one.
  await page.getByText(/The token ends in \d+ seconds/).waitFor();
  await page.locator('.pill.token').waitFor();
  await page.getByRole('dialog').waitFor();
  await enter(await own.token('1h', 'read'));
  await live(page);
  await drag(page, 'moment', 0.5);
  await shownRoster(page, await momentOf(page, 'moment'));
  const kept = await page.evaluate(() => [Object.values(localStorage), document.cookie, location.href, Object.keys(sessionStorage)]);
  assert.deepEqual([kept[0], kept[1], kept[3]], [[], '', ['rollbook.token']]);
  assert.doesNotMatch(kept[2], /eyJ/);
  // Another tab has to ask for its own.
  const other = await open(browser, own.url, { fails: true });
  await other.getByRole('dialog').waitFor();
  await close(other);
  await close(page);
});

test('names are shown as they are, and do nothing', async () => {
  const at = Date.UTC(2026, 0, 1);
  const lines = HOSTILE.flatMap((name, nth) => [{ t: 'join', channel: HOSTILE[nth % 4], topic: name, user: name, conn: name, meta: name, ts: at + nth }, join_(name, name, at + nth)]);
  const own = await serve({ ingested: [await file('hostile.jsonl', lines)] });
  const list = await open(browser, own.url);
  await live(list);
  assert.equal(await list.locator('.channels tbody tr').count(), HOSTILE.length);
  await close(list);
  for (const name of HOSTILE.slice(0, 6)) {
    const page = await open(browser, `${own.url}/#/channel/${encodeURIComponent(name)}`);
    await live(page);
    await page.locator('.roster li[data-user]').first().waitFor();
    const users = await page.locator('.roster li[data-topic="chat"]').evaluateAll((rows) => rows.map(({ dataset }) => dataset.user));
    assert.deepEqual(users, [name]);
    await page.locator('.roster li[data-topic="chat"] a').click();
    await page.locator('.facts-table tbody tr').first().waitFor();
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.match(await page.title(), /Rollbook$/);
    await close(page);
  }
});

test('the case file of a person: for and against, and on paper', async () => {
  const page = await open(browser, `${rollbook.url}/#/person/hana`);
  await page.locator('.facts-table tbody tr').first().waitFor();
  const history = await rollbook.ask('history', '--user', 'hana');
  const seqs = await page.locator('.facts-table .seq').allTextContents();
  assert.deepEqual(seqs.filter(Boolean).map((text) => parseInt(text, 10)), history.map(({ seq }) => seq));
  for (const side of ['for', 'against', 'open']) assert.notEqual(await page.locator(`tr.${side}`).count(), 0, side);
  await page.getByLabel('From (UTC)').fill('2026-05-14 20:41');
  await page.getByLabel('To (UTC)').fill('20:48');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByText('present for at most 7 min, none of it certain').waitFor();
  await page.emulateMedia({ media: 'print' });
  for (const away of ['.top', '.case-form']) assert.equal(await page.locator(away).isVisible(), false, away);
  assert.ok(await page.getByText('Source', { exact: true }).isVisible());
  assert.ok((await page.pdf()).length > 1000);
  await close(page);
});

test('what was missed, for each gap; a gap leads to its place', async () => {
  const page = await open(browser, `${rollbook.url}${STUDIO}`);
  await live(page);
  const missed = await rollbook.ask('missed', 'studio-7');
  await until(async () => (await page.locator('.gap').count()) === missed.length);
  for (const [nth, gap] of missed.reverse().entries()) {
    for (const kind of ['joined', 'left', 'updated']) {
      const shown = await page.locator('.gap').nth(nth).locator(`.${kind} li a`).allTextContents();
      assert.deepEqual(shown, gap[kind].map(({ user }) => user), `gap ${gap.gap}, ${kind}`);
    }
  }
  await page.getByRole('button', { name: 'Show on the timeline' }).first().click();
  const at = await momentOf(page, 'moment');
  assert.ok(at > missed[0].from && at < missed[0].to);
  await shownRoster(page, at);
  await page.getByRole('button', { name: 'The gap before' }).click();
  await until(async () => (await momentOf(page, 'moment')) < missed[1].to, 'the gap before');
  await close(page);
});

test('with keys alone: from the list to a roster of the past, and back', async () => {
  const page = await open(browser, rollbook.url);
  await live(page);
  await tabTo(page, 'Skip to the content');
  await tabTo(page, 'studio-7');
  await page.keyboard.press('Enter');
  await page.locator('.roster').waitFor();
  await tabTo(page, 'Timeline of stays');
  for (const key of ['+', '+', 'ArrowLeft', '-', '0']) await page.keyboard.press(key);
  await tabTo(page, 'Moment');
  assert.ok(await page.locator('.handle.moment .flag').evaluate((flag) => getComputedStyle(flag).outlineStyle === 'solid'), 'the focus is seen');
  for (const key of ['PageDown', 'PageDown', 'Shift+ArrowLeft', 'ArrowLeft', 'Shift+ArrowLeft']) await page.keyboard.press(key);
  const at = await momentOf(page, 'moment');
  const [who] = await rollbook.ask('who', 'studio-7', '--at', at);
  assert.deepEqual(await shownRoster(page, at), answeredRoster(who));
  await page.keyboard.press('End');
  await page.locator('.roster[data-at="now"]').waitFor();
  await tabTo(page, 'Known at');
  await page.locator('summary').focus();
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('.stays tbody tr').count()) > 30, 'the table of stays');
  await page.goBack();
  await page.getByRole('heading', { name: 'Channels' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
  await close(page);
});

test('axe-core finds nothing serious, light and dark, wide and narrow', async () => {
  const at = '?at=2026-05-14T20:45:00.000Z';
  for (const [place, ready] of [['/', '.channels td'], [`${STUDIO}${at}`, '.gap'], ['/#/person/hana', '.facts-table td'], ['/#/channel/none', '.blank'], ['/#/person/none', '.blank-title']]) {
    for (const [colorScheme, width] of [['light', 1440], ['dark', 390]]) {
      // The policy of the pages lets no test script in; the browser is asked to overlook it here, and only here.
      const page = await open(browser, `${rollbook.url}${place}`, { bypassCSP: true, colorScheme, viewport: { width, height: 900 } });
      await page.locator(ready).first().waitFor();
      if (place.includes('studio')) await page.locator('.stays summary').click();
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes[0].html}`), [], `${place} ${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${place} at ${width}: ${wide} pixels too wide`);
      await close(page);
    }
  }
});

test('all of it is small, comes from here alone, and is asked for once', async () => {
  const page = await open(browser, 'about:blank');
  const tools = await page.context().newCDPSession(page);
  await tools.send('Network.enable');
  let [bytes, foreign] = [0, 0];
  tools.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  tools.on('Network.requestWillBeSent', ({ request }) => (foreign += Number(!request.url.startsWith(rollbook.url))));
  await page.goto(rollbook.url);
  await live(page);
  const first = bytes;
  console.log(`dashboard: over the wire ${(first / 1024).toFixed(0)} KiB`);
  assert.ok(first > 30_000 && first < 300 * 1024, `${first} bytes`);
  assert.equal(foreign, 0);
  await page.reload();
  await live(page);
  assert.ok(bytes - first < 30_000, `${bytes - first} bytes for the second time`);
  const { headers } = await fetch(`${rollbook.url}/`);
  assert.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self';.*frame-ancestors 'none'.*require-trusted-types-for 'script'/);
  assert.doesNotMatch(headers.get('content-security-policy'), /unsafe/);
  await close(page);
});

test('10,000 stays in view are drawn at 50 frames a second', async () => {
  const lines = [];
  for (let round = 0; round < 100; round += 1) {
    for (let user = 0; user < 100; user += 1) {
      const ts = Date.UTC(2026, 0, 1) + round * 60_000 + user * 97;
      lines.push({ ...join_('hall', `user-${`${user}`.padStart(3, '0')}`, ts), order: ts }, { t: 'leave', channel: 'hall', topic: 'chat', user: `user-${`${user}`.padStart(3, '0')}`, ts: ts + 40_000, order: ts + 40_000 });
    }
  }
  lines.sort((a, b) => a.order - b.order);
  const own = await serve({ ingested: [await file('hall.jsonl', lines)] });
  const page = await open(browser, `${own.url}/#/channel/hall?fit=1`);
  await live(page);
  await page.waitForTimeout(500);
  const box = await page.locator('.timeline canvas').boundingBox();
  const frames = await page.evaluate(async ({ x, y }) => {
    const target = document.elementFromPoint(x, y);
    const times = [];
    let last = performance.now();
    for (let frame = 0; frame < 120; frame += 1) {
      target.dispatchEvent(new WheelEvent('wheel', { deltaX: frame % 2 ? 30 : -30, clientX: x, clientY: y, bubbles: true, cancelable: true }));
      if (frame % 20 === 0) target.dispatchEvent(new WheelEvent('wheel', { deltaY: frame % 40 ? 20 : -20, ctrlKey: true, clientX: x, clientY: y, bubbles: true, cancelable: true }));
      const now = await new Promise(requestAnimationFrame);
      times.push(now - last);
      last = now;
    }
    return times.slice(5).sort((a, b) => a - b);
  }, { x: box.x + box.width / 2, y: box.y + 300 });
  const at = (part) => frames[Math.floor(part * frames.length)];
  console.log(`dashboard: frames with 10,000 stays: median ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms`);
  // Half of all frames, as a machine that does other things drops some.
  assert.ok(at(0.5) <= 20, `median ${at(0.5)} ms`);
  await close(page);
});
