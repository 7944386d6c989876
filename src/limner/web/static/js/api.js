import { t } from "./texts.js";

/**
 * @typedef {{id: string, name: string, width: number, height: number, kind: string}} Picture
 * @typedef {{option: string, value: any, label: string}} Remedy
 */

/** An answer of the server that is no success: `message` in words, `remedies` to offer. */
class ApiError extends Error {
  /**
   * @param {string} message
   * @param {Remedy[]} [remedies]
   * @param {number} [status]
   */
  constructor(message, remedies = [], status = 0) {
    super(message);
    this.remedies = remedies;
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, options);
  } catch {
    throw new ApiError(t("The studio does not answer. Is limner studio still running?"));
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  if (answer.status === 401) location.reload(); // the studio was started again and asks for its password
  const words = body?.message ?? t("The studio could not do this ({status}).", { status: answer.status });
  throw new ApiError(words, body?.remedies ?? [], answer.status);
}

const post = (path, body) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
const id = encodeURIComponent;

/** What the page asks of the server; the contract is the server's OpenAPI page. */
export const api = {
  studio: () => ask("studio"),
  styles: () => ask("styles"),
  useStyle: (key) => post(`styles/${id(key)}`),
  useExample: (name) => post(`examples/${id(name)}`),
  upload: (file, name = file.name) => ask(`files?name=${id(name)}`, { method: "POST", body: file }),
  picture: (key) => ask(`pictures/${id(key)}`),
  recipe: (key) => ask(`pictures/${id(key)}/recipe`),
  jobs: () => ask("jobs"),
  submit: (job) => post("jobs", job),
  stop: (key) => post(`jobs/${id(key)}/stop`),
  first: (key) => post(`jobs/${id(key)}/first`),
  save: (key) => post(`jobs/${id(key)}/save`),
  job: (key) => ask(`jobs/${id(key)}`),
  results: (query) => ask(`results?${new URLSearchParams(query)}`),
  result: (key) => ask(`results/${id(key)}`),
  remove: (key) => ask(`results/${id(key)}`, { method: "DELETE" }),
  restore: (key) => post(`results/${id(key)}/restore`),
  command: (job) => post("command", job),
  measure: (picture) => post("measure", { picture }),
};

/** Addresses of pictures, for `src` and `href`. */
export const address = {
  view: (key, side = 1024) => `api/pictures/${id(key)}/view?side=${side}`,
  file: (key) => `api/pictures/${id(key)}/file`,
  regions: (key) => `api/pictures/${id(key)}/regions`,
  style: (key) => `api/styles/${id(key)}/view`,
  preview: (job) => `api/jobs/${id(job.id)}/preview?n=${job.previews}`,
  zip: (keys) => `api/zip?ids=${keys.map(id).join(",")}`,
};
