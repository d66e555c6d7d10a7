// @ts-check
/** What was missed: for each gap of a channel who joined, who left, and who changed while nobody watched. */

import { amount, blank, fill, h, name } from './dom.js';
import { clock, duration, moment, stamp } from './times.js';

/** @typedef {import('./model.js').Row} Row */

const SHOWN = 30;
const KINDS = /** @type {const} */ ([['joined', '+'], ['left', '−'], ['updated', '~']]);

export class Missed {
  #body = h('div', { class: 'gaps' });
  #all = false;
  #shown = '';

  /** @param {{ linkTo: (user: string) => string, onGap: (from: number, to: number | null) => void }} options */
  constructor({ linkTo, onGap }) {
    this.linkTo = linkTo;
    this.onGap = onGap;
    this.element = h('section', { class: 'missed', 'aria-labelledby': 'missed-title' }, h('h2', { id: 'missed-title' }, 'Missed'), this.#body);
  }

  /** @param {Row[]} rows Of `/v1/missed`. @param {boolean} loading */
  show(rows, loading) {
    const of = `${rows.length} ${loading} ${this.#all} ${JSON.stringify(rows.at(-1) ?? null)}`;
    if (of === this.#shown) return;
    this.#shown = of;
    const gaps = rows.filter(({ closed_by }) => closed_by !== 'resumed');
    if (!gaps.length) {
      fill(this.#body, loading ? blank('Looking for gaps…') : blank('Nothing was missed.', h('p', { class: 'soft' }, 'Somebody has watched this channel all the time since the first snapshot.')));
      return;
    }
    // The newest first: it is what somebody asks about.
    const shown = [...gaps].reverse().slice(0, this.#all ? Infinity : SHOWN);
    fill(this.#body, shown.map((gap) => this.#gap(gap)), gaps.length > shown.length && h('button', {
      type: 'button', onclick: () => { this.#all = true; this.show(rows, loading); },
    }, `Show all ${amount(gaps.length)} gaps`));
  }

  /** @param {Row} gap */
  #gap(gap) {
    const from = moment(gap.from) ?? 0;
    const to = moment(gap.to);
    const lasted = to === null ? 'still open' : duration(to - from);
    const lists = KINDS.filter(([kind]) => gap[kind].length).map(([kind, sign]) => this.#list(kind, sign, gap[kind]));
    return h('article', { class: `gap panel${to === null ? ' open' : ''}` },
      h('header', null,
        h('h3', null, `Gap ${gap.gap}`, h('span', { class: 'soft' }, lasted)),
        h('p', null, h('time', { datetime: gap.from, title: `${stamp(from)} UTC` }, clock(from, from)), ' to ', to === null ? 'now' : h('time', { datetime: gap.to }, clock(to, from))),
        h('p', { class: 'soft' }, gap.evidence === 'link' ? 'the link was lost' : 'a snapshot showed it'),
        h('button', { type: 'button', class: 'quiet', onclick: () => this.onGap(from, to) }, 'Show on the timeline')),
      lists.length ? h('div', { class: 'gap-lists' }, lists) : h('p', { class: 'soft none' }, to === null ? 'The next snapshot will say who came and went.' : 'The roster was the same before and after it.'));
  }

  /** @param {string} kind @param {string} sign @param {Row[]} members */
  #list(kind, sign, members) {
    const word = kind === 'updated' ? 'changed' : kind;
    return h('div', { class: `gap-list ${kind}` },
      h('h4', null, h('span', { class: 'sign', 'aria-hidden': 'true' }, sign), ` ${amount(members.length)} ${word}`),
      h('ul', null, members.slice(0, 100).map(({ topic, user, connection }) => h('li', null,
        h('a', { href: this.linkTo(user) }, name(user)), connection && h('span', { class: 'soft' }, ' · ', name(connection)), h('span', { class: 'soft' }, ' ', name(topic))))),
      members.length > 100 && h('p', { class: 'soft' }, `and ${amount(members.length - 100)} more`));
  }
}

