// @ts-check
/**
 * The stays of one channel, in lanes: one lane a member, grouped by topic. Stays come from `/v1/sessions`, and then grow
 * by live entries; an entry that the answer already contained changes nothing, so that nothing shows at the seam. Pure.
 */

import { moment } from './times.js';

/**
 * A stay of a member. `end` is null while it lasts. A window (`startsAfter`, `endsAfter`) says that the join or leave was
 * at an unknown moment between it and `start` or `end`.
 * @typedef {object} Stay
 * @property {string} channel @property {string} topic @property {string} user @property {string} connection
 * @property {number} start @property {number | null} startsAfter
 * @property {number | null} end @property {number | null} endsAfter
 * @property {boolean} baseline @property {boolean} joinSeen @property {boolean} leaveSeen
 * @property {number} leastMs @property {number | null} mostMs
 */

/** @typedef {{ topic: string, user: string, connection: string, stays: Stay[] }} Lane Its stays in order. */

/**
 * A gap in the watch. `to` is null while it is open.
 * @typedef {{ gap: number, from: number, to: number | null, evidence: string, resumed: boolean }} Gap
 */

/** @typedef {Record<string, any>} Row One object of an answer. */

/** @param {Row} row One of `/v1/sessions`. @returns {Stay} */
export function stayOf(row) {
  return {
    channel: row.channel, topic: row.topic, user: row.user, connection: row.connection,
    start: moment(row.joined_at) ?? 0, startsAfter: moment(row.joined_not_before),
    end: moment(row.left_at), endsAfter: moment(row.left_not_before),
    baseline: row.baseline, joinSeen: row.join_origin === 'observed', leaveSeen: row.leave_origin === 'observed',
    leastMs: row.min_ms, mostMs: row.max_ms,
  };
}

/** @param {Row} row One of `/v1/gaps` or `/v1/missed`. @returns {Gap} */
export const gapOf = (row) => ({
  gap: row.gap, from: moment(row.from) ?? 0, to: moment(row.to), evidence: row.evidence,
  resumed: row.resumed === true || row.closed_by === 'resumed',
});

/** @param {{ topic: string, user: string, connection: string }} member */
const key = ({ topic, user, connection }) => JSON.stringify([topic, user, connection]);

/** In the order of code points, as the server sorts. @param {string} a @param {string} b */
export function bytewise(a, b) {
  const [left, right] = [[...a], [...b]];
  for (let at = 0; at < left.length && at < right.length; at += 1) {
    const differ = (left[at].codePointAt(0) ?? 0) - (right[at].codePointAt(0) ?? 0);
    if (differ) return differ;
  }
  return left.length - right.length;
}

export class Model {
  /** @type {Map<string, Lane>} */
  #lanes = new Map();
  /** @type {Lane[] | null} */
  #sorted = null;

  /** How many stays it has. */
  count = 0;
  /** Goes up with every change. */
  version = 0;

  /** @param {Iterable<Stay>} [stays] */
  constructor(stays = []) {
    for (const stay of stays) this.#lane(stay).stays.push(stay), (this.count += 1);
    for (const lane of this.#lanes.values()) lane.stays.sort((a, b) => a.start - b.start || (a.end ?? Infinity) - (b.end ?? Infinity));
  }

  /** @param {{ topic: string, user: string, connection: string }} member @returns {Lane} */
  #lane(member) {
    const at = key(member);
    let lane = this.#lanes.get(at);
    if (!lane) {
      lane = { topic: member.topic, user: member.user, connection: member.connection, stays: [] };
      this.#lanes.set(at, lane);
      this.#sorted = null;
    }
    return lane;
  }

  /** All lanes, by topic, user and connection. */
  lanes() {
    this.#sorted ??= [...this.#lanes.values()].sort(
      (a, b) => bytewise(a.topic, b.topic) || bytewise(a.user, b.user) || bytewise(a.connection, b.connection));
    return this.#sorted;
  }

  /** All stays. */
  *stays() {
    for (const lane of this.#lanes.values()) yield* lane.stays;
  }

  /**
   * Takes a live entry; false where it changes no stay, or was in already.
   * @param {Row} entry One of `/v1/subscribe`.
   */
  apply(entry) {
    if (entry.disposition !== 'applied' || (entry.type !== 'join' && entry.type !== 'leave')) return false;
    const at = moment(entry.effective_at) ?? 0;
    const lane = this.#lane(/** @type {any} */ (entry));
    const last = lane.stays.at(-1);
    const changed = entry.type === 'join' ? this.#join(lane, last, entry, at) : this.#leave(lane, last, entry, at);
    if (changed) this.version += 1;
    return changed;
  }

  /** @param {Lane} lane @param {Stay | undefined} last @param {Row} entry @param {number} at */
  #join(lane, last, entry, at) {
    if (last && (last.end === null || at < last.end || lane.stays.some((stay) => stay.start === at))) return false;
    lane.stays.push({
      channel: entry.channel, topic: lane.topic, user: lane.user, connection: lane.connection,
      start: at, startsAfter: entry.baseline ? null : moment(entry.not_before), end: null, endsAfter: null,
      baseline: entry.baseline, joinSeen: entry.origin === 'observed', leaveSeen: false, leastMs: 0, mostMs: null,
    });
    this.count += 1;
    return true;
  }

  /** @param {Lane} lane @param {Stay | undefined} last @param {Row} entry @param {number} at */
  #leave(lane, last, entry, at) {
    if (!last || last.end !== null || at < last.start || lane.stays.some((stay) => stay.end === at)) return false;
    last.end = at;
    last.endsAfter = moment(entry.not_before);
    last.leaveSeen = entry.origin === 'observed';
    return true;
  }
}

/**
 * The stays of a lane that touch a stretch of time, by their places in `stays`: from the first to behind the last.
 * @param {Stay[]} stays @param {number} from @param {number} to @returns {[number, number]}
 */
export function within(stays, from, to) {
  let [low, high] = [0, stays.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stays[middle].end ?? Infinity) < from) low = middle + 1;
    else high = middle;
  }
  const first = low;
  high = stays.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((stays[middle].startsAfter ?? stays[middle].start) <= to) low = middle + 1;
    else high = middle;
  }
  return [first, low];
}
