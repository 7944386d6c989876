import { address, api } from "./api.js";
import { compare } from "./compare.js";
import { byId, h, icon, later } from "./dom.js";
import { showError } from "./errors.js";
import { forget, knownJob, remember } from "./jobs.js";
import { on, store, verbOf } from "./store.js";
import { fileSize, t, when } from "./texts.js";
import { thumbnail } from "./thumbnail.js";

const PAGE = 60;
const query = { verb: "", search: "", date: "" };
let host = null;
let onOpen = () => {};
let results = [];
let total = 0;
let chosen = []; // two results to compare
let newest = "";
let asked = 0; // questions for results: only the answer to the last one counts
let compared = null;

/**
 * Connect the view of all results.
 * @param {HTMLElement} element
 * @param {(job: any) => void} open Called with the result that a person wants to see.
 */
export function connectGallery(element, open) {
  host = element;
  onOpen = open;
  on("route", () => {
    if (!host.hidden) build();
  });
  on("ended", () => {
    if (!host.hidden) load(0, Math.max(PAGE, results.length)); // the older ones that are shown stay
  });
  on("studio", () => {
    if (!host.hidden) folder();
  });
}

function build() {
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: t("File name"),
    "aria-label": t("Search by file name"),
    value: query.search,
    oninput: later(250, () => {
      query.search = search.value;
      load();
    }),
  });
  const date = h("input", {
    type: "date",
    id: "date",
    "aria-label": t("Made on"),
    value: query.date,
    onchange: () => {
      query.date = date.value;
      load();
    },
  });
  const verb = h(
    "select",
    {
      id: "filter",
      "aria-label": t("Made with"),
      onchange: () => {
        query.verb = verb.value;
        load();
      },
    },
    h("option", { value: "" }, t("Everything")),
    store.studio.verbs.map((one) => h("option", { value: one.verb }, t(one.title))),
  );
  verb.value = query.verb;
  host.replaceChildren(
    h(
      "header",
      { class: "view-head" },
      h(
        "div",
        {},
        h("h1", { tabindex: "-1" }, t("Gallery")),
        h("p", { class: "muted", id: "found", role: "status" }),
      ),
      h("div", { class: "filters" }, verb, search, date),
    ),
    h("div", { class: "grid", id: "grid" }),
    h(
      "button",
      { type: "button", id: "older", class: "secondary", hidden: true, onclick: () => load(results.length) },
      t("Show older pictures"),
    ),
    h("div", { class: "select-bar", id: "select-bar", hidden: true }),
    h("footer", { class: "folder", id: "folder" }),
  );
  folder();
  load();
}

async function load(offset = 0, limit = PAGE) {
  const mine = ++asked;
  const search = [query.search, query.date].filter(Boolean).join(" ");
  try {
    const found = await api.results({ verb: query.verb, search, limit, offset });
    if (mine !== asked) return;
    results = offset ? [...results, ...found.results] : found.results;
    total = found.total;
    remember(found.results);
    draw();
  } catch (error) {
    showError(error);
  }
}

function draw() {
  if (!byId("grid")) return;
  const isFiltered = query.verb || query.search || query.date;
  byId("found").textContent = total ? t("{count} picture | {count} pictures", { count: total }) : "";
  byId("older").hidden = results.length >= total;
  byId("grid").replaceChildren(
    ...(results.length
      ? results.map(card)
      : [
          h(
            "p",
            { class: "empty-line" },
            isFiltered
              ? t("Nothing found. Try another name or day.")
              : t("Your finished pictures will be here. Make one first."),
          ),
        ]),
  );
  drawBar();
}

function card(job) {
  const isChosen = chosen.includes(job.id);
  const picture = job.pictures[0];
  const name = `${t(job.title)}, ${when(job.created)}`;
  const box = h("input", {
    type: "checkbox",
    id: `choose-${job.id}`,
    checked: isChosen,
    "aria-label": t("Choose to compare: {name}", { name }),
    onchange: () => choose(job.id),
  });
  return h(
    "div",
    { class: `card ${isChosen ? "card-chosen" : ""}`, id: `result-${job.id}` },
    h(
      "button",
      {
        type: "button",
        class: "card-open",
        "aria-label": t("Open {name}", { name }),
        disabled: !verbOf(job.verb),
        onclick: () => onOpen(job),
      },
      h("span", { class: "card-picture" }, thumbnail(picture)),
    ),
    h("label", { class: "card-choose" }, box),
    job.pictures.length > 1 && h("span", { class: "card-count" }, String(job.pictures.length)),
    h(
      "div",
      { class: "card-words" },
      h("span", {}, h("strong", {}, t(job.title)), h("span", { class: "muted name" }, when(job.created))),
      h(
        "span",
        { class: "row-buttons" },
        h(
          "a",
          {
            class: "quiet small-icon",
            href: address.file(picture.id),
            download: picture.name,
            "aria-label": t("Download {name}", { name }),
          },
          icon("download"),
        ),
        h(
          "button",
          {
            type: "button",
            class: "quiet small-icon",
            "aria-label": t("Delete {name}", { name }),
            onclick: (event) => remove(job, event.currentTarget),
          },
          icon("trash"),
        ),
      ),
    ),
  );
}

function choose(id) {
  chosen = chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id].slice(-2);
  for (const job of results) {
    byId(`choose-${job.id}`).checked = chosen.includes(job.id);
    byId(`result-${job.id}`).classList.toggle("card-chosen", chosen.includes(job.id));
  }
  drawBar();
}

function drawBar() {
  const bar = byId("select-bar");
  bar.hidden = !chosen.length;
  const words =
    chosen.length < 2 ? t("Choose one more picture to compare the two.") : t("Two pictures are chosen.");
  bar.replaceChildren(
    h("span", { role: "status" }, words),
    h(
      "button",
      {
        type: "button",
        id: "compare",
        class: "primary",
        disabled: chosen.length < 2,
        onclick: compareChosen,
      },
      t("Compare"),
    ),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          chosen = [];
          draw();
        },
      },
      t("Choose none"),
    ),
  );
}

function compareChosen() {
  const [before, after] = chosen.map((id) => knownJob(id).pictures[0]); // it may be outside the search now
  const frame = h("div", { class: "compare-host" });
  const dialog = h(
    "dialog",
    {
      class: "compare-dialog",
      "aria-label": t("Compare two pictures"),
      onclose: () => {
        compared?.destroy();
        dialog.remove();
        byId("compare")?.focus();
      },
    },
    h(
      "header",
      {},
      h("strong", { class: "name" }, `${before.name} · ${after.name}`),
      h(
        "button",
        { type: "button", id: "compare-close", class: "quiet", onclick: () => dialog.close() },
        icon("close"),
        t("Close"),
      ),
    ),
    frame,
  );
  document.body.append(dialog);
  dialog.showModal();
  compared = compare(frame, before, after);
}

async function remove(job, button) {
  button.disabled = true;
  try {
    await api.remove(job.id);
  } catch (error) {
    button.disabled = false;
    showError(error);
    return;
  }
  forget(job.id);
  if (store.shown[job.verb] === job.id) delete store.shown[job.verb];
  results = results.filter((one) => one.id !== job.id);
  chosen = chosen.filter((id) => id !== job.id);
  total -= 1;
  draw();
  offerUndo(job);
}

function offerUndo(job) {
  const bar = byId("undo-bar");
  const undo = h(
    "button",
    { type: "button", id: "undo", class: "primary", onclick: () => bring(job) },
    t("Undo"),
  );
  bar.replaceChildren(
    h("span", { role: "status" }, t("Deleted: {name}", { name: job.pictures[0].name })),
    undo,
    h(
      "button",
      {
        type: "button",
        class: "quiet small-icon",
        "aria-label": t("Close this message"),
        onclick: () => {
          bar.hidden = true;
        },
      },
      icon("close"),
    ),
  );
  bar.hidden = false;
  undo.focus({ preventScroll: true });
}

async function bring(job) {
  byId("undo-bar").hidden = true;
  try {
    remember([await api.restore(job.id)]);
    await load();
    byId(`result-${job.id}`)?.querySelector("button")?.focus();
  } catch (error) {
    showError(error);
  }
}

function folder() {
  const { folder: path, bytes, limit } = store.studio.gallery;
  byId("folder").replaceChildren(
    h("span", {}, t("The pictures are in the folder {path}", { path })),
    h(
      "span",
      { class: "folder-size" },
      h("meter", { min: 0, max: limit, value: bytes, high: limit * 0.9, "aria-label": t("Space in use") }),
      t("{used} of {limit}", { used: fileSize(bytes), limit: fileSize(limit) }),
    ),
  );
}

/**
 * Show the newest results as a row, on the page of every verb.
 * @param {HTMLElement} row
 */
export function recentRow(row) {
  const refreshRow = async () => {
    const found = await api.results({ limit: 16, offset: 0 }).catch(() => null);
    if (!found) return;
    found.results = found.results.filter((job) => verbOf(job.verb));
    remember(found.results);
    const now = found.results.map((job) => job.id).join();
    if (now === newest) return;
    newest = now;
    row.hidden = !found.results.length;
    row.replaceChildren(
      h("h2", {}, t("Recent")),
      h(
        "div",
        { class: "strip" },
        found.results.map((job) =>
          h(
            "button",
            {
              type: "button",
              class: "tile",
              title: `${t(job.title)}, ${when(job.created)}`,
              "aria-label": t("Open {name}", { name: `${t(job.title)}, ${when(job.created)}` }),
              onclick: () => onOpen(job),
            },
            thumbnail(job.pictures[0]),
          ),
        ),
      ),
    );
  };
  on("ended", refreshRow);
  on("route", refreshRow);
  refreshRow();
}
