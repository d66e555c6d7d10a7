// @ts-check
/**
 * Times as people read and write them, and the ticks of an axis. All times are Unix milliseconds inside and UTC outside.
 * Pure.
 */

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
const YEAR = 365.25 * DAY;
const FARTHEST = 8.64e15; // what a Date can hold

/** The moment that an answer of the server names; null stays null. @param {string | null | undefined} text */
export function moment(text) {
  if (text == null) return null;
  const at = text.startsWith('@') ? Number(text.slice(1)) : Date.parse(text);
  return Number.isFinite(at) ? at : null;
}

/** As the server reads it. @param {number} ms */
export const rfc = (ms) => (Math.abs(ms) <= FARTHEST ? new Date(Math.round(ms)).toISOString() : `@${Math.round(ms)}`);

/** `2026-05-14 20:40:52.031`, without the milliseconds where they are nought. @param {number} ms */
export function stamp(ms) {
  const text = rfc(ms).replace('T', ' ').replace('Z', '');
  return text.endsWith('.000') ? text.slice(0, -4) : text;
}

/** `2026-05-14 20:40`. @param {number} ms */
export const minute = (ms) => stamp(ms).slice(0, 16);

/** `20:40:52`, or with the day where it is another one than that of `beside`. @param {number} ms @param {number} [beside] */
export function clock(ms, beside = ms) {
  const text = stamp(Math.floor(ms / SECOND) * SECOND);
  return Math.floor(ms / DAY) === Math.floor(beside / DAY) ? text.slice(-8) : text;
}

/** `7 min 41 s`: two units at most. @param {number} ms */
export function duration(ms) {
  /** @type {[number, string][]} */
  const units = [[YEAR, 'y'], [DAY, 'd'], [HOUR, 'h'], [MINUTE, 'min'], [SECOND, 's']];
  const whole = Math.max(0, Math.round(ms));
  if (whole < SECOND) return `${whole} ms`;
  const at = units.findIndex(([unit]) => whole >= unit);
  const [unit, name] = units[at];
  const next = units[at + 1];
  const rest = next ? Math.floor((whole % unit) / next[0]) : 0;
  return `${Math.floor(whole / unit)} ${name}${rest ? ` ${rest} ${next[1]}` : ''}`;
}

/**
 * What somebody typed: RFC 3339 or the beginning of it (UTC where it names no zone), `20:45` on the day of `beside`,
 * `@1700000000000`, or `-90m` from now. Null where it is none of these.
 * @param {string} text @param {number} beside @param {number} now
 */
export function typed(text, beside, now) {
  const bare = text.trim();
  const back = /^-(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(bare);
  if (back) return now - Number(back[1]) * { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY }[/** @type {'s'} */ (back[2])];
  if (/^@-?\d+$/.test(bare)) return Number(bare.slice(1));
  const time = /^(\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)Z?$/.exec(bare);
  const whole = time ? `${rfc(beside).slice(0, 10)}T${time[1].padStart(time[1].indexOf(':') === 1 ? time[1].length + 1 : 0, '0')}` : bare;
  if (!/^\d{4}-\d{2}-\d{2}/.test(whole)) return null;
  const zoned = /(?:Z|[+-]\d{2}:?\d{2})$/i.test(whole.slice(10)) || whole.length === 10 ? whole : `${whole}Z`;
  const at = Date.parse(zoned.replace(' ', 'T'));
  return Number.isFinite(at) ? at : null;
}

/** @type {number[]} */
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14].map((n) => n * DAY),
];
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000, 12_000];

/**
 * Ticks between two moments, at most about so many, and what each says. `strong` ones begin a new day, month or year.
 * @param {number} from @param {number} to @param {number} most
 * @returns {{ at: number, text: string, strong: boolean }[]}
 */
export function ticks(from, to, most) {
  const wanted = (to - from) / Math.max(1, most);
  const step = STEPS.find((one) => one >= wanted);
  if (step === undefined) return monthTicks(from, to, wanted);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to && found.length < 200; at += step) {
    const text = rfc(at);
    const strong = at % DAY === 0;
    const day = `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1]}`;
    if (strong) found.push({ at, text: day, strong });
    else if (step >= MINUTE) found.push({ at, text: text.slice(11, 16), strong });
    else found.push({ at, text: step >= SECOND ? text.slice(11, 19) : text.slice(14, 23), strong });
  }
  return found;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** @param {number} from @param {number} to @param {number} wanted */
function monthTicks(from, to, wanted) {
  const month = YEAR / 12;
  const step = MONTH_STEPS.find((one) => one * month >= wanted) ?? 12_000;
  const first = new Date(Math.max(from, -FARTHEST));
  const found = [];
  let count = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / step) * step;
  for (; found.length < 200; count += step) {
    const date = new Date(0);
    date.setUTCFullYear(Math.floor(count / 12), count % 12, 1);
    const at = date.getTime();
    if (!(at <= to)) break;
    if (at < from) continue;
    const year = `${date.getUTCFullYear()}`;
    const strong = count % 12 === 0;
    found.push({ at, text: strong ? year : MONTHS[count % 12], strong });
  }
  return found;
}
