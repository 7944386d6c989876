/** What the page knows. The forms and what is shown are kept in the browser over a reload. */

const KEY = "limner.page";
const listeners = {};
let written = ""; // what this page last kept or found: a page that changes nothing overwrites nothing

/**
 * @typedef {{values: Object<string, any>, files: Object<string, import("./api.js").Picture[]>, ending: string}} Form
 */

export const store = {
  studio: null,
  styles: [],
  verb: "stylize",
  /** @type {Object<string, Form>} By verb. */
  forms: {},
  /** @type {Object<string, string>} By verb: the job in the place of the result. */
  shown: {},
  /** Which of several pictures of the shown job is looked at. */
  selected: {},
  /** Several files at once, by group: {verb, total, sent, ids, failed}. */
  groups: {},
  /** Whether "More options" are open. */
  more: false,
  /** The chain in which a link is being changed: {jobs, index}. */
  chain: null,
};

/** Read what the browser kept. */
export function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
    for (const name of ["forms", "shown", "selected", "groups"])
      if (kept[name] instanceof Object) store[name] = { ...kept[name] };
    if (kept.verb) store.verb = kept.verb;
    store.more = Boolean(kept.more);
  } catch {
    // What cannot be read is lost; the next visit finds what this one keeps.
  }
  written = asText();
}

/** Drop what the browser kept from an older page, or a page that was closed, and that fits no longer. */
export function tidy() {
  for (const [verb, form] of Object.entries(store.forms)) {
    if (verbOf(verb)) store.forms[verb] = { ...formOf(verb), ...fitting(verb, form ?? {}) };
    else delete store.forms[verb];
  }
  for (const [group, one] of Object.entries(store.groups)) {
    if (!one?.verb || !verbOf(one.verb) || !Array.isArray(one.ids) || !Array.isArray(one.failed))
      delete store.groups[group];
    else if (one.sent < one.total) Object.assign(one, { unsent: one.total - one.sent, total: one.sent });
  }
}

/** Those parts of a form that the verb has. */
function fitting(verb, { values, files, ending }) {
  const fields = new Map(fieldsOf(verb).map((field) => [field.name, field]));
  const isValue = ([name, value]) => {
    const field = fields.get(name);
    return field && (field.kind !== "choice" || field.choices.includes(String(value)));
  };
  const isFile = ([name, pictures]) =>
    verbOf(verb).slots.some((slot) => slot.name === name) && Array.isArray(pictures) && pictures.length;
  return {
    values: Object.fromEntries(Object.entries(values ?? {}).filter(isValue)),
    files: Object.fromEntries(Object.entries(files ?? {}).filter(isFile)),
    ending: store.studio.endings.includes(ending) ? ending : store.studio.endings[0],
  };
}

function asText() {
  const { forms, shown, selected, groups, verb, more } = store;
  return JSON.stringify({ forms, shown, selected, groups, verb, more });
}

/** Keep the forms for the next visit. */
export function keep() {
  const text = asText();
  if (text === written) return;
  written = text;
  try {
    localStorage.setItem(KEY, text);
  } catch {
    // A full or forbidden storage costs only what a reload would bring back.
  }
}

/**
 * Call a function whenever something happens.
 * @param {"form"|"files"|"jobs"|"shown"|"studio"|"route"} event
 * @param {Function} action
 */
export function on(event, action) {
  (listeners[event] ??= []).push(action);
}

/**
 * Tell that something happened.
 * @param {string} event
 * @param {any} [detail]
 */
export function emit(event, detail) {
  keep();
  for (const action of listeners[event] ?? []) action(detail);
}

/**
 * @param {string} [verb]
 * @returns {any} What the server says about a verb.
 */
export function verbOf(verb = store.verb) {
  return store.studio.verbs.find((one) => one.verb === verb);
}

/**
 * @param {string} [verb]
 * @returns {Form}
 */
export function formOf(verb = store.verb) {
  store.forms[verb] ??= { values: {}, files: {}, ending: store.studio.endings[0] };
  return store.forms[verb];
}

/**
 * @param {string} [verb]
 * @returns {any[]} All fields of a verb.
 */
export function fieldsOf(verb = store.verb) {
  return verbOf(verb).groups.flatMap((group) => group.fields);
}

/**
 * @param {string} [verb]
 * @returns {any} The slot that the verb is about.
 */
export function mainSlot(verb = store.verb) {
  const { slots } = verbOf(verb);
  return slots.find((slot) => slot.main) ?? slots[0];
}

/**
 * The value of a field: the person's, or the initial one.
 * @param {string} name
 * @param {string} [verb]
 * @returns {any}
 */
export function valueOf(name, verb = store.verb) {
  const form = formOf(verb);
  return name in form.values
    ? form.values[name]
    : fieldsOf(verb).find((field) => field.name === name)?.initial;
}

/**
 * Change values of a form, and tell everybody.
 * @param {Object<string, any>} values
 * @param {string} [verb]
 */
export function setValues(values, verb = store.verb) {
  const form = formOf(verb);
  for (const [name, value] of Object.entries(values)) {
    const initial = fieldsOf(verb).find((field) => field.name === name)?.initial;
    if (value === initial || value === null || value === undefined || value === "") delete form.values[name];
    else form.values[name] = value;
  }
  emit("form", { verb, names: Object.keys(values) });
}

/**
 * Put pictures into a slot, and tell everybody.
 * @param {string} name
 * @param {import("./api.js").Picture[]} pictures
 * @param {string} [verb]
 */
export function setFiles(name, pictures, verb = store.verb) {
  const form = formOf(verb);
  if (pictures.length) form.files[name] = pictures;
  else delete form.files[name];
  emit("files", { verb, name });
}

/**
 * Fill the form of a verb from a job or a recipe.
 * @param {{verb: string, values: Object, files: Object, ending?: string}} made
 */
export function fillForm(made) {
  const form = formOf(made.verb);
  const files = Object.entries(made.files ?? {}).map(([name, pictures]) => [
    name,
    pictures.filter((one) => one.name).map(withStyle),
  ]);
  const { values, ending } = made;
  Object.assign(
    form,
    fitting(made.verb, { values, files: Object.fromEntries(files), ending: ending ?? form.ending }),
  );
  emit("form", { verb: made.verb, names: null });
}

/** A painting of the strip is marked there, also when it comes from a recipe. */
function withStyle(picture) {
  const style = store.styles.find((one) => one.name === picture.name);
  return style ? { ...picture, style: style.key } : picture;
}

/**
 * The form as the server takes it.
 * @param {string} [verb]
 * @returns {{verb: string, values: Object, files: Object, ending: string}}
 */
export function payload(verb = store.verb) {
  const form = formOf(verb);
  const files = Object.entries(form.files).map(([name, pictures]) => [name, pictures.map((one) => one.id)]);
  return { verb, values: { ...form.values }, files: Object.fromEntries(files), ending: form.ending };
}
