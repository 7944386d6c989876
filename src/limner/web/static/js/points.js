import { make, viewOf } from "./compare.js";
import { t } from "./texts.js";

const SIDE = 1024; // pixels of the longest side that are shown
const LOUPE = { side: 132, zoom: 3 }; // CSS pixels, and how many times larger than the photo is shown
const STEPS = { least: 50, most: 500, pixels: 24e6 }; // of undo: old ones go beyond this memory
const LINE = 8; // pixels around a place on a line where a region is looked for
const HIT = 18; // CSS pixels around a point that take hold of it

/**
 * A canvas whose pixels are numbers: A, B, G, R from the highest byte to the lowest.
 * @param {number} width
 * @param {number} height
 * @param {string} name a class
 */
export function createCanvas(width, height, name) {
  const canvas = make("canvas", { width, height, class: `tool-sheet ${name}` });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(width, height);
  return { canvas, context, image, pixels: new Uint32Array(image.data.buffer), width, height };
}

/** A part without pixels. */
export const EMPTY = { left: Infinity, top: Infinity, right: 0, bottom: 0 };
/** Show what has changed in a part of a canvas. */
export function showPart({ context, image }, { left, top, right, bottom }) {
  if (right > left && bottom > top) context.putImageData(image, 0, 0, left, top, right - left, bottom - top);
}

const joined = (a, b) => ({
  left: Math.min(a.left, b.left), top: Math.min(a.top, b.top), right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom),
});

/** Fill a round-ended line with one plain color: the canvas' own lines would have soft edges. */
function fillLine({ pixels, width, height }, from, to, radius, color, allows) {
  const box = {
    left: Math.max(0, Math.floor(Math.min(from.x, to.x) - radius)), top: Math.max(0, Math.floor(Math.min(from.y, to.y) - radius)),
    right: Math.min(width, Math.ceil(Math.max(from.x, to.x) + radius)), bottom: Math.min(height, Math.ceil(Math.max(from.y, to.y) + radius)),
  };
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy || 1;
  for (let y = box.top; y < box.bottom; y++) {
    const py = y + 0.5 - from.y;
    const [middle, reach] = dy ? [from.x + (py * dx) / dy, (radius * Math.sqrt(length)) / Math.abs(dy) + 1] : [0, Infinity];
    const end = Math.min(box.right, middle + reach);
    for (let x = Math.max(box.left, Math.floor(middle - reach)); x < end; x++) {
      const px = x + 0.5 - from.x;
      const share = Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const [ox, oy] = [px - share * dx, py - share * dy];
      if (ox * ox + oy * oy <= radius * radius && allows(y * width + x)) pixels[y * width + x] = color;
    }
  }
  return box;
}

function copyPart(pixels, width, box) {
  const columns = box.right - box.left;
  const part = new Uint32Array(columns * (box.bottom - box.top));
  for (let y = box.top; y < box.bottom; y++) {
    part.set(pixels.subarray(y * width + box.left, y * width + box.right), (y - box.top) * columns);
  }
  return part;
}

/**
 * The strokes: pixels with undo. A step keeps what was under it, and swaps it when it is undone.
 * @param {number} width
 * @param {number} height
 */
export function createStrokes(width, height) {
  const sheet = createCanvas(width, height, "tool-strokes");
  const before = new Uint32Array(width * height);
  const [past, future] = [[], []];
  let changed = EMPTY;
  const begin = () => {
    before.set(sheet.pixels);
    changed = EMPTY;
  };
  const line = (from, to, radius, color, allows = () => true) => {
    const box = fillLine(sheet, from, to, radius, color, allows);
    changed = joined(changed, box);
    showPart(sheet, box);
  };
  const cancel = () => {
    sheet.pixels.set(before);
    showPart(sheet, changed);
    changed = EMPTY;
  };
  const forget = () => {
    let pixels = past.reduce((sum, step) => sum + step.part.length, 0);
    while (past.length > STEPS.most || (past.length > STEPS.least && pixels > STEPS.pixels)) pixels -= past.shift().part.length;
  };
  const commit = () => {
    if (changed.right <= changed.left || changed.bottom <= changed.top) return false;
    past.push({ box: changed, part: copyPart(before, width, changed) });
    future.length = 0;
    forget();
    return true;
  };
  const swap = (from, to) => {
    const step = from.pop();
    if (!step) return false;
    const { box, part } = step;
    to.push({ box, part: copyPart(sheet.pixels, width, box) });
    const columns = box.right - box.left;
    for (let y = box.top; y < box.bottom; y++) {
      sheet.pixels.set(part.subarray((y - box.top) * columns, (y - box.top + 1) * columns), y * width + box.left);
    }
    showPart(sheet, box);
    return true;
  };
  const clear = () => {
    begin();
    sheet.pixels.fill(0);
    changed = { left: 0, top: 0, right: width, bottom: height };
    showPart(sheet, changed);
    return commit();
  };
  /** Take the strokes of a picture, as they were painted before; this is no step of undo. */
  const take = (image) => {
    const { context } = createCanvas(width, height, "");
    context.imageSmoothingEnabled = false; // edges stay hard
    context.drawImage(image, 0, 0, width, height);
    const earlier = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
    sheet.pixels.set(earlier.map((value) => (value >>> 24 > 127 ? value | 0xff000000 : 0)));
    showPart(sheet, { left: 0, top: 0, right: width, bottom: height });
  };
  return {
    take, sheet, begin, line, cancel, commit, clear,
    undo: () => swap(past, future),
    redo: () => swap(future, past),
    isEmpty: () => !sheet.pixels.some((value) => value),
    steps: () => [past.length, future.length],
  };
}

/** Where each region lies, as left, top, right, bottom per number. */
function findBoxes(map, width) {
  const last = map.reduce((most, number) => Math.max(most, number), 0);
  const boxes = new Int32Array(4 * (last + 1));
  for (let number = 0; number <= last; number++) boxes[4 * number] = boxes[4 * number + 1] = width + map.length;
  for (let index = 0, x = 0, y = 0; index < map.length; index++) {
    const at = 4 * map[index];
    if (x < boxes[at]) boxes[at] = x;
    if (y < boxes[at + 1]) boxes[at + 1] = y;
    if (x >= boxes[at + 2]) boxes[at + 2] = x + 1;
    boxes[at + 3] = y + 1;
    if (++x === width) [x, y] = [0, y + 1];
  }
  return boxes;
}

/**
 * Load the regions of a drawing: the number of each pixel's region, and where each of them lies.
 * @param {string} id
 * @param {{width: number, height: number, side: number}} size of the map, and its longest side
 * @returns {Promise<{map: Uint32Array, boxes: Int32Array}>}
 */
export async function loadRegions(id, { width, height, side }) {
  const answer = await fetch(`api/pictures/${encodeURIComponent(id)}/regions?side=${side}`);
  if (!answer.ok) throw new Error(`regions: ${answer.status}`);
  const exact = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(await answer.blob(), exact);
  const { context } = createCanvas(width, height, "");
  context.imageSmoothingEnabled = false; // numbers must not be mixed
  context.drawImage(bitmap, 0, 0, width, height);
  const map = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer).map((value) => value & 0xffffff);
  return { map, boxes: findBoxes(map, width) };
}

/** The mark of the region under the pointer. */
export function createMark(width, height) {
  const sheet = createCanvas(width, height, "tool-mark");
  let [regions, marked, shown] = [null, 0, EMPTY];
  const exactlyAt = (x, y) => {
    const inside = regions && x >= 0 && y >= 0 && x < width && y < height;
    return inside ? regions.map[Math.floor(y) * width + Math.floor(x)] : 0;
  };
  /** The region at a place; on a line the nearest one. */
  const at = ({ x, y }) => {
    for (let radius = 0; radius <= LINE; radius++) {
      for (let turn = 0; turn < 8; turn++) {
        const angle = (turn * Math.PI) / 4;
        const number = exactlyAt(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
        if (number) return number;
      }
    }
    return 0;
  };
  const paint = (box, number) => {
    const { map } = regions;
    const [edge, tint] = [0xffe8710a, 0x38e8710a]; // A, B, G, R
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const index = y * width + x;
        if (map[index] !== number) continue;
        const isInner = x > 1 && y > 1 && x < width - 2 && y < height - 2 && map[index - 2] === number &&
          map[index + 2] === number && map[index - 2 * width] === number && map[index + 2 * width] === number;
        sheet.pixels[index] = isInner ? tint : edge;
      }
    }
  };
  const show = (place) => {
    const number = place ? at(place) : 0;
    if (number === marked) return;
    marked = number;
    for (let y = shown.top; y < shown.bottom; y++) sheet.pixels.fill(0, y * width + shown.left, y * width + shown.right);
    showPart(sheet, shown);
    shown = EMPTY;
    if (!number) return;
    const [left, top, right, bottom] = regions.boxes.subarray(4 * number, 4 * number + 4);
    shown = { left, top, right, bottom };
    paint(shown, number);
    showPart(sheet, shown);
  };
  /** Which pixels a dot may color: those of the region under it. */
  const allowsAt = (place) => {
    const number = at(place);
    return number ? (index) => regions.map[index] === number : undefined;
  };
  return { sheet, show, allowsAt, use: (found) => (regions = found) };
}


/** A photo with up to two points, in pixels of the full size. */
function createPhoto(picture, name, onChange) {
  const points = [];
  const image = make("img", { alt: "", draggable: "false", src: viewOf(picture.id, SIDE) });
  const loupe = make("div", { class: "tool-loupe tool-hidden", "aria-hidden": "true" });
  const label = t("{name}. Press Enter to set a point in the middle, then move it with the arrow keys.", { name });
  const stage = make("div", { class: "tool-photo", tabindex: "0", role: "group", "aria-label": label }, image, loupe);
  stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
  loupe.style.backgroundImage = `url("${viewOf(picture.id, SIDE)}")`;
  const marks = [0, 1].map((index) => createPoint(index, name));
  const scale = () => stage.clientWidth / picture.width;
  const showLoupe = (point) => {
    loupe.classList.toggle("tool-hidden", !point);
    if (!point) return;
    const [x, y] = [point.x * scale(), point.y * scale()];
    const [half, { zoom }] = [LOUPE.side / 2, LOUPE];
    // beside the finger, and on the other side near the left edge
    const left = x > LOUPE.side + 30 ? x - LOUPE.side - 24 : Math.min(x + 24, Math.max(0, stage.clientWidth - LOUPE.side));
    loupe.style.transform = `translate(${left}px, ${Math.min(Math.max(0, y - half), Math.max(0, stage.clientHeight - LOUPE.side))}px)`;
    loupe.style.backgroundSize = `${stage.clientWidth * zoom}px ${stage.clientHeight * zoom}px`;
    loupe.style.backgroundPosition = `${half - x * zoom}px ${half - y * zoom}px`;
  };
  const draw = () => {
    marks.forEach((mark, index) => {
      const point = points[index];
      if (!point) return mark.remove();
      mark.style.left = `${(100 * point.x) / picture.width}%`;
      mark.style.top = `${(100 * point.y) / picture.height}%`;
      mark.setAttribute("aria-label", t("Point {number} in {name}: {x}, {y}", { number: index + 1, name, x: point.x, y: point.y }));
      return mark.isConnected || stage.append(mark);
    });
  };
  const put = (index, x, y) => {
    const inside = (value, side) => Math.min(side - 1, Math.max(0, Math.round(value)));
    points[index] = { x: inside(x, picture.width), y: inside(y, picture.height) };
    draw();
  };
  const reset = (next = []) => {
    points.splice(0, 2, ...next);
    draw();
  };
  const photo = { picture, name, points, stage, marks, scale, put, reset, showLoupe, changed: onChange };
  listen(photo);
  return photo;
}

function createPoint(index, name) {
  const label = t("Point {number} in {name}", { number: index + 1, name });
  return make("button", { type: "button", class: `tool-point tool-point-${index + 1}`, "aria-label": label }, make("span", { text: String(index + 1) }));
}

function listen({ picture, points, stage, marks, scale, put, reset, showLoupe, changed }) {
  let [held, before] = [null, []];
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left - stage.clientLeft) / scale(), y: (event.clientY - box.top - stage.clientTop) / scale() };
  };
  const nearest = ({ x, y }) => {
    const distances = points.map((point) => Math.hypot(point.x - x, point.y - y));
    const index = distances.indexOf(Math.min(...distances));
    return { index, distance: distances[index] ?? Infinity };
  };
  const take = (event) => {
    if (event.button !== 0) return;
    const here = place(event);
    before = points.map((point) => ({ ...point }));
    const { index, distance } = nearest(here);
    const isHit = distance * scale() < HIT;
    held = isHit || points.length === 2 ? index : points.length;
    if (!isHit) put(held, here.x, here.y);
    stage.setPointerCapture(event.pointerId);
    event.preventDefault(); // or the focus would go to the photo after this
    marks[held].focus({ preventScroll: true });
    showLoupe(points[held]);
  };
  const drag = (event) => {
    if (held === null) return;
    const here = place(event);
    put(held, here.x, here.y);
    showLoupe(points[held]);
  };
  const drop = (event) => {
    if (held === null) return;
    if (event.type === "pointercancel") reset(before); // the finger scrolls the page
    held = null;
    showLoupe(null);
    changed();
  };
  const listeners = { pointerdown: take, pointermove: drag, pointerup: drop, pointercancel: drop, keydown: (event) => press(event) };
  for (const [name, listener] of Object.entries(listeners)) stage.addEventListener(name, listener);
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const press = (event) => {
    const index = marks.indexOf(event.target);
    const arrow = arrows[event.key];
    const step = Math.max(1, Math.round(1 / scale())) * (event.shiftKey ? 10 : 1);
    if (event.key === "Enter" && index < 0 && points.length < 2) {
      put(points.length, picture.width * (0.4 + 0.2 * points.length), picture.height / 2);
      marks[points.length - 1].focus();
    } else if (arrow && index >= 0) {
      put(index, points[index].x + step * arrow[0], points[index].y + step * arrow[1]);
      showLoupe(points[index]);
    } else return;
    event.preventDefault();
    changed();
  };
  stage.addEventListener("focusout", () => showLoupe(null));
}

function nextStep(near, far) {
  const counts = [near.points.length, far.points.length];
  if (counts[0] === 2 && counts[1] === 2) return t("Done. Drag a point to correct it.");
  const photo = counts[1] < counts[0] ? far : near;
  const { name } = photo;
  if (!photo.points.length && photo === near) return t("Click a point in {name}, such as an eye.", { name });
  if (!photo.points.length) return t("Now click the same point in {name}.", { name });
  if (photo === near) return t("Click a second point in {name}, such as the other eye.", { name });
  return t("Now click the same second point in {name}.", { name });
}

/**
 * Let two points be clicked in each of two photos.
 * @param {HTMLElement} host
 * @param {import("./compare.js").Picture} near
 * @param {import("./compare.js").Picture} far
 * @param {(points: string) => void} onChange gets "x,y,x,y,x,y,x,y" in pixels of the full sizes: both
 *   points of near, then both of far; "" while one is missing
 * @returns {{clear: () => void, destroy: () => void}}
 */
export function alignmentPoints(host, near, far, onChange) {
  let told = "";
  const update = () => {
    const points = photos.flatMap((photo) => photo.points);
    status.textContent = nextStep(...photos);
    undo.setAttribute("aria-disabled", !points.length);
    const text = points.length === 4 ? points.map(({ x, y }) => `${x},${y}`).join(",") : "";
    if (text !== told) onChange(text);
    told = text;
  };
  const clear = () => {
    for (const photo of photos) photo.reset();
    update();
  };
  const status = make("p", { class: "tool-status", role: "status" });
  const undo = make("button", { type: "button", class: "tool-button", text: t("Remove the points"), onclick: clear });
  const photos = [createPhoto(near, t("the near photo"), update), createPhoto(far, t("the far photo"), update)];
  const titles = [t("Near"), t("Far")];
  const figures = photos.map(({ stage }, index) => make("figure", {}, stage, make("figcaption", { text: titles[index] })));
  const root = make("div", { class: "tool tool-points" }, make("div", { class: "tool-bar" }, status, undo), make("div", { class: "tool-photos" }, ...figures));
  host.replaceChildren(root);
  update();
  return { clear, destroy: () => root.remove() };
}
