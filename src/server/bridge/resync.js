// @ts-check
/** When a resumed channel has told all. Nothing here knows of Rollbook's server. */
import { delay } from './timing.js';

/**
 * Asks something that is answered over this stream channel's own connection, and waits for the answer. `false`: there is
 * nothing to ask with. agora-rtm 2.3.0 has one such request that changes nothing for anybody:
 * `rtm.renewToken(token, { channelName })`. Those about topics and subscriptions do, `publishTopicMessage` is not answered,
 * and all others are answered from memory or over the message connection.
 * @typedef {(channel: string) => unknown} Probe
 */

const RETRY_PROBE = { first: 2_000, most: 60_000 };
// agora-rtc-sdk-ng 4.24 takes users that the gateway has not named again for gone 3 s after a resume.
export const SETTLE = { resumed: 4_000, quiet: 2_000 };

/**
 * After a connection that it resumed by itself, agora-rtm sends no SNAPSHOT. It emits what differs as live events, and
 * does not say when it has emitted all. This finds out, for each channel: a request on the channel's own connection is
 * answered behind what the gateway had sent before. With an answer, and no event for a while, all was told by the time of
 * the asking. A clock alone proves nothing: a dead connection is quiet, too.
 */
export class Resync {
  /** @type {Map<string, { quietAt: number, over: boolean, wake?: () => void }>} */
  #pending = new Map();
  #how;

  /** @param {{ probe: Probe, settle: { resumed: number, quiet: number }, now: () => number,
   *   onSynced: (channel: string, time: number) => void, onFailure: (channel: string, cause: unknown) => void }} how */
  constructor(how) {
    this.#how = how;
  }

  /** The channel's connection has resumed. @param {string} channel */
  begin(channel) {
    this.end(channel);
    const state = { quietAt: performance.now() + this.#how.settle.resumed, over: false };
    this.#pending.set(channel, state);
    this.#run(channel, state);
  }

  /** An event came of this channel. @param {string} channel */
  heard(channel) {
    const state = this.#pending.get(channel);
    if (state) state.quietAt = Math.max(state.quietAt + 1, performance.now() + this.#how.settle.quiet);
  }

  /** There is nothing more to find out: of this channel, or of any. @param {string} [channel] */
  end(channel) {
    for (const [name, state] of this.#pending) {
      if (channel !== undefined && name !== channel) continue;
      state.over = true;
      state.wake?.();
      this.#pending.delete(name);
    }
  }

  /** @param {string} channel @param {{ quietAt: number, over: boolean, wake?: () => void }} state */
  async #run(channel, state) {
    const { probe, now, onSynced, onFailure } = this.#how;
    const sleep = (/** @type {number} */ ms) => new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      state.wake = () => resolve(clearTimeout(timer));
    });
    for (let failures = 0; !state.over; ) {
      const { quietAt } = state;
      if (performance.now() < quietAt) {
        await sleep(quietAt - performance.now());
        continue;
      }
      const asked = now();
      try {
        const answer = await probe(channel);
        // An event that came meanwhile may be one of several: wait again.
        if (state.over || state.quietAt !== quietAt) continue;
        this.end(channel);
        if (answer !== false) onSynced(channel, asked);
      } catch (cause) {
        if (!state.over && failures === 0) onFailure(channel, cause);
        if (!state.over) await sleep(delay(RETRY_PROBE, failures++));
      }
    }
  }
}
