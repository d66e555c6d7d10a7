// @ts-check
/** Light, dark, or as the system has it; and the colours of the style sheet for what is drawn on a canvas. */

const KEPT_AT = 'rollbook.theme';
const CHOICES = /** @type {const} */ (['auto', 'light', 'dark']);

/** @typedef {(typeof CHOICES)[number]} Theme */

/** @returns {Theme} */
export function theme() {
  const kept = localStorage.getItem(KEPT_AT);
  return CHOICES.find((choice) => choice === kept) ?? 'auto';
}

/** @param {Theme} choice */
export function setTheme(choice) {
  if (choice === 'auto') {
    localStorage.removeItem(KEPT_AT);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEPT_AT, choice);
    document.documentElement.dataset.theme = choice;
  }
  dispatchEvent(new Event('themed'));
}

/** Applies what is kept, and listens to the system. */
export function startTheme() {
  setTheme(theme());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => dispatchEvent(new Event('themed')));
}

/** @typedef {Record<'paper' | 'panel' | 'ink' | 'soft' | 'line' | 'certain' | 'assumed' | 'possible' | 'gap' | 'accent' | 'token', string>} Colours */

/** @returns {Colours} */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = /** @type {const} */ (['paper', 'panel', 'ink', 'soft', 'line', 'certain', 'assumed', 'possible', 'gap', 'accent', 'token']);
  return /** @type {Colours} */ (Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])));
}
