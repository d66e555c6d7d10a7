// @ts-check
/**
 * What is known of one channel, loaded as far as a view needs it. The stays of a small channel are loaded whole. Those of
 * a large one are loaded for the stretch in view; where even that has too many, there are counts by interval instead.
 * Live entries are added as they come.
 */

import { Trouble, givenUp, list, one } from './api.js';
import { throttled } from './dom.js';
import { Model, gapOf, stayOf } from './model.js';
import { Occupancy } from './occupancy.js';
import { HOUR, SECOND, moment, rfc } from './times.js';

/** @typedef {import('./model.js').Row} Row */
/** @typedef {import('./model.js').Gap} Gap */
/** @typedef {{ at: number, kind: 'snapshot' | 'token', text: string }} Marker */
/** @typedef {{ from: number, to: number, count: number, at: number, mean: number }} Interval The peak of an interval, and its time. */

/** A channel with at most so many entries is loaded whole. */
const WHOLE_ENTRIES = 40_000;
/** At most so many stays are held. */
export const STAYS_MOST = 30_000;
const MARKERS_MOST = 20_000;
const INTERVALS = 240;
/** A large channel first shows its last so many entries. */
const FIRST_ENTRIES = 3_000;

export class ChannelData {
  model = new Model();
  /** @type {Gap[]} */
  gaps = [];
  /** @type {Row[]} Gaps with what was missed in each. */
  missed = [];
  /** @type {Marker[]} */
  markers = [];
  /** @type {Interval[] | null} Counts, where single stays are too many. */
  intervals = null;
  /** Of the answers with which it began; live entries follow behind. */
  seq = 0;
  entries = 0;
  first = 0;
  last = 0;
  /** The last proof that somebody watched. @type {number | null} */
  proven = null;
  /** Whether time goes on here, as entries come now. */
  ticks = false;
  /** What is on its way. */
  loading = 0;

  /** @type {{ from: number, to: number } | null} The stretch whose stays are here. */
  #held = null;
  /** @type {{ version: number, model: Model, counts: Occupancy } | null} */
  #counts = null;
  /** @type {AbortController | null} */
  #range = null;
  #ended = new AbortController();
  #refreshGaps;

  /**
   * @param {string} channel @param {number | undefined} known @param {() => void} onChange
   * @param {(error: unknown) => void} onTrouble
   */
  constructor(channel, known, onChange, onTrouble) {
    this.channel = channel;
    this.known = known;
    this.onChange = onChange;
    this.onTrouble = onTrouble;
    this.#refreshGaps = throttled(500, () => void this.#loadGaps());
  }

  /** Parameters that all questions of this view share. */
  get #base() {
    return { channel: this.channel, known_at: this.known === undefined ? undefined : rfc(this.known) };
  }

  get whole() {
    return this.entries <= WHOLE_ENTRIES;
  }

  /** Loads what the first view needs. Gaps and markers follow by themselves. */
  async open() {
    const { signal } = this.#ended;
    const { rows } = await list('v1/channels', {}, { signal });
    const info = rows.find(({ channel }) => channel === this.channel);
    if (!info) throw new Trouble('missing', 'There is no such channel.');
    const who = await one('v1/who', this.#base, signal);
    this.seq = who.seq;
    this.proven = moment(who.last_proof);
    this.entries = info.entries;
    this.first = moment(info.first_at) ?? Date.now() - HOUR;
    this.last = moment(info.last_at) ?? Date.now();
    void this.#loadGaps();
    void this.#loadMarkers();
    return who;
  }

  /** The stretch that a first view shows. */
  firstView() {
    const span = Math.max(this.last - this.first, SECOND);
    const part = this.whole ? 1 : Math.min(1, FIRST_ENTRIES / this.entries);
    return { from: this.last - span * part * 1.02, to: this.last + span * part * 0.03 };
  }

  /** How many stays a stretch has, roughly. @param {number} from @param {number} to */
  #guess(from, to) {
    const span = Math.max(this.last - this.first, 1);
    return (this.entries / 2) * Math.max(0, Math.min(to, this.last) - Math.max(from, this.first)) / span;
  }

  /** Whether a stretch has too many stays to show each. @param {number} from @param {number} to */
  isWide(from, to) {
    return !this.whole && this.#guess(from, to) > STAYS_MOST;
  }

  /** How long a stretch may be to show single stays. */
  get widest() {
    return (STAYS_MOST / Math.max(1, this.entries / 2)) * (this.last - this.first) * 0.9;
  }

  /** Sees to it that what a view shows is here, or comes. @param {number} from @param {number} to */
  async ensure(from, to) {
    if (this.isWide(from, to)) return this.#loadIntervals();
    if (this.#held && this.#held.from <= from && this.#held.to >= to) return undefined;
    const pad = this.#guess(from, to) * 2 > STAYS_MOST ? 0 : (to - from) / 2;
    const range = this.whole ? { from: -Infinity, to: Infinity } : { from: from - pad, to: to + pad };
    this.#range?.abort();
    this.#range = new AbortController();
    const signal = AbortSignal.any([this.#range.signal, this.#ended.signal]);
    return this.#during(async () => {
      const params = { ...this.#base, from: this.whole ? null : rfc(range.from), to: this.whole ? null : rfc(range.to) };
      const { rows, more } = await list('v1/sessions', params, { signal, most: STAYS_MOST * 2 });
      if (more) return this.#loadIntervals();
      this.model = new Model(rows.map(stayOf));
      if (range.to >= this.last) range.to = Infinity;
      this.#held = range;
      return undefined;
    });
  }

  async #loadIntervals() {
    if (this.intervals) return undefined;
    this.intervals = [];
    const every = Math.max(SECOND, Math.ceil((this.last - this.first) / INTERVALS / SECOND) * SECOND);
    return this.#during(async () => {
      const { rows } = await list('v1/stats', { ...this.#base, every: `${every / SECOND}s` }, { signal: this.#ended.signal });
      this.intervals = rows.filter(({ topic }) => topic === null).map((row) => ({
        from: moment(row.from) ?? 0, to: moment(row.to) ?? 0, count: row.peak.count, at: moment(row.peak.at) ?? 0,
        mean: row.presence_ms / every,
      }));
    });
  }

  async #loadGaps() {
    const { signal } = this.#ended;
    return this.#during(async () => {
      const { rows } = await list('v1/missed', { ...this.#base, detail: true }, { signal });
      this.missed = rows;
      this.gaps = rows.map(gapOf);
    });
  }

  async #loadMarkers() {
    return this.#during(async () => {
      const params = { channel: this.channel, type: 'snapshot,token' };
      const { rows } = await list('v1/history', params, { signal: this.#ended.signal, most: MARKERS_MOST });
      const seen = rows.filter(({ recorded_at }) => this.known === undefined || (moment(recorded_at) ?? 0) <= this.known);
      this.markers = seen.map(markerOf);
    });
  }

  /** @param {() => Promise<unknown>} work */
  async #during(work) {
    this.loading += 1;
    try {
      await work();
    } catch (error) {
      if (!givenUp(error)) this.onTrouble(error);
    } finally {
      this.loading -= 1;
      if (!this.#ended.signal.aborted) this.onChange();
    }
  }

  /** Live entries. @param {Row[]} entries */
  take(entries) {
    for (const entry of entries) {
      if (entry.channel !== null && entry.channel !== this.channel) continue;
      const at = moment(entry.effective_at) ?? 0;
      this.entries += 1;
      if (entry.channel !== null && (entry.type !== 'link' && entry.type !== 'token')) this.last = Math.max(this.last, at);
      if (entry.type === 'snapshot' || entry.type === 'token') this.markers.push(markerOf(entry));
      if (entry.type === 'snapshot' || entry.type === 'link') this.#refreshGaps();
      if (this.#held?.to === Infinity) this.model.apply(entry);
    }
    this.onChange();
  }

  /** How many were there, by the stays that are here. */
  get counts() {
    const { model } = this;
    if (this.#counts?.model !== model || this.#counts.version !== model.version) {
      this.#counts = { model, version: model.version, counts: new Occupancy(model) };
    }
    return this.#counts.counts;
  }

  /** Loads all again, where it was broken off. */
  again() {
    this.#held = null;
    if (this.intervals?.length === 0) this.intervals = null;
    void this.#loadGaps();
    void this.#loadMarkers();
  }

  close() {
    this.#ended.abort();
    this.#refreshGaps.stop();
  }
}

/** @param {Row} entry @returns {Marker} */
function markerOf(entry) {
  const at = moment(entry.effective_at) ?? 0;
  if (entry.type === 'token') return { at, kind: 'token', text: `Token: ${`${entry.state}`.replaceAll('_', ' ')}` };
  const whole = entry.complete ? 'Snapshot' : 'Incomplete snapshot';
  return { at, kind: 'snapshot', text: `${whole} of ${entry.members} by ${entry.observer}` };
}
