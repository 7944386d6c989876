import { t } from "./texts.js";

const FIRST_SIDE = 1600; // pixels of the longest side that are loaded first
const PIXELS_FROM = 2; // zoom above which single pixels are shown as squares
const NEAR_HANDLE = 22; // CSS pixels beside the divider that still belong to it

/**
 * @typedef {{id: string, name: string, width: number, height: number}} Picture
 * @typedef {{zoom: number, scale: number, x: number, y: number, fitted: boolean}} View
 */

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [values] attributes; `on…` are listeners, `class` and `text` are short
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, values = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(values)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else if (value === true && !name.startsWith("aria-")) element.setAttribute(name, "");
    else if (value != null && (value !== false || name.startsWith("aria-"))) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * The address of a picture for an <img>.
 * @param {string} id
 * @param {number} side the longest side in pixels at most; 0 for the full size
 * @returns {string}
 */
export function viewOf(id, side) {
  return `api/pictures/${encodeURIComponent(id)}/view?side=${side}`;
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
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - stage.clientLeft, y: event.clientY - box.top - stage.clientTop };
  };
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
    const box = stage.getBoundingClientRect();
    const speed = event.ctrlKey ? 0.01 : 0.0016; // ctrl: a pinch on a touch pad
    const factor = Math.exp(-event.deltaY * lines * speed);
    zoomTo(view.zoom * factor, event.clientX - box.left, event.clientY - box.top);
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
    make("button", { type: "button", class: "tool-button", text: label(level), onclick: () => onPick(level) }),
  );
  const readout = make("output", { class: "tool-readout", "aria-label": t("Zoom now") });
  const element = make("div", { class: "tool-group", role: "group", "aria-label": t("Zoom") }, ...buttons, readout);
  const update = (view) => {
    levels.forEach((level, index) => {
      const current = level ? !view.fitted && Math.abs(view.zoom / level - 1) < 0.005 : view.fitted;
      buttons[index].setAttribute("aria-pressed", current);
    });
    readout.textContent = t("{percent}%", { percent: Math.round(view.zoom * 100) });
  };
  return { element, update };
}

/** One of the two pictures: small first, in full when it is zoomed into. */
function createLayer(picture, kind, onError) {
  const layer = make("div", { class: `tool-layer tool-${kind}` });
  const state = { image: null, side: null };
  let box = null;
  const draw = () => {
    if (!state.image || !box) return;
    const { style, classList } = state.image;
    Object.assign(style, { width: `${box.width}px`, height: `${box.height}px` });
    style.transform = `translate(${box.x}px, ${box.y}px)`;
    classList.toggle("tool-pixels", box.zoom > PIXELS_FROM);
  };
  const load = async (side) => {
    state.side = side;
    const image = make("img", { alt: "", draggable: "false", src: viewOf(picture.id, side) });
    try {
      await image.decode();
    } catch {
      if (!state.image) onError();
      return;
    }
    state.image = image;
    draw();
    layer.replaceChildren(image);
  };
  load(FIRST_SIDE);
  const place = (next) => {
    box = next;
    draw();
    const isSmall = Math.max(picture.width, picture.height) <= FIRST_SIDE;
    const isEnough = box.zoom * box.longest <= FIRST_SIDE * 1.05;
    if (!isSmall && !isEnough && state.side !== 0) load(0);
  };
  return { layer, place };
}

function createStage(before, after) {
  const handle = make(
    "div",
    {
      class: "tool-divider", role: "slider", tabindex: "0", "aria-label": t("Show more of before or after"),
      "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal",
    },
    make("span", { class: "tool-knob", "aria-hidden": "true" }),
  );
  const tags = {
    before: make("span", { class: "tool-tag tool-tag-left", text: t("Before") }),
    after: make("span", { class: "tool-tag tool-tag-right", text: t("After") }),
  };
  const error = make("p", { class: "tool-failed", role: "alert" });
  const fail = () => (error.textContent = t("A picture could not be loaded. Reload the page to try again."));
  const under = createLayer(after, "after", fail);
  const over = before ? createLayer(before, "over", fail) : null;
  const both = over ? [over.layer, tags.before, tags.after, handle] : [];
  const stage = make("div", { class: "tool-stage tool-compare-stage" }, under.layer, ...both, error);
  stage.style.aspectRatio = `${after.width} / ${after.height}`;
  return { stage, handle, tags, under, over };
}

function createModes(onPick) {
  const names = { before: t("Before"), both: t("Both"), after: t("After") };
  const buttons = Object.entries(names).map(([mode, text]) =>
    make("button", { type: "button", class: "tool-button", "data-mode": mode, text, onclick: () => onPick(mode) }),
  );
  const element = make("div", { class: "tool-group", role: "group", "aria-label": t("Picture shown") }, ...buttons);
  const update = (mode) => {
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.mode === mode);
  };
  return { element, update };
}

/** What is shown: the divider, and which pictures are on its sides. */
function createDivider({ stage, handle, tags, over }, size, modes) {
  const state = { mode: over ? "both" : "after", share: 0.5, left: 0, width: 1, view: null };
  const update = (view = state.view) => {
    if (!view) return;
    state.view = view;
    state.left = Math.max(0, view.x);
    state.width = Math.min(stage.clientWidth, view.x + size.width * view.scale) - state.left;
    const share = { before: 1, both: state.share, after: 0 }[state.mode];
    const cut = state.mode === "before" ? stage.clientWidth : state.mode === "after" ? 0 : state.left + share * state.width;
    if (over) over.layer.style.clipPath = `inset(0 ${stage.clientWidth - cut}px 0 0)`;
    handle.style.transform = `translateX(${state.left + state.share * state.width}px)`;
    handle.setAttribute("aria-valuenow", Math.round(100 * share));
    handle.setAttribute("aria-valuetext", t("{percent}% before", { percent: Math.round(100 * share) }));
    handle.classList.toggle("tool-faded", state.mode !== "both");
    tags.before.classList.toggle("tool-hidden", share < 0.12);
    tags.after.classList.toggle("tool-hidden", share > 0.88);
    modes.update(state.mode);
  };
  const show = (mode) => {
    state.mode = mode;
    update();
  };
  const moveTo = (share) => {
    state.share = Math.min(1, Math.max(0, share));
    show("both");
  };
  const distance = (x) => Math.abs(state.left + state.share * state.width - x);
  return { state, update, show, moveTo, dragTo: (x) => moveTo((x - state.left) / state.width), distance };
}

/** Without a divider the stage itself takes the keys. */
function makeSingle(stage, picture) {
  const values = { tabindex: "0", role: "group", "aria-label": t("{name}. Plus and minus zoom, arrow keys move.", { name: picture.name }) };
  for (const [name, value] of Object.entries(values)) stage.setAttribute(name, value);
  stage.classList.add("tool-single");
}

function keysOf(divider, zoomer, handle) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const isFar = { Home: 0, End: 1 };
  return (event) => {
    const [x, y] = steps[event.key] ?? [0, 0];
    const onButton = event.target.closest("button");
    if (event.key === " " && !onButton && handle.isConnected) divider.show(divider.state.mode === "before" ? "after" : "before");
    else if ((x || y) && (event.shiftKey || !handle.isConnected)) zoomer.panBy(-60 * x, -60 * y);
    else if (x && event.target === handle) divider.moveTo(divider.state.share + 0.02 * x);
    else if (event.key in isFar && event.target === handle) divider.moveTo(isFar[event.key]);
    else if (event.key === "1" || event.key === "4") zoomer.zoomTo(Number(event.key));
    else {
      zoomer.key(event);
      return;
    }
    event.preventDefault();
  };
}

/**
 * A before/after slider with zoom. Without `before`, one picture with zoom.
 * @param {HTMLElement} host
 * @param {Picture | null} before
 * @param {Picture} after
 * @returns {{destroy: () => void}}
 */
export function compare(host, before, after) {
  const size = { width: after.width, height: after.height };
  const parts = createStage(before, after);
  const { stage, handle, under, over } = parts;
  const modes = createModes((mode) => divider.show(mode));
  const divider = createDivider(parts, size, modes);
  const bar = zoomBar([0, 1, 4], (level) => (level ? zoomer.zoomTo(level) : zoomer.fit()));
  const zoomer = zoomable(stage, {
    ...size,
    onView(view) {
      const longest = Math.max(size.width, size.height);
      const box = { ...view, width: size.width * view.scale, height: size.height * view.scale, longest };
      under.place(box);
      over?.place(box);
      divider.update(view);
      bar.update(view);
    },
    start(_event, place) {
      (over ? handle : stage).focus({ preventScroll: true, focusVisible: false });
      if (!over) return false;
      return zoomer.view.fitted || (divider.state.mode === "both" && divider.distance(place.x) < NEAR_HANDLE);
    },
    drag: (_event, place) => divider.dragTo(place.x),
  });
  stage.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays on the handle
  stage.addEventListener("dblclick", (event) => {
    const box = stage.getBoundingClientRect();
    if (zoomer.view.fitted) zoomer.zoomTo(Math.max(1, zoomer.view.zoom * 2), event.clientX - box.left, event.clientY - box.top);
    else zoomer.fit();
  });
  const words = over ? t("Drag the line, or press Space to switch. Scroll or pinch to zoom in.") : t("Scroll or pinch to zoom in.");
  const controls = make("div", { class: "tool-bar" }, ...(over ? [modes.element] : []), bar.element);
  const root = make("div", { class: "tool tool-compare" }, stage, controls, make("p", { class: "tool-help", text: words }));
  if (!over) makeSingle(stage, after);
  root.addEventListener("keydown", keysOf(divider, zoomer, handle));
  host.replaceChildren(root);
  zoomer.fit();
  return {
    destroy() {
      zoomer.destroy();
      root.remove();
    },
  };
}
