import { byId } from "./dom.js";
import { clearError, showError } from "./errors.js";
import { knownJobs, submit } from "./jobs.js";
import { loaded } from "./loading.js";
import { emit, fieldsOf, formOf, payload, store, verbOf } from "./store.js";

/**
 * Run the form of a verb, once the pictures that are on their way into it are there.
 * @param {string} [verb]
 * @returns {Promise<any>} The job, or null after an error, which is shown, or while another form is sent.
 */
export async function run(verb = store.verb) {
  const button = byId("run");
  if (button.disabled) return null;
  clearError();
  button.disabled = true;
  try {
    if (!(await loaded(verb))) return null; // the message about the file stays
    const job = await submit(payload(verb));
    await remakeLaterLinks(job);
    return job;
  } catch (error) {
    showError(Object.assign(error, { verb }), () => run(verb));
    return null;
  } finally {
    button.disabled = false;
  }
}

/**
 * Run again with other random numbers, where the verb has them.
 * @param {any} job
 */
export async function tryAgain(job) {
  if (byId("run").disabled) return;
  const seeded = fieldsOf(job.verb).some((field) => field.name === "seed");
  if (seeded) formOf(job.verb).values.seed = (Number(formOf(job.verb).values.seed) || 0) + 1;
  emit("form", { verb: job.verb, names: ["seed"] });
  await run(job.verb);
}

/** After a changed link, make the later links of the chain again, each from the one before. */
async function remakeLaterLinks(job) {
  const { chain } = store;
  if (!chain || chain.jobs[chain.index].verb !== job.verb) return;
  store.chain = null;
  await remake(chain.jobs, chain.index, job);
  emit("shown", job);
}

/**
 * Make the links of a chain again, each from the new pictures of the one before.
 * @param {any[]} jobs The chain as it was.
 * @param {number} index The first link to make again.
 * @param {any} [changed] The job that stands for that link now; without it, it is submitted again.
 * @returns {Promise<any>} The job that stands for the link.
 */
export async function remake(jobs, index, changed) {
  const renamed = {};
  const rename = ({ id }) =>
    id.replace(/^(.+)-(\d+)$/, (whole, job, n) => (job in renamed ? `${renamed[job]}-${n}` : whole));
  let first = changed;
  if (changed) renamed[jobs[index].id] = changed.id;
  for (const old of jobs.slice(changed ? index + 1 : index)) {
    const files = Object.fromEntries(
      Object.entries(old.files).map(([name, pictures]) => [name, pictures.map(rename)]),
    );
    const made = await submit(
      { verb: old.verb, values: old.values, files, ending: old.ending },
      { show: false },
    );
    renamed[old.id] = made.id;
    store.shown[old.verb] = made.id;
    first ??= made;
  }
  return first;
}

/**
 * The jobs that were made from the pictures of a job, and from theirs: the newest of each.
 * @param {any} job
 * @returns {any[]}
 */
export function followers(job) {
  const isFrom = (other) =>
    Object.values(other.files)
      .flat()
      .some((picture) => picture.id.replace(/-\d+$/, "") === job.id);
  const next = knownJobs()
    .filter((other) => verbOf(other.verb) && other.id !== job.id && isFrom(other))
    .sort((one, other) => (one.created < other.created ? 1 : -1))[0];
  return next ? [next, ...followers(next)] : [];
}
