// @ts-check
/** The first page: all channels, live. Counts move with the entries as they come, and are asked for anew in between. */

import { list, one } from './api.js';
import { amount, blank, fill, h, name, throttled } from './dom.js';
import { Live } from './live.js';
import { bytewise } from './model.js';
import { write } from './place.js';
import { MINUTE, SECOND, clock, duration, moment, rfc, stamp } from './times.js';

/** @typedef {import('./model.js').Row} Row */
/** @typedef {import('./place.js').Place} Place */
/** @typedef {import('./place.js').Shell} Shell */

const SHOWN = 100;
const RATE_SECONDS = 10;
const REFRESH_MS = 3_000;
/** @type {Record<string, [string, (a: Row, b: Row) => number]>} */
const ORDERS = {
  name: ['Channel', () => 0],
  present: ['Present', (a, b) => b.present_now - a.present_now],
  coverage: ['Coverage', (a, b) => COVERAGES.indexOf(b.coverage) - COVERAGES.indexOf(a.coverage)],
  rate: ['Entries/s', (a, b) => b.rate - a.rate],
  entries: ['Entries', (a, b) => b.entries - a.entries],
  last: ['Last entry', (a, b) => (moment(b.last_at) ?? 0) - (moment(a.last_at) ?? 0)],
};
const COVERAGES = ['complete', 'partial', 'blind'];
const COVERAGE_SAYS = { complete: 'watched', partial: 'no snapshot', blind: 'open gap' };

/** Entries a second, over the last ten. */
class Rates {
  /** @type {{ second: number, counts: Map<string, number>, all: number }[]} */
  #seconds = [];

  /** @param {string | null} channel */
  add(channel) {
    const second = Math.floor(Date.now() / SECOND);
    let last = this.#seconds.at(-1);
    if (last?.second !== second) this.#seconds.push((last = { second, counts: new Map(), all: 0 }));
    last.all += 1;
    if (channel !== null) last.counts.set(channel, (last.counts.get(channel) ?? 0) + 1);
    this.#drop();
  }

  #drop() {
    const oldest = Math.floor(Date.now() / SECOND) - RATE_SECONDS;
    while (this.#seconds.length && this.#seconds[0].second <= oldest) this.#seconds.shift();
  }

  /** @param {string} [channel] All where missing. */
  of(channel) {
    this.#drop();
    return this.#seconds.reduce((sum, one) => sum + (channel === undefined ? one.all : one.counts.get(channel) ?? 0), 0) / RATE_SECONDS;
  }
}

/** @param {number} rate */
const rateSaid = (rate) => (rate === 0 ? '0' : rate < 10 ? rate.toFixed(1) : amount(Math.round(rate)));

export class ChannelsPage {
  title = 'Channels';
  /** @type {Map<string, Row>} */
  #channels = new Map();
  /** @type {Map<string, { row: HTMLTableRowElement, cells: HTMLElement[] }>} */
  #rows = new Map();
  /** @type {Map<string, string>} Since when a gap is open. */
  #gaps = new Map();
  #rates = new Rates();
  #place;
  #shell;
  /** @type {Live | null} */
  #live = null;
  #ended = new AbortController();
  #stale = false;
  #loaded = false;
  #all = false;
  #tiles = h('dl', { class: 'tiles' });
  #body = h('tbody');
  #table;
  #state = h('div');
  #more = h('div', { class: 'more' });
  #search;
  #show = throttled(200, () => this.#draw());
  #refresh = throttled(REFRESH_MS, () => void this.#load());
  #clock = setInterval(() => this.#show(), SECOND);

  /** @param {Place} place @param {Shell} shell */
  constructor(place, shell) {
    this.#place = place;
    this.#shell = shell;
    this.#search = h('input', { type: 'search', placeholder: 'Search channels', 'aria-label': 'Search channels', value: place.q ?? '', oninput: () => this.#find() });
    const heads = Object.entries(ORDERS).map(([order, [title]]) => h('th', { scope: 'col', class: order, 'data-order': order },
      h('button', { type: 'button', onclick: () => this.#sort(order) }, title)));
    this.#table = h('table', { class: 'channels', hidden: true }, h('caption', { class: 'unseen' }, 'Channels'), h('thead', null, h('tr', null, heads)), this.#body);
    this.element = h('div', { class: 'page' },
      h('div', { class: 'page-head' }, h('h1', null, 'Channels'), h('div', { class: 'tools' }, this.#search)),
      this.#tiles, h('div', { class: 'panel table-panel' }, this.#table, this.#state, this.#more));
    fill(this.#state, blank('Loading channels…'));
    void this.#load();
  }

  async #load() {
    const { signal } = this.#ended;
    this.#stale = false;
    try {
      const { rows } = await list('v1/channels', {}, { signal });
      this.#channels = new Map(rows.map((row) => [row.channel, row]));
      this.#loaded = true;
      this.#shell.well();
      this.#draw();
      if (!this.#live) await this.#follow(rows[0]?.channel);
      if (this.#stale) this.#refresh();
    } catch (error) {
      if (!signal.aborted) this.#shell.trouble(error);
    }
  }

  /** Follows the log from its head, which the answer about any channel names. @param {string | undefined} channel */
  async #follow(channel) {
    const head = channel === undefined ? { seq: 0 } : await one('v1/who', { channel, topic: '-' }, this.#ended.signal);
    if (this.#live || this.#ended.signal.aborted) return;
    this.#live = new Live({
      seq: head.seq, onEntries: (entries) => this.#take(entries), onExpiring: this.#shell.expiring,
      onState: (state) => {
        this.#shell.state(state);
        if (state.is === 'live') this.#refresh();
      },
    });
  }

  /** @param {Row[]} entries */
  #take(entries) {
    this.#stale = true;
    for (const { channel, type, disposition, effective_at } of entries) {
      this.#rates.add(channel);
      const row = this.#channels.get(channel);
      if (!row) continue;
      row.entries += 1;
      row.last_at = effective_at;
      if (disposition === 'applied' && (type === 'join' || type === 'leave')) row.present_now += type === 'join' ? 1 : -1;
    }
    this.#show();
    this.#refresh();
  }

  #find() {
    this.#place = { ...this.#place, q: this.#search.value || undefined };
    this.#shell.go(this.#place, true);
    this.#draw(true);
  }

  /** @param {string} order */
  #sort(order) {
    this.#place = { ...this.#place, sort: order };
    this.#shell.go(this.#place, true);
    this.#draw(true);
  }

  /** The channels to show, in their order. */
  #wanted() {
    const query = (this.#place.q ?? '').toLowerCase();
    const found = [...this.#channels.values()].filter(({ channel }) => channel.toLowerCase().includes(query));
    for (const row of found) row.rate = this.#rates.of(row.channel);
    const order = (ORDERS[this.#place.sort ?? ''] ?? ORDERS.present)[1];
    return found.sort((a, b) => order(a, b) || bytewise(a.channel, b.channel));
  }

  /** @param {boolean} [asked] Somebody wants another order now. */
  #draw(asked = false) {
    if (!this.#loaded) return;
    const wanted = this.#wanted();
    this.#drawTiles();
    this.#table.hidden = wanted.length === 0;
    for (const head of this.#table.querySelectorAll('th')) {
      const sorted = head.dataset.order === (this.#place.sort ?? 'present');
      if (sorted) head.setAttribute('aria-sort', head.dataset.order === 'name' ? 'ascending' : 'descending');
      else head.removeAttribute('aria-sort');
    }
    fill(this.#state, wanted.length === 0 && this.#none());
    const shown = wanted.slice(0, this.#all ? Infinity : SHOWN);
    const rows = shown.map((channel) => this.#row(channel));
    // Rows do not move away under somebody's fingers.
    const held = !asked && this.#body.contains(document.activeElement) && rows.length === this.#body.children.length;
    if (!held && rows.some((row, at) => this.#body.children[at] !== row)) this.#body.replaceChildren(...rows);
    else if (rows.length !== this.#body.children.length) this.#body.replaceChildren(...rows);
    fill(this.#more, wanted.length > shown.length && h('button', { type: 'button', onclick: () => { this.#all = true; this.#draw(true); } }, `Show all ${amount(wanted.length)} channels`));
    void this.#findGaps(shown.filter(({ coverage, channel }) => coverage === 'blind' && !this.#gaps.has(channel)));
  }

  #none() {
    if (this.#channels.size) return blank('No channel has this in its name.', h('p', { class: 'soft' }, 'Search for something else, or for less of it.'));
    return blank('Nothing is recorded yet.', h('p', { class: 'soft' }, 'Channels turn up here with their first event. Send one:'),
      h('pre', null, `curl -d '{"t":"join","channel":"lobby","topic":"chat","user":"ana"}' '${new URL('v1/events?observer=me', document.baseURI)}'`));
  }

  #drawTiles() {
    const all = [...this.#channels.values()];
    const blind = all.filter(({ coverage }) => coverage === 'blind').length;
    /** @type {[string, string, string][]} */
    const tiles = [
      ['Channels', amount(all.length), ''],
      ['Present now', amount(all.reduce((sum, { present_now }) => sum + present_now, 0)), ''],
      ['Open gaps', amount(blind), blind ? 'warn' : ''],
      ['Entries a second', rateSaid(this.#rates.of()), ''],
    ];
    const said = tiles.map((tile) => tile.join()).join();
    if (this.#tiles.dataset.said === said) return;
    this.#tiles.dataset.said = said;
    fill(this.#tiles, tiles.map(([title, value, kind]) => h('div', { class: `tile ${kind}` }, h('dt', null, title), h('dd', null, value))));
  }

  /** @param {Row} channel */
  #row(channel) {
    let known = this.#rows.get(channel.channel);
    if (!known) {
      const link = h('a', { href: write({ page: 'channel', name: channel.channel }) }, name(channel.channel));
      const cells = ['present', 'coverage', 'rate', 'entries', 'last'].map((kind) => h('td', { class: kind }));
      known = { row: h('tr', null, h('th', { scope: 'row', class: 'name' }, link), cells), cells };
      this.#rows.set(channel.channel, known);
    }
    const [present, coverage, rate, entries, last] = known.cells;
    const at = moment(channel.last_at) ?? 0;
    put(present, amount(channel.present_now));
    if (coverage.dataset.is !== channel.coverage + (this.#gaps.get(channel.channel) ?? '')) {
      coverage.dataset.is = channel.coverage + (this.#gaps.get(channel.channel) ?? '');
      fill(coverage, badge(channel.coverage, this.#gaps.get(channel.channel)));
    }
    put(rate, rateSaid(channel.rate));
    put(entries, amount(channel.entries));
    put(last, ago(at));
    last.title = `${stamp(at)} UTC`;
    return known.row;
  }

  /** Since when the gaps of blind channels are open. @param {Row[]} blind */
  async #findGaps(blind) {
    for (const { channel } of blind.slice(0, 20)) {
      this.#gaps.set(channel, '');
      try {
        const { rows } = await list('v1/gaps', { channel }, { signal: this.#ended.signal });
        const open = rows.find(({ to }) => to === null);
        if (open) this.#gaps.set(channel, open.from);
        this.#show();
      } catch {
        return; // The badge says that there is one; the next refresh asks again.
      }
    }
    for (const [channel] of this.#gaps) if (this.#channels.get(channel)?.coverage !== 'blind') this.#gaps.delete(channel);
  }

  /** @param {Place} place */
  update(place) {
    this.#place = place;
    if (document.activeElement !== this.#search) this.#search.value = place.q ?? '';
    this.#draw(true);
  }

  /** @param {string} [token] */
  retry(token) {
    if (token && this.#live) this.#live.renew(token);
    else this.#live?.retry();
    void this.#load();
  }

  close() {
    this.#ended.abort();
    this.#live?.close();
    this.#show.stop();
    this.#refresh.stop();
    clearInterval(this.#clock);
  }
}

/** @param {HTMLElement} cell @param {string} text */
function put(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

/** @param {number} at */
function ago(at) {
  const past = Date.now() - at;
  if (past < -MINUTE) return stamp(at).slice(0, 16);
  if (past < 24 * 60 * MINUTE) return past < SECOND ? 'just now' : `${duration(Math.max(SECOND, past)).replace(/ \d+ s$/, past > MINUTE ? '' : '$&')} ago`;
  return rfc(at).slice(0, 10);
}

/** Coverage as a sign and words. @param {string} coverage @param {string} [since] */
export function badge(coverage, since) {
  const from = moment(since);
  const said = COVERAGE_SAYS[/** @type {'blind'} */ (coverage)] ?? coverage;
  return h('span', { class: `badge ${coverage}` }, h('i', { 'aria-hidden': 'true' }), said, from !== null && h('span', { class: 'badge-since' }, ` since ${clock(from, Date.now())}`));
}
