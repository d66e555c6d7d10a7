/** A headless Chromium with the dashboard in it, and what the tests ask of the page. */
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

export const SAMPLE = new URL('../../examples/weak-network-evening.jsonl', import.meta.url).pathname;

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']; // the same with and without the internet

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });

/** What a browser itself says when a server is away or refuses. No page can keep it from doing so. */
const NETWORK = /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|CONNECTION_CLOSED|INCOMPLETE_CHUNKED_ENCODING|SOCKET_NOT_CONNECTED)|WebSocket connection to|status of 401/;

/**
 * A page of the dashboard in a context of its own. `complaints` has all errors of its console; those of a network that
 * is meant to fail are left out with `fails`.
 */
export async function open(browser, url, { fails = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.complaints = [];
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type()) || (fails && NETWORK.test(message.text()))) return;
    page.complaints.push(`${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => page.complaints.push(`${error.stack}`));
  await page.goto(url);
  return page;
}

/** Closes a page whose console must be empty. */
export async function close(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

export const live = (page) => page.locator('.pill.live').waitFor();

/** The roster that the page shows, when it is the one of this moment. */
export async function shownRoster(page, at) {
  await page.locator(`.roster[data-at="${at}"][aria-busy="false"], .roster[data-at="${at}"]:not([aria-busy])`).waitFor();
  return page.locator('.roster').evaluate((roster) => [...roster.querySelectorAll('li[data-user]')].map(({ dataset }) =>
    [dataset.topic, dataset.user, dataset.connection, dataset.certainty]));
}

/** The roster of an answer, in the same form. */
export const answeredRoster = ({ topics }) => topics.flatMap(({ topic, publishers }) =>
  publishers.map(({ user, connection, certainty }) => [topic, user, connection, certainty]));

/** The moment at which a handle stands, once it is drawn there. */
export async function momentOf(page, kind) {
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  return new Date(Number(await page.locator(`.handle.${kind}`).getAttribute('aria-valuenow'))).toISOString();
}

/** Drags a handle to a part, 0 to 1, of the stretch in view. */
export async function drag(page, kind, part) {
  const canvas = await page.locator('.timeline canvas').boundingBox();
  const flag = await page.locator(`.handle.${kind} .flag`).boundingBox();
  const [gutter, right] = [canvas.width < 560 ? 96 : 156, 16];
  await page.mouse.move(flag.x + flag.width / 2, flag.y + flag.height / 2);
  await page.mouse.down();
  const x = canvas.x + gutter + part * (canvas.width - gutter - right);
  await page.mouse.move(x, flag.y + flag.height / 2, { steps: 4 });
  await page.mouse.up();
}

/** Where keys lead: the words of the element that has the focus. */
export const focused = (page) => page.evaluate(() => {
  const at = document.activeElement;
  return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? '';
});

/** Presses Tab until an element with these words has the focus. */
export async function tabTo(page, words, most = 80) {
  for (let pressed = 0; pressed < most; pressed += 1) {
    await page.keyboard.press('Tab');
    if ((await focused(page)).startsWith(words)) return;
  }
  throw new Error(`Tab does not lead to: ${words}`);
}

/** The same chance in each run. */
export function chance(seed = 7) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
