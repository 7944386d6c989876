import { h } from "./dom.js";
import { t } from "./texts.js";

const FIRST_SENTENCE = /^(.{12,}?(?:\p{L}{3,}|[)”“»])[.])\s+(?=\S)/u;

/**
 * The first sentence of a help text; the others when asked.
 * @param {string} text
 * @param {string|null} [id]
 * @returns {HTMLElement}
 */
export function helpElement(text, id = null) {
  const first = FIRST_SENTENCE.exec(text)?.[1];
  if (!first) return h("p", { class: "help", id }, text);
  const words = h("span", {}, `${first} `);
  const toggle = h(
    "button",
    {
      type: "button",
      class: "rest",
      "aria-expanded": "false",
      onclick: () => {
        words.textContent = `${text} `;
        toggle.remove();
      },
    },
    t("more"),
  );
  return h("p", { class: "help", id }, words, toggle);
}
