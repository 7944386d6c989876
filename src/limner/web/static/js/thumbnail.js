import { address } from "./api.js";
import { h } from "./dom.js";

/**
 * @param {{name: string}} picture
 * @returns {boolean} Whether browsers cannot show it as a picture.
 */
export const isPdf = (picture) => picture.name.toLowerCase().endsWith(".pdf");

/**
 * A small view of a picture; of a PDF, its name.
 * @param {import("./api.js").Picture} picture
 * @param {number} [side]
 * @param {string} [name] A class.
 * @returns {HTMLElement}
 */
export function thumbnail(picture, side = 400, name = "") {
  if (isPdf(picture)) return h("span", { class: `pdf ${name}` }, "PDF");
  return h("img", { src: address.view(picture.id, side), alt: "", loading: "lazy", class: name });
}
