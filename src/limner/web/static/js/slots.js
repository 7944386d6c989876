import { address, api } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { clearError, showError } from "./errors.js";
import { helpElement } from "./help.js";
import { load } from "./loading.js";
import { formOf, on, setFiles, store, verbOf } from "./store.js";
import { number, t } from "./texts.js";

/** The example that is offered in an empty slot. */
const EXAMPLES = {
  photo: "photo",
  near_photo: "photo",
  far_photo: "painting",
  picture: "photo",
  sketch: "drawing",
  like: "painting",
};

let onSeveral = () => {};

/**
 * Say what happens to several files in a slot for one picture.
 * @param {(files: File[]) => void} action
 */
export function whenSeveral(action) {
  onSeveral = action;
}

/**
 * Put files into a slot.
 * @param {string} name
 * @param {File[]} files
 * @returns {Promise<void>}
 */
export async function receive(name, files) {
  const verb = store.verb;
  const slot = verbOf(verb).slots.find((one) => one.name === name);
  if (!files.length) return;
  if (files.length > 1 && !slot.several)
    return void (slot.main ? onSeveral(files) : await receive(name, files.slice(0, 1)));
  clearError();
  const joins = slot.several && !isStrip(slot, verb);
  await load(verb, name, async (isLatest) => {
    const added = [];
    try {
      for (const file of files.slice(0, slot.most)) added.push(await api.upload(file));
    } finally {
      // one damaged file among several does not take the others with it
      const before = joins ? (formOf(verb).files[name] ?? []) : [];
      if (added.length && (joins || isLatest()))
        setFiles(name, [...before, ...added].slice(-slot.most), verb);
    }
  });
}

/**
 * Put one of the example pictures into a slot.
 * @param {string} name
 * @param {string} example
 */
async function takeExample(name, example) {
  const verb = store.verb;
  clearError();
  await load(verb, name, async (isLatest) => {
    const picture = await api.useExample(example);
    if (isLatest()) setFiles(name, [picture], verb);
  });
}

const isStrip = (slot, verb = store.verb) => verb === "stylize" && slot.name === "styles";

/**
 * Make a slot: a place for pictures or a weights file. It draws itself again when they change.
 * @param {any} slot
 * @returns {HTMLElement}
 */
export function slotElement(slot) {
  const host = h("div", {
    id: `slot-${slot.name}`,
    class: `slot ${slot.first ? "slot-first" : "slot-more"}`,
    role: "group",
    "aria-label": t(slot.label),
  });
  const draw = () => {
    const focused = host.contains(document.activeElement) && document.activeElement.id;
    host.replaceChildren(
      ...(isStrip(slot) ? strip(slot) : slot.several || !slot.first ? tiles(slot) : single(slot)),
    );
    if (focused === false) return;
    const next = (focused && byId(focused)) || host.querySelector("input, button");
    next?.focus({ preventScroll: true });
  };
  const verb = store.verb;
  draw();
  host.redraw = (changed) => {
    if (changed.verb === verb && (!changed.name || changed.name === slot.name)) draw();
  };
  dropTarget(host, (files) => receive(slot.name, files));
  return host;
}

const redrawAll = (changed) => document.querySelectorAll(".slot").forEach((slot) => slot.redraw(changed));
on("files", redrawAll);
on("form", (changed) => {
  if (changed.names === null) redrawAll({ verb: changed.verb });
});

/**
 * Let an element take dropped files.
 * @param {HTMLElement} host
 * @param {(files: File[]) => void} action
 */
function dropTarget(host, action) {
  host.addEventListener("dragover", (event) => {
    event.preventDefault();
    host.classList.add("over");
  });
  host.addEventListener("dragleave", (event) => {
    if (!host.contains(event.relatedTarget)) host.classList.remove("over");
  });
  host.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    host.classList.remove("over");
    document.body.classList.remove("dragging");
    droppedFiles(event.dataTransfer).then(action).catch(showError);
  });
}

/**
 * The files of a drop; of folders, what lies in them.
 * @param {DataTransfer} transfer
 * @returns {Promise<File[]>}
 */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = await Promise.all(entries.map(filesOf));
  return found.flat().filter((file) => !file.name.startsWith("."));
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((give, fail) => entry.file(give, fail))];
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    // a reader gives at most 100 entries at once
    const part = await new Promise((give, fail) => reader.readEntries(give, fail));
    if (!part.length) break;
    inside.push(...part);
  }
  return (await Promise.all(inside.map(filesOf))).flat();
}

function fileInput(slot, label) {
  const accept = slot.kind === "weights" ? ".safetensors" : "image/*,.tif,.tiff,.avif,.heic,.jxl";
  return h("input", {
    type: "file",
    class: "hidden-input",
    accept,
    multiple: slot.several || slot.main,
    "aria-label": label,
    onchange: (event) => {
      const files = [...event.target.files];
      event.target.value = ""; // so that the same file can be chosen again
      receive(slot.name, files);
    },
  });
}

const clear = (slot, picture) =>
  setFiles(
    slot.name,
    (formOf().files[slot.name] ?? []).filter((one) => one !== picture),
  );

function removeButton(slot, picture) {
  return h(
    "button",
    {
      type: "button",
      class: "slot-remove",
      "aria-label": t("Remove {name}", { name: picture.name }),
      onclick: () => clear(slot, picture),
    },
    icon("close"),
  );
}

function exampleButton(slot) {
  const example = EXAMPLES[slot.name];
  if (!example || !slot.first || slot.kind === "weights") return null;
  const words = {
    photo: t("Try it with the example photo"),
    painting: t("Try it with the example painting"),
    drawing: t("Try it with the example drawing"),
  };
  return h(
    "button",
    {
      type: "button",
      id: `example-${example}`,
      class: "example",
      onclick: () => takeExample(slot.name, example),
    },
    words[example],
  );
}

function label(slot) {
  return h("div", { class: "slot-label" }, h("span", {}, t(slot.label)));
}

/** A large place for one picture. */
function single(slot) {
  const picture = formOf().files[slot.name]?.[0];
  const drop = h(
    "label",
    { class: "slot-drop" },
    fileInput(slot, t("{label}: choose a file", { label: t(slot.label) })),
  );
  if (!picture) {
    const invitation =
      slot.kind === "weights"
        ? t("Drop a weights file here, or click to choose one")
        : t("Drop a picture here, paste it, or click to choose one");
    drop.append(icon("upload"), h("span", {}, invitation));
    return [label(slot), drop, exampleButton(slot)].filter(Boolean);
  }
  drop.classList.add("full");
  drop.append(
    picture.kind === "weights"
      ? h("span", {}, picture.name)
      : h("img", { src: address.view(picture.id, 800), alt: picture.name }),
  );
  const size = picture.width
    ? t("{width} × {height} pixels", { width: number(picture.width), height: number(picture.height) })
    : "";
  return [
    label(slot),
    h("div", { class: "slot-frame" }, drop, removeButton(slot, picture)),
    h("p", { class: "slot-name muted" }, h("span", { class: "name" }, picture.name), h("span", {}, size)),
  ];
}

function addTile(slot, words) {
  const input = fileInput(slot, t("{label}: add a file", { label: t(slot.label) }));
  return h("label", { class: "tile add" }, input, icon("plus"), h("span", {}, words));
}

/** A row of small pictures, with a tile to add one. */
function tiles(slot) {
  const pictures = formOf().files[slot.name] ?? [];
  const room = pictures.length < slot.most;
  return [
    label(slot),
    slot.help && helpElement(t(slot.help)),
    h(
      "div",
      { class: "tiles" },
      pictures.map((picture) =>
        h(
          "div",
          { class: "tile-frame" },
          picture.kind === "weights"
            ? h("span", { class: "tile file" }, picture.name)
            : h("img", { class: "tile", src: address.view(picture.id, 200), alt: picture.name }),
          removeButton(slot, picture),
        ),
      ),
      room && addTile(slot, t("Add")),
    ),
    pictures.length === 0 && exampleButton(slot),
  ].filter(Boolean);
}

let mixing = false;

/** The paintings to choose from. */
function strip(slot) {
  const chosen = formOf().files[slot.name] ?? [];
  const own = chosen.filter((picture) => !picture.style);
  const mix = h(
    "button",
    {
      type: "button",
      id: "mix",
      class: "quiet",
      "aria-pressed": String(mixing),
      title: t("Choose several paintings; the result is a mix of them"),
      onclick: () => {
        mixing = !mixing;
        slotRedraw(slot);
      },
    },
    t("Mix several"),
  );
  return [
    h("div", { class: "slot-label" }, h("span", {}, t(slot.label)), mix),
    h(
      "div",
      { class: "strip" },
      own.map((picture) =>
        h(
          "div",
          { class: "tile-frame" },
          h("img", { class: "tile chosen", src: address.view(picture.id, 256), alt: picture.name }),
          removeButton(slot, picture),
        ),
      ),
      store.styles.map((style) => painting(slot, style, chosen)),
      addTile(slot, t("Your own")),
    ),
  ];
}

const slotRedraw = (slot) => byId(`slot-${slot.name}`).redraw({ verb: store.verb, name: slot.name });

function painting(slot, style, chosen) {
  const place = chosen.findIndex((picture) => picture.style === style.key);
  const name = style.name.replace(/\.[^.]+$/, "").replace(/[-_]/g, " ");
  return h(
    "button",
    {
      type: "button",
      id: `style-${style.key}`,
      class: "tile painting",
      "aria-pressed": String(place >= 0),
      "aria-label": t("Painting: {name}", { name: t(name) }),
      title: t(name),
      onclick: () => choosePainting(slot, style),
    },
    h("img", { src: address.style(style.key), alt: "", loading: "lazy" }),
    place >= 0 && h("span", { class: "mark" }, chosen.length > 1 ? String(place + 1) : icon("check")),
  );
}

async function choosePainting(slot, style) {
  const verb = store.verb;
  const isMix = mixing;
  const chosen = () => formOf(verb).files[slot.name] ?? [];
  const others = () => chosen().filter((picture) => picture.style !== style.key);
  if (others().length < chosen().length) {
    if (isMix) setFiles(slot.name, others(), verb);
    return;
  }
  clearError();
  await load(verb, slot.name, async (isLatest) => {
    const picture = { ...(await api.useStyle(style.key)), style: style.key };
    if (isMix) setFiles(slot.name, [...others().slice(1 - slot.most), picture], verb);
    else if (isLatest()) setFiles(slot.name, [picture], verb);
  });
}
