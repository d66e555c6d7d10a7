// @ts-check
/**
 * The page of a person, across channels: the case file. For a period it says where they were, how sure that is, and lists
 * what speaks for their presence, what speaks against it and what stays open, each with its entry. It can be printed.
 */

import { Trouble, givenUp, list, one } from './api.js';
import { amount, blank, counted, fill, h, name } from './dom.js';
import { caseOf, totals } from './evidence.js';
import { gapOf, stayOf } from './model.js';
import { write } from './place.js';
import { glyph } from './roster.js';
import { MINUTE, clock, duration, minute, moment, rfc, stamp, ticks, typed } from './times.js';

/** @typedef {import('./model.js').Row} Row */
/** @typedef {import('./evidence.js').Material} Material */
/** @typedef {import('./evidence.js').Fact} Fact */
/** @typedef {import('./evidence.js').Piece} Piece */
/** @typedef {import('./place.js').Place} Place */
/** @typedef {import('./place.js').Shell} Shell */

const FACTS_MOST = 500;
const ENTRIES_MOST = 20_000;
const SIDES = /** @type {const} */ ([['for', 'speaks for'], ['against', 'speaks against'], ['open', 'stays open']]);
const SIDE_SAYS = Object.fromEntries(SIDES);

export class CasePage {
  #place;
  #shell;
  #asking = new AbortController();
  #body = h('div', { class: 'case' });
  #from = h('input', { id: 'case-from', type: 'text', autocomplete: 'off', placeholder: 'from the first entry' });
  #to = h('input', { id: 'case-to', type: 'text', autocomplete: 'off', placeholder: 'to the last entry' });
  #channel = h('select', { id: 'case-channel' });
  #wrong = h('p', { class: 'wrong', role: 'alert' });
  #loaded = false;

  /** @param {Place} place @param {Shell} shell */
  constructor(place, shell) {
    this.#place = place;
    this.#shell = shell;
    this.title = place.name;
    shell.state({ is: 'ended' });
    const form = h('form', { class: 'case-form', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); this.#choose(); } },
      h('div', { class: 'field' }, h('label', { for: 'case-channel' }, 'Channel'), this.#channel),
      h('div', { class: 'field' }, h('label', { for: 'case-from' }, 'From (UTC)'), this.#from),
      h('div', { class: 'field' }, h('label', { for: 'case-to' }, 'To (UTC)'), this.#to),
      h('button', { type: 'submit' }, 'Show'), h('button', { type: 'button', class: 'main', onclick: () => print() }, 'Print'), this.#wrong);
    this.element = h('div', { class: 'page case-page' },
      h('div', { class: 'page-head' }, h('div', null, h('p', { class: 'soft eyebrow' }, 'Case file'), h('h1', null, name(place.name)))), form, this.#body);
    this.#fillForm([]);
    void this.#load();
  }

  /** @param {string[]} channels */
  #fillForm(channels) {
    const all = [...new Set([...(this.#place.channel === undefined ? [] : [this.#place.channel]), ...channels])];
    fill(this.#channel, h('option', { value: '' }, 'All channels'), all.map((one) => h('option', { value: `=${one}`, selected: one === this.#place.channel }, one)));
    this.#from.value = this.#place.from === undefined ? '' : stamp(this.#place.from);
    this.#to.value = this.#place.to === undefined ? '' : stamp(this.#place.to);
  }

  #choose() {
    /** @param {string} text @param {number | null | undefined} beside */
    const read = (text, beside) => (text.trim() === '' ? undefined : typed(text, beside ?? this.#place.from ?? Date.now(), Date.now()));
    const from = read(this.#from.value, this.#place.to);
    const to = read(this.#to.value, from);
    const bad = from === null || to === null || (from !== undefined && to !== undefined && from >= to);
    this.#wrong.textContent = bad ? 'Write two times such as 2026-05-14 20:45:00, the earlier one first.' : '';
    if (bad) return;
    this.#shell.go({ ...this.#place, channel: this.#channel.value ? this.#channel.value.slice(1) : undefined, from: from ?? undefined, to: to ?? undefined });
  }

  async #load() {
    const { name: user, channel, from, to, known } = this.#place;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    if (!this.#loaded) fill(this.#body, blank('Gathering the evidence…', h('p', { class: 'soft' }, channel === undefined ? 'All channels are searched; in a large store this takes some seconds.' : 'The log of the channel is searched.')));
    /** @param {number | undefined} ms */
    const time = (ms) => (ms === undefined ? undefined : rfc(ms));
    // Whoever joined later may have been there already: a window may reach into the period from behind it.
    const since = time(from);
    const before = (/** @type {string | null} */ after, /** @type {string} */ at) => to === undefined || (moment(after) ?? moment(at) ?? 0) <= to;
    try {
      const [all, stays, entries] = await Promise.all([
        list('v1/channels', {}, { signal }),
        list('v1/sessions', { user, channel, from: since, known_at: time(known) }, { signal, most: ENTRIES_MOST }),
        list('v1/history', { user, channel, from: since }, { signal, most: ENTRIES_MOST }),
      ]);
      stays.rows = stays.rows.filter((row) => before(row.joined_not_before, row.joined_at));
      entries.rows = entries.rows.filter((row) => before(row.not_before, row.effective_at));
      const channels = [...new Set([...stays.rows, ...entries.rows].map((row) => row.channel))];
      const ends = new Map(all.rows.map((one) => [one.channel, moment(one.last_at)]));
      const cases = await Promise.all(channels.slice(0, 50).map((one) => this.#material(one, ends.get(one) ?? null, stays.rows, entries.rows, signal)));
      this.#loaded = true;
      this.#shell.well();
      this.#fillForm(channels);
      this.#show(cases, stays.more || entries.more || channels.length > 50);
    } catch (error) {
      if (givenUp(error)) return;
      if (error instanceof Trouble && error.kind === 'missing') this.#show([], false);
      else this.#shell.trouble(error);
    }
  }

  /**
   * @param {string} channel @param {number | null} last When the channel ends. @param {Row[]} stays @param {Row[]} entries
   * @param {AbortSignal} signal @returns {Promise<Material>}
   */
  async #material(channel, last, stays, entries, signal) {
    const { from, to, known } = this.#place;
    const [who, gaps, snapshots] = await Promise.all([
      one('v1/who', { channel, known_at: known === undefined ? undefined : rfc(known) }, signal),
      list('v1/missed', { channel, known_at: known === undefined ? undefined : rfc(known) }, { signal }),
      list('v1/history', { channel, type: 'snapshot', from: from === undefined ? undefined : rfc(from), to: to === undefined ? undefined : rfc(to) }, { signal, most: ENTRIES_MOST }),
    ]);
    /** @param {Row} row */
    const wasKnown = (row) => known === undefined || (moment(row.recorded_at) ?? 0) <= known;
    const own = { stays: stays.filter((row) => row.channel === channel).map(stayOf), entries: entries.filter((row) => row.channel === channel && wasKnown(row)) };
    const shots = snapshots.rows.filter(wasKnown);
    const times = [...own.stays.flatMap((stay) => [stay.startsAfter ?? stay.start, stay.end]), ...own.entries.map((row) => moment(row.effective_at)), own.stays.some(({ end }) => end === null) ? last : null];
    const set = times.filter((at) => at !== null);
    const pad = MINUTE;
    return { channel, ...own, gaps: gaps.rows.map(gapOf), snapshots: shots, proven: moment(who.last_proof), from: from ?? Math.min(...set) - pad, to: to ?? Math.max(...set) + pad };
  }

  /** @param {Material[]} cases @param {boolean} more */
  #show(cases, more) {
    const { from, to, known, channel } = this.#place;
    if (!cases.length) {
      fill(this.#body, blank(from === undefined && to === undefined ? 'The log says nothing of this person.' : 'The log says nothing of this person in this period.',
        h('p', { class: 'soft' }, 'Is the name spelt as the source spells it, case and all? Choose another period or channel.')));
      return;
    }
    const period = from === undefined && to === undefined ? 'all that is recorded'
      : `${from === undefined ? 'the first entry' : `${stamp(from)} UTC`} to ${to === undefined ? 'the last entry' : `${stamp(to)} UTC`}`;
    const source = `${location.origin}${location.pathname}${write(this.#place)}`;
    fill(this.#body,
      h('dl', { class: 'case-head' },
        row('Person', name(this.#place.name)), row('Channel', channel === undefined ? `all (${amount(cases.length)})` : name(channel)), row('Period', period),
        row('Known at', known === undefined ? 'all that is known' : `${stamp(known)} UTC`), row('Made', `${stamp(Math.floor(Date.now() / 1000) * 1000)} UTC`), h('div', { class: 'printed' }, h('dt', null, 'Source'), h('dd', null, source))),
      more && h('p', { class: 'wrong' }, 'There is more than one page can hold. Choose a channel or a shorter period.'),
      cases.map((material) => this.#case(material)),
      h('p', { class: 'soft small' }, 'Certain: somebody was watching, and they were there. Assumed: nobody was watching, and nothing says otherwise. Possible: they came or left at an unknown moment around then. The log holds what sources sent; it does not judge them.'));
  }

  /** @param {Material} material */
  #case(material) {
    const { pieces, facts } = caseOf(material);
    const sums = totals(pieces);
    const all = sums.certain + sums.assumed + sums.possible;
    const verdict = all === 0 ? 'not present, by all that is recorded' : sums.certain === 0 ? `present for at most ${duration(all)}, none of it certain` : sums.certain === all ? `present for ${duration(all)}, all of it certain`
      : `present for at least ${duration(sums.certain)} and at most ${duration(all)}`;
    const shown = facts.slice(0, FACTS_MOST);
    return h('section', { class: 'panel case-channel' },
      h('h2', null, h('a', { href: write({ page: 'channel', name: material.channel, from: material.from, to: material.to, known: this.#place.known }) }, name(material.channel))),
      h('p', { class: 'verdict' }, `Between ${minute(material.from)} and ${minute(material.to)} UTC: ${verdict}.`),
      strip(material, pieces),
      h('ul', { class: 'legend' }, /** @type {const} */ (['certain', 'assumed', 'possible']).map((kind) => h('li', null, glyph(kind), `${kind} ${sums[kind] ? duration(sums[kind]) : 'none'}`))),
      h('ul', { class: 'legend' }, SIDES.map(([side, says]) => h('li', null, sign(side), counted(facts.filter((fact) => fact.side === side).length, `fact ${says}`, `facts ${says.replace('speaks', 'speak').replace('stays', 'stay')}`)))),
      h('div', { class: 'table-panel' }, h('table', { class: 'facts-table' },
        h('thead', null, h('tr', null, ['Time (UTC)', 'Side', 'What the log says', 'Entry'].map((title) => h('th', { scope: 'col' }, title)))),
        h('tbody', null, shown.map((fact) => factRow(fact))))),
      facts.length > shown.length && h('p', { class: 'wrong' }, `These are the first ${amount(shown.length)} of ${amount(facts.length)} facts. Choose a shorter period to see the others.`));
  }

  /** @param {Place} place */
  update(place) {
    this.#place = place;
    this.#loaded = false;
    this.#fillForm([]);
    void this.#load();
  }

  retry() {
    void this.#load();
  }

  close() {
    this.#asking.abort();
  }
}

/** @param {string} title @param {Node | string} value */
const row = (title, value) => h('div', null, h('dt', null, title), h('dd', null, value));

/** @param {Fact['side']} side */
const sign = (side) => h('i', { class: `side ${side}`, 'aria-hidden': 'true' }, { for: '+', against: '−', open: '?' }[side]);

/** @param {Fact} fact */
function factRow({ at, until, side, text, seq, by }) {
  return h('tr', { class: side },
    h('td', { class: 'when' }, h('time', { datetime: rfc(at) }, stamp(at)), until !== null && [' to ', h('time', { datetime: rfc(until) }, clock(until, at))]),
    h('td', { class: 'which' }, sign(side), ` ${SIDE_SAYS[side]}`),
    h('td', null, text),
    h('td', { class: 'seq soft' }, seq === null ? '' : `${amount(seq)}`, by && [' · ', name(by)]));
}

/** The period as a strip, with gaps behind. @param {Material} material @param {Piece[]} pieces */
function strip({ from, to, gaps }, pieces) {
  const bar = h('div', { class: 'strip', 'aria-hidden': 'true' });
  /** @param {string} kind @param {number} begin @param {number} end @param {string} [text] */
  const part = (kind, begin, end, text = '') => {
    const [left, right] = [Math.max(begin, from), Math.min(end, to)].map((at) => ((at - from) / (to - from)) * 100);
    if (right < 0 || left > 100) return;
    const piece = h('i', { class: kind }, text);
    piece.style.left = `${left}%`;
    if (kind !== 'tick') piece.style.width = `${right - left}%`;
    bar.append(piece);
  };
  for (const gap of gaps) if (!gap.resumed) part('gap', gap.from, gap.to ?? to);
  for (const piece of pieces) part(piece.kind, piece.from, piece.to);
  const room = (to - from) * 0.04;
  for (const tick of ticks(from + room, to - room, 6)) part('tick', tick.at, tick.at, tick.text);
  return bar;
}
