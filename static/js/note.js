// The note is the clinician's own: copied from here, sent nowhere, kept nowhere.
"use strict";

const note = document.querySelector("[data-note]");
const copy = note.querySelector("[data-copy]");
const text = note.querySelector("textarea");
const said = note.querySelector("[role=status]");

copy.hidden = false;
copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(text.value);
    said.textContent = copy.dataset.copied;
  } catch {
    text.select(); // a browser that gives no clipboard away
    said.textContent = copy.dataset.byHand;
  }
});

const save = note.querySelector("[data-save]");
save.hidden = false;
save.addEventListener("click", () => {
  const file = URL.createObjectURL(new Blob([text.value], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = file;
  link.download = save.dataset.save;
  link.click();
  URL.revokeObjectURL(file);
  said.textContent = save.dataset.saved;
});
