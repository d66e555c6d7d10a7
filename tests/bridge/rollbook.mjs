/** A `rollbook` that serves, is killed and started again, and asked on the command line. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from './support.mjs';

const run = promisify(execFile);
const PROGRAM = process.env.ROLLBOOK ?? fileURLToPath(new URL('../../target/debug/rollbook', import.meta.url));

export class Rollbook {
  /** The first time any port; afterwards the same. */
  #listen = '127.0.0.1:0';

  #command = ['serve', '--listen'];
  #secret = [];
  #origin = [];

  /** One that plays this channel of a store in which `observer` saw these lines, to pages of `origin`. */
  static async play(channel, lines, observer, speed, origin) {
    const rollbook = new Rollbook();
    rollbook.#origin = ['--allow-origin', origin];
    rollbook.folder = await mkdtemp(join(tmpdir(), 'rollbook-bridge-'));
    const file = join(rollbook.folder, 'lines.jsonl');
    await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await rollbook.ask('ingest', '--observer', observer, file);
    rollbook.#command = ['replay', channel, '--speed', speed, '--serve'];
    await rollbook.again();
    return rollbook;
  }

  /**
   * `tokens`: nobody gets in without one. `origin`: of the pages that may ask. `ingested`: what stands behind `ingest`,
   * for a store that has something in it from the start.
   */
  static async start({ tokens = false, origin, ingested } = {}) {
    const rollbook = new Rollbook();
    if (origin) rollbook.#origin = ['--allow-origin', origin];
    rollbook.folder = await mkdtemp(join(tmpdir(), 'rollbook-bridge-'));
    if (ingested) await rollbook.ask('ingest', ...ingested);
    if (tokens) {
      const file = join(rollbook.folder, 'secret');
      await writeFile(file, randomBytes(32).toString('hex'), { mode: 0o600 });
      rollbook.#secret = ['--auth-secret-file', file];
    }
    await rollbook.again();
    return rollbook;
  }

  get url() {
    return `http://${this.#listen}`;
  }

  async again() {
    const flags = ['--data', join(this.folder, 'data'), ...this.#command, this.#listen, ...this.#secret, ...this.#origin];
    const serving = spawn(PROGRAM, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    serving.stderr.on('data', (text) => (said += text));
    this.process = serving;
    await until(() => {
      if (serving.exitCode !== null) throw new Error(`rollbook ${flags[2]} ended:\n${said}`);
      const listening = /listening on http:\/\/(\S+)\n/.exec(said);
      if (listening) this.#listen = listening[1];
      return listening;
    }, 'rollbook to listen');
    await until(() => fetch(`${this.url}/healthz`).then(({ ok }) => ok, () => false), 'healthz');
  }

  async kill(signal = 'SIGKILL') {
    const ended = once(this.process, 'exit');
    this.process.kill(signal);
    return ended;
  }

  async stop() {
    const [status] = await this.kill('SIGTERM');
    if (status !== 0) throw new Error(`rollbook ended with ${status}`);
  }

  /** A token that is good for so long. */
  async token(ttl, scope = 'ingest') {
    const { stdout } = await run(PROGRAM, ['token', ...this.#secret, '--scope', scope, '--ttl', ttl]);
    return stdout.trim();
  }

  /** The lines with which a query of the store answers. */
  async ask(...query) {
    const flags = ['--data', join(this.folder, 'data'), '--format', 'jsonl', ...query];
    const { stdout } = await run(PROGRAM, flags, { maxBuffer: 64 * 1024 * 1024 });
    return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  async remove() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
