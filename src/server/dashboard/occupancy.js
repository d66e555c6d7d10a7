// @ts-check
/**
 * How many were present over time: as recorded, and the least and most that can have been there by what the log says. A
 * member counts for `most` but not for `least` inside the window of a join or leave. Who came and went inside a gap
 * unseen is in neither: nothing speaks of them. Pure.
 */

/** @typedef {import('./model.js').Model} Model */
/** @typedef {{ least: number, known: number, most: number }} Count */

export class Occupancy {
  /** When the counts change. @type {Float64Array} */
  times;
  /** From this time on. @type {Int32Array} */
  least;
  /** @type {Int32Array} */
  known;
  /** @type {Int32Array} */
  most;

  /** @param {Model} model */
  constructor(model) {
    /** @type {Map<number, [number, number, number]>} */
    const steps = new Map();
    /** @param {number} at @param {0 | 1 | 2} which @param {1 | -1} by */
    const step = (at, which, by) => {
      let counts = steps.get(at);
      if (!counts) steps.set(at, (counts = [0, 0, 0]));
      counts[which] += by;
    };
    for (const { stays } of model.lanes()) {
      let before = -Infinity;
      for (const stay of stays) {
        // A member counts once, even where the windows of two stays meet.
        step(Math.max(stay.startsAfter ?? stay.start, before), 2, 1);
        step(stay.start, 1, 1);
        step(stay.start, 0, 1);
        if (stay.end === null) continue;
        step(Math.max(stay.start, stay.endsAfter ?? stay.end), 0, -1);
        step(stay.end, 1, -1);
        step(stay.end, 2, -1);
        before = stay.end;
      }
    }
    this.times = Float64Array.from(steps.keys()).sort();
    const length = this.times.length;
    this.least = new Int32Array(length);
    this.known = new Int32Array(length);
    this.most = new Int32Array(length);
    const now = [0, 0, 0];
    this.times.forEach((at, index) => {
      const counts = steps.get(at) ?? [0, 0, 0];
      now.forEach((_, which) => (now[which] += counts[which]));
      [this.least[index], this.known[index], this.most[index]] = now;
    });
  }

  /** The last change at or before a moment; -1: none. @param {number} at */
  index(at) {
    let [low, high] = [0, this.times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** @param {number} at @returns {Count} */
  at(at) {
    const index = this.index(at);
    if (index < 0) return { least: 0, known: 0, most: 0 };
    return { least: this.least[index], known: this.known[index], most: this.most[index] };
  }

  /**
   * The largest count between two moments, at its first time; null: nobody was there.
   * @param {number} from @param {number} to @returns {(Count & { at: number }) | null}
   */
  peak(from, to) {
    let best = -1;
    for (let index = Math.max(0, this.index(from)); index < this.times.length && this.times[index] <= to; index += 1) {
      if (best < 0 || this.known[index] > this.known[best]) best = index;
    }
    if (best < 0 || this.known[best] <= 0) return null;
    return { at: Math.max(from, this.times[best]), least: this.least[best], known: this.known[best], most: this.most[best] };
  }

  /**
   * The extremes in each of so many equal parts of a stretch: the least `least`, the least and largest `known`, the
   * largest `most`.
   * @param {number} from @param {number} to @param {number} parts
   */
  columns(from, to, parts) {
    const width = (to - from) / parts;
    const columns = { least: new Int32Array(parts), low: new Int32Array(parts), high: new Int32Array(parts), most: new Int32Array(parts) };
    let index = this.index(from);
    for (let part = 0; part < parts; part += 1) {
      const count = index < 0 ? { least: 0, known: 0, most: 0 } : { least: this.least[index], known: this.known[index], most: this.most[index] };
      let [least, low, high, most] = [count.least, count.known, count.known, count.most];
      const end = from + (part + 1) * width;
      while (index + 1 < this.times.length && this.times[index + 1] < end) {
        index += 1;
        least = Math.min(least, this.least[index]);
        low = Math.min(low, this.known[index]);
        high = Math.max(high, this.known[index]);
        most = Math.max(most, this.most[index]);
      }
      columns.least[part] = least;
      columns.low[part] = low;
      columns.high[part] = high;
      columns.most[part] = most;
    }
    return columns;
  }
}
