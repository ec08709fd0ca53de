// The visual analogue scale: a native range under a drawn line. Empty until it is touched; a tap
// anywhere marks exactly there; zero is a mark like any other.
"use strict";

const THUMB = 8; // its width in respondent.css

function setUp(box) {
  const line = box.querySelector("input[type=range]");
  const kept = box.querySelector("input[type=text]");
  const low = Number(line.min);
  const high = Number(line.max);
  const step = Number(line.step);
  const digits = (line.step.split(".")[1] ?? "").length;
  let before = null; // what stood before the finger came down

  const written = (value) => (low + Math.round((value - low) / step) * step).toFixed(digits);

  function show() {
    const empty = kept.value === "";
    line.toggleAttribute("data-empty", empty);
    line.setAttribute(
      "aria-valuetext",
      empty ? line.dataset.untouched : line.dataset.spoken.replace("VALUE", kept.value)
    );
  }

  function mark(value) {
    kept.value = written(Math.min(high, Math.max(low, value)));
    line.value = kept.value;
    show();
    box.dispatchEvent(new Event("marked", { bubbles: true }));
  }

  function placeOf(event) {
    const frame = line.getBoundingClientRect();
    let share = (event.clientX - frame.left - THUMB / 2) / (frame.width - THUMB);
    if (getComputedStyle(line).direction === "rtl") share = 1 - share;
    return low + share * (high - low);
  }

  // A tap in the middle changes nothing in the range and fires no input: the finger going up
  // does, wherever it has gone by then.
  line.addEventListener("pointerdown", () => {
    before = { kept: kept.value, line: line.value };
  });
  addEventListener("pointerup", (event) => {
    if (before === null) return;
    before = null;
    mark(placeOf(event));
  });
  // The finger went on to scroll the page: nothing was meant.
  addEventListener("pointercancel", () => {
    if (before === null) return;
    kept.value = before.kept;
    line.value = before.line;
    before = null;
    show();
  });
  line.addEventListener("input", () => {
    if (before === null) mark(Number(line.value)); // keys, a screen reader's gesture
    else line.removeAttribute("data-empty"); // on its way under the finger
  });
  line.addEventListener("change", () => {
    if (before === null && kept.value !== written(Number(line.value))) mark(Number(line.value));
  });

  const given = Number(kept.value.replace(",", "."));
  const valid = kept.value.trim() !== "" && given >= low && given <= high;
  kept.type = "hidden";
  kept.value = valid ? written(given) : "";
  line.value = valid ? kept.value : String((low + high) / 2);
  box.querySelector("label").htmlFor = line.id;
  line.hidden = false;
  show();
}

for (const box of document.querySelectorAll("[data-line]")) setUp(box);
