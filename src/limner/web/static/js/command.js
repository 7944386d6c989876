import { api } from "./api.js";
import { byId, h, later } from "./dom.js";
import { payload } from "./store.js";
import { t } from "./texts.js";

/** Write the form as a command and as Python, where that part of the page is open. */
export const showCommand = later(250, async () => {
  const host = byId("command-text");
  if (!byId("command").open) return;
  try {
    const { command, python } = await api.command(payload());
    host.replaceChildren(snippet(t("Command"), command), snippet(t("Python"), python));
  } catch (error) {
    host.replaceChildren(h("p", { class: "muted" }, t(error.message)));
  }
});

function snippet(title, text) {
  const code = h("pre", { tabindex: "0" }, text);
  const copy = h(
    "button",
    {
      type: "button",
      class: "quiet",
      onclick: async () => {
        try {
          await navigator.clipboard.writeText(text);
          copy.textContent = t("Copied");
        } catch {
          getSelection().selectAllChildren(code); // on another device the browser may forbid it
        }
      },
    },
    t("Copy"),
  );
  return h(
    "div",
    { class: "snippet" },
    h("div", { class: "snippet-head" }, h("strong", {}, title), copy),
    code,
  );
}
