// @ts-check
/**
 * Asks the server. An answer is an object or JSON lines; what goes wrong becomes a `Trouble`, whose sentence says what to
 * do. The token is kept for this tab alone (`sessionStorage`), and goes into a header; a WebSocket can only have it in
 * its address, from which the server takes it before anything else.
 */

/** @typedef {import('./model.js').Row} Row */
/** @typedef {'token' | 'forbidden' | 'missing' | 'busy' | 'gone' | 'pruned' | 'bad'} Kind */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Params */

export class Trouble extends Error {
  /** @param {Kind} kind @param {string} sentence @param {number} [retryMs] */
  constructor(kind, sentence, retryMs = 2_000) {
    super(sentence);
    this.kind = kind;
    this.retryMs = retryMs;
  }
}

const KEPT_AT = 'rollbook.token';
const BASE = new URL('.', document.baseURI);

/** The token of this tab, if any. */
export const token = () => sessionStorage.getItem(KEPT_AT);

/** @param {string | null} text */
export function keepToken(text) {
  if (text) sessionStorage.setItem(KEPT_AT, text);
  else sessionStorage.removeItem(KEPT_AT);
}

/** @param {string} path @param {Params} params */
function address(path, params) {
  const url = new URL(path, BASE);
  for (const [field, value] of Object.entries(params)) {
    if (value !== null && value !== undefined && value !== false) url.searchParams.set(field, `${value}`);
  }
  return url;
}

/** The address of a WebSocket. @param {string} path @param {Params} params */
export function socketAddress(path, params) {
  const url = address(path, { ...params, access_token: token() });
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url;
}

/** @param {string} path @param {Params} params @param {AbortSignal} [signal] */
async function request(path, params, signal) {
  const kept = token();
  const headers = kept ? { authorization: `Bearer ${kept}` } : undefined;
  let response;
  try {
    response = await fetch(address(path, params), { headers, signal, cache: 'no-store' });
  } catch (error) {
    throw signal?.aborted ? error : unreachable();
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw troubleOf(response, `${said.error ?? response.statusText}`);
}

const unreachable = () =>
  new Trouble('gone', 'The server does not answer. Is it running, and is the network up? This page tries again by itself.');

/** @param {Response} response @param {string} said */
function troubleOf({ status, headers }, said) {
  const retry = Number(headers.get('retry-after')) * 1_000 || 2_000;
  switch (status) {
    case 401: return new Trouble('token', token() ? 'The token has expired, or is not valid here. Enter a newer one.' : 'This server answers only with a token. Enter one to go on.');
    case 403: return new Trouble('forbidden', `The server refuses: ${said}.`);
    case 404: return new Trouble('missing', `${capital(said)}.`);
    case 408: case 429: case 503: return new Trouble('busy', `The server is busy: ${said}. This page tries again by itself.`, retry);
    case 400: return /retain|pruned/.test(said) ? new Trouble('pruned', `${capital(said)}.`) : new Trouble('bad', `The server cannot answer this: ${said}.`);
    default: return new Trouble('bad', `The server failed: ${said}. Its log says why.`);
  }
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** One object. @param {string} path @param {Params} params @param {AbortSignal} [signal] @returns {Promise<Row>} */
export async function one(path, params, signal) {
  const response = await request(path, params, signal);
  try {
    return await response.json();
  } catch (error) {
    throw signal?.aborted ? error : unreachable();
  }
}

/**
 * JSON lines, read as they come. Stops behind `most` rows; `more` then says that there are others.
 * @param {string} path @param {Params} params
 * @param {{ signal?: AbortSignal, most?: number }} [options]
 * @returns {Promise<{ rows: Row[], more: boolean }>}
 */
export async function list(path, params, { signal, most = Infinity } = {}) {
  const response = await request(path, params, signal);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  /** @type {Row[]} */
  const rows = [];
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split('\n');
      rest = done ? '' : lines.pop() ?? '';
      for (const line of lines) if (line) rows.push(JSON.parse(line));
      if (rows.length > most) {
        await reader.cancel();
        return { rows: rows.slice(0, most), more: true };
      }
      if (done) return { rows, more: false };
    }
  } catch (error) {
    throw signal?.aborted ? error : unreachable();
  }
}

/** Whether somebody else has given this question up. @param {unknown} error */
export const givenUp = (error) => error instanceof DOMException && error.name === 'AbortError';
