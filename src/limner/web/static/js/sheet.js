import { address } from "./api.js";
import { h } from "./dom.js";
import { number, t } from "./texts.js";

const INCH = 2.54; // cm
const UNITS = { mm: 0.1, cm: 1, in: INCH, m: 100, ft: 30.48 };
const LIMITS = { dpi: 30, times: 16, low: 1, high: 500 };
const DEFAULTS = { dpi: 150, fit: "fit", maxScale: 4 };
const COMMON = ["a4", "a3", "30x40", "60x40", "12x18in"]; // shown at once; other sizes on demand
const SAME_SHAPE = 0.005; // difference of the shapes that nobody sees

const round = (value, digits = 1) => Number(value.toFixed(digits));

/** Read "3mm", "24 in" or a number of cm. */
function toCm(value) {
  const [, number, unit] = /^\s*([\d.]+)\s*(mm|cm|in|ft|m)?\s*$/.exec(String(value ?? "")) ?? [];
  return number ? Number(number) * UNITS[unit ?? "cm"] : 0;
}

const plain = (name) => name.toLowerCase().replaceAll(/\s/g, "").replaceAll("×", "x");

/** The paper that the option names: by its sides ("60x40cm"), or a paper size ("A4"). */
function paperOf({ print_: print }, papers, picture) {
  const text = plain(String(print ?? ""));
  const [, first, second, unit = "cm"] = /^([\d.]+)x([\d.]+)(mm|cm|in|ft|m)?$/.exec(text) ?? [];
  if (first) return { width: first * UNITS[unit], height: second * UNITS[unit] };
  const found = papers.find((one) => plain(one.name) === text);
  return found ? turned(found, picture) : null;
}

/** A paper as upright or wide as the picture. */
function turned({ width, height }, picture) {
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  return picture.width > picture.height ? { width: long, height: short } : { width: short, height: long };
}

/** What the resolution looks like, for people. */
function inWords(dpi) {
  if (dpi >= 240) return t("sharp in your hands");
  if (dpi >= 120) return t("sharp at arm's length");
  if (dpi >= 60) return t("sharp from two meters");
  return t("soft: best seen from across the room");
}

/** Sizes in cm and pixels of a picture on a paper with a bleed on each side. */
function plan(picture, paper, { fit, dpi, bleed }) {
  const sheet = { width: paper.width + 2 * bleed, height: paper.height + 2 * bleed };
  const ratios = [sheet.width / picture.width, sheet.height / picture.height];
  const cm = fit === "fill" ? Math.max(...ratios) : Math.min(...ratios); // of one pixel
  const placed = { width: picture.width * cm, height: picture.height * cm };
  const result = fit === "fit" ? placed : sheet;
  const pixels = (length) => Math.max(1, Math.round((length / INCH) * dpi));
  return {
    sheet,
    placed,
    own: INCH / cm,
    times: (cm * dpi) / INCH, // own: the dpi of the picture as it is
    pixels: { width: pixels(result.width), height: pixels(result.height) },
    isSameShape: Math.abs(ratios[0] / ratios[1] - 1) < SAME_SHAPE,
    cropped: 1 - Math.min(...ratios) / Math.max(...ratios),
    border: {
      x: (sheet.width - picture.width * Math.min(...ratios)) / 2,
      y: (sheet.height - picture.height * Math.min(...ratios)) / 2,
    },
  };
}

function shape(name, values) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
  return element;
}

const rectangle = (x, y, width, height, className) =>
  shape("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), class: className });

/** The drawing with the picture, which is loaded only once. */
function createSheet(picture) {
  const svg = shape("svg", { class: "tool-sheet-drawing", role: "img" });
  const image = shape("image", {
    href: address.view(picture.id, 1024),
    preserveAspectRatio: "none",
    "clip-path": "url(#tool-sheet-clip)",
  });
  return { svg, image };
}

/** Draw the sheet with the picture on it, in cm. */
function drawSheet({ svg, image }, paper, { fit, bleed }, { sheet, placed }) {
  const space = 0.13 * Math.max(sheet.width, sheet.height);
  svg.setAttribute(
    "viewBox",
    `${-0.65 * space} ${-0.3 * space} ${sheet.width + 1.3 * space} ${sheet.height + space}`,
  );
  svg.setAttribute(
    "aria-label",
    t("The picture on paper of {width} × {height} cm", {
      width: number(round(paper.width)),
      height: number(round(paper.height)),
    }),
  );
  const clip = shape("clipPath", { id: "tool-sheet-clip" });
  clip.append(rectangle(0, 0, sheet.width, sheet.height, ""));
  const [x, y] = [(sheet.width - placed.width) / 2, (sheet.height - placed.height) / 2];
  for (const [name, value] of Object.entries({ ...placed, x, y })) image.setAttribute(name, value);
  // all but the picture is drawn anew: an image that is taken out would flicker
  for (const one of [...svg.children]) if (one !== image) one.remove();
  if (!image.isConnected) svg.append(image);
  image.before(clip, rectangle(0, 0, sheet.width, sheet.height, "tool-paper"));
  if (bleed) svg.append(rectangle(bleed, bleed, paper.width, paper.height, "tool-trim"));
  if (fit === "fit") svg.append(rectangle(x, y, placed.width, placed.height, "tool-cut"));
  const size = space / 3.2;
  const label = (left, top, value, turn) => {
    const text = shape("text", {
      x: left,
      y: top,
      "font-size": size,
      "text-anchor": "middle",
      class: "tool-length",
      transform: turn ? `rotate(-90 ${left} ${top})` : "",
    });
    text.textContent = t("{length} cm", { length: number(round(value)) });
    return text;
  };
  svg.append(
    label(sheet.width / 2, sheet.height + size * 1.5, paper.width),
    label(-size * 0.8, sheet.height / 2, paper.height, true),
  );
}

/** What the dashed line on the sheet means. */
function legend({ bleed }) {
  if (!bleed) return [];
  const words = t("Cut here: {length} mm beyond the paper are trimmed", { length: number(round(10 * bleed)) });
  return [h("p", { class: "tool-legend" }, h("span", { "aria-hidden": "true" }), words)];
}

/** "60x40cm", or inches for a paper that is measured in them. */
function toText({ width, height }) {
  const isInches = [width, height].every((side) => Math.abs(side / INCH - Math.round(side / INCH)) < 1e-6);
  const unit = isInches ? INCH : 1;
  return `${round(width / unit, 2)}x${round(height / unit, 2)}${isInches ? "in" : "cm"}`;
}

const button = (text, onclick, isPressed) =>
  h("button", { type: "button", class: "tool-button", onclick, "aria-pressed": isPressed }, text);

/** Buttons for a picture of another shape than the paper: what each of them costs is said. */
function shapeChoices(settings, result, onPick) {
  const { fits, fit } = settings;
  if (result.isSameShape) return [];
  const { border } = result;
  const side = border.x > border.y ? t("left and right") : t("above and below");
  const texts = {
    fill: t("Crop: {percent}% is cut off", { percent: Math.max(1, Math.round(100 * result.cropped)) }),
    pad: t("White border: {length} cm {side}", { length: number(round(Math.max(border.x, border.y))), side }),
  };
  const buttons = ["fill", "pad"]
    .filter((one) => fits.includes(one))
    .map((one) => button(texts[one], () => onPick(one), fit === one));
  const reason =
    fit === "fit"
      ? t("The picture has another shape than the paper. The print will not cover the whole sheet.")
      : t("The picture has another shape than the paper.");
  return [
    h("p", { class: "tool-note" }, reason),
    h("div", { class: "tool-group", role: "group", "aria-label": t("Fit on the paper") }, ...buttons),
  ];
}

/** What to do where the picture is too small for the resolution. */
function remedies({ dpi, maxScale }, { times }, onPick) {
  if (times <= maxScale) return [];
  const lower = Math.floor((dpi * maxScale) / times - 1e-9);
  const larger = Math.ceil(times);
  const buttons = [];
  if (lower >= LIMITS.dpi)
    buttons.push(button(t("Print at {dpi} dpi", { dpi: lower }), () => onPick({ dpi: lower })));
  if (larger <= LIMITS.times)
    buttons.push(button(t("Allow up to {times}×", { times: larger }), () => onPick({ max_scale: larger })));
  const text = buttons.length
    ? t("That is more than {times}×, the limit now.", { times: maxScale })
    : t("That is too much for this picture. Choose smaller paper.");
  return [h("p", { class: "tool-note" }, text), h("div", { class: "tool-group" }, ...buttons)];
}

function facts({ dpi }, { own, times, pixels }) {
  const first = t("Your picture alone: {dpi} dpi – {words}.", { dpi: Math.round(own), words: inWords(own) });
  const values = {
    times: number(round(times)),
    width: pixels.width,
    height: pixels.height,
    dpi,
    words: inWords(dpi),
  };
  const second =
    times > 1.005
      ? t("Enlarged {times}× to {width} × {height} pixels: {dpi} dpi – {words}.", values)
      : t("It is large enough for {dpi} dpi: no need to enlarge it.", values);
  return [h("p", { class: "tool-fact" }, first), h("p", { class: "tool-fact" }, second)];
}

function settingsOf(value, papers, picture) {
  return {
    paper: paperOf(value, papers, picture),
    dpi: Number(value.dpi) || DEFAULTS.dpi,
    fit: value.fit || DEFAULTS.fit,
    fits: value.fits,
    bleed: toCm(value.bleed),
    maxScale: Number(value.max_scale) || DEFAULTS.maxScale,
  };
}

function sideField(label, onInput) {
  const input = h("input", {
    type: "number",
    min: LIMITS.low,
    max: LIMITS.high,
    step: "any",
    inputmode: "decimal",
    oninput: onInput,
  });
  return {
    input,
    field: h(
      "label",
      { class: "tool-side" },
      h("span", {}, label),
      input,
      h("span", { "aria-hidden": "true" }, t("cm")),
    ),
  };
}

/** Paper sizes as buttons, own sides, and a button that turns the paper. */
function createPapers(papers, { onPaper, onTurn, onSides }) {
  const isCommon = (paper) => COMMON.includes(plain(paper.name).replace(/cm$/, ""));
  const titleOf = ({ name }) =>
    /^[\d.]+\s*[x×]\s*[\d.]+$/.test(name) ? t("{length} cm", { length: name }) : name;
  const names = papers.map((paper) => button(titleOf(paper), () => onPaper(paper), false));
  const others = names.filter((_name, index) => !isCommon(papers[index]));
  const more = button(t("More sizes"), () => showOthers(more.getAttribute("aria-expanded") !== "true"));
  const showOthers = (isOn) => {
    more.setAttribute("aria-expanded", isOn);
    for (const one of others) one.hidden = !isOn;
  };
  showOthers(others.length === names.length);
  more.hidden = !others.length || others.length === names.length;
  const sorted = [...names.filter((name) => !others.includes(name)), ...others];
  const none = button(t("No paper"), () => onPaper(null), false);
  const typed = () => onSides(width.input.valueAsNumber, height.input.valueAsNumber);
  const [width, height] = [sideField(t("Width"), typed), sideField(t("Height"), typed)];
  const turn = button(t("Turn the paper"), onTurn);
  const element = h(
    "div",
    { class: "tool-papers" },
    h("div", { class: "tool-group", role: "group", "aria-label": t("Paper size") }, none, ...sorted, more),
    h("div", { class: "tool-group" }, width.field, height.field, turn),
  );
  const update = (paper) => {
    const same = (one) =>
      Boolean(paper) &&
      [
        [one.width, one.height],
        [one.height, one.width],
      ].some(([w, h]) => Math.abs(w - paper.width) < 0.05 && Math.abs(h - paper.height) < 0.05);
    papers.forEach((one, index) => names[index].setAttribute("aria-pressed", same(one)));
    if (paper && others.some((name) => name.getAttribute("aria-pressed") === "true")) showOthers(true);
    none.setAttribute("aria-pressed", !paper);
    turn.setAttribute("aria-disabled", !paper);
    for (const [{ input }, side] of [
      [width, paper?.width],
      [height, paper?.height],
    ]) {
      if (document.activeElement !== input) input.value = side ? round(side, 2) : "";
    }
  };
  return { element, update };
}

/**
 * Choose paper, and see the picture on it.
 * @param {HTMLElement} host
 * @param {{picture: import("./compare.js").Picture, papers: {name: string, width: number, height: number}[],
 *   value: {print_?: string, dpi?: number, fit?: string, fits: string[], bleed?: string | number,
 *   max_scale?: number},
 *   onChange: (change: {print_: string, fit: string, dpi?: number, max_scale?: number}) => void}} options
 * @returns {{update: (value: object) => void, destroy: () => void}} `update`: other values of the form
 */
export function printSheet(host, { picture, papers, value, onChange }) {
  let settings = settingsOf(value, papers, picture);
  const tell = (others = {}) => {
    draw();
    onChange({
      print_: settings.paper ? toText(settings.paper) : "",
      fit: settings.paper ? settings.fit : DEFAULTS.fit,
      ...others,
    });
  };
  const set = (changes, others) => {
    Object.assign(settings, changes);
    tell(others);
  };
  const choices = createPapers(papers, {
    onPaper: (paper) => set({ paper: paper && turned(paper, picture) }),
    onTurn: () =>
      settings.paper && set({ paper: { width: settings.paper.height, height: settings.paper.width } }),
    onSides(width, height) {
      const isPossible = [width, height].every((side) => side >= LIMITS.low && side <= LIMITS.high);
      if (isPossible) set({ paper: { width, height } });
    },
  });
  const sheet = createSheet(picture);
  const stage = h("div", { class: "tool-sheet-stage" });
  const words = h("div", { class: "tool-words", "aria-live": "polite" });
  const root = h("div", { class: "tool tool-print" }, choices.element, stage, words);
  const fix = (change) =>
    set({ dpi: change.dpi ?? settings.dpi, maxScale: change.max_scale ?? settings.maxScale }, change);
  const draw = () => {
    choices.update(settings.paper);
    if (!settings.paper) {
      stage.replaceChildren(
        h("p", { class: "tool-empty" }, t("Choose a paper size to see the picture on it.")),
      );
      words.replaceChildren();
      return;
    }
    const result = plan(picture, settings.paper, settings);
    const focused = words.contains(document.activeElement)
      ? [...words.querySelectorAll("button")].indexOf(document.activeElement)
      : -1;
    if (!sheet.svg.isConnected) stage.replaceChildren(sheet.svg);
    drawSheet(sheet, settings.paper, settings, result);
    words.replaceChildren(
      ...legend(settings),
      ...shapeChoices(settings, result, (fit) => set({ fit })),
      ...facts(settings, result),
      ...remedies(settings, result, fix),
    );
    if (focused >= 0) words.querySelectorAll("button")[focused]?.focus();
  };
  host.replaceChildren(root);
  draw();
  return {
    update(next) {
      settings = settingsOf(next, papers, picture);
      draw();
    },
    destroy: () => root.remove(),
  };
}
