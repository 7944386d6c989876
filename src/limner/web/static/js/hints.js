import { address } from "./api.js";
import { h, icon } from "./dom.js";
import { COLORS, createPalette, toHex, toNumber } from "./palette.js";
import { createCanvas, createMark, createStrokes, loadRegions } from "./strokes.js";
import { t } from "./texts.js";
import { placeIn, zoomable, zoomBar } from "./zoom.js";

const SIDE = 1024; // pixels of the longest side that are painted on
const SIZES = { low: 2, high: 96, initial: 14 };
const CLICK = 4; // CSS pixels that a pointer may move and still click

const iconButton = (name, label, onclick) =>
  h(
    "button",
    {
      type: "button",
      class: "tool-button tool-icon",
      "aria-label": label,
      title: label,
      "data-name": name,
      onclick,
    },
    icon(name),
  );

function createTools(onTool, strokes, act) {
  const names = {
    brush: t("Brush (B)"),
    eraser: t("Eraser (E)"),
    pick: t("Pick a color (I)"),
    move: t("Move (H)"),
  };
  const buttons = Object.entries(names).map(([name, label]) => iconButton(name, label, () => choose(name)));
  const undo = iconButton("undo", t("Undo (Ctrl+Z)"), () => act("undo"));
  const redo = iconButton("redo", t("Redo (Ctrl+Shift+Z)"), () => act("redo"));
  const clear = iconButton("clear", t("Remove all strokes"), () => act("clear"));
  const size = h("input", {
    type: "range",
    min: SIZES.low,
    max: SIZES.high,
    value: SIZES.initial,
    "aria-label": t("Brush size"),
  });
  const group = h("div", { class: "tool-group", role: "group", "aria-label": t("Tools") }, ...buttons);
  const steps = h(
    "div",
    { class: "tool-group", role: "group", "aria-label": t("Strokes") },
    undo,
    redo,
    clear,
  );
  const sizes = h(
    "label",
    { class: "tool-size", title: t("Brush size: keys [ and ]") },
    h("span", {}, t("Size")),
    size,
  );
  let tool = "brush";
  const choose = (name) => {
    tool = name;
    for (const button of buttons) button.setAttribute("aria-pressed", button.dataset.name === name);
    onTool(name);
  };
  // not `disabled`: a disabled button would lose the focus in the middle of undoing by keyboard
  const setOff = (button, isOff) => button.setAttribute("aria-disabled", isOff);
  const update = () => {
    const [past, future] = strokes.steps();
    setOff(undo, !past);
    setOff(redo, !future);
    setOff(clear, strokes.isEmpty());
  };
  const grow = (factor) => {
    size.value = Math.round(size.valueAsNumber * factor + Math.sign(factor - 1));
    size.dispatchEvent(new Event("input"));
  };
  return { parts: [group, steps, sizes], size, choose, update, grow, name: () => tool };
}

function createBoard(drawing) {
  const ratio = Math.min(1, SIDE / Math.max(drawing.width, drawing.height));
  const [width, height] = [drawing.width, drawing.height].map((side) =>
    Math.max(1, Math.round(side * ratio)),
  );
  const strokes = createStrokes(width, height);
  const mark = createMark(width, height);
  const layers = { base: null, result: null };
  const wanted = {}; // the ids of the pictures in them
  const ring = h("div", { class: "tool-ring tool-hidden", "aria-hidden": "true" });
  const note = h("p", { class: "tool-failed", role: "status" });
  const label = t("Drawing to color. Arrow keys move the brush, Enter sets a dot.");
  const stage = h(
    "div",
    { class: "tool-stage tool-hints-stage", tabindex: "0", role: "application", "aria-label": label },
    mark.sheet.canvas,
    strokes.sheet.canvas,
    ring,
    note,
  );
  stage.style.aspectRatio = `${width} / ${height}`;
  const load = async (name, id, onView) => {
    wanted[name] = id;
    const image = h("img", {
      alt: "",
      draggable: "false",
      class: `tool-sheet tool-${name}`,
      src: address.view(id, SIDE),
    });
    const isLoaded = await image.decode().then(
      () => true,
      () => false,
    );
    if (wanted[name] !== id) return; // a newer one was quicker
    note.textContent = isLoaded ? "" : t("The picture could not be loaded.");
    if (!isLoaded) return;
    layers[name]?.remove();
    layers[name] = image;
    mark.sheet.canvas.before(image);
    if (name === "base") stage.prepend(image);
    onView();
  };
  const place = (view) => {
    for (const sheet of stage.querySelectorAll(".tool-sheet")) {
      Object.assign(sheet.style, { width: `${width * view.scale}px`, height: `${height * view.scale}px` });
      sheet.style.transform = `translate(${view.x}px, ${view.y}px)`;
      sheet.classList.toggle("tool-pixels", view.zoom > 2);
    }
  };
  /** The color that is seen at a place, as "#rrggbb". */
  const colorAt = ({ x, y }) => {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return null;
    const stroke = strokes.sheet.pixels[row * width + column];
    if (stroke) return toHex(stroke);
    const image = layers.result && !stage.classList.contains("tool-no-result") ? layers.result : layers.base;
    if (!image) return null;
    const { context } = createCanvas(1, 1, "");
    const [fx, fy] = [image.naturalWidth / width, image.naturalHeight / height];
    context.drawImage(image, column * fx, row * fy, fx, fy, 0, 0, 1, 1);
    return toHex(new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0]);
  };
  return { width, height, strokes, mark, ring, stage, load, place, colorAt };
}

/** What pointers and keys do on the drawing. */
function createBrush(board, settings) {
  const { strokes, mark, ring, stage } = board;
  let [stroke, spot] = [null, { x: board.width / 2, y: board.height / 2 }];
  const toPicture = ({ x, y }) => ({
    x: (x - settings.view().x) / settings.view().scale,
    y: (y - settings.view().y) / settings.view().scale,
  });
  const ink = () => (settings.tool() === "eraser" ? 0 : toNumber(settings.color()));
  const paints = () => settings.tool() === "brush" || settings.tool() === "eraser";
  const dot = (place) =>
    strokes.line(
      place,
      place,
      settings.size() / 2,
      ink(),
      settings.tool() === "brush" ? mark.allowsAt(place) : undefined,
    );
  const point = (place) => {
    spot = place;
    const { scale, x, y } = settings.view();
    const side = paints() ? Math.max(4, settings.size() * scale) : 14;
    Object.assign(ring.style, { width: `${side}px`, height: `${side}px` });
    ring.style.transform = `translate(${x + spot.x * scale - side / 2}px, ${y + spot.y * scale - side / 2}px)`;
    ring.classList.toggle("tool-hidden", settings.tool() === "move");
    mark.show(settings.tool() === "brush" ? spot : null);
  };
  const leave = () => {
    ring.classList.add("tool-hidden");
    mark.show(null);
  };
  const start = (event, place) => {
    const here = toPicture(place);
    point(here);
    if (settings.tool() === "move") return false;
    if (settings.tool() === "pick" || event.altKey) settings.pick(here);
    else {
      stroke = { at: place, last: here, moved: false };
      strokes.begin();
      dot(here);
    }
    return true;
  };
  const drag = (event, place) => {
    if (!stroke) return;
    if (!stroke.moved && Math.hypot(place.x - stroke.at.x, place.y - stroke.at.y) < CLICK) return;
    if (!stroke.moved) strokes.cancel(); // the dot stayed inside its region; a stroke does not
    stroke.moved = true;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) {
      const next = toPicture(placeIn(stage, one));
      strokes.line(stroke.last, next, settings.size() / 2, ink());
      stroke.last = next;
    }
  };
  const end = (_event, canceled) => {
    if (!stroke) return;
    if (canceled) strokes.cancel();
    else if (strokes.commit()) settings.changed();
    stroke = null;
  };
  const moveBy = (x, y) =>
    point({
      x: Math.min(board.width - 1, Math.max(0, spot.x + x)),
      y: Math.min(board.height - 1, Math.max(0, spot.y + y)),
    });
  const press = () => {
    if (settings.tool() === "pick") return settings.pick(spot);
    strokes.begin();
    dot(spot);
    return strokes.commit() && settings.changed();
  };
  const hover = (place) => point(toPicture(place));
  return {
    start,
    drag,
    end,
    hover,
    leave,
    moveBy,
    press,
    again: () => ring.classList.contains("tool-hidden") || point(spot),
  };
}

function keysOf({ board, brush, zoomer, tools, palette, act }) {
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const letters = { b: "brush", e: "eraser", i: "pick", h: "move" };
  return (event) => {
    const key = event.key.toLowerCase();
    const [onStage, arrow] = [event.target === board.stage, arrows[event.key]];
    const step = event.shiftKey ? 1 : 8;
    if ((event.ctrlKey || event.metaKey) && key === "z") act(event.shiftKey ? "redo" : "undo");
    else if ((event.ctrlKey || event.metaKey) && key === "y") act("redo");
    else if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    else if (onStage && arrow && tools.name() === "move") zoomer.panBy(-40 * arrow[0], -40 * arrow[1]);
    else if (onStage && arrow) brush.moveBy(step * arrow[0], step * arrow[1]);
    else if (onStage && event.key === "Enter") brush.press();
    else if (letters[key]) tools.choose(letters[key]);
    else if (key === "[" || key === "]") tools.grow(key === "]" ? 1.2 : 0.83);
    else if (/^[1-9]$/.test(key)) palette.chooseNth(Number(key) - 1);
    else return void zoomer.key(event);
    return event.preventDefault();
  };
}

function toggle(text, onChange) {
  const box = h("input", { type: "checkbox", onchange: () => onChange(box.checked) });
  box.checked = true;
  return h("label", { class: "tool-check" }, box, h("span", {}, text));
}

function createChecks({ classList }) {
  const strokes = toggle(t("Show strokes"), (isOn) => classList.toggle("tool-no-strokes", !isOn));
  const result = toggle(t("Show the colored picture"), (isOn) => classList.toggle("tool-no-result", !isOn));
  result.classList.add("tool-hidden");
  const element = h("div", { class: "tool-checks" }, strokes, result);
  return { element, offerResult: () => result.classList.remove("tool-hidden") };
}

const help = () =>
  h(
    "p",
    { class: "tool-help" },
    t(
      "Click an area to give it the color, or paint a stroke across several. Press Alt and click to pick a color.",
    ),
  );

/** Take over strokes that were painted before the page was loaded again. */
async function takeEarlier(id, strokes) {
  const image = h("img", { src: address.file(id) }); // a view is lossy
  const isLoaded = await image.decode().then(
    () => true,
    () => false,
  );
  if (isLoaded && strokes.isEmpty()) strokes.take(image);
}

/**
 * Paint color hints on a drawing.
 * @param {HTMLElement} host
 * @param {import("./compare.js").Picture} drawing
 * @param {{colors?: string[], onChange?: () => void, start?: string | null}} [options] `onChange`
 *   follows each stroke; `start`: the id of a picture of strokes to go on with
 * @returns {{toBlob: () => Promise<Blob | null>, setPalette: (colors: string[]) => void,
 *   showResult: (pictureId: string) => void, destroy: () => void}}
 */
export function paintHints(host, drawing, { colors = COLORS, onChange = () => {}, start = null } = {}) {
  const board = createBoard(drawing);
  const { stage, strokes } = board;
  const changed = () => {
    tools.update();
    onChange();
  };
  const act = (name) => strokes[name]() && changed();
  const palette = createPalette(colors, () => tools.name() === "brush" || tools.choose("brush"));
  const tools = createTools((tool) => (stage.dataset.tool = tool), strokes, act);
  const pick = (place) => {
    const color = board.colorAt(place);
    if (color) palette.choose(color);
  };
  const settings = {
    view: () => zoomer.view,
    tool: tools.name,
    color: palette.value,
    size: () => tools.size.valueAsNumber,
    pick,
    changed,
  };
  const brush = createBrush(board, settings);
  const bar = zoomBar([0, 2, 4], (level) => (level ? zoomer.zoomTo(level) : zoomer.fit()));
  const onView = (view) => {
    board.place(view);
    bar.update(view);
    brush.again();
  };
  const zoomer = zoomable(stage, { width: board.width, height: board.height, onView, ...brush });
  stage.addEventListener("pointermove", (event) => brush.hover(placeIn(stage, event)));
  stage.addEventListener("pointerleave", brush.leave);
  stage.addEventListener("blur", brush.leave);
  tools.size.addEventListener("input", brush.again);
  const checks = createChecks(stage);
  const root = h(
    "div",
    { class: "tool tool-hints" },
    h("div", { class: "tool-bar" }, ...tools.parts),
    palette.element,
    stage,
    h("div", { class: "tool-bar" }, bar.element, checks.element),
    help(),
  );
  root.addEventListener("keydown", keysOf({ board, brush, zoomer, tools, palette, act }));
  tools.choose("brush");
  tools.update();
  host.replaceChildren(root);
  zoomer.fit();
  board.load("base", drawing.id, zoomer.fit);
  if (start) takeEarlier(start, strokes).then(tools.update);
  // without regions everything but the mark works, so this is no error for the person who paints
  loadRegions(drawing.id, board).then(board.mark.use, (error) => console.warn(error));
  return {
    toBlob: async () =>
      strokes.isEmpty() ? null : new Promise((done) => strokes.sheet.canvas.toBlob(done, "image/png")),
    setPalette: palette.set,
    showResult(pictureId) {
      checks.offerResult();
      board.load("result", pictureId, () => board.place(zoomer.view));
    },
    destroy() {
      zoomer.destroy();
      root.remove();
    },
  };
}
