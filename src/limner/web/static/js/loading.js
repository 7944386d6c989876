/** Files that are on their way into the slots of a form. */

import { showError } from "./errors.js";
import { mainSlot, on, store } from "./store.js";

const loading = new Set(); // what is on its way: {verb, name, done}
const latest = new Map(); // by verb and slot: the last of them that began

/**
 * Load something into a slot, which is busy until then. Errors are shown.
 * @param {string} verb
 * @param {string} name The slot; "" if only the file will tell.
 * @param {(isLatest: () => boolean) => Promise<void>} action Where there is room for one, the last that
 *   began counts.
 * @returns {Promise<boolean>} Whether it arrived.
 */
export async function load(verb, name, action) {
  const one = { verb, name };
  latest.set(`${verb} ${name}`, one);
  loading.add(one);
  one.done = action(() => latest.get(`${verb} ${name}`) === one).then(
    () => true,
    (error) => {
      showError(Object.assign(error, { verb }));
      return false;
    },
  );
  showBusy();
  const isGood = await one.done;
  loading.delete(one);
  showBusy();
  return isGood;
}

/**
 * Wait for what is on its way into the slots of a verb.
 * @param {string} verb
 * @returns {Promise<boolean>} Whether all of it arrived.
 */
export async function loaded(verb) {
  const waiting = [...loading].filter((one) => one.verb === verb).map((one) => one.done);
  return (await Promise.all(waiting)).every(Boolean);
}

function showBusy() {
  for (const element of document.querySelectorAll(".slot")) {
    const name = element.id.replace("slot-", "");
    const isBusy = [...loading].some(
      (one) => one.verb === store.verb && (one.name || mainSlot(one.verb).name) === name,
    );
    element.setAttribute("aria-busy", isBusy);
  }
}

on("route", showBusy);
