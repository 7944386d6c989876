import { address } from "./api.js";
import { h } from "./dom.js";
import { t } from "./texts.js";
import { placeIn } from "./zoom.js";

const SIDE = 1024; // pixels of the longest side that are shown
const LOUPE = { side: 132, zoom: 3 }; // CSS pixels, and how many times larger than the photo is shown
const HIT = 18; // CSS pixels around a point that take hold of it

/** A photo with up to two points, in pixels of the full size. */
function createPhoto(picture, name, onChange) {
  const points = [];
  const image = h("img", { alt: "", draggable: "false", src: address.view(picture.id, SIDE) });
  const loupe = h("div", { class: "tool-loupe tool-hidden", "aria-hidden": "true" });
  const label = t("{name}. Press Enter to set a point in the middle, then move it with the arrow keys.", {
    name,
  });
  const stage = h(
    "div",
    { class: "tool-photo", tabindex: "0", role: "group", "aria-label": label },
    image,
    loupe,
  );
  stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
  loupe.style.backgroundImage = `url("${address.view(picture.id, SIDE)}")`;
  const marks = [0, 1].map((index) => createPoint(index, name));
  const scale = () => stage.clientWidth / picture.width;
  const showLoupe = (point) => {
    loupe.classList.toggle("tool-hidden", !point);
    if (!point) return;
    const [x, y] = [point.x * scale(), point.y * scale()];
    const [half, { zoom }] = [LOUPE.side / 2, LOUPE];
    // beside the finger, and on the other side near the left edge
    const left =
      x > LOUPE.side + 30
        ? x - LOUPE.side - 24
        : Math.min(x + 24, Math.max(0, stage.clientWidth - LOUPE.side));
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
      mark.setAttribute(
        "aria-label",
        t("Point {number} in {name}: {x}, {y}", { number: index + 1, name, x: point.x, y: point.y }),
      );
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
  return h(
    "button",
    { type: "button", class: `tool-point tool-point-${index + 1}`, "aria-label": label },
    h("span", {}, String(index + 1)),
  );
}

function listen({ picture, points, stage, marks, scale, put, reset, showLoupe, changed }) {
  let [held, before] = [null, []];
  const place = (event) => {
    const { x, y } = placeIn(stage, event);
    return { x: x / scale(), y: y / scale() };
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
  const listeners = {
    pointerdown: take,
    pointermove: drag,
    pointerup: drop,
    pointercancel: drop,
    keydown: (event) => press(event),
  };
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
 * @param {string} [start] the points to begin with
 * @returns {{destroy: () => void}}
 */
export function alignmentPoints(host, near, far, onChange, start = "") {
  let told = start ?? "";
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
  const status = h("p", { class: "tool-status", role: "status" });
  const undo = h("button", { type: "button", class: "tool-button", onclick: clear }, t("Remove the points"));
  const photos = [
    createPhoto(near, t("the near photo"), update),
    createPhoto(far, t("the far photo"), update),
  ];
  const titles = [t("Near"), t("Far")];
  const figures = photos.map(({ stage }, index) =>
    h("figure", {}, stage, h("figcaption", {}, titles[index])),
  );
  const root = h(
    "div",
    { class: "tool tool-points" },
    h("div", { class: "tool-bar" }, status, undo),
    h("div", { class: "tool-photos" }, ...figures),
  );
  host.replaceChildren(root);
  const numbers = told.split(",").map(Number);
  if (numbers.length === 8 && numbers.every(Number.isFinite)) {
    const [a, b, c, d] = [0, 2, 4, 6].map((at) => ({ x: numbers[at], y: numbers[at + 1] }));
    photos[0].reset([a, b]);
    photos[1].reset([c, d]);
  }
  update();
  return { destroy: () => root.remove() };
}
