import { api } from "./api.js";
import { byId } from "./dom.js";
import { showError } from "./errors.js";
import { emit, store } from "./store.js";

const QUICK = 400; // milliseconds between two questions while something is being made
const AT_ONCE = 120; // the same until the first preview of a new job
const SLOW = 5000;
const known = new Map();
let listed = [];
let timer = 0;
let submitted = 0; // when this page last submitted a job
let asking = null; // the answer that is waited for
let isStale = false; // whether that answer may be older than a change

/**
 * @param {any} job
 * @returns {boolean} Whether it waits or runs.
 */
export const isOpen = (job) => job.state === "waiting" || job.state === "running";

/** @returns {any[]} All jobs that are known, also those of the gallery that were looked at. */
export const knownJobs = () => [...known.values()];

/** @returns {any[]} The jobs that wait or run, in order. */
export const openJobs = () => listed.filter(isOpen);

/** @returns {any[]} The jobs of this run of the server that ended, newest first. */
export const endedJobs = () => listed.filter((job) => !isOpen(job));

/**
 * The newest that is known of a job, without asking.
 * @param {string} id
 */
export const knownJob = (id) => known.get(id);

/**
 * A job by its id, from the server if it is not known.
 * @param {string} id
 * @returns {Promise<any>} null if there is none, undefined if the studio does not answer.
 */
export async function getJob(id) {
  if (!id || known.has(id)) return known.get(id) ?? null;
  return lookAt(id);
}

async function lookAt(id) {
  try {
    const job = await api.result(id);
    known.set(id, job);
    return job;
  } catch ({ status }) {
    if (status < 400 || status >= 500) return undefined;
    forget(id);
    return null;
  }
}

/** Remember jobs that came from elsewhere, the gallery for example. */
export function remember(jobs) {
  for (const job of jobs) known.set(job.id, job);
}

/** Forget a job that was deleted. */
export function forget(id) {
  known.delete(id);
  listed = listed.filter((job) => job.id !== id);
}

/** Ask for the jobs now, and again as long as the page is open. */
export function refresh() {
  clearTimeout(timer);
  isStale = Boolean(asking);
  asking ??= look().finally(() => {
    asking = null;
    timer = setTimeout(refresh, isStale ? 0 : pause());
  });
  return asking;
}

async function look() {
  try {
    const found = await api.jobs();
    await lookForLost(found);
    listed = found;
  } catch {
    byId("offline").hidden = false;
    return;
  }
  byId("offline").hidden = true;
  remember(listed);
  emit("jobs");
}

/** A studio that was started again does not list what ended before; only that it is over must be known. */
async function lookForLost(found) {
  const ids = new Set(found.map((job) => job.id));
  const lost = knownJobs().filter((job) => isOpen(job) && !ids.has(job.id));
  await Promise.all(lost.map((job) => lookAt(job.id)));
}

function pause() {
  const running = listed.find((job) => job.state === "running");
  if (running && !running.previews && Date.now() - submitted < 3000) return AT_ONCE;
  return listed.some(isOpen) ? QUICK : SLOW;
}

function add(job) {
  known.set(job.id, job);
  listed = [...listed.filter((one) => one.id !== job.id && isOpen(one)), job, ...endedJobs()];
}

/**
 * Submit a job, and show it in the place of the result.
 * @param {any} job As `payload` makes it.
 * @param {{show?: boolean}} [options]
 * @returns {Promise<any>} The job.
 */
export async function submit(job, { show = true } = {}) {
  submitted = Date.now();
  const made = await api.submit(job);
  add(made);
  if (show) showJob(made);
  emit("jobs");
  refresh();
  return made;
}

/**
 * Show a job in the place of the result of its verb.
 * @param {any} job
 */
export function showJob(job) {
  remember([job]);
  store.shown[job.verb] = job.id;
  store.selected[job.verb] = 0;
  emit("shown", job);
}

/**
 * Stop a job. What it has made so far is kept, where the verb can.
 * @param {any} job
 */
export async function stop(job) {
  try {
    remember([await api.stop(job.id)]);
  } catch (error) {
    showError(error);
  }
  refresh();
}
