import { api } from "./api.js";
import { showCommand } from "./command.js";
import { byId, h, icon } from "./dom.js";
import { takeFilesAnywhere } from "./drop.js";
import { clearError, showError } from "./errors.js";
import { drawForm, showChanged } from "./form.js";
import { connectGallery, recentRow } from "./gallery.js";
import { endedJobs, openJobs, refresh, remember } from "./jobs.js";
import { connectMany, dropPlan, planMany, plannedFiles } from "./many.js";
import { queuePanel } from "./queue.js";
import { connectResult, isBusy, openJob } from "./result.js";
import { run } from "./run.js";
import { whenSeveral } from "./slots.js";
import { emit, keep, on, restore, setFiles, store, tidy, verbOf } from "./store.js";
import { LANGUAGES, language, loadTexts, sentence, t, useLanguage } from "./texts.js";
import { toolsOf } from "./tools.js";

const LOOK = 20_000; // milliseconds between two looks at the folder of the results
const VIEWS = ["gallery", "queue", "many"];

async function boot() {
  await loadTexts();
  restore();
  frame();
  try {
    await Promise.all([loadStudio(), loadStyles()]);
    tidy();
  } catch (error) {
    showError(error, boot);
    setTimeout(() => location.reload(), 5000);
    return;
  }
  navigation();
  connectResult(go);
  connectGallery(byId("gallery"), openJob);
  queuePanel(byId("queue"), openJob);
  connectMany(byId("many"), { onShow: () => go("many"), onBack: () => go(store.verb), onOpen: openJob });
  recentRow(byId("recent"));
  whenSeveral(planMany);
  events();
  route();
  await refresh();
  dropMissing();
  document.body.dataset.ready = "true"; // tests wait for it
}

async function loadStudio() {
  const studio = await api.studio();
  for (const slot of studio.verbs.flatMap((verb) => verb.slots)) {
    slot.most = Number(slot.several) || 1;
    slot.several = slot.most > 1;
  }
  store.studio = studio;
  if (!studio.verbs.some((verb) => verb.verb === store.verb)) store.verb = studio.verbs[0].verb;
  byId("version").textContent = t("Version {version}", { version: studio.version });
  galleryBar(studio.gallery);
  emit("studio");
}

/** The folder may vanish, and its disk fill, while nothing is being made. */
function lookAtGallery() {
  if (!document.hidden) loadStudio().catch(() => {}); // that there is no answer, the jobs say
}

async function loadStyles() {
  store.styles = await api.styles();
}

/** Take pictures out of the forms that the server no longer has, so that no run fails for them. */
async function dropMissing() {
  for (const [verb, form] of Object.entries(store.forms)) {
    for (const [name, pictures] of Object.entries(form.files)) {
      const found = await Promise.all(
        pictures.map((one) =>
          api.picture(one.id).catch((error) => (error.status === 404 && !/-\d+$/.test(one.id) ? null : one)),
        ),
      );
      const gone = pictures.filter((_, index) => !found[index]).map((one) => one.id);
      const now = store.forms[verb].files[name] ?? []; // a person may have been quicker
      if (now.some((one) => gone.includes(one.id)))
        setFiles(
          name,
          now.filter((one) => !gone.includes(one.id)),
          verb,
        );
    }
  }
}

/** Say when the folder of the results cannot be used. */
function galleryBar({ error }) {
  const bar = byId("gallery-error");
  bar.hidden = !error;
  if (bar.dataset.error === (error ?? "")) return; // said once is enough
  bar.dataset.error = error ?? "";
  if (error)
    bar.replaceChildren(
      icon("warn"),
      h("span", {}, sentence(t(error))),
      h(
        "button",
        {
          type: "button",
          id: "gallery-again",
          class: "secondary",
          onclick: () => loadStudio().catch(showError),
        },
        t("Try again"),
      ),
    );
}

/** Fill the texts of index.html. */
function frame() {
  byId("skip").textContent = t("Skip to the page");
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address stays that of the view
    byId("main").focus();
  });
  byId("offline").textContent = t(
    "The studio does not answer. Is limner studio still running? The page goes on by itself when it does.",
  );
  byId("stop").append(icon("stop"), t("Stop"));
  byId("stop").title = t("Keeps what is ready.");
  byId("drop-hint").replaceChildren(
    h(
      "div",
      {},
      icon("upload"),
      h("strong", {}, t("Drop anywhere")),
      h("span", {}, t("A finished picture brings its settings back. A folder makes all its pictures.")),
    ),
  );
  byId("command").querySelector("summary").textContent = t("Command line and Python");
  byId("result").setAttribute("aria-label", t("Result"));
  byId("bar").setAttribute("aria-label", t("Progress"));
  byId("nav").setAttribute("aria-label", t("Pages"));
  const select = byId("language");
  select.setAttribute("aria-label", t("Language"));
  select.append(
    ...Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, lang: code }, name)),
  );
  select.value = language();
  select.addEventListener("change", () => useLanguage(select.value));
}

function navigation() {
  const link = (id, target, title, name = target) =>
    h("a", { id, href: `./#${target}`, class: "nav-link" }, icon(name), h("span", {}, title));
  byId("nav").replaceChildren(
    h(
      "div",
      { class: "nav-group" },
      store.studio.verbs.map((one) => link(`verb-${one.verb}`, one.verb, t(one.title))),
    ),
    h(
      "div",
      { class: "nav-group" },
      link("go-gallery", "gallery", t("Gallery")),
      link("go-queue", "queue", t("Queue")),
    ),
  );
  byId("go-queue").append(h("span", { class: "badge", id: "badge", hidden: true }));
}

/** Show a view now: what is said after this stays, although the browser tells of the new address later. */
function go(view) {
  location.hash = view;
  route();
}

function route() {
  route.hash = location.hash;
  document.querySelector("dialog[open]")?.close();
  const wanted = location.hash.slice(1);
  const isVerb = store.studio.verbs.some((one) => one.verb === wanted);
  if (isVerb) store.verb = wanted;
  const view = VIEWS.includes(wanted) ? wanted : "workspace";
  for (const id of ["workspace", ...VIEWS]) byId(id).hidden = id !== view;
  document.body.dataset.view = view === "workspace" ? store.verb : view;
  clearError();
  for (const one of document.querySelectorAll(".nav-link")) {
    const isHere = one.getAttribute("href") === `./#${view === "workspace" ? store.verb : view}`;
    if (isHere) {
      one.setAttribute("aria-current", "page");
      one.parentElement.parentElement.scrollTo?.({ left: one.offsetLeft - 120 });
    } else one.removeAttribute("aria-current");
  }
  if (view === "workspace") drawVerb();
  emit("route");
  const title =
    view === "workspace"
      ? t(verbOf().title)
      : { gallery: t("Gallery"), queue: t("Queue"), many: t("Many pictures") }[view];
  document.title = `${title} – limner`;
  if (route.again) {
    scrollTo(0, 0);
    byId(view).querySelector("h1")?.focus({ preventScroll: true });
  }
  route.again = true;
}

function drawVerb() {
  document.body.classList.remove("painting-hints");
  drawForm(byId("form"), toolsOf(store.verb));
  showChanged();
  byId("run").replaceChildren(icon(store.verb), h("span", {}, t(verbOf().title)));
  chainBar();
  planBar();
  showCommand();
}

/** Say that several files wait for the settings of the form. */
function planBar() {
  const bar = byId("plan-bar");
  const count = plannedFiles();
  bar.hidden = !count;
  bar.replaceChildren(
    h("span", {}, t("{count} file waits | {count} files wait", { count })),
    h(
      "button",
      { type: "button", id: "plan-open", class: "secondary", onclick: () => go("many") },
      t("Go on"),
    ),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          dropPlan();
          planBar();
        },
      },
      t("Cancel"),
    ),
  );
}

/** Say that the form is a link of a chain. */
function chainBar() {
  const bar = byId("chain-bar");
  const link = store.chain?.jobs[store.chain.index];
  bar.hidden = !link || link.verb !== store.verb;
  if (bar.hidden) return;
  const later = store.chain.jobs
    .slice(store.chain.index + 1)
    .map((job) => t(job.title))
    .join(", ");
  bar.replaceChildren(
    h("span", {}, t("The steps after this one are made again with it: {steps}", { steps: later })),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          store.chain = null;
          chainBar();
        },
      },
      t("Only this one"),
    ),
  );
}

function events() {
  addEventListener("hashchange", () => {
    if (location.hash !== route.hash) route();
  });
  addEventListener("pagehide", keep);
  byId("run").addEventListener("click", (event) => event.detail < 2 && pressRun()); // a double click is one
  byId("command").addEventListener("toggle", showCommand);
  for (const event of ["form", "files"]) on(event, showCommand);
  on("shown", chainBar);
  setInterval(lookAtGallery, LOOK);
  on("jobs", watch);
  on("changed", async (id) => {
    remember([await api.job(id).catch(showError)].filter(Boolean));
    refresh();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") escape();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) pressRun();
  });
  takeFilesAnywhere(go);
}

function escape() {
  document.body.classList.remove("dragging");
  byId("undo-bar").hidden = true;
  clearError();
}

async function pressRun() {
  if (byId("workspace").hidden) return;
  const job = await run();
  if (job && matchMedia("(max-width: 899px)").matches) byId("result").scrollIntoView({ block: "start" });
}

let before = null;

/** Tell everybody which jobs ended since the last look, and show how many are left. */
function watch() {
  const count = openJobs().length;
  byId("badge").hidden = !count;
  byId("badge").textContent = count;
  byId("badge").setAttribute("aria-label", t("{count} in the queue", { count }));
  byId("run").classList.toggle("busy", isBusy(store.verb));
  const now = new Map([...openJobs(), ...endedJobs()].map((job) => [job.id, job.state]));
  const ended = before ? endedJobs().filter((job) => before.get(job.id) !== job.state) : [];
  before = now;
  for (const job of ended) emit("ended", job);
  if (ended.length) lookAtGallery();
}

boot();
