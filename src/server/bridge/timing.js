// @ts-check
/** Waiting: before the next try, and not too long. */

/** @typedef {{ first: number, most: number }} Retry How long to wait before the next try, in ms: doubling, up to `most`. */

/** Random: not all clients meet a server that comes back at once. @param {Retry} retry @param {number} failures */
export const delay = ({ first, most }, failures) => (Math.min(most, first * 2 ** failures) * (1 + Math.random())) / 2;

/** Waits for `work`, but not longer than `ms`. @param {number} ms @param {Promise<unknown>} work */
export function atMost(ms, work) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
