/** Makes the pictures of the dashboard that the README shows, from the sample: `pictures.mjs FOLDER`. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Rollbook } from '../bridge/rollbook.mjs';
import { SAMPLE, close, launch, open } from './browser.mjs';

const [, , folder] = process.argv;
const CHANNEL = '/#/channel/studio-7?at=2026-05-14T20:45:00.000Z';
const OTHER = new URL('../../examples/short-interruption.jsonl', import.meta.url);

/** Each by its file, place and window. */
const PICTURES = [
  ['light', CHANNEL, { width: 1360, height: 880 }, 'light', 1],
  ['dark', CHANNEL, { width: 1360, height: 880 }, 'dark', 1],
  ['phone', CHANNEL, { width: 390, height: 844 }, 'dark', 1.5],
  ['channels', '/#/', { width: 1100, height: 560 }, 'light', 1],
  ['case', '/#/person/hana?channel=studio-7&from=2026-05-14T20:00:00.000Z&to=2026-05-14T22:00:00.000Z', { width: 1100, height: 1000 }, 'light', 1],
];

await mkdir(folder, { recursive: true });
const rollbook = await Rollbook.start({ ingested: [SAMPLE] });
await fetch(`${rollbook.url}/v1/events?observer=rehearsal`, { method: 'POST', body: await readFile(OTHER) });
const browser = await launch();
try {
  for (const [name, place, viewport, colorScheme, deviceScaleFactor] of PICTURES) {
    const page = await open(browser, `${rollbook.url}${place}`, { viewport, colorScheme, deviceScaleFactor });
    await page.locator(name === 'case' ? '.facts-table td' : name === 'channels' ? '.channels td' : '.gap').first().waitFor();
    if (name === 'phone') await page.mouse.wheel(0, 430);
    await page.waitForTimeout(700);
    const path = join(folder, `${name}.png`);
    await page.screenshot({ path });
    await close(page);
    console.log(`${path}: ${Math.ceil((await stat(path)).size / 1024)} KiB`);
  }
} finally {
  await browser.close();
  await rollbook.remove();
}
