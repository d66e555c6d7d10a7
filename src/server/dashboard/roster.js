// @ts-check
/** The roster of one moment, as `/v1/who` answers: by topic, each member with how sure it is that they were there. */

import { amount, fill, h, name, throttled } from './dom.js';
import { clock, duration, moment, stamp } from './times.js';

/** @typedef {import('./model.js').Row} Row */

const SHOWN = 200;
const KINDS = /** @type {const} */ (['certain', 'assumed', 'possible']);
const MEANS = {
  certain: 'somebody was watching, and they were there',
  assumed: 'nobody was watching, and nothing says otherwise',
  possible: 'they came or left at an unknown moment around this one',
};
const COVERAGE = { complete: 'watched', partial: 'watched, no snapshot yet', blind: 'nobody was watching' };

export class Roster {
  #title = h('h2', { id: 'roster-title' }, 'Who is there');
  #summary = h('div', { class: 'roster-summary' });
  #lists = h('div', { class: 'roster-lists' });
  #spoken = h('p', { class: 'unseen', 'aria-live': 'polite' });
  #more = false;
  #query = '';
  /** @type {Row | null} */
  #who = null;
  #say = throttled(900, () => this.#speak());

  /** @param {(user: string) => string} linkTo */
  constructor(linkTo) {
    this.linkTo = linkTo;
    this.element = h('section', { class: 'roster panel', 'aria-labelledby': 'roster-title' }, this.#title, this.#summary, this.#lists, this.#spoken);
  }

  /** @param {boolean} waits */
  set waits(waits) {
    this.element.classList.toggle('waits', waits);
    this.element.setAttribute('aria-busy', `${waits}`);
  }

  /** Only names and topics that contain this. @param {string} query */
  set query(query) {
    if (query === this.#query) return;
    this.#query = query;
    if (this.#who) this.show(this.#who);
  }

  /** @param {Row} who */
  show(who) {
    this.#who = who;
    const at = moment(who.at);
    this.element.dataset.at = who.at ?? 'now';
    this.element.dataset.seq = `${who.seq}`;
    this.#title.textContent = at === null ? 'Who is there' : `Who was there at ${clock(at)}`;
    const members = who.topics.flatMap((/** @type {Row} */ topic) => topic.publishers);
    const counts = KINDS.map((kind) => members.filter((/** @type {Row} */ { certainty }) => certainty === kind).length);
    fill(this.#summary, this.#sure(counts, members.length), this.#watch(who, at));
    const query = this.#query.toLowerCase();
    let room = this.#more ? Infinity : SHOWN;
    const topics = who.topics.map((/** @type {Row} */ { topic, publishers }) => {
      const found = publishers.filter((/** @type {Row} */ { user }) => !query || `${user} ${topic}`.toLowerCase().includes(query));
      const shown = found.slice(0, room);
      room -= shown.length;
      return { topic, found, shown };
    });
    const hidden = topics.reduce((/** @type {number} */ sum, /** @type {Row} */ { found, shown }) => sum + found.length - shown.length, 0);
    const lists = topics.filter((/** @type {Row} */ { shown }) => shown.length).map((/** @type {Row} */ one) => this.#topic(one));
    const none = members.length ? 'Nobody whose name or topic contains this.' : at === null ? 'Nobody is there now.' : 'Nobody was there.';
    fill(this.#lists, lists.length ? lists : h('p', { class: 'soft none' }, none), hidden > 0 && h('button', {
      type: 'button', onclick: () => { this.#more = true; this.show(who); },
    }, `Show ${amount(hidden)} more`));
    this.#say();
  }

  /** @param {number[]} counts @param {number} all */
  #sure(counts, all) {
    const bar = h('div', { class: 'sure-bar', 'aria-hidden': 'true' });
    KINDS.forEach((kind, index) => {
      const part = h('i', { class: kind });
      part.style.flexGrow = `${counts[index]}`;
      if (counts[index]) bar.append(part);
    });
    return [
      h('p', { class: 'roster-count' }, h('strong', null, amount(all)), all === 1 ? ' member' : ' members'),
      bar,
      h('ul', { class: 'legend' }, KINDS.map((kind, index) => h('li', { title: MEANS[kind] }, glyph(kind), `${amount(counts[index])} ${kind}`))),
    ];
  }

  /** @param {Row} who @param {number | null} at */
  #watch({ coverage, last_proof }, at) {
    const proof = moment(last_proof);
    const age = proof !== null && at !== null && at > proof ? `, ${duration(at - proof)} before` : '';
    const said = COVERAGE[/** @type {'blind'} */ (coverage)] ?? coverage;
    return h('p', { class: `soft watch ${coverage}` }, `${said[0].toUpperCase()}${said.slice(1)}`,
      proof === null ? '' : ` · last proof ${clock(proof, at ?? proof)}${age}`);
  }

  /** @param {Row} topic */
  #topic({ topic, found, shown }) {
    return h('section', { class: 'topic' },
      h('h3', null, name(topic), h('span', { class: 'soft' }, amount(found.length))),
      h('ul', { class: 'members' }, shown.map((/** @type {Row} */ member) => this.#member(topic, member))));
  }

  /** @param {string} topic @param {Row} member */
  #member(topic, { user, connection, meta, since, certainty }) {
    const begun = moment(since);
    return h('li', { class: certainty, 'data-topic': topic, 'data-user': user, 'data-connection': connection, 'data-certainty': certainty },
      glyph(certainty),
      h('a', { href: this.linkTo(user), title: meta === null ? null : `metadata: ${JSON.stringify(meta).slice(0, 300)}` }, name(user), connection && h('span', { class: 'soft' }, ' · ', name(connection))),
      h('span', { class: 'word' }, certainty),
      h('span', { class: 'since soft', title: begun === null ? null : `since ${stamp(begun)} UTC` }, begun === null ? '' : clock(begun)));
  }

  #speak() {
    const counts = [...this.#summary.querySelectorAll('.legend li')].map((item) => item.textContent?.trim());
    this.#spoken.textContent = `${this.#title.textContent}: ${counts.join(', ')}`;
  }

  close() {
    this.#say.stop();
  }
}

/** A sign for each certainty, told apart by its shape as well. @param {'certain' | 'assumed' | 'possible'} kind */
export const glyph = (kind) => h('i', { class: `glyph ${kind}`, 'aria-hidden': 'true' });

/** What colours and shapes mean. */
export function legend() {
  return h('ul', { class: 'legend wide' },
    KINDS.map((kind) => h('li', null, glyph(kind), h('strong', null, kind), ` ${MEANS[kind]}`)),
    h('li', null, h('i', { class: 'glyph band', 'aria-hidden': 'true' }), h('strong', null, 'gap'), ' nobody watched'),
    h('li', null, h('i', { class: 'glyph snapshot', 'aria-hidden': 'true' }), h('strong', null, 'snapshot'), ' the whole roster, as the source knew it'),
    h('li', null, h('i', { class: 'glyph token', 'aria-hidden': 'true' }), h('strong', null, 'token'), ' it expires, or was renewed'));
}

