/** A headless Chromium, and the pages that it is to open. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import CDP from 'chrome-remote-interface';

const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.js': 'text/javascript' };

/** Serves this folder. Answers with the server and its address. */
export async function serveFolder(folder) {
  const server = createServer(async ({ url }, answer) => {
    const { pathname } = new URL(url, 'http://x');
    try {
      const text = await readFile(join(folder, pathname));
      answer.writeHead(200, { 'content-type': TYPES[extname(pathname)] ?? 'text/plain' }).end(text);
    } catch {
      answer.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

/** One page in a Chromium of its own. */
export class Browser {
  complaints = [];

  static async open(address) {
    const browser = new Browser();
    browser.home = await mkdtemp(join(tmpdir(), 'rollbook-chromium-'));
    const flags = [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', // the same with and without the internet
      ...['--remote-debugging-port=0', `--user-data-dir=${browser.home}`, 'about:blank'],
    ];
    browser.process = spawn(process.env.CHROMIUM ?? 'chromium', flags, { stdio: ['ignore', 'ignore', 'pipe'] });
    const port = await new Promise((resolve, reject) => {
      let said = '';
      browser.process.stderr.on('data', (text) => {
        said += text;
        const listening = /DevTools listening on ws:\/\/[^:]+:(\d+)/.exec(said);
        if (listening) resolve(Number(listening[1]));
      });
      browser.process.on('error', reject);
      browser.process.on('exit', () => reject(new Error(`chromium ended:\n${said}`)));
    });
    browser.tools = await CDP({ port, host: '127.0.0.1' });
    const { Page, Runtime } = browser.tools;
    Runtime.exceptionThrown(({ exceptionDetails: { text, exception } }) =>
      browser.complaints.push(`${text} ${exception?.description ?? ''}`));
    await Promise.all([Page.enable(), Runtime.enable()]);
    const loaded = Page.loadEventFired();
    await Page.navigate({ url: address });
    await loaded;
    return browser;
  }

  /** What this expression gives, once its promise is kept. */
  async run(expression) {
    const how = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.tools.Runtime.evaluate(how);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async close() {
    const ended = once(this.process, 'exit');
    await this.tools.Browser.close();
    await ended;
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}
