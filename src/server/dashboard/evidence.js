// @ts-check
/**
 * The case file: what speaks for and against a person's presence in a channel in some period, and what stays open. It
 * weighs nothing: it says what the log holds, in words, each with its entry. Pure.
 */

import { clock, duration, moment, stamp } from './times.js';

/** @typedef {import('./model.js').Stay} Stay */
/** @typedef {import('./model.js').Gap} Gap */
/** @typedef {import('./model.js').Row} Row */
/** @typedef {'certain' | 'assumed' | 'possible'} Certainty */
/** @typedef {{ from: number, to: number, kind: Certainty }} Piece */
/** @typedef {{ at: number, until: number | null, side: 'for' | 'against' | 'open', text: string, seq: number | null, by: string }} Fact */

/**
 * @typedef {object} Material All about one person in one channel.
 * @property {string} channel @property {Stay[]} stays @property {Gap[]} gaps
 * @property {Row[]} entries The person's entries @property {Row[]} snapshots The channel's
 * @property {number | null} proven The last proof that somebody watched the channel @property {number} from @property {number} to
 */

/** Which stretch stands above which, where pieces of several topics meet. @type {Record<Certainty, number>} */
const RANK = { certain: 3, assumed: 2, possible: 1 };

/**
 * The stretches of one stay, cut at the period and at the gaps. Behind the last proof one that goes on is only assumed.
 * @param {Stay} stay @param {Gap[]} gaps @param {number} from @param {number} to @param {number | null} [proven] @returns {Piece[]}
 */
export function pieces(stay, gaps, from, to, proven = null) {
  /** @type {Piece[]} */
  const found = [];
  /** @param {number} begin @param {number} end @param {Certainty} kind */
  const add = (begin, end, kind) => {
    const [a, b] = [Math.max(begin, from), Math.min(end, to)];
    if (a < b) found.push({ from: a, to: b, kind });
  };
  const end = stay.end ?? to;
  const sure = Math.max(stay.start, Math.min(end, stay.endsAfter ?? end));
  if (stay.startsAfter !== null) add(stay.startsAfter, stay.start, 'possible');
  let at = stay.start;
  const unproven = stay.end === null && proven !== null ? [{ from: proven, to: null, resumed: false }] : [];
  for (const gap of [...gaps, ...unproven]) {
    if (gap.resumed || (gap.to ?? Infinity) <= at || gap.from >= sure) continue;
    add(at, gap.from, 'certain');
    add(Math.max(at, gap.from), Math.min(sure, gap.to ?? Infinity), 'assumed');
    at = Math.min(sure, gap.to ?? Infinity);
  }
  add(at, sure, 'certain');
  if (stay.endsAfter !== null) add(sure, end, 'possible');
  return found;
}

/**
 * Presence in the channel, whatever the topic: at each moment the surest of all pieces.
 * @param {Piece[]} all @returns {Piece[]}
 */
export function surest(all) {
  const edges = [...new Set(all.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  /** @type {Piece[]} */
  const found = [];
  for (let index = 0; index + 1 < edges.length; index += 1) {
    const [from, to] = [edges[index], edges[index + 1]];
    const over = all.filter((piece) => piece.from <= from && piece.to >= to);
    if (!over.length) continue;
    const { kind } = over.reduce((best, piece) => (RANK[piece.kind] > RANK[best.kind] ? piece : best));
    const last = found.at(-1);
    if (last && last.to === from && last.kind === kind) last.to = to;
    else found.push({ from, to, kind });
  }
  return found;
}

/** How long each kind lasts. @param {Piece[]} all */
export function totals(all) {
  const sums = { certain: 0, assumed: 0, possible: 0 };
  for (const { from, to, kind } of all) sums[kind] += to - from;
  return sums;
}

/** @param {Material} material @returns {{ pieces: Piece[], facts: Fact[] }} */
export function caseOf(material) {
  const { stays, gaps, proven, from, to } = material;
  const facts = [...entryFacts(material), ...snapshotFacts(material), ...gapFacts(material)];
  facts.sort((a, b) => a.at - b.at || (a.seq ?? Infinity) - (b.seq ?? Infinity) || 0);
  return { pieces: surest(stays.flatMap((stay) => pieces(stay, gaps, from, to, proven))), facts };
}

/** @param {Material} material @returns {Fact[]} */
function entryFacts({ entries, from, to }) {
  const inside = entries.filter((entry) => {
    const at = moment(entry.effective_at) ?? 0;
    return at >= from && (moment(entry.not_before) ?? at) <= to;
  });
  return inside.flatMap((entry) => {
    const said = entrySays(entry);
    if (!said) return [];
    const at = moment(entry.effective_at) ?? 0;
    return [{ at, until: null, seq: entry.seq, by: entry.observer ?? '', ...said }];
  });
}

/** @param {Row} entry @returns {{ side: Fact['side'], text: string } | null} */
function entrySays({ type, origin, topic, disposition, baseline, reason, not_before, effective_at, occurred_at }) {
  const where = `topic ${topic}`;
  const why = reason ? ` (reason: ${reason})` : '';
  const [since, until] = [moment(not_before), moment(effective_at) ?? 0];
  const window = since === null ? 'at an unknown moment before' : `at an unknown moment between ${clock(since, until)} and ${clock(until)}`;
  if (disposition === 'stale') return { side: 'open', text: `A late message, ${type} in ${where}, stamped ${stamp(moment(occurred_at) ?? 0)}. It is recorded, and changed nothing.` };
  if (disposition === 'unknown') return { side: 'against', text: `A ${type} in ${where} arrived, though they were not known to be there.${why}` };
  if (disposition === 'duplicate') return type === 'leave' ? { side: 'against', text: `The leave in ${where} arrived again.` } : { side: 'for', text: `A further message says that they are in ${where}.` };
  if (disposition === 'collected') return { side: 'open', text: `A difference that was sent after a resumed connection: ${type} in ${where}.` };
  if (origin === 'observed') {
    if (type === 'join') return { side: 'for', text: `Joined ${where}; seen as it happened.${why}${since === null ? '' : ` The message may be late: ${window}.`}` };
    if (type === 'leave') return { side: 'against', text: `Left ${where}; seen as it happened.${why}${since === null ? '' : ` The message may be late: ${window}.`}` };
    return { side: 'for', text: `Changed their metadata in ${where}; seen as it happened.` };
  }
  if (type === 'join' && baseline) return { side: 'for', text: `The first snapshot shows them in ${where}. Since when is not known.` };
  if (type === 'join') return { side: 'for', text: `A snapshot shows them in ${where}. They joined ${window}.` };
  if (type === 'leave') return { side: 'against', text: `A snapshot no longer shows them in ${where}. They left ${window}.${why}` };
  return { side: 'for', text: `A snapshot shows them in ${where} with other metadata.` };
}

/** The stretches in which somebody is recorded as present, whatever the topic. @param {Stay[]} stays */
function presences(stays) {
  /** @type {{ start: number, end: number }[]} */
  const found = [];
  for (const { start, end } of [...stays].sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end ?? Infinity);
    else found.push({ start, end: end ?? Infinity });
  }
  return found;
}

/**
 * Complete snapshots, run by run: those that came during one presence, and those that came between two.
 * @param {Material} material @returns {Fact[]}
 */
function snapshotFacts({ snapshots, stays, from, to }) {
  const whole = snapshots.filter(({ disposition, complete }) => disposition === 'applied' && complete);
  const times = whole.map(({ effective_at }) => moment(effective_at) ?? 0);
  const present = presences(stays);
  /** @type {{ during: boolean, began: number, first: number, last: number, count: number }[]} */
  const runs = [];
  for (const at of times.sort((a, b) => a - b)) {
    if (at < from || at > to) continue;
    const began = present.filter(({ start }) => start <= at).length;
    const during = began > 0 && at < present[began - 1].end;
    const last = runs.at(-1);
    if (last && last.during === during && last.began === began) {
      last.last = at;
      last.count += 1;
    } else runs.push({ during, began, first: at, last: at, count: 1 });
  }
  return runs.map(({ during, first, last, count }) => {
    const many = count === 1 ? 'A complete snapshot' : `${count} complete snapshots`;
    const text = during
      ? `${many} arrived while they are recorded as present; ${count === 1 ? 'it does not contradict' : 'none contradicts'} that.`
      : `${many} arrived while they are recorded as absent, and did not show them.`;
    return { at: first, until: last > first ? last : null, seq: null, by: '', side: during ? 'for' : 'against', text };
  });
}

/** @param {Material} material @returns {Fact[]} */
function gapFacts({ gaps, channel, from, to }) {
  const over = gaps.filter((gap) => !gap.resumed && gap.from < to && (gap.to ?? Infinity) > from);
  return over.map((gap) => ({
    at: gap.from, until: gap.to, seq: null, by: '', side: 'open',
    text: gap.to === null
      ? `Gap ${gap.gap}: nobody has watched ${channel} since then.`
      : `Gap ${gap.gap}: nobody watched ${channel} for ${duration(gap.to - gap.from)}. Absences within it would not be seen.`,
  }));
}
