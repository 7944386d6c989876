import { address, api } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { showError } from "./errors.js";
import { endedJobs, isOpen, knownJob, openJobs, refresh, stop } from "./jobs.js";
import { on } from "./store.js";
import { t, when } from "./texts.js";
import { thumbnail } from "./thumbnail.js";
import { leftWords, stateWords } from "./words.js";

/**
 * Fill the view of the queue, and keep it filled.
 * @param {HTMLElement} host
 * @param {(job: any) => void} onOpen Called with the job that a person wants to see.
 */
export function queuePanel(host, onOpen) {
  let drawn = "";
  const list = (jobs, whenEmpty) =>
    jobs.length
      ? h(
          "ol",
          { class: "job-list" },
          jobs.map((job) => row(job, onOpen)),
        )
      : h("p", { class: "empty-line" }, whenEmpty);
  const draw = () => {
    const open = openJobs();
    const ended = endedJobs().slice(0, 40);
    const now = JSON.stringify(
      [...open, ...ended].map((job) => [
        job.id,
        job.state,
        job.previews,
        job.before,
        Math.round((job.progress?.share ?? 0) * 50),
      ]),
    );
    if (now === drawn || host.hidden) return;
    drawn = now;
    const focused = document.activeElement?.id;
    host.replaceChildren(
      h(
        "header",
        { class: "view-head" },
        h(
          "div",
          {},
          h("h1", { tabindex: "-1" }, t("Queue")),
          h(
            "p",
            { class: "muted" },
            t("One picture is made at a time. You can go on working, or close the page."),
          ),
        ),
      ),
      h("h2", {}, t("Now and next")),
      list(open, t("Nothing is waiting. Press the big button of any page to add a picture.")),
      h("h2", {}, t("Finished")),
      list(ended, t("Finished pictures are listed here, and stay in the gallery.")),
    );
    if (focused) byId(focused)?.focus();
  };
  on("jobs", draw);
  on("route", () => {
    drawn = "";
    draw();
  });
}

function row(job, onOpen) {
  const picture =
    job.pictures[0] ??
    Object.values(job.files)
      .flat()
      .find((one) => one.kind === "picture");
  const view = () =>
    picture && !picture.missing && !isWaitingFor(picture)
      ? thumbnail(picture, 160, "job-thumb")
      : h("span", { class: "job-thumb" }, icon(job.verb));
  const share = job.state === "running" ? (job.progress?.share ?? 0) : 0;
  const bar = h("progress", {
    max: "1",
    value: share,
    "aria-label": t("Progress of {title}", { title: t(job.title) }),
  });
  return h(
    "li",
    { class: `job job-${job.state}` },
    job.state === "running" && job.previews
      ? h("img", { src: address.preview(job), alt: "", class: "job-thumb" })
      : view(),
    h(
      "div",
      { class: "job-words" },
      h("strong", {}, t(job.title)),
      h("span", { class: "muted name" }, names(job)),
      h(
        "span",
        { class: job.state === "failed" ? "bad" : "muted" },
        job.state === "failed" && job.message ? t(job.message) : stateWords(job),
      ),
      job.state === "running" && bar,
    ),
    h("span", { class: "muted job-time" }, isOpen(job) ? leftWords(job) : when(job.created)),
    h(
      "div",
      { class: "row-buttons" },
      job.state === "waiting" &&
        job.before > 1 &&
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            id: `first-${job.id}`,
            onclick: () => api.first(job.id).then(refresh, showError),
          },
          icon("up"),
          t("Next"),
        ),
      isOpen(job) &&
        h(
          "button",
          { type: "button", class: "quiet", id: `cancel-${job.id}`, onclick: () => stop(job) },
          icon("close"),
          job.state === "running" ? t("Stop") : t("Cancel"),
        ),
      !isOpen(job) &&
        job.verb !== "measure" &&
        h(
          "button",
          { type: "button", class: "quiet", id: `open-${job.id}`, onclick: () => onOpen(job) },
          t("Open"),
        ),
    ),
  );
}

const isWaitingFor = (picture) => {
  const job = knownJob(picture.id.replace(/-\d+$/, ""));
  return Boolean(job && job.id !== picture.id && !job.pictures.length);
};

const names = (job) =>
  Object.values(job.files)
    .flat()
    .map((one) => one.name)
    .join(", ");
