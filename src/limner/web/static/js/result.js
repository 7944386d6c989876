import { address } from "./api.js";
import { chain, chainOf } from "./chain.js";
import { compare } from "./compare.js";
import { distanceSlider } from "./distance.js";
import { byId, h, icon } from "./dom.js";
import { showError } from "./errors.js";
import { getJob, isOpen, knownJob, showJob, stop } from "./jobs.js";
import { followers, remake, run, tryAgain } from "./run.js";
import { emit, fillForm, formOf, mainSlot, on, setFiles, store, verbOf } from "./store.js";
import { number, t } from "./texts.js";
import { isPdf, thumbnail } from "./thumbnail.js";
import { leftWords, stateWords } from "./words.js";

let drawn = "";
let tools = []; // to destroy with what is shown
let open = () => {};
const told = new Set(); // failed jobs whose message was shown

/**
 * Connect the place of the result.
 * @param {(verb: string) => void} onOpen Goes to the page of a verb.
 */
export function connectResult(onOpen) {
  open = onOpen;
  byId("stop").addEventListener("click", () => stop(knownJob(store.shown[store.verb])));
  on("jobs", draw);
  on("shown", draw);
  on("route", draw);
  on("ended", () => {
    const job = knownJob(store.shown[store.verb]);
    if (byId("chain") && job) drawChain(job);
  });
  on("files", (changed) => {
    if (changed.verb === store.verb && !store.shown[store.verb]) ((drawn = ""), draw());
  });
}

/** Draw the result of the current verb, as far as it changed. */
async function draw() {
  const { verb } = store;
  const id = store.shown[verb];
  const job = id ? await getJob(id) : null;
  if (verb !== store.verb || id !== store.shown[verb]) return;
  if (id && job === null) delete store.shown[verb]; // deleted, or from another gallery
  showProgress(job);
  const key = [
    verb,
    job?.id,
    job?.state,
    job?.pictures.length,
    store.selected[verb],
    store.chain?.index,
  ].join(" ");
  if (key !== drawn) {
    drawn = key;
    redraw(job);
  }
  if (job && isOpen(job)) showPreview(job);
}

function redraw(job) {
  for (const tool of tools.splice(0)) tool.destroy();
  byId("after").replaceChildren();
  const host = byId("result");
  host.dataset.state = job?.state ?? "empty";
  if (!job) host.replaceChildren(emptyState());
  else if (isOpen(job)) host.replaceChildren(waiting(job));
  else if (!job.pictures.length) showNothing(job, host);
  else showResult(job, host);
}

function emptyState() {
  const verb = verbOf();
  const slots = verb.slots.filter((slot) => slot.first && slot.kind === "picture");
  const step = (done, words) =>
    h("li", { class: done ? "done" : "" }, h("span", { class: "step" }, done && icon("check")), words);
  const words = (slot) =>
    slot.name === "styles"
      ? t("Choose a painting")
      : slot.name === "sketch"
        ? t("Add a drawing")
        : t("Add a photo: drop it, paste it, or take the example");
  const steps = slots.map((slot) =>
    step(
      formOf().files[slot.name]?.length,
      slots.length > 1 && slot.name !== "styles" && slot.name !== "photo"
        ? t("Add: {label}", { label: t(slot.label) })
        : words(slot),
    ),
  );
  return h(
    "div",
    { class: "empty" },
    h("div", { class: "empty-icon" }, icon(verb.verb)),
    h("h2", {}, t("Your picture will be here")),
    h("ol", { class: "steps" }, steps, step(false, t("Press “{button}”", { button: t(verb.title) }))),
    h(
      "p",
      { class: "muted" },
      t(
        "Everything happens on this computer. Drop a finished picture to get its settings back, or many at once to make them all.",
      ),
    ),
  );
}

function waiting(job) {
  const main =
    job.files[mainSlot(job.verb).name]?.[0] ??
    Object.values(job.files)
      .flat()
      .find((one) => one.kind === "picture");
  const source = main && !main.missing && address.view(main.id, 1024);
  const image = h("img", {
    class: source ? "preview waiting" : "preview waiting broken",
    alt: t("Preview of the picture that is being made"),
    src: source || null,
  });
  image.addEventListener("error", () => image.classList.add("broken"));
  image.addEventListener("load", () => image.classList.remove("broken"));
  return h("div", { class: "preview-host" }, image);
}

/** The next preview replaces the one before when it is loaded, so that nothing flickers. */
function showPreview(job) {
  const image = byId("result").querySelector(".preview");
  if (!image || !job.previews || image.dataset.shown === String(job.previews)) return;
  image.dataset.shown = job.previews;
  const next = new Image();
  next.onload = () => {
    image.src = next.src;
    image.classList.remove("waiting", "broken");
  };
  next.src = address.preview(job);
}

function showProgress(job) {
  const isGoing = Boolean(job && isOpen(job));
  const bar = byId("bar");
  byId("progress").dataset.state = job?.state ?? "empty";
  byId("stop").hidden = !isGoing;
  bar.hidden = !isGoing;
  if (job?.state === "running" && job.progress) bar.value = job.progress.share ?? 0;
  else bar.removeAttribute("value");
  say(job ? stateWords(job) : "");
  byId("left").textContent = job?.state === "running" ? leftWords(job) : "";
}

/** The text is for the eyes and for screen readers, so it changes only when the words do. */
function say(words) {
  if (byId("status").textContent !== words) byId("status").textContent = words;
}

function showNothing(job, host) {
  const failed = job.state === "failed";
  host.replaceChildren(
    h(
      "div",
      { class: "empty" },
      h("div", { class: "empty-icon" }, icon(failed ? "warn" : "stop")),
      h("h2", {}, failed ? t("No picture was made") : t("Stopped before there was a picture")),
      h("p", { class: "muted" }, failed ? t(job.message) : t("Your pictures and settings are still here.")),
      h(
        "button",
        { type: "button", id: "again", class: "secondary", onclick: () => run(job.verb) },
        icon("again"),
        t("Try again"),
      ),
    ),
  );
  if (!failed || told.has(job.id)) return;
  told.add(job.id);
  showError(job, () => run(job.verb));
}

function showResult(job, host) {
  const index = Math.min(store.selected[job.verb] ?? 0, job.pictures.length - 1);
  const picture = job.pictures[index];
  const before = job.files[mainSlot(job.verb).name]?.[0] ?? null;
  const frame = h("div", { class: "compare-host" });
  host.replaceChildren(frame);
  if (isPdf(picture)) frame.append(pdfState());
  else tools.push(compare(frame, before?.width && !before.missing ? before : null, picture));
  byId("after").replaceChildren(...afterwards(job, picture, index).filter(Boolean));
  drawChain(job);
}

const pdfState = () =>
  h(
    "div",
    { class: "empty" },
    h("div", { class: "empty-icon" }, "PDF"),
    h("h2", {}, t("The PDF is ready")),
    h("p", { class: "muted" }, t("Download it to see it, or to send it to a printer.")),
  );

function afterwards(job, picture, index) {
  return [
    job.pictures.length > 1 && thumbs(job, index),
    actions(job, picture),
    !isPdf(picture) && sendRow(job, picture),
    h("div", { id: "chain" }),
    job.verb === "hybridize" && !isPdf(picture) && distance(picture),
    job.notes.length > 0 &&
      h(
        "ul",
        { class: "notes", "aria-label": t("Notes") },
        job.notes.map((note) => h("li", {}, t(note))),
      ),
    job.recipe &&
      h(
        "details",
        { id: "recipe", class: "more" },
        h("summary", {}, t("Recipe")),
        h("pre", { tabindex: "0" }, JSON.stringify(JSON.parse(job.recipe), null, 2)),
      ),
  ];
}

function actions(job, picture) {
  return h(
    "div",
    { class: "actions" },
    h(
      "a",
      { id: "download", class: "button primary", href: address.file(picture.id), download: picture.name },
      icon("download"),
      t("Download"),
    ),
    h(
      "button",
      { type: "button", id: "again", class: "secondary", onclick: () => tryAgain(job) },
      icon("again"),
      t("Try again"),
    ),
    job.pictures.length > 1 &&
      h("a", { class: "button secondary", href: address.zip([job.id]), download: "" }, t("All as a zip")),
    job.side_files.map((file) =>
      h("a", { class: "button secondary", href: file.url, download: file.name }, icon("download"), file.name),
    ),
    h(
      "span",
      { class: "muted facts" },
      t("{width} × {height} pixels", { width: number(picture.width), height: number(picture.height) }),
    ),
  );
}

function thumbs(job, index) {
  return h(
    "div",
    { class: "strip thumbs", role: "group", "aria-label": t("New pictures") },
    job.pictures.map((picture, place) =>
      h(
        "button",
        {
          type: "button",
          class: "tile",
          id: `picture-${place + 1}`,
          "aria-pressed": String(place === index),
          "aria-label": t("Picture {number} of {total}", { number: place + 1, total: job.pictures.length }),
          onclick: () => select(job, place),
        },
        thumbnail(picture, 200),
      ),
    ),
  );
}

function select(job, place) {
  store.selected[job.verb] = place;
  emit("shown", job);
  requestAnimationFrame(() => byId(`picture-${place + 1}`)?.focus({ preventScroll: true }));
}

function distance(picture) {
  const host = h("section", { id: "distance", class: "tool-panel" });
  tools.push(distanceSlider(host, picture));
  return host;
}

function sendRow(job, picture) {
  const others = store.studio.verbs.filter((one) => one.verb !== job.verb);
  return h(
    "div",
    { class: "send", role: "group", "aria-label": t("Send to") },
    h("span", { class: "muted" }, t("Send to")),
    others.map((one) =>
      h(
        "button",
        { type: "button", id: `send-${one.verb}`, class: "chip", onclick: () => send(picture, one.verb) },
        icon(one.verb),
        t(one.title),
      ),
    ),
  );
}

/** The settings of the other verb stay; only its picture changes. */
function send(picture, verb) {
  delete store.shown[verb];
  setFiles(mainSlot(verb).name, [picture], verb);
  open(verb);
}

async function drawChain(job) {
  const jobs = [...(await chainOf(job, getJob)), ...followers(job)];
  const host = byId("chain");
  if (!host || store.shown[store.verb] !== job.id || jobs.length < 2) return;
  chain(host, jobs, {
    current: job.id,
    onOpen: (link) => openLink(jobs, link),
    onRecompute: (link) => recompute(jobs, link),
  });
}

/** Fill the form of a link; run, it will take the later links with it. */
function openLink(jobs, link) {
  const index = jobs.findIndex((one) => one.id === link.id);
  store.chain = index >= 0 && index < jobs.length - 1 ? { jobs, index } : null;
  openJob(link);
}

/**
 * Show a job and its settings on the page of its verb.
 * @param {any} job
 */
export function openJob(job) {
  if (!verbOf(job.verb)) return; // a measurement has no page of its own
  job = knownJob(job.id) ?? job; // it may have gone on since it was drawn
  fillForm(job);
  showJob(job);
  open(job.verb);
}

/** Make a link again, from its form if it is open, and all links after it. */
async function recompute(jobs, link) {
  const index = jobs.findIndex((one) => one.id === link.id);
  if (link.verb === store.verb && store.shown[link.verb] === link.id) {
    store.chain = { jobs, index };
    await run(link.verb);
    return;
  }
  try {
    store.shown[link.verb] = (await remake(jobs, index)).id;
    open(jobs.at(-1).verb);
  } catch (error) {
    showError(error);
  }
}

/**
 * @param {string} verb
 * @returns {boolean} Whether the shown job of a verb is being made.
 */
export const isBusy = (verb) => isOpen(knownJob(store.shown[verb]) ?? {});
