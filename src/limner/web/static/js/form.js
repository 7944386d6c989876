import { byId, h } from "./dom.js";
import { helpElement } from "./help.js";
import { slotElement } from "./slots.js";
import { fieldsOf, formOf, keep, on, setValues, store, valueOf, verbOf } from "./store.js";
import { sentence, t } from "./texts.js";

const FEW = 4; // choices up to this number are buttons side by side, more are a list

/**
 * Draw the form of the current verb.
 * @param {HTMLElement} host
 * @param {HTMLElement[]} tools What the verb adds below its pictures.
 */
export function drawForm(host, tools) {
  const verb = verbOf();
  const shown = new Set(verb.slots.filter((slot) => slot.first).map((slot) => slot.name));
  const first = fieldsOf()
    .filter((field) => field.first)
    .sort((one, other) => rank(one) - rank(other));
  const groups = verb.groups
    .map((group) => ({ title: group.title, fields: group.fields.filter((field) => !field.first) }))
    .filter((group) => group.fields.length);
  const slots = verb.slots.filter((slot) => !shown.has(slot.name));
  host.replaceChildren(
    h(
      "header",
      { class: "form-head" },
      h("h1", { tabindex: "-1" }, t(verb.title)),
      h("p", { class: "muted" }, t(verb.summary)),
    ),
    h(
      "div",
      { class: `slots slots-${shown.size}` },
      verb.slots.filter((slot) => slot.first).map(slotElement),
    ),
    ...tools,
    presets(verb),
    h("div", { class: "fields" }, first.map(fieldElement)),
    more(groups, slots),
  );
}

/** Sliders and choices are what a person plays with, so they come before boxes to type in. */
const rank = (field) => ({ slider: 0, choice: 0, checkbox: 2 })[field.kind] ?? 1;

function presets(verb) {
  if (!verb.presets.length) return h("span", { hidden: true });
  return h(
    "div",
    { class: "presets", role: "group", "aria-label": t("Presets") },
    verb.presets.map((preset, index) =>
      h(
        "button",
        {
          type: "button",
          id: `preset-${index}`,
          class: "chip",
          "aria-pressed": String(isPreset(preset)),
          onclick: () => usePreset(verb, preset),
        },
        t(preset.title),
      ),
    ),
  );
}

/** The fields that any preset of the verb sets: another preset puts them back. */
const presetFields = (verb) => [...new Set(verb.presets.flatMap((preset) => Object.keys(preset.values)))];

const initialOf = (name) => fieldsOf().find((field) => field.name === name)?.initial;

function isPreset(preset) {
  return presetFields(verbOf()).every(
    (name) => String(valueOf(name) ?? "") === String(preset.values[name] ?? initialOf(name) ?? ""),
  );
}

function usePreset(verb, preset) {
  const back = Object.fromEntries(presetFields(verb).map((name) => [name, initialOf(name)]));
  setValues({ ...back, ...preset.values });
}

function more(groups, slots) {
  const details = h(
    "details",
    {
      id: "more",
      class: "more",
      open: store.more,
      ontoggle: () => {
        store.more = details.open;
        keep();
      },
    },
    h("summary", {}, h("span", {}, t("More options")), h("span", { class: "count", id: "changed" })),
    slots.length
      ? h(
          "fieldset",
          { class: "group" },
          h("legend", {}, t("More pictures and files")),
          slots.map(slotElement),
        )
      : "",
    groups.map((group) =>
      h("fieldset", { class: "group" }, h("legend", {}, t(group.title)), group.fields.map(fieldElement)),
    ),
    h("fieldset", { class: "group" }, h("legend", {}, t("File")), endingField()),
    h("button", { type: "button", id: "reset", class: "quiet", onclick: reset }, t("Set all options back")),
  );
  return details;
}

function endingField() {
  const endings = verbOf().several ? store.studio.endings.slice(0, 1) : store.studio.endings;
  const select = h(
    "select",
    {
      id: "field-ending",
      onchange: () => {
        formOf().ending = select.value;
        setValues({});
      },
    },
    endings.map((ending) => h("option", { value: ending }, ending.slice(1).toUpperCase())),
  );
  select.value = formOf().ending;
  return h("div", { class: "field" }, h("label", { for: "field-ending" }, t("File type")), select);
}

function reset() {
  setValues(Object.fromEntries(fieldsOf().map((field) => [field.name, field.initial])));
}

function fieldElement(field) {
  const id = `field-${field.name}`;
  const help = field.help ? helpElement(t(field.help), `${id}-help`) : null;
  const described = help ? `${id}-help` : null;
  if (field.kind === "checkbox") {
    const box = h("input", {
      type: "checkbox",
      id,
      role: "switch",
      "aria-describedby": described,
      onchange: () => setValues({ [field.name]: box.checked }),
    });
    return wrap(
      field,
      [h("label", { class: "switch", for: id }, box, h("span", {}, t(field.label))), help],
      () => {
        box.checked = Boolean(valueOf(field.name));
      },
    );
  }
  if (field.kind === "choice")
    return field.choices.length <= FEW ? buttons(field, id, help) : list(field, id, described, help);
  if (field.kind === "slider") return slider(field, id, described, help);
  return box(field, id, described, help);
}

/** A field, with the function that shows the value of the form in it. */
function wrap(field, children, show) {
  const element = h("div", { class: `field field-${field.kind}` }, children);
  element.dataset.name = field.name;
  element.show = show;
  show();
  return element;
}

const words = (choice) => (choice === "" ? t("Automatic") : sentence(t(choice)));

function buttons(field, id, help) {
  const radios = field.choices.map((choice) =>
    h("input", {
      type: "radio",
      name: id,
      id: `${id}-${choice || "auto"}`,
      value: choice,
      onchange: () => setValues({ [field.name]: choice }),
    }),
  );
  const pairs = radios.map((radio) =>
    h("label", { class: "segment" }, radio, h("span", {}, words(radio.value))),
  );
  const group = h(
    "fieldset",
    { id, class: "segments", "aria-describedby": help?.id },
    h("legend", {}, t(field.label)),
    h("div", { class: "segment-row" }, pairs),
  );
  return wrap(field, [group, help], () =>
    radios.forEach((radio) => {
      radio.checked = radio.value === String(valueOf(field.name) ?? "");
    }),
  );
}

function list(field, id, described, help) {
  const select = h(
    "select",
    { id, "aria-describedby": described, onchange: () => setValues({ [field.name]: select.value }) },
    field.choices.map((choice) => h("option", { value: choice }, words(choice))),
  );
  return wrap(field, [h("label", { for: id }, t(field.label)), select, help], () => {
    select.value = valueOf(field.name) ?? "";
  });
}

function slider(field, id, described, help) {
  const limits = { min: field.low, max: field.high, step: field.step };
  const set = ({ target }) => setValues({ [field.name]: target.value === "" ? "" : Number(target.value) });
  const range = h("input", { type: "range", id, ...limits, "aria-describedby": described, oninput: set });
  const exact = h("input", {
    type: "number",
    class: "exact",
    ...limits,
    step: "any",
    "aria-label": t("{label}, as a number", { label: t(field.label) }),
    onchange: set,
    onblur: () => {
      exact.value = valueOf(field.name);
    },
  });
  return wrap(
    field,
    [h("div", { class: "field-row" }, h("label", { for: id }, t(field.label)), exact), range, help],
    () => {
      const value = valueOf(field.name);
      range.value = value;
      if (document.activeElement !== exact) exact.value = value;
      range.style.setProperty("--filled", `${(100 * (value - field.low)) / (field.high - field.low)}%`);
    },
  );
}

function box(field, id, described, help) {
  const isNumber = field.kind === "integer" || field.kind === "number";
  const read = () => (isNumber && input.value !== "" ? Number(input.value) : input.value.trim());
  const input = h("input", {
    type: isNumber ? "number" : "text",
    id,
    step: field.kind === "integer" ? 1 : "any",
    min: field.low !== field.high ? field.low : null,
    max: field.low !== field.high ? field.high : null,
    placeholder: t("Automatic"),
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": described,
    oninput: () => setValues({ [field.name]: read() }),
  });
  return wrap(field, [h("label", { for: id }, t(field.label)), input, help], () => {
    if (document.activeElement !== input) input.value = valueOf(field.name) ?? "";
  });
}

function showValues(changed) {
  if (changed.verb && changed.verb !== store.verb) return;
  const wanted = changed.names && new Set(changed.names);
  for (const element of document.querySelectorAll("#form .field")) {
    if (element.show && (!wanted || wanted.has(element.dataset.name))) element.show();
  }
  verbOf().presets.forEach((preset, index) =>
    byId(`preset-${index}`)?.setAttribute("aria-pressed", String(isPreset(preset))),
  );
  showChanged();
}

/** Say how many of the folded options are not as they came. */
export function showChanged() {
  const hidden = new Set(
    fieldsOf()
      .filter((field) => !field.first)
      .map((field) => field.name),
  );
  const count = Object.keys(formOf().values).filter((name) => hidden.has(name)).length;
  if (byId("changed")) byId("changed").textContent = count ? t("{count} changed", { count }) : "";
}

on("form", showValues);
