// @ts-check
/**
 * Draws the timeline on a canvas: axis, markers, occupancy, and the lanes that are in view. It keeps nothing but what
 * can be drawn once and used again; each call draws all anew.
 */

import { visible } from './dom.js';
import { within } from './model.js';
import { clock, ticks } from './times.js';

/** @typedef {import('./load.js').ChannelData} ChannelData */
/** @typedef {import('./model.js').Lane} Lane */
/** @typedef {import('./theme.js').Colours} Colours */
/** @typedef {{ topic: string, lane: Lane | null, y: number, height: number, members: number }} LaneRow A lane, or the head of a topic. */

/**
 * @typedef {object} Scene
 * @property {CanvasRenderingContext2D} context @property {number} width @property {number} height
 * @property {number} gutter Where time begins. @property {number} right Where it ends.
 * @property {number} from @property {number} to The stretch in view.
 * @property {number} end Until when an open stay is drawn.
 * @property {ChannelData} data @property {LaneRow[]} rows @property {number} scroll
 * @property {boolean} wide There are counts and no stays.
 * @property {Lane | null} hovered @property {number} at @property {number | null} known @property {Colours} colours
 */

export const AXIS = 30;
export const MARKERS = 24;
export const COUNTS = 96;
/** Where lanes begin. */
export const HEAD = AXIS + MARKERS + COUNTS + 10;
const FONT = 'Inter, system-ui, sans-serif';

/** @param {Scene} scene @param {number} at */
export const xOf = ({ gutter, right, from, to }, at) => gutter + ((at - from) / (to - from)) * (right - gutter);

/** @param {Scene} scene */
export function paint(scene) {
  const { context: c, width, height, colours } = scene;
  c.fillStyle = colours.panel;
  c.fillRect(0, 0, width, height);
  axis(scene);
  const windows = scene.wide ? [] : lanes(scene);
  gaps(scene);
  fades(scene, windows);
  counts(scene);
  markers(scene);
  lines(scene);
  if (!scene.wide) labels(scene);
}

/** @param {Scene} scene */
function axis(scene) {
  const { context: c, gutter, right, height, from, to, colours } = scene;
  c.font = `500 11px ${FONT}`;
  c.textBaseline = 'middle';
  c.textAlign = 'center';
  for (const tick of ticks(from, to, (right - gutter) / 92)) {
    const x = Math.round(xOf(scene, tick.at)) + 0.5;
    c.fillStyle = colours.line;
    c.globalAlpha = tick.strong ? 1 : 0.55;
    c.fillRect(x - 0.5, AXIS, 1, height - AXIS);
    c.globalAlpha = 1;
    if (x < gutter + 16 || x > right - 8) continue;
    c.fillStyle = tick.strong ? colours.ink : colours.soft;
    c.fillText(tick.text, x, AXIS / 2 + 1);
  }
  c.fillStyle = colours.line;
  c.fillRect(gutter, AXIS, right - gutter, 1);
}

/** @type {{ key: string, join: HTMLCanvasElement, leave: HTMLCanvasElement, hatch: HTMLCanvasElement } | null} */
let drawn = null;

/** The faded ends and the hatching, in these colours. @param {Colours} colours */
function stencils(colours) {
  const key = colours.possible + colours.gap + colours.panel;
  if (drawn?.key === key) return drawn;
  /** @param {number} width @param {number} height @param {(c: CanvasRenderingContext2D) => void} draw */
  const make = (width, height, draw) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    draw(/** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')));
    return canvas;
  };
  /** @param {number} begin @param {number} end */
  const fade = (begin, end) => make(64, 1, (c) => {
    for (let x = 0; x < 64; x += 1) {
      c.globalAlpha = begin + ((end - begin) * x) / 63;
      c.fillStyle = colours.possible;
      c.fillRect(x, 0, 1, 1);
    }
  });
  const hatch = make(8, 8, (c) => {
    c.globalAlpha = 0.5;
    c.fillStyle = colours.panel;
    c.fillRect(0, 0, 8, 8);
    c.globalAlpha = 0.55;
    c.strokeStyle = colours.gap;
    c.lineWidth = 1.3;
    c.beginPath();
    for (const shift of [-8, 0, 8]) {
      c.moveTo(shift, 8);
      c.lineTo(shift + 8, 0);
    }
    c.stroke();
  });
  drawn = { key, join: fade(0.12, 1), leave: fade(1, 0.12), hatch };
  return drawn;
}

/** The rows that are in view. @param {Scene} scene */
function* inView({ rows, scroll, height }) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle].y + rows[middle].height <= scroll) low = middle + 1;
    else high = middle;
  }
  for (let at = low; at < rows.length && rows[at].y - scroll < height - HEAD; at += 1) yield rows[at];
}

/** @typedef {[HTMLCanvasElement, number, number, number, number]} Fade */

/** Draws what is sure of each stay, and returns the windows. @param {Scene} scene */
function lanes(scene) {
  const { context: c, gutter, right, from, to, scroll, end, colours, hovered } = scene;
  const { join, leave } = stencils(colours);
  const scale = (right - gutter) / (to - from);
  /** @type {Fade[]} */
  const windows = [];
  clipToLanes(scene);
  for (const { lane, y, height } of inView(scene)) {
    const top = HEAD + y - scroll;
    if (!lane) continue;
    if (lane === hovered) {
      c.fillStyle = colours.line;
      c.globalAlpha = 0.5;
      c.fillRect(gutter, top, right - gutter, height);
      c.globalAlpha = 1;
    }
    const bar = height > 10 ? height - 8 : Math.max(1, height - 1);
    const at = top + (height - bar) / 2;
    c.fillStyle = colours.certain;
    let drawnTo = -Infinity;
    const [first, last] = within(lane.stays, from, to);
    for (let index = first; index < last; index += 1) {
      const stay = lane.stays[index];
      const open = stay.end ?? Math.max(end, stay.start);
      const sure = Math.min(open, Math.max(stay.start, stay.endsAfter ?? open));
      const x0 = gutter + (stay.start - from) * scale;
      const x1 = gutter + (sure - from) * scale;
      if (stay.startsAfter !== null && (stay.start - stay.startsAfter) * scale > 2) windows.push([join, gutter + (stay.startsAfter - from) * scale, x0, at, bar]);
      if (stay.endsAfter !== null && (open - sure) * scale > 2) windows.push([leave, x1, gutter + (open - from) * scale, at, bar]);
      // What would cover the same pixels again need not be drawn.
      if (x1 < drawnTo && x1 - x0 < 1) continue;
      const left = Math.max(x0, gutter - 2);
      c.fillRect(left, at, Math.max(1, Math.min(x1, right + 2) - left), bar);
      drawnTo = Math.ceil(x1);
    }
  }
  c.restore();
  return windows;
}

/** The windows of joins and leaves, above the gaps in which most of them lie. @param {Scene} scene @param {Fade[]} windows */
function fades(scene, windows) {
  const { context: c, gutter, right } = scene;
  clipToLanes(scene);
  for (const [strip, x0, x1, y, height] of windows) if (x1 > gutter && x0 < right) c.drawImage(strip, x0, y, x1 - x0, height);
  c.restore();
}

/** Until `restore`. @param {Scene} scene */
function clipToLanes({ context: c, gutter, right, height }) {
  c.save();
  c.beginPath();
  c.rect(gutter, HEAD, right - gutter, height - HEAD);
  c.clip();
}

/** @param {Scene} scene */
function labels(scene) {
  const { context: c, gutter, width, scroll, colours, hovered, height: bottom } = scene;
  c.save();
  c.beginPath();
  c.rect(0, HEAD, width, bottom - HEAD);
  c.clip();
  c.textBaseline = 'middle';
  for (const { topic, lane, y, height, members } of inView(scene)) {
    const top = HEAD + y - scroll;
    if (!lane) {
      c.fillStyle = colours.line;
      c.fillRect(12, top + 2, width - 24, 1);
      c.font = `600 12px ${FONT}`;
      c.textAlign = 'left';
      c.fillStyle = colours.ink;
      c.fillText(cut(c, visible(topic), gutter - 48), 12, top + height / 2 + 3);
      c.font = `500 11px ${FONT}`;
      c.fillStyle = colours.soft;
      c.textAlign = 'right';
      c.fillText(`${members}`, gutter - 12, top + height / 2 + 3);
    } else if (height >= 12) {
      c.font = `${lane === hovered ? 600 : 450} 12px ${FONT}`;
      c.textAlign = 'left';
      c.fillStyle = lane === hovered ? colours.ink : colours.soft;
      const name = lane.connection ? `${lane.user} · ${lane.connection}` : lane.user;
      c.fillText(cut(c, visible(name), gutter - 32), 24, top + height / 2 + 0.5);
    }
  }
  c.restore();
}

/** A text that fits. @param {CanvasRenderingContext2D} c @param {string} text @param {number} width */
function cut(c, text, width) {
  // Isolated, so that a name that is written from the right stays within its place.
  const whole = `\u2068${text}\u2069`;
  if (text.length < 200 && c.measureText(whole).width <= width) return whole;
  const letters = [...text].slice(0, 60);
  while (letters.length > 1 && c.measureText(`${letters.join('')}…`).width > width) letters.pop();
  return `\u2068${letters.join('')}…\u2069`;
}

/** @param {Scene} scene */
function gaps(scene) {
  const { context: c, gutter, right, data, end, colours } = scene;
  const height = scene.wide ? HEAD - 10 : scene.height;
  const pattern = c.createPattern(stencils(colours).hatch, 'repeat');
  c.font = `600 11px ${FONT}`;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  unproven(scene);
  let labelled = -Infinity;
  for (const gap of data.gaps) {
    const x0 = Math.max(gutter, xOf(scene, gap.from));
    const x1 = Math.min(right, gap.to === null ? Math.max(xOf(scene, end), x0 + 2) : xOf(scene, gap.to));
    if (x1 < gutter || x0 > right || gap.resumed) continue;
    c.fillStyle = pattern ?? colours.gap;
    c.fillRect(x0, AXIS + 1, Math.max(1, x1 - x0), height - AXIS);
    const text = gap.to === null ? `gap ${gap.gap}, open` : `gap ${gap.gap}`;
    if (x1 - x0 < c.measureText(text).width + 12 || x0 < labelled) continue;
    c.fillStyle = colours.soft;
    c.fillText(text, x0 + 6, AXIS + MARKERS / 2 + 1);
    labelled = x1;
  }
}

/** Behind the last proof stays are assumed, unless somebody watches now. @param {Scene} scene */
function unproven(scene) {
  const { context: c, gutter, right, height, data, end, colours } = scene;
  if (data.ticks || data.proven === null || data.proven >= end || scene.wide) return;
  const [x0, x1] = [Math.max(gutter, xOf(scene, data.proven)), Math.min(right, xOf(scene, end))];
  if (x1 <= x0) return;
  c.globalAlpha = 0.5;
  c.fillStyle = colours.panel;
  c.fillRect(x0, HEAD, x1 - x0, height - HEAD);
  c.globalAlpha = 1;
}

/** @param {Scene} scene */
function markers(scene) {
  const { context: c, gutter, right, data, colours } = scene;
  let [snapshots, tokens] = [-Infinity, -Infinity];
  const y = AXIS + MARKERS / 2 + 1;
  for (const { at, kind } of data.markers) {
    const x = xOf(scene, at);
    if (x < gutter - 4 || x > right + 4) continue;
    if (kind === 'snapshot') {
      if (x < snapshots + 3) continue;
      snapshots = x;
      c.fillStyle = colours.ink;
      c.beginPath();
      c.moveTo(x - 4.5, y - 4);
      c.lineTo(x + 4.5, y - 4);
      c.lineTo(x, y + 4);
      c.fill();
    } else {
      if (x < tokens + 3) continue;
      tokens = x;
      c.fillStyle = colours.token;
      c.beginPath();
      c.moveTo(x, y - 5);
      c.lineTo(x + 5, y);
      c.lineTo(x, y + 5);
      c.lineTo(x - 5, y);
      c.fill();
    }
  }
}

/** @param {Scene} scene */
function counts(scene) {
  const { context: c, gutter, right, colours, data, wide } = scene;
  const [top, bottom] = [AXIS + MARKERS + 14, AXIS + MARKERS + COUNTS];
  const width = Math.max(1, Math.round(right - gutter));
  const end = Math.max(0, Math.min(width, Math.round(xOf(scene, scene.end) - gutter)));
  const columns = wide ? intervalColumns(scene, width) : data.counts.columns(scene.from, scene.to, width);
  let most = 1;
  for (let x = 0; x < end; x += 1) most = Math.max(most, columns.most[x]);
  /** @param {number} count */
  const y = (count) => bottom - (count / most) * (bottom - top);
  c.fillStyle = colours.possible;
  c.globalAlpha = 0.4;
  for (let x = 0; x < end; x += 1) {
    if (columns.most[x] > columns.least[x]) c.fillRect(gutter + x, y(columns.most[x]), 1, y(columns.least[x]) - y(columns.most[x]));
  }
  c.globalAlpha = 0.14;
  c.fillStyle = colours.certain;
  for (let x = 0; x < end; x += 1) c.fillRect(gutter + x, y(columns.low[x]), 1, bottom - y(columns.low[x]));
  c.globalAlpha = 1;
  for (let x = 0; x < end; x += 1) {
    const high = Math.max(columns.high[x], x > 0 ? Math.min(columns.low[x - 1], columns.high[x - 1]) : 0);
    const low = Math.min(columns.low[x], x > 0 ? columns.high[x - 1] : columns.low[x]);
    c.fillRect(gutter + x, y(high) - 0.75, 1, Math.max(1.5, y(low) - y(high) + 1.5));
  }
  c.fillStyle = colours.line;
  c.fillRect(gutter, bottom, right - gutter, 1);
  c.font = `500 11px ${FONT}`;
  c.textAlign = 'right';
  c.fillStyle = colours.soft;
  c.fillText(`${most}`, gutter - 10, top + 2);
  c.fillText('0', gutter - 10, bottom - 3);
  c.textAlign = 'left';
  c.font = `600 12px ${FONT}`;
  c.fillStyle = colours.ink;
  c.fillText('Present', 12, (top + bottom) / 2);
  peak(scene, y);
}

/** Counts by interval, as columns. @param {Scene} scene @param {number} width */
function intervalColumns({ data, from, to }, width) {
  const high = new Int32Array(width);
  const scale = width / (to - from);
  for (const interval of data.intervals ?? []) {
    const first = Math.max(0, Math.floor((interval.from - from) * scale));
    const last = Math.min(width, Math.ceil((interval.to - from) * scale));
    for (let x = first; x < last; x += 1) high[x] = interval.count;
  }
  return { least: high, low: high, high, most: high };
}

/** @param {Scene} scene @returns {{ at: number, known: number, least: number, most: number } | null} */
export function peakOf({ data, from, to, wide }) {
  if (!wide) return data.counts.peak(from, to);
  const inside = (data.intervals ?? []).filter((interval) => interval.at >= from && interval.at <= to);
  const best = inside.reduce((a, b) => (b.count > a.count ? b : a), inside[0]);
  return best ? { at: best.at, known: best.count, least: best.count, most: best.count } : null;
}

/** @param {Scene} scene @param {(count: number) => number} y */
function peak(scene, y) {
  const { context: c, gutter, right, colours } = scene;
  const found = peakOf(scene);
  if (!found) return;
  const x = Math.max(gutter, Math.min(right, xOf(scene, found.at)));
  c.fillStyle = colours.panel;
  c.strokeStyle = colours.certain;
  c.lineWidth = 2;
  c.beginPath();
  c.arc(x, y(found.known), 3.5, 0, 7);
  c.fill();
  c.stroke();
  const unsure = found.least < found.most ? ` (${found.least} to ${found.most})` : '';
  const text = `peak ${found.known}${unsure} at ${clock(found.at)}`;
  c.font = `600 11px ${FONT}`;
  const width = c.measureText(text).width;
  const left = x + 10 + width > right ? x - 10 - width : x + 10;
  c.globalAlpha = 0.85;
  c.fillStyle = colours.panel;
  c.fillRect(left - 3, y(found.known) - 8, width + 6, 16);
  c.globalAlpha = 1;
  c.fillStyle = colours.ink;
  c.textAlign = 'left';
  c.textBaseline = 'middle';
  c.fillText(text, left, y(found.known) + 0.5);
}

/** The moment and, dashed, what is known. @param {Scene} scene */
function lines(scene) {
  const { context: c, gutter, right, height, at, known, colours } = scene;
  /** @param {number} moment @param {string} colour @param {number[]} dash */
  const line = (moment, colour, dash) => {
    const x = Math.round(xOf(scene, moment)) + 0.5;
    if (x < gutter || x > right + 1) return;
    c.strokeStyle = colour;
    c.lineWidth = 1.5;
    c.setLineDash(dash);
    c.beginPath();
    c.moveTo(x, AXIS);
    c.lineTo(x, height);
    c.stroke();
    c.setLineDash([]);
  };
  if (known !== null) line(known, colours.soft, [5, 4]);
  line(at, colours.accent, []);
}
