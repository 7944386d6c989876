import { address } from "./api.js";
import { h } from "./dom.js";
import { t } from "./texts.js";

const MOST = 50; // links that are followed: a chain in a circle must end

/** The id of the job that made a picture, or null for a file that was given. */
const makerOf = (picture) => /^(.+)-\d+$/.exec(picture?.id ?? "")?.[1] ?? null;

const inputsOf = (job) =>
  Object.values(job.files ?? {})
    .flat()
    .filter(Boolean);

const quietly = async (getJob, id) => {
  try {
    return (await getJob(id)) ?? null;
  } catch {
    return null; // a file whose name only looks like a result, or a job that was deleted
  }
};

/**
 * List the jobs that led to this one, the first one first.
 * @param {object} job
 * @param {(id: string) => object | null | Promise<object | null>} getJob
 * @returns {Promise<object[]>} ends with `job`
 */
export async function chainOf(job, getJob) {
  const jobs = [job];
  while (jobs.length < MOST) {
    let maker = null;
    for (const picture of inputsOf(jobs[0])) {
      const id = makerOf(picture);
      if (id && !jobs.some((one) => one.id === id)) maker = await quietly(getJob, id);
      if (maker) break;
    }
    if (!maker) break;
    jobs.unshift(maker);
  }
  return jobs;
}

function thumbnail(picture, name) {
  const box = h("span", { class: "tool-thumb", "aria-hidden": "true" });
  if (picture && picture.kind !== "weights") {
    const image = h("img", {
      alt: "",
      loading: "lazy",
      draggable: "false",
      src: address.view(picture.id, 256),
    });
    image.addEventListener("error", () => image.remove());
    box.append(image);
  }
  return { box, label: h("span", { class: "tool-link-name" }, name) };
}

const stateOf = (job) =>
  ({ waiting: t("Waiting"), running: t("Running"), failed: t("Failed"), stopped: t("Stopped") })[job.state] ??
  "";

function linkOf(job, isLast, { onOpen, onRecompute, current }) {
  const title = t(job.title ?? job.verb);
  const { box, label } = thumbnail(job.pictures?.[0], title);
  const state = h("span", { class: "tool-link-state" }, stateOf(job)); // "" when it is done
  const name = t("Change: {title}", { title });
  const open = h(
    "button",
    { type: "button", class: "tool-link", "aria-label": name, title: name, onclick: () => onOpen(job) },
    box,
    label,
    state,
  );
  if (job.id === current) open.setAttribute("aria-current", "step");
  const text = isLast ? t("Redo") : t("Redo from here");
  const again = h(
    "button",
    {
      type: "button",
      class: "tool-button tool-again",
      "aria-label": `${text}: ${title}`,
      onclick: () => onRecompute(job),
    },
    text,
  );
  return h("li", { class: "tool-step" }, open, again);
}

function firstOf(job) {
  const picture = inputsOf(job).find((one) => one.kind !== "weights");
  if (!picture) return [];
  const { box, label } = thumbnail(picture, picture.name);
  return [
    h(
      "li",
      { class: "tool-step tool-start", title: picture.name },
      h("span", { class: "tool-link" }, box, label),
    ),
  ];
}

/**
 * Show a chain of jobs as a row of thumbnails: input, then one link for each job.
 * @param {HTMLElement} host
 * @param {object[]} jobs the first one first
 * @param {{onOpen: (job: object) => void, onRecompute: (job: object) => void, current: string}} options
 *   `current`: the id of the open job
 */
export function chain(host, jobs, options) {
  const links = jobs.map((job) => linkOf(job, job === jobs.at(-1), options));
  const row = h("ol", { class: "tool-chain-row" }, ...firstOf(jobs[0]), ...links);
  const root = h("nav", { class: "tool tool-chain", "aria-label": t("Steps to this picture") }, row);
  host.replaceChildren(root);
  // scrollIntoView would also scroll the page
  row.scrollLeft = row.scrollWidth;
}
