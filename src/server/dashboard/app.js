// @ts-check
/**
 * Where the dashboard starts: the frame around all pages, which page stands at which address, what is said when the
 * server is away, and the prompt for a token.
 */

import { Trouble, keepToken, token } from './api.js';
import { CasePage } from './casefile.js';
import { ChannelPage } from './channel.js';
import { ChannelsPage } from './channels.js';
import { fill, h, name } from './dom.js';
import { read, same, write } from './place.js';
import { setTheme, startTheme, theme } from './theme.js';

/** @typedef {import('./place.js').Place} Place */
/** @typedef {import('./place.js').Page} Page */
/** @typedef {import('./place.js').Shell} Shell */
/** @typedef {import('./live.js').LiveState} LiveState */

const THEMES = /** @type {const} */ (['auto', 'light', 'dark']);

const crumbs = h('nav', { class: 'crumbs', 'aria-label': 'Where you are' });
const pill = h('span', { class: 'pill', role: 'status' });
const banner = h('div', { class: 'banner', role: 'alert', hidden: true });
const main = h('main', { id: 'main', tabindex: '-1' });
const forget = h('button', { type: 'button', class: 'quiet', hidden: true, onclick: () => { keepToken(null); location.reload(); } }, 'Forget token');

/** @type {Page | null} */
let page = null;
/** @type {Place} */
let place = read(location.hash);
/** The address of what is shown. */
let address = location.hash;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let later;
/** @type {string | null} What was wrong before, so that it is announced once. */
let wrong = null;
/** Whether the banner says that the token ends soon; other answers do not take that away. */
let ends = false;

/** @type {Shell} */
const shell = {
  go(next, replace = false) {
    if (!replace) {
      location.hash = write(next);
      return;
    }
    // On the way to another page, what comes late from the one that is left must not take that page's address.
    if (location.hash !== address) return;
    place = next;
    history.replaceState(null, '', write(next));
    address = location.hash;
    nameWindow();
  },
  state(state) {
    const says = { joining: 'Connecting…', live: 'Live', lost: 'Disconnected', token: 'Token needed', ended: '' };
    pill.className = `pill ${state.is}`;
    if (pill.textContent !== says[state.is]) pill.textContent = says[state.is];
    if (state.is === 'lost') say('The connection to the server is lost. What is shown may be old; it is tried again by itself.', true);
    else if (state.is === 'token') {
      ends = false;
      prompt('The token has expired. Enter a newer one to go on.');
    }
    else if (state.is === 'live') shell.well();
  },
  expiring(inMs) {
    ends = true;
    say(`The token ends in ${Math.round(inMs / 1_000)} seconds.`, false, h('button', { type: 'button', onclick: () => prompt('Enter a newer token; nothing is interrupted.') }, 'Enter a newer one'));
  },
  trouble(error) {
    if (!(error instanceof Trouble)) {
      console.error(error);
      say('Something went wrong in this page. Reload it; if that does not help, please report it.', false);
      return;
    }
    if (error.kind === 'token') {
      pill.className = 'pill token';
      pill.textContent = 'Token needed';
      prompt(error.message);
      return;
    }
    const helps = error.kind === 'gone' || error.kind === 'busy';
    say(error.message, helps);
    if (!helps) return;
    if (error.kind === 'gone') {
      pill.className = 'pill lost';
      pill.textContent = 'Disconnected';
    }
    clearTimeout(later);
    later = setTimeout(() => page?.retry(), error.retryMs);
  },
  well() {
    clearTimeout(later);
    forget.hidden = !token();
    if (ends) return;
    wrong = null;
    banner.hidden = true;
  },
};

/** @param {string} sentence @param {boolean} retried @param {HTMLElement} [button] */
function say(sentence, retried, button) {
  if (wrong === sentence) return;
  wrong = sentence;
  banner.hidden = false;
  fill(banner, h('span', null, sentence), button ?? (retried ? h('button', { type: 'button', onclick: () => page?.retry() }, 'Try now') : h('button', { type: 'button', onclick: () => (banner.hidden = true) }, 'Close')));
}

const field = h('input', { id: 'token', type: 'password', autocomplete: 'off', required: true, 'aria-describedby': 'token-why' });
const why = h('p', { id: 'token-why' });
const dialog = h('dialog', { 'aria-labelledby': 'token-title' },
  h('form', { method: 'dialog', onsubmit: (/** @type {SubmitEvent} */ event) => { event.preventDefault(); entered(); } },
    h('h2', { id: 'token-title' }, 'Token'), why,
    h('label', { for: 'token' }, 'Token with the scope “read”'), field,
    h('p', { class: 'soft' }, 'It is kept until this tab is closed. Whoever runs the server makes one so:'),
    h('pre', null, 'rollbook token --auth-secret-file FILE --scope read --ttl 8h'),
    h('div', { class: 'dialog-buttons' }, h('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Not now'), h('button', { type: 'submit', class: 'main' }, 'Go on'))));

// Without a token there is nothing to show: the way back to the prompt stays in sight.
dialog.addEventListener('close', () => {
  if (pill.classList.contains('token')) say(why.textContent ?? '', false, h('button', { type: 'button', onclick: () => prompt(why.textContent ?? '') }, 'Enter a token'));
});

/** @param {string} sentence */
function prompt(sentence) {
  why.textContent = sentence;
  if (dialog.open) return;
  field.value = '';
  dialog.showModal();
  field.focus();
}

function entered() {
  const text = field.value.trim().replace(/^Bearer\s+/i, '');
  if (!text) return;
  ends = false;
  keepToken(text);
  pill.className = 'pill joining';
  pill.textContent = 'Connecting…';
  dialog.close();
  shell.well();
  page?.retry(text);
}

function nameWindow() {
  const title = page?.title ?? '';
  document.title = place.page === 'channels' ? 'Rollbook' : `${title} · Rollbook`;
}

/** Shows what the address says. */
function show() {
  place = read(location.hash);
  address = location.hash;
  const first = page === null;
  if (page && same(shownPlace, place)) {
    page.update(place);
  } else {
    page?.close();
    clearTimeout(later);
    wrong = null;
    banner.hidden = true;
    page = place.page === 'channel' ? new ChannelPage(place, shell) : place.page === 'person' ? new CasePage(place, shell) : new ChannelsPage(place, shell);
    crumbs.hidden = place.page === 'channels';
    fill(crumbs, h('a', { href: '#/' }, 'Channels'), h('span', { 'aria-hidden': 'true' }, '/'), h('span', { 'aria-current': 'page' }, name(page.title)));
    fill(main, page.element);
    scrollTo(0, 0);
    // Whoever goes on by keys, or hears the page, begins at what is new.
    if (!first) main.focus({ preventScroll: true });
  }
  shownPlace = place;
  nameWindow();
}
let shownPlace = place;

const person = h('input', { type: 'search', placeholder: 'Find a person', 'aria-label': 'Find a person by their user id', autocomplete: 'off' });
const find = h('form', { class: 'find', role: 'search', onsubmit: (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  if (person.value) shell.go({ page: 'person', name: person.value });
} }, person);

const themes = h('select', { 'aria-label': 'Colours', onchange: () => setTheme(/** @type {'auto'} */ (themes.value)) },
  THEMES.map((choice) => h('option', { value: choice, selected: choice === theme() }, { auto: 'Auto', light: 'Light', dark: 'Dark' }[choice])));

startTheme();
document.body.replaceChildren(
  h('a', { class: 'skip', href: '#main', onclick: (/** @type {Event} */ event) => { event.preventDefault(); main.focus(); } }, 'Skip to the content'),
  h('header', { class: 'top' }, h('a', { class: 'brand', href: '#/' }, 'Rollbook'), crumbs, h('div', { class: 'top-right' }, pill, find, themes, forget)),
  banner, main, dialog);
addEventListener('hashchange', show);
addEventListener('online', () => page?.retry());
show();
