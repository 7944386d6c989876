import { api } from "./api.js";
import { clearError, showError } from "./errors.js";
import { load } from "./loading.js";
import { planMany } from "./many.js";
import { droppedFiles, receive } from "./slots.js";
import { fillForm, formOf, mainSlot, setFiles, store, verbOf } from "./store.js";
import { t } from "./texts.js";

let show = () => {};

/**
 * Take files that are pasted, or dropped outside a slot.
 * @param {(view: string) => void} go Shows a view of the page.
 */
export function takeFilesAnywhere(go) {
  show = go;
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) take(files, event.target.closest?.(".slot"));
  });

  const isFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return; // words that are dragged into a field
    event.preventDefault();
    document.body.classList.remove("dragging");
    droppedFiles(event.dataTransfer).then(take).catch(showError);
  });
}

/** Take files that came to the page, into a slot or where they fit best. */
async function take(files, slot) {
  clearError();
  if (slot) return receive(slot.id.replace("slot-", ""), files);
  if (files.length > 1) return planMany(files);
  if (!files.length) return showError({ message: t("Nothing to add: there was no file.") });
  const { verb } = store;
  return load(verb, "", async () => {
    const picture = await api.upload(files[0]);
    const made = await api.recipe(picture.id).catch(() => null);
    if (made) useRecipe(made);
    else place(picture, verb);
  });
}

/** A picture without a recipe goes into the first empty slot of the page, or its main one. */
function place(picture, verb) {
  const slots = verbOf(verb).slots.filter((slot) => slot.kind === picture.kind && slot.name !== "styles");
  const free = slots.find((slot) => slot.first && !formOf(verb).files[slot.name]);
  const slot = picture.kind === "weights" ? slots[0] : (free ?? mainSlot(verb));
  if (!slot) throw new Error(t("This page takes no weights file."));
  setFiles(slot.name, [picture], verb);
  if (store.verb === verb) show(verb);
}

function useRecipe(made) {
  fillForm(made);
  show(made.verb);
  if (made.missing?.length)
    showError({
      message: t("The settings are back. These pictures are not here any more, drop them again: {names}", {
        names: made.missing.join(", "),
      }),
    });
}
