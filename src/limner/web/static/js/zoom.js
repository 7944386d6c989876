import { h } from "./dom.js";
import { t } from "./texts.js";

/** @typedef {{zoom: number, scale: number, x: number, y: number, fitted: boolean}} View */

/**
 * Where a pointer is in a stage, in CSS pixels.
 * @param {HTMLElement} stage
 * @param {MouseEvent} event
 * @returns {{x: number, y: number}}
 */
export function placeIn(stage, event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left - stage.clientLeft, y: event.clientY - box.top - stage.clientTop };
}

function zoomMath(stage, size, view) {
  const density = () => window.devicePixelRatio || 1;
  const fitZoom = () => {
    const ratio = Math.min(stage.clientWidth / size.width, stage.clientHeight / size.height);
    return (ratio || 1) * density();
  };
  const kept = (offset, length, room) =>
    length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, offset));
  const settle = () => {
    if (view.fitted) view.zoom = fitZoom();
    view.scale = view.zoom / density();
    view.x = kept(view.x, size.width * view.scale, stage.clientWidth);
    view.y = kept(view.y, size.height * view.scale, stage.clientHeight);
  };
  const zoomTo = (zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const fit = fitZoom();
    const next = Math.min(Math.max(zoom, Math.min(fit, 1)), Math.max(fit, 8));
    const old = view.scale;
    Object.assign(view, { zoom: next, fitted: Math.abs(next / fit - 1) < 0.005 });
    const ratio = next / density() / old;
    Object.assign(view, { x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio });
  };
  return { fitZoom, settle, zoomTo };
}

function followPointers(stage, actions) {
  const pointers = new Map();
  let role = null; // "tool", "pan" or "pinch"
  const place = (event) => placeIn(stage, event);
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, length: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  const down = (event) => {
    if (event.button > 1 || pointers.size > 1 || event.target.closest("button")) return;
    pointers.set(event.pointerId, place(event));
    stage.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      if (role === "tool") actions.end(event, true);
      role = "pinch";
    } else {
      role = event.button === 0 && actions.start(event, place(event)) ? "tool" : "pan";
    }
    if (event.button === 1) event.preventDefault(); // or the browser starts to scroll by itself
    stage.classList.toggle("tool-grabbed", role === "pan");
  };
  const move = (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = pointers.get(event.pointerId);
    const now = place(event);
    const old = role === "pinch" && pointers.size === 2 ? spread() : null;
    pointers.set(event.pointerId, now);
    if (old) actions.pinch(old, spread());
    else if (role === "tool") actions.drag(event, now);
    else if (role === "pan") actions.pan(now.x - before.x, now.y - before.y);
  };
  const up = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (role === "tool") actions.end(event, event.type === "pointercancel");
    // the finger that stays after a pinch goes on as a pan
    role = pointers.size ? "pan" : null;
    stage.classList.remove("tool-grabbed");
  };
  const listeners = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up };
  for (const [name, listener] of Object.entries(listeners)) stage.addEventListener(name, listener);
}

/**
 * Let a picture in a stage be zoomed (wheel, pinch, keys, code) and panned.
 *
 * 100 % is one pixel of the picture on one pixel of the screen.
 * @param {HTMLElement} stage
 * @param {{width: number, height: number, onView: (view: View) => void,
 *   start?: Function, drag?: Function, end?: Function}} options `start(event, place)` returns true
 *   when the tool takes the drag, else it pans; `end(event, canceled)`
 * @returns {{view: View, fit: () => void, zoomTo: (zoom: number, x?: number, y?: number) => void,
 *   panBy: (x: number, y: number) => void, key: (event: KeyboardEvent) => boolean, destroy: () => void}}
 */
export function zoomable(stage, { width, height, onView, start = () => false, drag, end = () => {} }) {
  const view = { zoom: 1, scale: 1, x: 0, y: 0, fitted: true };
  const math = zoomMath(stage, { width, height }, view);
  const show = () => {
    math.settle();
    stage.classList.toggle("tool-zoomed", !view.fitted);
    onView(view);
  };
  const fit = () => (view.fitted = true) && show();
  const zoomTo = (...place) => {
    math.zoomTo(...place);
    show();
  };
  const panBy = (x, y) => {
    view.x += x;
    view.y += y;
    show();
  };
  const pinch = (old, now) => {
    math.zoomTo((view.zoom * now.length) / old.length, old.x, old.y);
    panBy(now.x - old.x, now.y - old.y);
  };
  followPointers(stage, { start, drag, end, pinch, pan: panBy });
  const wheel = (event) => {
    if (event.deltaY > 0 && view.fitted) return; // nothing left to zoom out of: the page scrolls
    event.preventDefault();
    const lines = event.deltaMode ? 20 : 1;
    const { x, y } = placeIn(stage, event);
    const speed = event.ctrlKey ? 0.01 : 0.0016; // ctrl: a pinch on a touch pad
    const factor = Math.exp(-event.deltaY * lines * speed);
    zoomTo(view.zoom * factor, x, y);
  };
  stage.addEventListener("wheel", wheel, { passive: false });
  const key = (event) => {
    const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (factor) zoomTo(view.zoom * factor);
    else if (event.key === "0") fit();
    else return false;
    event.preventDefault();
    return true;
  };
  const observer = new ResizeObserver(show);
  observer.observe(stage);
  return { view, fit, zoomTo, panBy, key, destroy: () => observer.disconnect() };
}

/**
 * Buttons that set the zoom.
 * @param {number[]} levels 0 is "Fit"
 * @param {(level: number) => void} onPick
 * @returns {{element: HTMLElement, update: (view: View) => void}}
 */
export function zoomBar(levels, onPick) {
  const label = (level) => (level ? t("{percent}%", { percent: level * 100 }) : t("Fit"));
  const buttons = levels.map((level) =>
    h("button", { type: "button", class: "tool-button", onclick: () => onPick(level) }, label(level)),
  );
  const readout = h("output", { class: "tool-readout", "aria-label": t("Zoom now") });
  const element = h(
    "div",
    { class: "tool-group", role: "group", "aria-label": t("Zoom") },
    ...buttons,
    readout,
  );
  const update = (view) => {
    levels.forEach((level, index) => {
      const current = level ? !view.fitted && Math.abs(view.zoom / level - 1) < 0.005 : view.fitted;
      buttons[index].setAttribute("aria-pressed", current);
    });
    readout.textContent = t("{percent}%", { percent: Math.round(view.zoom * 100) });
  };
  return { element, update };
}
