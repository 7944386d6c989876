import { address, api } from "./api.js";
import { byId, h, later } from "./dom.js";
import { clearError, showError } from "./errors.js";
import { paintHints } from "./hints.js";
import { getJob, isOpen, knownJob, refresh, remember, stop, submit } from "./jobs.js";
import { load } from "./loading.js";
import { alignmentPoints } from "./points.js";
import { printSheet } from "./sheet.js";
import { formOf, mainSlot, on, payload, setFiles, setValues, store, fieldsOf, valueOf } from "./store.js";
import { t } from "./texts.js";
import { stateWords } from "./words.js";

const PAUSE = 300; // milliseconds after a stroke before the colors are computed again

/**
 * What a verb adds to its form, below the pictures.
 * @param {string} verb
 * @returns {HTMLElement[]}
 */
export function toolsOf(verb) {
  watchers = []; // those of the form before
  const panels = {
    colorize: hintsPanel,
    hybridize: pointsPanel,
    upscale: printPanel,
    beautify: measurePanel,
  };
  return verb in panels ? [panels[verb]()] : [];
}

const picturesOf = (verb, slot) => formOf(verb).files[slot] ?? [];

/** A folded part of the form that makes its tool when it is first opened, and again for another picture. */
function folded(verb, { id, title, slots, draw }) {
  const host = h("div", {});
  let shown = "";
  let tool = null;
  const show = () => {
    const pictures = slots.map((slot) => picturesOf(verb, slot)[0]);
    const key = pictures.map((one) => one?.id).join(" ");
    details.hidden = pictures.some((one) => !one);
    if (details.hidden || !details.open || key === shown) return;
    shown = key;
    tool?.destroy?.();
    tool = draw(host, ...pictures);
  };
  const details = h("details", { id, class: "more", ontoggle: show }, h("summary", {}, title), host);
  watchers.push({ verb, show });
  show();
  return details;
}

let watchers = [];

/** Points in one photo say nothing about another. This comes before the tools are drawn again. */
on("files", ({ verb, name }) => {
  if (verb === "hybridize" && name.endsWith("_photo")) setValues({ points: "" }, "hybridize");
});

on("files", (changed) => {
  for (const one of watchers) if (one.verb === changed.verb) one.show();
});

function pointsPanel() {
  return folded("hybridize", {
    id: "points",
    title: t("Align by hand"),
    slots: ["near_photo", "far_photo"],
    draw: (host, near, far) =>
      alignmentPoints(
        host,
        near,
        far,
        (points) => setValues({ points }, "hybridize"),
        valueOf("points", "hybridize"),
      ),
  });
}

function paperValue() {
  const fits = fieldsOf("upscale").find((field) => field.name === "fit")?.choices ?? [];
  const names = ["print_", "dpi", "fit", "bleed", "max_scale"];
  return { fits, ...Object.fromEntries(names.map((name) => [name, valueOf(name, "upscale")])) };
}

let sheet = null;
let fromSheet = false;

on("form", (changed) => {
  if (changed.verb === "upscale" && !fromSheet) sheet?.update?.(paperValue());
});

function printPanel() {
  const known = () => new Set(fieldsOf("upscale").map((field) => field.name));
  return folded("upscale", {
    id: "print",
    title: t("Print"),
    slots: [mainSlot("upscale").name],
    draw: (host, picture) =>
      (sheet = printSheet(host, {
        picture,
        papers: store.studio.papers,
        value: paperValue(),
        onChange: (values) => {
          fromSheet = true;
          setValues(
            Object.fromEntries(Object.entries(values).filter(([name]) => known().has(name))),
            "upscale",
          );
          fromSheet = false;
        },
      })),
  });
}

function measurePanel() {
  const slot = mainSlot("beautify").name;
  const out = h("div", { class: "measured", "aria-live": "polite" });
  const button = h(
    "button",
    { type: "button", id: "measure", class: "secondary", onclick: measure },
    t("Show where the picture is hard to predict"),
  );
  const host = h("div", { class: "measure" }, button, out);

  async function measure() {
    const { id } = picturesOf("beautify", slot)[0];
    button.disabled = true;
    out.textContent = t("Measuring…");
    try {
      let job = await api.measure(id);
      remember([job]);
      refresh();
      while (job && isOpen(job)) {
        await new Promise((done) => setTimeout(done, 300));
        job = knownJob(job.id);
      }
      if (job?.state === "failed") throw job;
      if (job && picturesOf("beautify", slot)[0]?.id === id) showMap(job);
    } catch (error) {
      out.replaceChildren();
      showError(error);
    }
    button.disabled = false;
  }

  function showMap(job) {
    out.replaceChildren(
      ...(job.pictures.length
        ? [
            h("img", {
              src: address.view(job.pictures[0].id, 800),
              alt: t("Map: bright where the picture is hard to predict"),
            }),
            h("p", { class: "help" }, t(job.notes[0] ?? "")),
          ]
        : [stateWords(job)]),
    );
  }

  const show = () => {
    host.hidden = !picturesOf("beautify", slot).length;
    out.replaceChildren();
  };
  watchers.push({ verb: "beautify", show });
  show();
  return host;
}

/** `file` is the picture of the strokes that are on the canvas. */
const hints = { drawing: null, file: null, host: null, tool: null, job: null, sending: false, stale: false };

/** The canvas is kept while other verbs are looked at, so that no stroke is lost. */
function hintsPanel() {
  const slot = mainSlot("colorize").name;
  const host = h("section", { id: "hints", class: "tool-panel", "aria-label": t("Color hints") });
  const show = (isOpened = false) => {
    const drawing = picturesOf("colorize", slot)[0];
    const file = picturesOf("colorize", "hints")[0]?.id ?? null;
    host.hidden = !drawing;
    document.body.classList.toggle("painting-hints", Boolean(drawing) && store.verb === "colorize");
    const isOther = drawing?.id !== hints.drawing || (isOpened && file !== hints.file);
    if (drawing && isOther) makeHints(drawing, file);
    if (drawing) host.replaceChildren(h("h2", {}, t("Paint color hints")), hints.host);
  };
  watchers.push({ verb: "colorize", show: () => show() });
  show(true);
  return host;
}

function makeHints(drawing, file) {
  const isOld = file !== null && file === hints.file; // painted on the drawing before
  const host = h("div", {});
  const start = isOld ? null : file; // of a result that was opened, or kept over a reload
  hints.tool?.destroy();
  Object.assign(hints, { drawing: drawing.id, file: start, host, tool: null });
  if (isOld) setFiles("hints", [], "colorize");
  const make = () => {
    if (hints.host !== host) return; // another drawing was quicker
    const tool = paintHints(host, drawing, {
      colors: paletteColors() ?? undefined,
      onChange: later(PAUSE, () => useHints(tool)),
      start,
    });
    hints.tool = tool;
    showLastResult();
  };
  requestAnimationFrame(make); // it measures itself, so it must be on the page
}

/** The colors of the palette field; null if it has none. */
function paletteColors() {
  const found = String(valueOf("palette", "colorize") ?? "")
    .split(/[,\s]+/)
    .filter(
      (word) =>
        /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.test(word) || (/^[a-z]+$/i.test(word) && CSS.supports("color", word)),
    );
  return found.length ? found : null;
}

on("form", (changed) => {
  if (
    changed.verb === "colorize" &&
    hints.tool &&
    (!changed.names || changed.names.includes("palette")) &&
    paletteColors()
  )
    hints.tool.setPalette(paletteColors());
});

/** Upload the strokes; once there was a result, compute it again with them. */
async function useHints(tool) {
  if (tool !== hints.tool) return; // strokes on a drawing that is gone
  if (hints.sending) return void (hints.stale = true);
  hints.sending = true;
  const isSent = await load("colorize", "hints", async () => {
    const painted = await tool.toBlob();
    const pictures = painted ? [await api.upload(painted, "hints.png")] : [];
    if (tool !== hints.tool) return;
    hints.file = pictures[0]?.id ?? null;
    setFiles("hints", pictures, "colorize");
  });
  try {
    const shown = await getJob(store.shown.colorize);
    if (isSent && tool === hints.tool && shown && shown.state !== "failed") await rerun(shown);
  } catch (error) {
    showError(Object.assign(error, { verb: "colorize" }));
  }
  hints.sending = false;
  if (hints.stale) {
    hints.stale = false;
    useHints(hints.tool);
  }
}

async function rerun(before) {
  if (before.id === hints.job && isOpen(before)) await stop(before);
  hints.job = (await submit(payload("colorize"))).id;
  clearError();
}

/** @returns {string|null} The newest colored picture of the drawing. */
async function showLastResult() {
  const job = await getJob(store.shown.colorize);
  if (job?.state === "done" && job.pictures.length && job.files.sketch?.[0]?.id === hints.drawing)
    hints.tool?.showResult(job.pictures[0].id);
}

on("shown", (job) => {
  if (job?.verb === "colorize") showLastResult();
});
on("ended", (job) => {
  if (job.verb === "colorize" && byId("hints")) showLastResult();
});
