import { address } from "./api.js";
import { h } from "./dom.js";
import { number, t } from "./texts.js";

const FARTHEST = 24; // times the first distance
const SECONDS = 5; // of a walk from the first distance to the last

/** Seen from n times as far away, a picture is n times smaller: even steps on the slider are even ratios. */
const distanceAt = (share) => FARTHEST ** share;

function walker(range, button, show) {
  let frame = 0;
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    button.textContent = t("Walk away");
  };
  const go = () => {
    const first = performance.now();
    const from = range.valueAsNumber >= 100 ? 0 : range.valueAsNumber;
    button.textContent = t("Stand still");
    const step = (now) => {
      range.value = Math.min(100, from + ((now - first) / SECONDS / 1000) * 100);
      show();
      if (range.valueAsNumber >= 100) stop();
      else frame = requestAnimationFrame(step);
    };
    frame = requestAnimationFrame(step);
  };
  return { stop, toggle: () => (frame ? stop() : go()) };
}

/**
 * Show a hybrid picture as it looks from farther and farther away.
 * @param {HTMLElement} host
 * @param {import("./compare.js").Picture} picture
 * @returns {{destroy: () => void}}
 */
export function distanceSlider(host, picture) {
  const image = h("img", { alt: picture.name, draggable: "false", src: address.view(picture.id, 1024) });
  const stage = h("div", { class: "tool-stage tool-distance-stage" }, image);
  stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
  const readout = h("output", { class: "tool-readout" });
  const range = h("input", {
    type: "range",
    min: 0,
    max: 100,
    step: "any",
    value: 0,
    "aria-label": t("Distance"),
  });
  const show = () => {
    const distance = distanceAt(range.valueAsNumber / 100);
    const times = number(Number(distance.toFixed(distance < 10 ? 1 : 0)));
    image.style.transform = `scale(${1 / distance})`;
    readout.textContent = t("{times}× the distance", { times });
    range.setAttribute("aria-valuetext", readout.textContent);
  };
  const button = h("button", {
    type: "button",
    class: "tool-button tool-walk",
    onclick: () => walk.toggle(),
  });
  const walk = walker(range, button, show);
  walk.stop();
  range.addEventListener("pointerdown", walk.stop);
  range.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5 }[event.key];
    walk.stop();
    if (!step) return;
    range.value = range.valueAsNumber + step;
    event.preventDefault();
    show();
  });
  range.addEventListener("input", show);
  const ends = [h("span", {}, t("Near")), range, h("span", {}, t("Far"))];
  const slider = h("div", { class: "tool-slider" }, ...ends);
  const help = h("p", { class: "tool-help" }, t("Near, you see one photo; from far away, the other."));
  const root = h(
    "div",
    { class: "tool tool-distance" },
    stage,
    h("div", { class: "tool-bar" }, slider, readout, button),
    help,
  );
  // who asked for less motion moves the slider instead
  button.hidden = matchMedia("(prefers-reduced-motion: reduce)").matches;
  host.replaceChildren(root);
  show();
  return {
    destroy() {
      walk.stop();
      root.remove();
    },
  };
}
