import { duration, sentence, t } from "./texts.js";

/**
 * Say in words what a job does now.
 * @param {any} job
 * @returns {string}
 */
export function stateWords(job) {
  if (job.state === "waiting") {
    if (!job.before) return t("Next in the queue");
    return t("{count} picture is made first | {count} pictures are made first", { count: job.before });
  }
  if (job.state === "running") return workWords(job.progress);
  if (job.state === "done")
    return job.seconds ? t("Done in {time}", { time: duration(job.seconds) }) : t("Done");
  if (job.state === "stopped")
    return job.pictures.length ? t("Stopped. This is what was ready.") : t("Stopped");
  return t("This did not work");
}

/**
 * Say how long a job still takes.
 * @param {any} job
 * @returns {string}
 */
export function leftWords(job) {
  const left = job.progress?.left;
  return left === null || left === undefined ? "" : t("about {time} left", { time: duration(left) });
}

function workWords(progress) {
  if (!progress?.stage) return t("Starting");
  const size = /^([\d×]+) px$/.exec(progress.stage);
  return size ? t("Working at {size} pixels", { size: size[1] }) : sentence(t(progress.stage));
}
