// Quick entry from paper: two digits of millimetres move on by themselves, totals add up live.
"use strict";

const LINE = 100;
const HABIT_MS = 1000;

function valueOf(field) {
  const text = field.value.trim().replace(",", ".");
  if (text === "") return null;
  const number = Number(text);
  if (Number.isNaN(number)) return null;
  const scale = Number(field.dataset.mark);
  return /^\d+$/.test(text) ? (number * scale) / LINE : number;
}

function showTotal(measure) {
  const out = measure.querySelector("[data-total]");
  if (!out) return;
  const values = [...measure.querySelectorAll("[data-mark]")].map(valueOf);
  // Tenths are added as whole numbers: three times 0.1 is 0.3 and nothing else.
  const whole = values.every((value) => value !== null);
  const tenths = values.reduce((sum, value) => sum + Math.round((value ?? 0) * 10), 0);
  out.textContent = whole ? (tenths / 10).toFixed(1) : "–";
}

let movedOn = { to: null, at: 0 };

function moveOn(field) {
  const fields = [...document.querySelectorAll("[data-mark]")];
  const next = fields[fields.indexOf(field) + 1];
  const to = next ?? document.querySelector("form.entry button[type=submit]");
  to.focus();
  if (next) next.select();
  movedOn = { to, at: performance.now() };
}

// Whoever presses Tab from habit is there already: that one must not skip a line.
document.addEventListener("keydown", (event) => {
  const there = event.target === movedOn.to && performance.now() - movedOn.at < HABIT_MS;
  movedOn = { to: null, at: 0 };
  if (there && event.key === "Tab" && !event.shiftKey) event.preventDefault();
});

for (const measure of document.querySelectorAll("[data-measure]")) {
  measure.addEventListener("input", (event) => {
    showTotal(measure);
    const field = event.target;
    if (!field.matches("[data-mark]") || event.inputType === "deleteContentBackward") return;
    // "10" may become "100", and a point means the scale itself: those wait for Tab.
    const done = /^\d\d$/.test(field.value) && field.value !== "10";
    if (done || field.value === "100" || /^\d[.,]\d$/.test(field.value)) moveOn(field);
  });
  showTotal(measure);
}
