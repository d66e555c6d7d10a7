// @ts-check
/** What is to be sent, until it is durable. Nothing here knows of sockets or of Agora. */

// What is under way unacknowledged is sent again when a connection is lost.
const UNDER_WAY_LINES = 2_000;
const MESSAGE_LINES = 500;
const MESSAGE_LENGTH = 256 * 1024;

/** Lines and their numbers in the feed, kept until they are acknowledged. */
export class Outbox {
  /** @type {string[]} */
  #lines = [];
  #first = 1; // the number of the oldest line kept
  #sent = 0; // the number of the last one sent on this connection
  #everSent = 0; // on any
  /** @type {{ upTo: number, done: (all: boolean) => void }[]} */
  #flushes = [];
  length = 0;
  acknowledged = 0;

  get size() { return this.#lines.length; }
  get underWay() { return this.#sent + 1 - this.#first; }

  /** @param {string} line */
  add(line) {
    this.#lines.push(line);
    this.length += line.length;
  }

  /** @param {number} number */
  line(number) { return this.#lines[number - this.#first]; }

  /** The next lines to send, as one message, unless too much is under way. */
  take() {
    const from = this.underWay;
    const end = Math.min(this.size, from + MESSAGE_LINES, UNDER_WAY_LINES);
    let to = from;
    for (let length = 0; to < end && length < MESSAGE_LENGTH; to++) length += this.#lines[to].length;
    this.#sent += to - from;
    this.#everSent = Math.max(this.#everSent, this.#sent);
    return to > from ? this.#lines.slice(from, to).join('\n') : undefined;
  }

  /** Lines up to this number are durable. @param {number} number */
  settle(number) {
    const done = this.#lines.splice(0, Math.max(0, Math.min(number, this.#sent) + 1 - this.#first));
    for (const line of done) this.length -= line.length;
    this.#first += done.length;
    this.acknowledged += done.length;
    while (this.#flushes[0]?.upTo <= this.acknowledged) this.#flushes.shift()?.done(true);
  }

  /** A new connection goes on behind this line; false if the next is kept no more, or this one was never sent. */
  resume(/** @type {number} */ number) {
    if (number < this.#first - 1 || number > this.#everSent) return false;
    this.#sent = number;
    this.settle(number);
    return true;
  }

  /** What is kept becomes the beginning of another feed. */
  renumber() { [this.#first, this.#sent, this.#everSent] = [1, 0, 0]; }

  /** @returns {Promise<boolean>} */
  flushed() {
    const upTo = this.acknowledged + this.size;
    return this.size === 0 ? Promise.resolve(true) : new Promise((done) => this.#flushes.push({ upTo, done }));
  }

  abandon() { for (const { done } of this.#flushes.splice(0)) done(false); }
}
