// @ts-check
/**
 * The page of a channel: the timeline, the roster of one moment beside it, and what was missed below. While the moment is
 * now, it follows the log.
 */

import { Trouble, givenUp, one } from './api.js';
import { badge } from './channels.js';
import { amount, blank, fill, h, name, throttled } from './dom.js';
import { Live } from './live.js';
import { ChannelData, STAYS_MOST } from './load.js';
import { Missed } from './missed.js';
import { momentFields } from './moments.js';
import { within } from './model.js';
import { write } from './place.js';
import { Roster, glyph, legend } from './roster.js';
import { Timeline } from './timeline.js';
import { HOUR, SECOND, clock, duration, minute, moment, rfc, stamp } from './times.js';

/** @typedef {import('./model.js').Row} Row */
/** @typedef {import('./model.js').Stay} Stay */
/** @typedef {import('./place.js').Place} Place */
/** @typedef {import('./place.js').Shell} Shell */

const TABLE_ROWS = 200;

export class ChannelPage {
  #place;
  #shell;
  /** @type {ChannelData | null} */
  #data = null;
  /** @type {ChannelData | null} One that is on its way, and will take the place of the other. */
  #coming = null;
  /** @type {Live | null} */
  #live = null;
  #isLive = false;
  #ended = false;
  /** Whether the right end of the view goes on with time. */
  #follows = true;
  /** @type {AbortController | null} */
  #asking = null;
  #askAgain = false;

  #timeline;
  #roster;
  #missed;
  #fields;
  #facts = h('div', { class: 'facts' });
  #filter;
  #fit;
  #table = h('details', { class: 'stays', ontoggle: () => this.#drawTable() }, h('summary', null, 'Stays in view, as a table'), h('div'));
  #status = h('p', { class: 'status soft', role: 'status' });
  #body;
  #state = h('div');

  #write = throttled(150, () => this.#shell.go(this.#place, true));
  #askNow = throttled(120, () => void this.#ask());
  #askPast = throttled(600, () => void this.#ask());
  #ensure = throttled(180, () => void this.#data?.ensure(this.#timeline.view.from, this.#timeline.view.to).then(() => this.#settle()));
  #reopen = throttled(250, () => void this.#open());
  #tick;

  /** @param {Place} place @param {Shell} shell */
  constructor(place, shell) {
    this.#place = { ...place };
    this.#shell = shell;
    this.title = place.name;
    /** @param {string} user */
    const linkTo = (user) => write({ page: 'person', name: user, channel: place.name, known: this.#place.known });
    this.#roster = new Roster(linkTo);
    this.#missed = new Missed({ linkTo, onGap: (from, to) => this.#showGap(from, to) });
    this.#timeline = new Timeline({
      onView: (view) => this.#viewMoved(view), onMoment: (at) => this.#setMoment(at), onKnown: (known) => this.#setKnown(known),
      onPerson: (user) => { location.hash = linkTo(user); },
    });
    this.#fields = momentFields({
      onMoment: (at) => this.#setMoment(at), onKnown: (known) => this.#setKnown(known), beside: () => this.#timeline.moment,
    });
    this.#filter = h('input', { type: 'search', placeholder: 'Find in this channel', 'aria-label': 'Find people and topics in this channel', value: place.q ?? '', oninput: () => this.#find() });
    this.#fit = h('button', { type: 'button', 'aria-pressed': `${!!place.fit}`, title: 'All lanes at once', onclick: () => this.#toggleFit() }, 'Fit');
    this.#body = h('div', { class: 'channel-grid', hidden: true }, this.#main(), this.#roster.element,
      h('div', { class: 'channel-rest' }, legend(), this.#missed.element, this.#table));
    this.element = h('div', { class: 'page wide' },
      h('div', { class: 'page-head' }, h('h1', null, name(place.name)), this.#facts), this.#state, this.#body);
    fill(this.#state, blank('Loading the channel…'));
    this.#tick = setInterval(() => this.#onTick(), SECOND);
    void this.#open();
  }

  #main() {
    /** @param {string} text @param {string} label @param {() => void} act */
    const button = (text, label, act) => h('button', { type: 'button', title: label, 'aria-label': label, onclick: act }, text);
    const zoom = h('div', { class: 'buttons', role: 'group', 'aria-label': 'What is in view' },
      button('−', 'Zoom out', () => this.#timeline.zoom(2)), button('+', 'Zoom in', () => this.#timeline.zoom(0.5)),
      button('All', 'Show the whole history', () => this.#showAll()),
      button('‹ Gap', 'The gap before', () => this.#nextGap(-1)), button('Gap ›', 'The next gap', () => this.#nextGap(1)), this.#fit);
    return h('div', { class: 'channel-main' },
      h('div', { class: 'toolbar' }, this.#fields.element, h('div', { class: 'tools' }, this.#filter, zoom)),
      h('div', { class: 'panel tl-panel' }, this.#timeline.element), this.#status);
  }

  async #open() {
    const { known } = this.#place;
    this.#coming?.close();
    const data = new ChannelData(this.#place.name, known, () => data === this.#data && this.#changed(), (error) => this.#shell.trouble(error));
    this.#coming = data;
    try {
      const who = await data.open();
      if (this.#ended || data !== this.#coming) return;
      this.#shell.well();
      const first = !this.#data;
      const view = first ? this.#viewOf(data) : this.#timeline.view;
      // What is in view comes before the old is taken away, so that nothing flickers.
      if (!first) await data.ensure(view.from, view.to);
      if (this.#ended || data !== this.#coming) return;
      this.#data?.close();
      [this.#data, this.#coming] = [data, null];
      this.#timeline.data = data;
      fill(this.#state);
      this.#body.hidden = false;
      this.#timeline.view = view;
      this.#apply();
      if (this.#place.at === undefined) this.#roster.show(who);
      else void this.#ask();
      this.#follow();
      if (first) await data.ensure(view.from, view.to);
      this.#settle();
    } catch (error) {
      if (!givenUp(error) && !this.#ended) this.#failed(error);
    }
  }

  /** @param {unknown} error */
  #failed(error) {
    const missing = error instanceof Trouble && error.kind === 'missing';
    if (!missing && !(error instanceof Trouble && ['forbidden', 'bad', 'pruned'].includes(error.kind))) return this.#shell.trouble(error);
    this.#body.hidden = true;
    const title = missing ? (this.#place.known === undefined ? 'Nobody has spoken of this channel yet.' : 'Nobody had spoken of this channel by then.') : 'This cannot be shown.';
    const hint = missing ? (this.#place.known === undefined ? 'This page waits for its first event.' : 'Choose a later “known at”, or all that is known.') : error.message;
    fill(this.#state, blank(title, h('p', { class: 'soft' }, hint), h('p', null, h('a', { href: '#/' }, 'All channels')),
      this.#place.known !== undefined && h('button', { type: 'button', onclick: () => this.#setKnown(undefined) }, 'All that is known')));
    if (missing) this.#follow();
    return undefined;
  }

  /** @param {ChannelData} data */
  #viewOf(data) {
    const { from, to } = this.#place;
    const usual = data.firstView();
    const view = { from: from ?? usual.from, to: to ?? usual.to };
    this.#follows = view.to >= data.last;
    return view.from < view.to ? view : usual;
  }

  #follow() {
    if (this.#live) return;
    this.#live = new Live({
      channel: this.#place.name, seq: this.#data?.seq ?? 0, onExpiring: this.#shell.expiring,
      onEntries: (entries) => this.#take(entries),
      onState: (state) => {
        this.#isLive = state.is === 'live';
        this.#shell.state(state);
        if (this.#isLive) this.#askNow();
      },
    });
  }

  /** @param {Row[]} entries */
  #take(entries) {
    const { known } = this.#place;
    if (!this.#data) return this.#reopen();
    if (known !== undefined) return undefined;
    const before = this.#timeline.end;
    this.#data.take(entries);
    this.#goOn(before);
    if (this.#place.at === undefined) this.#askNow();
    else this.#askPast(); // A snapshot says something of the past, too.
    return undefined;
  }

  /** Time goes on while somebody watches. */
  #onTick() {
    const data = this.#data;
    if (!data || !this.#isLive || this.#place.known !== undefined || Date.now() - data.last > HOUR) return;
    const before = this.#timeline.end;
    data.ticks = true;
    data.last = Math.max(data.last, Date.now());
    this.#goOn(before);
  }

  /** Moves the view with the end, where the end was in it. @param {number} before */
  #goOn(before) {
    const by = this.#timeline.end - before;
    const { from, to } = this.#timeline.view;
    if (this.#follows && by > 0) this.#timeline.view = { from: from + by, to: to + by };
    this.#timeline.draw();
  }

  #apply() {
    const { at, known, q = '', fit = false } = this.#place;
    Object.assign(this.#timeline, { at, known, query: q, fit });
    this.#fields.show({ at, known });
    this.#roster.query = q;
    this.#fit.setAttribute('aria-pressed', `${fit}`);
    this.#timeline.draw();
  }

  /** @param {{ from: number, to: number }} view */
  #viewMoved(view) {
    Object.assign(this.#place, view);
    this.#follows = view.to >= this.#timeline.end;
    this.#write();
    this.#ensure();
    this.#note();
  }

  /** @param {number} from @param {number} to */
  #setView(from, to) {
    this.#timeline.view = { from, to };
    this.#viewMoved({ from, to });
    this.#timeline.draw();
  }

  /** @param {number | undefined} at */
  #setMoment(at) {
    this.#place.at = at;
    this.#apply();
    this.#write();
    void this.#ask();
  }

  /** @param {number | undefined} known */
  #setKnown(known) {
    if (known === this.#place.known) return;
    this.#place.known = known;
    this.#apply();
    this.#write();
    this.#reopen();
    void this.#ask();
  }

  #find() {
    this.#place.q = this.#filter.value || undefined;
    this.#apply();
    this.#write();
  }

  #toggleFit() {
    this.#place.fit = !this.#place.fit;
    this.#apply();
    this.#write();
  }

  #showAll() {
    const data = this.#data;
    if (!data) return;
    const pad = Math.max(SECOND, (data.last - data.first) * 0.02);
    this.#setView(data.first - pad, data.last + pad);
  }

  /** @param {number} from @param {number | null} to */
  #showGap(from, to) {
    const end = to ?? this.#timeline.end;
    const pad = Math.max(SECOND, (end - from) * 0.8);
    this.#setView(from - pad, end + pad);
    this.#setMoment(Math.round((from + end) / 2));
    this.#timeline.element.scrollIntoView({ block: 'nearest' });
  }

  /** @param {1 | -1} way */
  #nextGap(way) {
    const gaps = this.#data?.gaps.filter(({ resumed }) => !resumed) ?? [];
    const now = this.#timeline.moment;
    const next = way > 0 ? gaps.find(({ from }) => from > now) : gaps.findLast(({ from, to }) => (to ?? Infinity) < now || (from < now && to === null && this.#place.at === undefined));
    if (next) this.#showGap(next.from, next.to);
    else this.#status.textContent = gaps.length ? 'There is no gap further on in this direction.' : 'This channel has no gaps.';
  }

  /** Asks for the roster of the moment. One question at a time; the newest wish is the next. */
  async #ask() {
    if (!this.#data) return; // There is no such channel yet.
    if (this.#asking) {
      this.#askAgain = true;
      return;
    }
    const { at, known, name: channel } = this.#place;
    this.#asking = new AbortController();
    const slow = setTimeout(() => (this.#roster.waits = true), 250);
    try {
      const time = (/** @type {number | undefined} */ ms) => (ms === undefined ? undefined : rfc(ms));
      const who = await one('v1/who', { channel, at: time(at), known_at: time(known) }, this.#asking.signal);
      if (!this.#askAgain || at !== undefined) this.#roster.show(who);
      if (at === undefined && known === undefined) this.#drawFacts(who);
    } catch (error) {
      if (!givenUp(error) && !(error instanceof Trouble && error.kind === 'missing')) this.#shell.trouble(error);
    }
    clearTimeout(slow);
    this.#roster.waits = false;
    this.#asking = null;
    if (!this.#askAgain || this.#ended) return;
    this.#askAgain = false;
    void this.#ask();
  }

  /** What is in view is here. */
  #settle() {
    const { data, view } = this.#timeline;
    this.#timeline.settled = data && !data.whole ? view : null;
    this.#changed();
  }

  #changed() {
    const data = this.#data;
    if (!data || this.#ended) return;
    this.#missed.show(data.missed, data.loading > 0);
    this.#note();
    this.#timeline.draw();
    this.#drawTable();
    if (!this.#facts.childElementCount) void one('v1/who', { channel: this.#place.name, topic: '-' }).then((who) => this.#drawFacts(who), () => undefined);
  }

  /** What is true of the channel now, whatever moment is shown. @param {Row} who */
  #drawFacts(who) {
    const data = this.#data;
    if (!data) return;
    data.proven = moment(who.last_proof);
    const open = data.missed.find(({ to }) => to === null);
    fill(this.#facts, badge(who.coverage, open?.from), h('span', { class: 'soft' }, `${amount(data.entries)} entries · ${minute(data.first)} to ${minute(data.last)}`));
  }

  /** Says what the timeline shows, and what to do where it shows no stays. */
  #note() {
    const data = this.#data;
    if (!data) return;
    const { from, to } = this.#timeline.view;
    const wide = data.isWide(from, to);
    if (wide) {
      const span = data.widest;
      this.#timeline.note(h('p', null, `More than ${amount(STAYS_MOST)} stays lie in this range, so only counts are shown: the most who were there in each interval.`),
        h('button', { type: 'button', onclick: () => this.#setView(Math.min(to, data.last) - span / 2, Math.min(to, data.last)) }, `Zoom in to the last ${duration(span / 2).split(' ').slice(0, 2).join(' ')}`));
    } else if (!data.loading && data.model.count === 0) this.#timeline.note(h('p', null, 'Nobody stayed here in this stretch of time. Zoom out, or pan.'));
    else this.#timeline.note();
    this.#status.textContent = data.loading ? 'Loading…' : `${stamp(Math.round(from / SECOND) * SECOND)} to ${clock(to, from)} UTC, ${duration(to - from)} in view.`;
  }

  #drawTable() {
    const data = this.#data;
    const place = this.#table.lastElementChild;
    if (!data || !place || !this.#table.open) return;
    const { from, to } = this.#timeline.view;
    /** @type {Stay[]} */
    const stays = [];
    for (const lane of data.model.lanes()) {
      const [first, last] = within(lane.stays, from, to);
      stays.push(...lane.stays.slice(first, last));
      if (stays.length > TABLE_ROWS) break;
    }
    /** @param {number | null} after @param {number} at */
    const edge = (after, at) => (after === null ? clock(at, from) : [glyph('possible'), `${clock(after, from)} to ${clock(at, from)}`]);
    const rows = stays.slice(0, TABLE_ROWS).map((stay) => h('tr', null, h('th', { scope: 'row' }, name(stay.user)), h('td', null, name(stay.topic)),
      h('td', null, stay.baseline ? `before ${clock(stay.start, from)}` : edge(stay.startsAfter, stay.start)),
      h('td', null, stay.end === null ? 'still there' : edge(stay.endsAfter, stay.end)),
      h('td', null, stay.mostMs === null ? `at least ${duration(stay.leastMs)}` : stay.leastMs === stay.mostMs ? duration(stay.leastMs) : `${duration(stay.leastMs)} to ${duration(stay.mostMs)}`)));
    fill(place, h('div', { class: 'table-panel' }, h('table', null, h('thead', null, h('tr', null, ['Member', 'Topic', 'Joined', 'Left', 'Stayed'].map((title) => h('th', { scope: 'col' }, title)))), h('tbody', null, rows))),
      stays.length > TABLE_ROWS && h('p', { class: 'soft' }, `These are the first ${TABLE_ROWS}. Zoom in to see the others.`));
  }

  /** @param {Place} place */
  update(place) {
    const known = this.#place.known !== place.known;
    this.#place = { ...place };
    if (document.activeElement !== this.#filter) this.#filter.value = place.q ?? '';
    if (this.#data) this.#timeline.view = this.#viewOf(this.#data);
    this.#apply();
    this.#ensure();
    if (known) this.#reopen();
    void this.#ask();
  }

  /** @param {string} [token] */
  retry(token) {
    if (token && this.#live) this.#live.renew(token);
    else this.#live?.retry();
    if (!this.#data) return void this.#open();
    this.#data.again();
    this.#ensure();
    return this.#askNow();
  }

  close() {
    this.#ended = true;
    for (const one of [this.#write, this.#askNow, this.#askPast, this.#ensure, this.#reopen]) one.stop();
    clearInterval(this.#tick);
    this.#asking?.abort();
    this.#live?.close();
    this.#coming?.close();
    this.#data?.close();
    this.#timeline.close();
    this.#roster.close();
  }
}
