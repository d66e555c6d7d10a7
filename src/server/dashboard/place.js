// @ts-check
/**
 * The whole view as the part of the address behind `#`, which a browser sends to no server: what is shown, which stretch
 * of time, which moment, known when, and what is filtered. A link to it shows the same to somebody else. Pure.
 */

import { moment, rfc } from './times.js';

/**
 * @typedef {object} Place
 * @property {'channels' | 'channel' | 'person'} page
 * @property {string} name The channel or person.
 * @property {string} [channel] The one channel of a person's page.
 * @property {number} [from] @property {number} [to] The stretch of time.
 * @property {number} [at] The moment; missing: now.
 * @property {number} [known] What was known then; missing: all that is known.
 * @property {string} [q] What is searched for.
 * @property {string} [sort] How channels are sorted.
 * @property {boolean} [fit] All lanes at once.
 */

/** @type {('from' | 'to' | 'at' | 'known')[]} */
const TIMES = ['from', 'to', 'at', 'known'];
/** @type {('q' | 'sort' | 'channel')[]} */
const TEXTS = ['q', 'sort', 'channel'];

/** @param {string} hash @returns {Place} */
export function read(hash) {
  const [path, query = ''] = split(hash.replace(/^#/, ''), '?');
  const [, page = '', name = ''] = path.split('/');
  /** @type {Place} */
  const place = page === 'channel' || page === 'person' ? { page, name: decode(name) } : { page: 'channels', name: '' };
  const params = new URLSearchParams(query);
  for (const field of TIMES) {
    const at = moment(params.get(field));
    if (at !== null) place[field] = at;
  }
  for (const field of TEXTS) {
    const text = params.get(field);
    if (text) place[field] = text;
  }
  if (params.has('fit')) place.fit = true;
  return place;
}

/** @param {Place} place */
export function write(place) {
  const params = new URLSearchParams();
  for (const field of TEXTS) if (place[field]) params.set(field, /** @type {string} */ (place[field]));
  for (const field of TIMES) {
    const at = place[field];
    if (at !== undefined) params.set(field, rfc(at));
  }
  if (place.fit) params.set('fit', '1');
  const query = `${params}`.replaceAll('%3A', ':');
  const path = place.page === 'channels' ? '#/' : `#/${place.page}/${encodeURIComponent(place.name)}`;
  return query ? `${path}?${query}` : path;
}

/** Whether both are the same page of the same thing. @param {Place} a @param {Place} b */
export const same = (a, b) => a.page === b.page && a.name === b.name && a.channel === b.channel;

/** @param {string} text @param {string} at @returns {[string, string?]} */
function split(text, at) {
  const place = text.indexOf(at);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)];
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * What a page may ask of the frame around it.
 * @typedef {object} Shell
 * @property {(place: Place, replace?: boolean) => void} go Shows another place, or only writes it into the address.
 * @property {(state: import('./live.js').LiveState) => void} state How the connection is.
 * @property {(inMs: number) => void} expiring The token ends soon.
 * @property {(error: unknown) => void} trouble Says what is wrong; the page is asked to `retry` when that may help.
 * @property {() => void} well An answer came.
 */

/**
 * A page. `update` gets another place of the same page, `retry` may get a newer token.
 * @typedef {{ element: HTMLElement, title: string, update: (place: Place) => void, retry: (token?: string) => void, close: () => void }} Page
 */
