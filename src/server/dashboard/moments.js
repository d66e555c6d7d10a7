// @ts-check
/** The two moments of a view as text: whose roster is shown, and by when something had to be known. Both can be typed. */

import { h } from './dom.js';
import { stamp, typed } from './times.js';

/** @typedef {{ at?: number, known?: number }} Moments */

/**
 * One of the two: a field, what an empty one means, and what is wrong with it.
 * @param {{ id: string, label: string, empty: string, button: string, hint: string, give: (at: number | undefined) => void, beside: () => number }} options
 */
function field({ id, label, empty, button, hint, give, beside }) {
  const wrong = h('span', { class: 'wrong', id: `${id}-wrong`, role: 'alert' });
  const input = h('input', { id, type: 'text', placeholder: empty, autocomplete: 'off', spellcheck: 'false', 'aria-describedby': `${id}-wrong`, title: hint });
  const read = () => {
    const text = input.value.trim();
    const at = text === '' || text === empty ? undefined : typed(text, beside(), Date.now());
    input.setAttribute('aria-invalid', `${at === null}`);
    wrong.textContent = at === null ? 'Write a time such as 2026-05-14 20:45:00, 20:45 or -90m.' : '';
    if (at !== null) give(at);
  };
  input.addEventListener('change', read);
  const reset = h('button', { type: 'button', class: 'quiet', onclick: () => give(undefined) }, button);
  return {
    element: h('div', { class: 'field' }, h('label', { for: id }, label), h('div', { class: 'field-row' }, input, reset), wrong),
    /** @param {number | undefined} at */
    show(at) {
      if (document.activeElement === input && input.getAttribute('aria-invalid') === 'true') return;
      input.value = at === undefined ? '' : stamp(at);
      input.setAttribute('aria-invalid', 'false');
      wrong.textContent = '';
      reset.disabled = at === undefined;
    },
  };
}

/** @param {{ onMoment: (at: number | undefined) => void, onKnown: (known: number | undefined) => void, beside: () => number }} options */
export function momentFields({ onMoment, onKnown, beside }) {
  const hint = 'UTC: 2026-05-14 20:45:00, 20:45, or -90m for 90 minutes ago';
  const at = field({ id: 'moment', label: 'Moment (UTC)', empty: 'now', button: 'Now', hint, give: onMoment, beside });
  const known = field({ id: 'known', label: 'Known at (UTC)', empty: 'all that is known', button: 'All', hint, give: onKnown, beside });
  return {
    element: h('div', { class: 'moments' }, at.element, known.element),
    /** @param {Moments} moments */
    show(moments) {
      at.show(moments.at);
      known.show(moments.known);
    },
  };
}
