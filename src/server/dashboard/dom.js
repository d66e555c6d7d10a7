// @ts-check
/**
 * Elements out of names, properties and children. Whatever comes from the log goes in as text, never as markup: names
 * are hostile until shown.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Properties */

/**
 * An element. `class`, `aria-…` and the like become attributes, `onclick` and the like listeners.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Properties | null} [properties] @param {(Child | Child[])[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, `${value}`);
  }
  fill(element, ...children);
  return element;
}

/** Replaces what is in an element. @param {Element} element @param {(Child | Child[])[]} children */
export function fill(element, ...children) {
  const kept = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...kept.map((child) => (typeof child === 'number' ? `${child}` : /** @type {Node | string} */ (child))));
}

/** A name from the log, kept apart from the text around it, whichever way it is written. @param {string} text */
export const name = (text) => h('bdi', { class: 'name' }, visible(text));

/** Control characters and marks that turn the reading direction, shown and without effect. @param {string} text */
export const visible = (text) =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) => {
    const code = mark.codePointAt(0) ?? 0;
    return code < 0x20 ? String.fromCodePoint(0x2400 + code) : `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** A count with thin spaces between thousands. @param {number} count */
export const amount = (count) => `${count}`.replace(/\B(?=(\d{3})+$)/g, '\u202f');

/** `1 gap`, `2 gaps`. @param {number} count @param {string} one @param {string} [more] */
export const counted = (count, one, more = `${one}s`) => `${amount(count)} ${count === 1 ? one : more}`;

/** A page that has nothing to show yet, or cannot. @param {string} title @param {Child[]} rest */
export const blank = (title, ...rest) => h('div', { class: 'blank' }, h('p', { class: 'blank-title' }, title), ...rest);

/** Calls at most once in so many ms, the last time for sure. @param {number} ms @param {() => void} act */
export function throttled(ms, act) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let last = -Infinity;
  const run = () => {
    timer = undefined;
    last = performance.now();
    act();
  };
  const call = () => {
    timer ??= setTimeout(run, Math.max(0, last + ms - performance.now()));
  };
  call.stop = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return call;
}
