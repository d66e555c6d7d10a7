// @ts-check
/**
 * The timeline of a channel: a canvas that scrolls, with two handles over it. The handles are sliders of the page, for
 * keyboards and screen readers: one is the moment whose roster is shown, the other says by when something had to be
 * known. Dragging the canvas pans; Ctrl and the wheel, two fingers, `+` and `-` zoom.
 */

import { h, name } from './dom.js';
import { within } from './model.js';
import { AXIS, HEAD, MARKERS, paint, xOf } from './paint.js';
import { colours } from './theme.js';
import { SECOND, clock, duration, stamp } from './times.js';

/** @typedef {import('./load.js').ChannelData} ChannelData */
/** @typedef {import('./model.js').Lane} Lane */
/** @typedef {import('./model.js').Stay} Stay */
/** @typedef {import('./paint.js').LaneRow} LaneRow */
/** @typedef {import('./paint.js').Scene} Scene */

/**
 * @typedef {object} Options
 * @property {(view: { from: number, to: number }) => void} onView Somebody moved what is in view.
 * @property {(at: number | undefined) => void} onMoment Undefined: now.
 * @property {(known: number | undefined) => void} onKnown Undefined: all that is known.
 * @property {(user: string) => void} onPerson
 */

const LANE = 22;
const TOPIC = 30;
const SHORTEST = 5;
const LONGEST = 2000 * 365.25 * 24 * 3_600_000;
const PHONE = 560;

export class Timeline {
  /** @type {ChannelData | null} */
  data = null;
  view = { from: 0, to: 1 };
  /** @type {number | undefined} */
  at;
  /** @type {number | undefined} */
  known;
  fit = false;
  query = '';
  /** Of a channel that is loaded in part, only lanes with a stay in this stretch are shown. @type {{ from: number, to: number } | null} */
  settled = null;

  #options;
  #canvas = h('canvas', { 'aria-hidden': 'true' });
  #spacer = h('div', { class: 'tl-spacer' });
  #scroller;
  #moment;
  #knownAt;
  #tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });
  #note = h('div', { class: 'tl-note', hidden: true });
  /** @type {LaneRow[]} */
  #rows = [];
  #rowsOf = '';
  /** @type {Lane | null} */
  #hovered = null;
  #frame = 0;
  #width = 0;
  #height = 0;
  #colours = colours();
  /** @type {Map<number, { x: number, y: number }>} */
  #fingers = new Map();
  /** @type {{ x: number, y: number, from: number, to: number, scroll: number, moved: boolean } | null} */
  #drag = null;
  #resize;
  #themed = () => {
    this.#colours = colours();
    this.draw();
  };

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#moment = this.#handle('moment', 'Moment', (at) => options.onMoment(at));
    this.#knownAt = this.#handle('known', 'Known at', (at) => options.onKnown(at));
    this.#scroller = h('div', {
      class: 'tl-scroller', tabindex: '0', role: 'group', 'aria-label': 'Timeline of stays. Plus and minus zoom, left and right pan, zero shows all.',
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event), onscroll: () => this.draw(),
    }, this.#canvas, this.#spacer);
    this.element = h('div', { class: 'timeline' }, this.#scroller, this.#moment, this.#knownAt, this.#note, this.#tip);
    this.#listen();
    this.#resize = new ResizeObserver(() => this.#measure());
    this.#resize.observe(this.element);
    addEventListener('themed', this.#themed);
  }

  get #gutter() {
    return this.#width < PHONE ? 96 : 156;
  }

  /** Until when something is drawn. */
  get end() {
    return this.data ? Math.max(this.data.last, this.data.first) : 0;
  }

  /** Where the handle of the moment stands. */
  get moment() {
    return this.at ?? this.end;
  }

  /** @returns {Scene} */
  #scene() {
    return {
      context: /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext('2d', { alpha: false })),
      width: this.#width, height: this.#height, gutter: this.#gutter, right: this.#width - 16, ...this.view, end: this.end,
      data: /** @type {ChannelData} */ (this.data), rows: this.#rows, scroll: this.#scroller.scrollTop, wide: this.#isWide,
      hovered: this.#hovered, at: this.moment, known: this.known ?? null, colours: this.#colours,
    };
  }

  get #isWide() {
    return this.data?.isWide(this.view.from, this.view.to) ?? false;
  }

  /** Draws with the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.data || this.#width === 0) return;
      this.#layOut();
      const scene = this.#scene();
      const ratio = Math.min(2, devicePixelRatio);
      scene.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      paint(scene);
      this.#placeHandles(scene);
    });
  }

  #measure() {
    const { width } = this.element.getBoundingClientRect();
    const height = Math.max(320, Math.min(620, innerHeight * 0.66));
    if (width === this.#width && height === this.#height) return;
    [this.#width, this.#height] = [width, height];
    const ratio = Math.min(2, devicePixelRatio);
    Object.assign(this.#canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    Object.assign(this.#canvas.style, { width: `${width}px`, height: `${height}px` });
    this.#scroller.style.height = `${height}px`;
    this.#rowsOf = '';
    this.draw();
  }

  /** Finds out where each lane is, when lanes have come. */
  #layOut() {
    const { data } = this;
    if (!data) return;
    const { settled } = this;
    const all = data.model.lanes();
    const of = `${data.model.version} ${all.length} ${settled?.from} ${settled?.to} ${data.model.count} ${this.query} ${this.fit} ${this.#height}`;
    if (of === this.#rowsOf) return;
    this.#rowsOf = of;
    const lanes = settled ? all.filter(({ stays }) => { const [first, last] = within(stays, settled.from, settled.to); return first < last; }) : all;
    const query = this.query.toLowerCase();
    const found = query ? lanes.filter(({ user, topic }) => user.toLowerCase().includes(query) || topic.toLowerCase().includes(query)) : lanes;
    const topics = Map.groupBy(found, ({ topic }) => topic);
    const room = this.#height - HEAD - 8 - topics.size * TOPIC;
    const height = this.fit ? Math.max(2, Math.min(LANE, room / Math.max(1, found.length))) : LANE;
    this.#rows = [];
    let y = 0;
    for (const [topic, members] of topics) {
      this.#rows.push({ topic, lane: null, y, height: TOPIC, members: members.length });
      y += TOPIC;
      for (const lane of members) {
        this.#rows.push({ topic, lane, y, height, members: 0 });
        y += height;
      }
    }
    this.#spacer.style.height = `${Math.max(0, y + HEAD + 8 - this.#height)}px`;
  }

  /** Says something in place of lanes; nothing: lanes are shown. @param {import('./dom.js').Child[]} said */
  note(...said) {
    this.#note.hidden = said.length === 0;
    this.#note.replaceChildren(...said.map((part) => (part instanceof Node ? part : `${part}`)));
  }

  /** @param {Scene} scene */
  #placeHandles(scene) {
    /** @param {HTMLElement} handle @param {number} at @param {string} text @param {boolean} live */
    const place = (handle, at, text, live) => {
      const x = Math.max(scene.gutter, Math.min(scene.right, xOf(scene, at)));
      handle.style.left = `${x}px`;
      handle.classList.toggle('off', xOf(scene, at) < scene.gutter - 1 || xOf(scene, at) > scene.right + 1);
      const half = (handle.firstElementChild?.clientWidth ?? 60) / 2;
      handle.style.setProperty('--shift', `${Math.max(4 - x + half, Math.min(0, this.#width - 4 - x - half))}px`);
      handle.setAttribute('aria-valuemin', `${Math.round(scene.data.first)}`);
      handle.setAttribute('aria-valuemax', `${Math.round(Math.max(scene.end, at))}`);
      handle.setAttribute('aria-valuenow', `${Math.round(at)}`);
      handle.setAttribute('aria-valuetext', live ? text : `${stamp(at)} UTC`);
      const flag = handle.firstElementChild;
      if (flag && flag.textContent !== text) flag.textContent = text;
    };
    place(this.#moment, this.moment, this.at === undefined ? 'now' : clock(this.at), this.at === undefined);
    place(this.#knownAt, this.known ?? scene.to, this.known === undefined ? 'known: all' : `known ${clock(this.known)}`, this.known === undefined);
  }

  /** @param {string} kind @param {string} label @param {(at: number | undefined) => void} give */
  #handle(kind, label, give) {
    const flag = h('span', { class: 'flag' });
    const handle = h('div', { class: `handle ${kind}`, role: 'slider', tabindex: '0', 'aria-label': label, 'aria-orientation': 'horizontal' }, flag);
    handle.style.top = `${kind === 'moment' ? 3 : AXIS + MARKERS - 20}px`;
    /** @param {number} at */
    const set = (at) => give(kind === 'moment' ? (at >= this.end ? undefined : at) : at >= this.view.to ? undefined : at);
    handle.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      handle.focus({ preventScroll: true });
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener('pointermove', (event) => {
      if (handle.hasPointerCapture(event.pointerId)) set(Math.round(this.#timeAt(event.clientX)));
    });
    handle.addEventListener('keydown', (event) => {
      const now = kind === 'moment' ? this.moment : this.known ?? this.view.to;
      const to = this.#stepped(event, now);
      if (to === null) return;
      event.preventDefault();
      event.stopPropagation();
      set(to);
      const stands = Math.min(to, kind === 'moment' ? this.end : this.view.to);
      if (stands < this.view.from || stands > this.view.to) this.#pan(stands - (this.view.from + this.view.to) / 2);
    });
    return handle;
  }

  /** Where a key leads from a moment. @param {KeyboardEvent} event @param {number} now */
  #stepped({ key, shiftKey }, now) {
    const step = (this.view.to - this.view.from) / (shiftKey ? 20 : 200);
    switch (key) {
      case 'ArrowRight': case 'ArrowUp': return Math.round(now + Math.max(1, step));
      case 'ArrowLeft': case 'ArrowDown': return Math.round(now - Math.max(1, step));
      case 'Home': return this.data?.first ?? now;
      case 'End': return Infinity;
      case 'PageUp': return this.#change(now, 1);
      case 'PageDown': return this.#change(now, -1);
      default: return null;
    }
  }

  /** The next change of the roster. @param {number} now @param {1 | -1} way */
  #change(now, way) {
    const { times } = /** @type {ChannelData} */ (this.data).counts;
    const at = /** @type {ChannelData} */ (this.data).counts.index(now);
    if (way > 0) return times[at + 1] ?? now;
    return (times[at] < now ? times[at] : times[at - 1]) ?? now;
  }

  /** @param {number} clientX */
  #timeAt(clientX) {
    const { left } = this.element.getBoundingClientRect();
    const { from, to } = this.view;
    return from + ((clientX - left - this.#gutter) / (this.#width - 16 - this.#gutter)) * (to - from);
  }

  /** @param {number} by How much larger the stretch gets. @param {number} [around] */
  zoom(by, around = Math.max(this.view.from, Math.min(this.view.to, this.moment))) {
    const { from, to } = this.view;
    const span = Math.max(SHORTEST, Math.min(LONGEST, (to - from) * by));
    const begin = around - ((around - from) / (to - from)) * span;
    this.#moveTo(begin, begin + span);
  }

  /** @param {number} by */
  #pan(by) {
    this.#moveTo(this.view.from + by, this.view.to + by);
  }

  /** @param {number} from @param {number} to */
  #moveTo(from, to) {
    this.view = { from, to };
    this.draw();
    this.#options.onView(this.view);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== this.#scroller) return;
    const width = this.view.to - this.view.from;
    /** @type {Record<string, () => void>} */
    const keys = {
      '+': () => this.zoom(0.7), '=': () => this.zoom(0.7), '-': () => this.zoom(1 / 0.7),
      ArrowLeft: () => this.#pan(-width / 10), ArrowRight: () => this.#pan(width / 10),
      0: () => this.data && this.#moveTo(this.data.first - (this.end - this.data.first) * 0.02, this.end + (this.end - this.data.first) * 0.03 + SECOND),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  #listen() {
    const target = this.#scroller;
    target.addEventListener('wheel', (event) => {
      const aside = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 200), this.#timeAt(event.clientX));
      else if (aside) this.#pan((aside / (this.#width - this.#gutter)) * (this.view.to - this.view.from));
      else return;
      event.preventDefault();
    }, { passive: false });
    target.addEventListener('pointerdown', (event) => this.#down(event));
    target.addEventListener('pointermove', (event) => this.#move(event));
    for (const end of /** @type {const} */ (['pointerup', 'pointercancel'])) target.addEventListener(end, (event) => this.#up(event));
    target.addEventListener('pointerleave', () => this.#hover(null, 0, 0));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || event.clientX > rightOf(this.#scroller)) return;
    this.#fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#drag = { x: event.clientX, y: event.clientY, ...this.view, scroll: this.#scroller.scrollTop, moved: this.#fingers.size > 1 };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const finger = this.#fingers.get(event.pointerId);
    if (!finger || !this.#drag) return this.#find(event);
    if (this.#fingers.size === 2) return this.#pinch(event, finger);
    const [dx, dy] = [event.clientX - this.#drag.x, event.clientY - this.#drag.y];
    if (!this.#drag.moved && Math.hypot(dx, dy) < 4) return undefined;
    if (!this.#drag.moved) this.#scroller.setPointerCapture(event.pointerId);
    this.#drag.moved = true;
    this.#hover(null, 0, 0);
    const by = (-dx / (this.#width - 16 - this.#gutter)) * (this.#drag.to - this.#drag.from);
    if (event.pointerType === 'mouse') this.#scroller.scrollTop = this.#drag.scroll - dy;
    return this.#moveTo(this.#drag.from + by, this.#drag.to + by);
  }

  /** @param {PointerEvent} event @param {{ x: number, y: number }} finger */
  #pinch(event, finger) {
    const other = [...this.#fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const before = Math.max(20, Math.abs(finger.x - other.x));
    finger.x = event.clientX;
    const after = Math.max(20, Math.abs(finger.x - other.x));
    this.zoom(before / after, this.#timeAt((finger.x + other.x) / 2));
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const was = this.#fingers.delete(event.pointerId);
    const drag = this.#drag;
    if (this.#fingers.size === 0) this.#drag = null;
    if (!was || !drag || drag.moved || event.type === 'pointercancel') return;
    const { left } = this.element.getBoundingClientRect();
    if (event.clientX - left < this.#gutter) {
      const lane = this.#laneAt(event.clientY);
      if (lane) this.#options.onPerson(lane.user);
      return;
    }
    const at = Math.round(this.#timeAt(event.clientX));
    this.#options.onMoment(at >= this.end ? undefined : at);
  }

  /** @param {number} clientY */
  #laneAt(clientY) {
    const { top } = this.element.getBoundingClientRect();
    if (clientY - top < HEAD || this.#isWide) return null;
    const y = clientY - top - HEAD + this.#scroller.scrollTop;
    return this.#rows.find((row) => row.lane && row.y <= y && row.y + row.height > y)?.lane ?? null;
  }

  /** @param {PointerEvent} event */
  #find(event) {
    if (event.pointerType === 'touch' || !this.data) return;
    const { top, left } = this.element.getBoundingClientRect();
    this.#hover(this.#laneAt(event.clientY), event.clientX - left, event.clientY - top);
  }

  /** @param {Lane | null} lane @param {number} x @param {number} y */
  #hover(lane, x, y) {
    if (lane !== this.#hovered) {
      this.#hovered = lane;
      this.draw();
    }
    const { left } = this.element.getBoundingClientRect();
    const at = this.#timeAt(x + left);
    const near = ((this.view.to - this.view.from) / this.#width) * 3;
    const [first, last] = lane ? within(lane.stays, at - near, at + near) : [0, 0];
    const stay = last > first && x > this.#gutter ? lane?.stays[first] : undefined;
    this.#scroller.classList.toggle('pointing', !!lane && x < this.#gutter);
    this.#tip.hidden = !stay;
    if (!stay) return;
    this.#tip.replaceChildren(...saidOf(stay));
    this.#tip.style.left = `${Math.min(x + 14, this.#width - this.#tip.offsetWidth - 8)}px`;
    this.#tip.style.top = `${Math.min(y + 16, this.#height - this.#tip.offsetHeight - 8)}px`;
  }

  close() {
    this.#resize.disconnect();
    removeEventListener('themed', this.#themed);
    cancelAnimationFrame(this.#frame);
  }
}

/** Where its scroll bar begins. @param {HTMLElement} element */
const rightOf = (element) => element.getBoundingClientRect().left + element.clientWidth;

/** @param {Stay} stay */
function saidOf(stay) {
  /** @param {number | null} after @param {number} at */
  const edge = (after, at) => (after === null ? clock(at) : `between ${clock(after, at)} and ${clock(at)}`);
  const joined = stay.baseline ? `there before the first snapshot, ${clock(stay.start)}` : `joined ${edge(stay.startsAfter, stay.start)}`;
  const left = stay.end === null ? 'still there' : `left ${edge(stay.endsAfter, stay.end)}`;
  const lasted = stay.mostMs !== null && stay.mostMs !== stay.leastMs
    ? `${duration(stay.leastMs)} to ${duration(stay.mostMs)}` : stay.end === null ? '' : `${duration(stay.end - stay.start)}`;
  return [h('strong', null, name(stay.user)), h('span', null, joined), h('span', null, left), lasted ? h('span', { class: 'soft' }, lasted) : ''];
}
