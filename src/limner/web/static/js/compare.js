import { address } from "./api.js";
import { h } from "./dom.js";
import { t } from "./texts.js";
import { placeIn, zoomable, zoomBar } from "./zoom.js";

const FIRST_SIDE = 1600; // pixels of the longest side that are loaded first
const PIXELS_FROM = 2; // zoom above which single pixels are shown as squares
const NEAR_HANDLE = 22; // CSS pixels beside the divider that still belong to it

/**
 * @typedef {{id: string, name: string, width: number, height: number}} Picture
 */

/** One of the two pictures: small first, in full when it is zoomed into. */
function createLayer(picture, kind, onError) {
  const layer = h("div", { class: `tool-layer tool-${kind}` });
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
    const image = h("img", { alt: "", draggable: "false", src: address.view(picture.id, side) });
    try {
      await image.decode();
    } catch {
      if (!state.image) onError();
      return;
    }
    if (state.image && side !== state.side) return; // the full size was quicker
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
  const handle = h(
    "div",
    {
      class: "tool-divider",
      role: "slider",
      tabindex: "0",
      "aria-label": t("Compare before and after"),
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-orientation": "horizontal",
    },
    h("span", { class: "tool-knob", "aria-hidden": "true" }),
  );
  const tags = {
    before: h("span", { class: "tool-tag tool-tag-left" }, t("Before")),
    after: h("span", { class: "tool-tag tool-tag-right" }, t("After")),
  };
  const error = h("p", { class: "tool-failed", role: "alert" });
  const fail = () => (error.textContent = t("A picture could not be loaded. Reload the page to try again."));
  const under = createLayer(after, "after", fail);
  const over = before ? createLayer(before, "over", fail) : null;
  const both = over ? [over.layer, tags.before, tags.after, handle] : [];
  const stage = h("div", { class: "tool-stage tool-compare-stage" }, under.layer, ...both, error);
  stage.style.aspectRatio = `${after.width} / ${after.height}`;
  return { stage, handle, tags, under, over };
}

function createModes(onPick) {
  const names = { before: t("Before"), both: t("Both"), after: t("After") };
  const buttons = Object.entries(names).map(([mode, text]) =>
    h(
      "button",
      { type: "button", class: "tool-button", "data-mode": mode, onclick: () => onPick(mode) },
      text,
    ),
  );
  const element = h(
    "div",
    { class: "tool-group", role: "group", "aria-label": t("Picture shown") },
    ...buttons,
  );
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
    const cut =
      state.mode === "before"
        ? stage.clientWidth
        : state.mode === "after"
          ? 0
          : state.left + share * state.width;
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
  const values = {
    tabindex: "0",
    role: "group",
    "aria-label": t("{name}. Plus and minus zoom, arrow keys move.", { name: picture.name }),
  };
  for (const [name, value] of Object.entries(values)) stage.setAttribute(name, value);
  stage.classList.add("tool-single");
}

function keysOf(divider, zoomer, handle) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const isFar = { Home: 0, End: 1 };
  return (event) => {
    const [x, y] = steps[event.key] ?? [0, 0];
    const onButton = event.target.closest("button");
    if (event.key === " " && !onButton && handle.isConnected)
      divider.show(divider.state.mode === "before" ? "after" : "before");
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
    const { x, y } = placeIn(stage, event);
    if (zoomer.view.fitted) zoomer.zoomTo(Math.max(1, zoomer.view.zoom * 2), x, y);
    else zoomer.fit();
  });
  const words = over
    ? t("Drag the line, or press Space to switch. Scroll or pinch to zoom in.")
    : t("Scroll or pinch to zoom in.");
  const controls = h("div", { class: "tool-bar" }, ...(over ? [modes.element] : []), bar.element);
  const root = h(
    "div",
    { class: "tool tool-compare" },
    stage,
    controls,
    h("p", { class: "tool-help" }, words),
  );
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
