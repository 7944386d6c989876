/** Languages of the page, by code: their names in the language itself. */
export const LANGUAGES = { en: "English", de: "Deutsch", ru: "Русский" };

const KEY = "limner.language";
let texts = {};
let rules = new Intl.PluralRules("en");
let current = "en";

/**
 * Return a text in the chosen language.
 *
 * A text with numbers has its forms between bars: "{count} picture | {count} pictures". The
 * language's plural rules choose one by `count`.
 * @param {string} english The English text, which is the key.
 * @param {Object<string, any>} [values] What stands for the names in braces.
 * @returns {string}
 */
export function t(english, values = {}) {
  if (!english) return "";
  const found = texts[english] ?? english;
  const text = "count" in values ? form(found, values.count) : found;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function form(text, count) {
  const forms = text.split(" | ");
  const order = rules.resolvedOptions().pluralCategories;
  const known = ["zero", "one", "two", "few", "many", "other"].filter((name) => order.includes(name));
  return forms[known.indexOf(rules.select(count))] ?? forms.at(-1);
}

/** @returns {string} The code of the language in use. */
export function language() {
  return current;
}

/** @returns {string|null} The code of the language that was chosen on an earlier visit. */
function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // the browser forbids to keep anything
  }
}

/**
 * Load the texts of the chosen language, or of the browser's.
 * @returns {Promise<void>}
 */
export async function loadTexts() {
  const wished = [chosen(), ...navigator.languages.map((one) => one.slice(0, 2))];
  const code = wished.find((one) => one in LANGUAGES) ?? "en";
  try {
    texts = code === "en" ? {} : await (await fetch(`texts/${code}.json`)).json();
    current = code;
  } catch {
    texts = {};
  }
  rules = new Intl.PluralRules(current);
  document.documentElement.lang = current;
}

/**
 * Use another language from now on. The page is loaded anew; nothing of it is lost.
 * @param {string} code
 */
export function useLanguage(code) {
  try {
    localStorage.setItem(KEY, code);
  } catch {
    return;
  }
  location.reload();
}

/**
 * Write a number the way the language does.
 * @param {number} number
 * @param {Intl.NumberFormatOptions} [options]
 * @returns {string}
 */
export function number(number, options = { maximumFractionDigits: 2 }) {
  return new Intl.NumberFormat(current, options).format(number);
}

/**
 * Say a time to wait in words.
 * @param {number} seconds
 * @returns {string}
 */
export function duration(seconds) {
  if (seconds < 90) return t("{count} second | {count} seconds", { count: Math.max(1, Math.round(seconds)) });
  return t("{count} minute | {count} minutes", { count: Math.round(seconds / 60) });
}

/**
 * Say a size in bytes.
 * @param {number} bytes
 * @returns {string}
 */
export function fileSize(bytes) {
  if (bytes < 1e9) return `${number(bytes / 1e6, { maximumFractionDigits: bytes < 1e7 ? 1 : 0 })} MB`;
  return `${number(bytes / 1e9, { maximumFractionDigits: 1 })} GB`;
}

/**
 * Say when something was made; the year only where it is another.
 * @param {string} iso
 * @returns {string}
 */
export function when(iso) {
  const time = new Date(iso);
  const year = time.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  const options = { year, month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
  return new Intl.DateTimeFormat(current, options).format(time);
}

/**
 * Begin with a capital letter.
 * @param {string} words
 * @returns {string}
 */
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);
