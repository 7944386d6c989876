import { address, api } from "./api.js";
import { h, icon } from "./dom.js";
import { getJob, isOpen, knownJob, openJobs, stop, submit } from "./jobs.js";
import { emit, formOf, mainSlot, on, payload, store, verbOf } from "./store.js";
import { t } from "./texts.js";
import { thumbnail } from "./thumbnail.js";
import { leftWords, stateWords } from "./words.js";

const SHOWN = 60; // files that are shown before they are sent

let host = null;
let go = () => {};
let planned = null; // {verb, files}: what was dropped and not started yet
let current = null; // the group that is shown
let drawn = "";
let sending = 0; // groups whose files are being sent

/**
 * Connect the page for several pictures at once.
 * @param {HTMLElement} element
 * @param {{onShow: () => void, onBack: () => void, onOpen: (job: any) => void}} actions
 */
export function connectMany(element, actions) {
  host = element;
  go = actions;
  on("jobs", () => draw());
  on("route", () => {
    drawn = "";
    draw();
  });
}

/**
 * Plan to make pictures of several files.
 * @param {File[]} files
 */
export function planMany(files) {
  planned = { verb: store.verb, files };
  current = null;
  drawn = "";
  go.onShow();
}

/** @returns {number} How many files wait for a start. */
export const plannedFiles = () => planned?.files.length ?? 0;

/** Forget the files that wait. */
export function dropPlan() {
  planned = null;
}

async function start() {
  if (!planned) return;
  const { verb, files } = planned;
  const group = `g${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
  const base = payload(verb);
  const slot = mainSlot(verb).name;
  const one = { verb, total: files.length, ids: [], failed: [], sent: 0 };
  const unsent = Object.entries(store.groups).filter(([, { sent, total }]) => sent < total);
  store.groups = { ...Object.fromEntries(unsent), [group]: one }; // of those before only what is not through
  planned = null;
  current = group;
  draw();
  sending += 1;
  if (sending === 1) addEventListener("beforeunload", warn);
  for (const file of files) await send(file, one, { ...base, group }, slot);
  sending -= 1;
  if (!sending) removeEventListener("beforeunload", warn);
}

async function send(file, one, base, slot) {
  if (one.cancelled) return;
  try {
    const picture = await api.upload(file);
    if (one.cancelled) return;
    const made = await submit({ ...base, files: { ...base.files, [slot]: [picture.id] } }, { show: false });
    one.ids.push(made.id);
    if (one.cancelled) await stop(made);
  } catch (error) {
    one.failed.push({ name: file.name, message: error.message });
  }
  one.sent += 1;
  emit("jobs");
}

/** The browser asks before it closes the page. */
function warn(event) {
  event.preventDefault();
  event.returnValue = true; // older browsers
}

async function cancelAll(one) {
  one.cancelled = true;
  one.total = one.sent;
  for (const job of openJobs()
    .filter((open) => one.ids.includes(open.id))
    .reverse())
    await stop(job);
}

function draw() {
  if (!host || host.hidden) return;
  current ??= planned ? null : Object.keys(store.groups).at(-1);
  const one = store.groups[current];
  if (one) findJobs(one);
  const jobs = one?.ids.map(knownJob) ?? [];
  const key = JSON.stringify(
    planned
      ? planned.files.length
      : [
          current,
          one?.sent,
          one?.cancelled,
          jobs.map((job) => [job?.state, Math.round(20 * (job?.progress?.share ?? 0))]),
        ],
  );
  if (key === drawn) return;
  drawn = key;
  const focused = document.activeElement?.id;
  host.replaceChildren(...(planned ? plan() : one ? progress(one, jobs.filter(Boolean)) : nothing()));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** After a reload the jobs must be asked for; those that were deleted since are left out. */
async function findJobs(one) {
  const unknown = one.ids.filter((id) => !knownJob(id));
  if (!unknown.length || one === findJobs.now) return;
  findJobs.now = one;
  const found = await Promise.all(unknown.map(getJob));
  findJobs.now = null;
  if (found.every((job) => job === undefined)) return; // the studio does not answer
  const gone = unknown.filter((_, index) => found[index] === null);
  one.ids = one.ids.filter((id) => !gone.includes(id));
  one.total -= gone.length;
  one.sent -= gone.length;
  draw();
}

const head = (title, words) =>
  h(
    "header",
    { class: "view-head" },
    h("div", {}, h("h1", { tabindex: "-1" }, title), h("p", { class: "muted" }, words)),
  );

function nothing() {
  return [
    head(t("Many pictures"), t("Drop a folder or several pictures anywhere on the page.")),
    backButton(),
  ];
}

const backButton = () =>
  h("button", { type: "button", class: "secondary", onclick: () => go.onBack() }, t("Back"));

function plan() {
  const { files, verb } = planned;
  const count = files.length;
  const title = t(verbOf(verb).title);
  const empty = emptySlot(verb);
  return [
    head(
      t("{count} picture, one after the other | {count} pictures, one after the other", { count }),
      t("Each gets the settings of the page “{title}”. The results go into the gallery.", { title }),
    ),
    h(
      "div",
      { class: "actions" },
      h(
        "button",
        { type: "button", id: "many-start", class: "primary", disabled: Boolean(empty), onclick: start },
        t("{title}: make {count} picture | {title}: make {count} pictures", { title, count }),
      ),
      backButton(),
    ),
    empty &&
      h(
        "p",
        { class: "bad", role: "status" },
        t("“{label}” is empty. Go back and fill it first; the files wait here.", { label: t(empty.label) }),
      ),
    h("ol", { class: "grid file-list" }, files.slice(0, SHOWN).map(fileTile)),
    count > SHOWN && h("p", { class: "muted" }, t("and {count} more", { count: count - SHOWN })),
  ].filter(Boolean);
}

/** A slot beside the main one that must not be empty, and is. */
const emptySlot = (verb) =>
  verbOf(verb).slots.find(
    (slot) =>
      slot.required &&
      slot.kind === "picture" &&
      slot.name !== mainSlot(verb).name &&
      !formOf(verb).files[slot.name],
  );

/** The browser shows the file itself; nothing is sent yet. */
function fileTile(file) {
  const source = URL.createObjectURL(file);
  const image = h("img", { src: source, alt: "", decoding: "async" });
  const done = () => URL.revokeObjectURL(source);
  image.addEventListener("load", done);
  image.addEventListener("error", () => {
    done();
    image.replaceWith(icon("warn"));
  });
  return h(
    "li",
    { class: "card" },
    h("span", { class: "card-picture" }, image),
    h("span", { class: "card-words" }, h("span", { class: "name" }, file.name)),
  );
}

/** What became of the files of a group so far. */
function tally(one, jobs) {
  const done = jobs.filter((job) => job.state === "done");
  const failed = [
    ...one.failed,
    ...jobs
      .filter((job) => job.state === "failed")
      .map((job) => ({ name: nameOf(job), message: job.message })),
  ];
  const running = jobs.find((job) => job.state === "running");
  const ended = jobs.filter((job) => !isOpen(job)).length + one.failed.length;
  const stopped = jobs.filter((job) => job.state === "stopped").length;
  const summary = [
    t("{count} done", { count: done.length }),
    failed.length && t("{count} failed", { count: failed.length }),
    stopped && t("{count} stopped", { count: stopped }),
  ]
    .filter(Boolean)
    .join(", ");
  return { done, failed, running, ended, summary, isOver: ended >= one.total };
}

function progress(one, jobs) {
  const { total, sent, unsent } = one;
  const { done, failed, running, ended, summary, isOver } = tally(one, jobs);
  return [
    head(
      isOver
        ? t("All pictures are done")
        : t("Making {count} picture | Making {count} pictures", { count: total }),
      summary,
    ),
    h("p", { class: "visually-hidden", role: "status" }, isOver ? summary : ""),
    unsent > 0 && h("p", { class: "bad" }, unsentWords(unsent)),
    h("progress", {
      class: "wide",
      max: total || 1,
      value: ended + (running?.progress?.share ?? 0),
      "aria-label": t("Progress of all pictures"),
    }),
    h(
      "p",
      { class: "muted" },
      sent < total
        ? t("Sending file {number} of {total}. Keep this page open until all are sent.", {
            number: sent + 1,
            total,
          })
        : running
          ? `${nameOf(running)}: ${stateWords(running)} ${leftWords(running)}`
          : "",
    ),
    h(
      "div",
      { class: "actions" },
      isOver &&
        done.length > 0 &&
        h(
          "a",
          { id: "zip", class: "button primary", href: address.zip(done.map((job) => job.id)), download: "" },
          icon("download"),
          t("Download all as a zip"),
        ),
      !isOver &&
        h(
          "button",
          { type: "button", id: "many-stop", class: "secondary", onclick: () => cancelAll(one) },
          icon("stop"),
          t("Stop all"),
        ),
      isOver && backButton(),
    ),
    failed.length > 0 && failures(failed),
    h("div", { class: "grid" }, jobs.map(tile)),
  ].filter(Boolean);
}

const failures = (failed) =>
  h(
    "section",
    { class: "failures" },
    h("h2", {}, t("Not made")),
    h(
      "ul",
      {},
      failed.map(({ name, message }) =>
        h("li", {}, h("strong", {}, name), ": ", t(message).replace(`${name}: `, "")),
      ),
    ),
  );

const unsentWords = (count) =>
  t(
    "{count} file was not sent, because the page was closed. Drop it again. | {count} files were not sent, because the page was closed. Drop them again.",
    { count },
  );

const nameOf = (job) => job.files[mainSlot(job.verb).name]?.[0]?.name ?? t(job.title);

function tile(job) {
  const shown = job.pictures[0] ?? job.files[mainSlot(job.verb).name]?.[0];
  const view =
    job.state === "running" && job.previews
      ? h("img", { src: address.preview(job), alt: "" })
      : shown && !shown.missing && thumbnail(shown, 320);
  return h(
    "button",
    {
      type: "button",
      class: `card tile-${job.state}`,
      id: `many-${job.id}`,
      disabled: !job.pictures.length,
      onclick: () => go.onOpen(job),
    },
    h("span", { class: "card-picture" }, view),
    h(
      "span",
      { class: "card-words" },
      h("span", { class: "name" }, nameOf(job)),
      h("span", { class: "muted" }, stateWords(job)),
    ),
  );
}
