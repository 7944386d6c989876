import { h } from "./dom.js";
import { t } from "./texts.js";

/** The colors of a palette that nobody has chosen. */
export const COLORS = [
  "#c0392b",
  "#e67e22",
  "#f1c40f",
  "#27ae60",
  "#2980b9",
  "#8e44ad",
  "#ffdbac",
  "#795548",
];

/**
 * A color as a pixel of a canvas.
 * @param {string} hex "#rrggbb"
 * @returns {number}
 */
export const toNumber = (hex) => {
  const value = parseInt(hex.slice(1), 16);
  // bytes in memory are R, G, B, A: read backwards on every machine that runs a browser
  return ((0xff << 24) | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
};

/**
 * A pixel of a canvas as a color.
 * @param {number} number
 * @returns {string} "#rrggbb"
 */
export const toHex = (number) =>
  `#${[0, 8, 16].map((shift) => ((number >> shift) & 0xff).toString(16).padStart(2, "0")).join("")}`;

/** "#rrggbb" for any color that CSS knows. */
const toPlain = (color) => {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = color;
  return context.fillStyle;
};

/**
 * Color swatches, and one for an own color.
 * @param {string[]} colors
 * @param {() => void} onPick
 */
export function createPalette(colors, onPick) {
  const strip = h("div", { class: "tool-swatches", role: "group", "aria-label": t("Colors") });
  const own = h("input", {
    type: "color",
    class: "tool-own",
    "aria-label": t("Own color"),
    title: t("Own color"),
    oninput: () => choose(own.value),
  });
  const element = h("div", { class: "tool-palette" }, strip, own);
  const swatches = () => [...strip.children];
  let color = "";
  const mark = (next) => {
    color = own.value = next.toLowerCase();
    for (const swatch of swatches()) swatch.setAttribute("aria-pressed", swatch.dataset.color === color);
    own.classList.toggle("tool-chosen", !swatches().some((swatch) => swatch.dataset.color === color));
  };
  const choose = (next) => {
    mark(next);
    onPick();
  };
  const set = (next) => {
    const buttons = next.map((value, index) => {
      const label =
        index < 9
          ? t("Color {color}, key {key}", { color: value, key: index + 1 })
          : t("Color {color}", { color: value });
      const hex = toPlain(value);
      const button = h("button", {
        type: "button",
        class: "tool-swatch",
        "data-color": hex,
        "aria-label": label,
        title: label,
        onclick: () => choose(hex),
      });
      button.style.backgroundColor = hex;
      return button;
    });
    strip.replaceChildren(...buttons);
    mark(color || toPlain(next[0] ?? COLORS[0]));
  };
  set(colors);
  return { element, set, choose, chooseNth: (index) => swatches()[index]?.click(), value: () => color };
}
