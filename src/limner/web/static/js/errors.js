import { api } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { emit, fieldsOf, setValues } from "./store.js";
import { sentence, t } from "./texts.js";

/**
 * Show an error in words, with what would help as buttons.
 * @param {{message: string, remedies?: any[], id?: string, verb?: string}} error An error, or a job that
 *   failed.
 * @param {() => any} [again] What to do after a remedy was chosen.
 */
export function showError(error, again) {
  const host = byId("error");
  host.replaceChildren(
    icon("warn"),
    h("div", {}, h("p", {}, withCapital(t(error.message))), remedyButtons(error, again)),
    h(
      "button",
      {
        type: "button",
        class: "quiet small-icon",
        "aria-label": t("Close this message"),
        onclick: clearError,
      },
      icon("close"),
    ),
  );
  host.hidden = false;
  host.scrollIntoView({ block: "nearest" });
}

/** Messages begin with a label or a file name, which stay as they are, or with a word. */
const withCapital = (words) => (/^\p{Ll}+ /u.test(words) ? sentence(words) : words);

function remedyButtons(error, again) {
  if (!error.remedies?.length) return null;
  return h(
    "div",
    { class: "remedies" },
    error.remedies.map((remedy) =>
      h(
        "button",
        { type: "button", class: "secondary", onclick: () => use(remedy, error, again) },
        wordsOf(remedy, error.verb),
      ),
    ),
  );
}

function wordsOf({ option, value, label }, verb) {
  const field = fieldsOf(verb).find((one) => one.name === option);
  if (!field) return t(label);
  if (value === true) return t("Turn on “{label}”", { label: t(field.label) });
  return t("Set “{label}” to {value}", { label: t(field.label), value: t(String(value)) });
}

async function use(remedy, error, again) {
  clearError();
  if (remedy.option) {
    setValues({ [remedy.option]: remedy.value }, error.verb);
    again?.();
    return;
  }
  try {
    await api.save(error.id);
    emit("changed", error.id);
  } catch (other) {
    showError(other, again);
  }
}

/** Take the message away. */
export function clearError() {
  const host = byId("error");
  host.hidden = true;
  host.replaceChildren();
}
