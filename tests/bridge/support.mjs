// @ts-check
/** What the tests share. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until this holds. The deadline is for a test that hangs; no test depends on how long anything takes.
 * @param {() => unknown} holds
 */
export async function until(holds, what = `${holds}`, deadline = Date.now() + 20_000) {
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await sleep(5);
  }
}

/** Ids as the bridge gives them: the number behind the dot. @param {{ id: string }[]} lines */
export const numbers = (lines) => lines.map(({ id }) => Number(id.split('.')[1]));

/** @param {number} from @param {number} to */
export const range = (from, to) => Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
