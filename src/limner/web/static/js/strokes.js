import { address } from "./api.js";
import { h } from "./dom.js";

const LINE = 8; // pixels around a place on a line where a region is looked for
const STEPS = { least: 50, most: 500, pixels: 24e6 }; // of undo: old ones go beyond this memory

/**
 * A canvas whose pixels are numbers: A, B, G, R from the highest byte to the lowest.
 * @param {number} width
 * @param {number} height
 * @param {string} name a class
 */
export function createCanvas(width, height, name) {
  const canvas = h("canvas", { width, height, class: `tool-sheet ${name}` });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.createImageData(width, height);
  return { canvas, context, image, pixels: new Uint32Array(image.data.buffer), width, height };
}

/** A part without pixels. */
const EMPTY = { left: Infinity, top: Infinity, right: 0, bottom: 0 };

/** Show what has changed in a part of a canvas. */
function showPart({ context, image }, { left, top, right, bottom }) {
  if (right > left && bottom > top) context.putImageData(image, 0, 0, left, top, right - left, bottom - top);
}

const joined = (a, b) => ({
  left: Math.min(a.left, b.left),
  top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right),
  bottom: Math.max(a.bottom, b.bottom),
});

/** Fill a round-ended line with one plain color: the canvas' own lines would have soft edges. */
function fillLine({ pixels, width, height }, from, to, radius, color, allows) {
  const box = {
    left: Math.max(0, Math.floor(Math.min(from.x, to.x) - radius)),
    top: Math.max(0, Math.floor(Math.min(from.y, to.y) - radius)),
    right: Math.min(width, Math.ceil(Math.max(from.x, to.x) + radius)),
    bottom: Math.min(height, Math.ceil(Math.max(from.y, to.y) + radius)),
  };
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = dx * dx + dy * dy || 1;
  for (let y = box.top; y < box.bottom; y++) {
    const py = y + 0.5 - from.y;
    const [middle, reach] = dy
      ? [from.x + (py * dx) / dy, (radius * Math.sqrt(length)) / Math.abs(dy) + 1]
      : [0, Infinity];
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
    while (past.length > STEPS.most || (past.length > STEPS.least && pixels > STEPS.pixels))
      pixels -= past.shift().part.length;
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
      sheet.pixels.set(
        part.subarray((y - box.top) * columns, (y - box.top + 1) * columns),
        y * width + box.left,
      );
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
    take,
    sheet,
    begin,
    line,
    cancel,
    commit,
    clear,
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
  for (let number = 0; number <= last; number++)
    boxes[4 * number] = boxes[4 * number + 1] = width + map.length;
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
 * @param {{width: number, height: number}} size of the map
 * @returns {Promise<{map: Uint32Array, boxes: Int32Array}>}
 */
export async function loadRegions(id, { width, height }) {
  const answer = await fetch(address.regions(id));
  if (!answer.ok) throw new Error(`regions: ${answer.status}`);
  const exact = { premultiplyAlpha: "none", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(await answer.blob(), exact);
  const { context } = createCanvas(width, height, "");
  context.imageSmoothingEnabled = false; // numbers must not be mixed
  context.drawImage(bitmap, 0, 0, width, height);
  const map = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer).map(
    (value) => value & 0xffffff,
  );
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
        const isInner =
          x > 1 &&
          y > 1 &&
          x < width - 2 &&
          y < height - 2 &&
          map[index - 2] === number &&
          map[index + 2] === number &&
          map[index - 2 * width] === number &&
          map[index + 2 * width] === number;
        sheet.pixels[index] = isInner ? tint : edge;
      }
    }
  };
  const show = (place) => {
    const number = place ? at(place) : 0;
    if (number === marked) return;
    marked = number;
    for (let y = shown.top; y < shown.bottom; y++)
      sheet.pixels.fill(0, y * width + shown.left, y * width + shown.right);
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
