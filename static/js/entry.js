// Quick entry from paper: two digits of millimetres move on by themselves, totals add up live.
"use strict";

const LINE = 100;
const HABIT_MS = 1000;

function valueOf(field) {
  const text = field.value.trim().replace(",", ".");
  if (text === "") return null;
  const number = Number(text);
  if (Number.isNaN(number)) return null;
  const low = Number(field.dataset.low);
  const high = Number(field.dataset.high);
  const millimetres = field.dataset.mark === "vas" && /^\d+$/.test(text);
  // 9 may be 9 mm or 9 of 10: sending it asks, so no total is shown meanwhile.
  if (millimetres && /^([1-9]|10)$/.test(text)) return null;
  const value = millimetres ? low + ((high - low) * number) / LINE : number;
  return value < low || value > high ? null : value;
}

function showTotal(measure) {
  const out = measure.querySelector("[data-total]");
  if (!out) return;
  const values = [...measure.querySelectorAll("[data-mark]")].map(valueOf);
  // Tenths are added as whole numbers: three times 0.1 is 0.3 and nothing else.
  const whole = values.every((value) => value !== null);
  const tenths = values.reduce((sum, value) => sum + Math.round((value ?? 0) * 10), 0);
  out.textContent = whole ? (tenths / 10).toFixed(tenths % 10 ? 1 : 0) : "–";
}

function isWhole(field) {
  const text = field.value;
  if (field.dataset.mark !== "vas") {
    return /^\d+$/.test(text) && text.length >= field.dataset.high.length;
  }
  // "10" may become "100", and a point means the scale itself: those wait for Tab.
  return (/^\d\d$/.test(text) && text !== "10") || text === "100" || /^\d[.,]\d$/.test(text);
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

function watch(measure) {
  measure.addEventListener("input", (event) => {
    showTotal(measure);
    const field = event.target;
    // Only a digit typed at the end moves on: putting right what is there doesn't.
    const typed = event.inputType === "insertText" && field.selectionEnd === field.value.length;
    if (field.matches("[data-mark]") && typed && isWhole(field)) moveOn(field);
  });
  showTotal(measure);
}

// What was typed and isn't sent is asked about before the page goes.
let typed = false;
let leaving = false;
addEventListener("beforeunload", (event) => {
  if (typed && !leaving) event.preventDefault();
});
addEventListener("pageshow", () => (leaving = false));

// Where to go on, or this form with what is to be put right; anything else of ours (a sign-in
// that is over) is for the browser to show.
function answered(answer, text) {
  if (answer.headers.get("Content-Type")?.startsWith("application/json")) return JSON.parse(text);
  const page = new DOMParser().parseFromString(text, "text/html");
  if (!page.querySelector("main h1")) return null;
  return page.querySelector("form.entry") ? { page } : {};
}

async function keep(form, pressed) {
  const found = await send(form, pressed, { Accept: "application/json, text/html" }, answered);
  if (found.page) {
    document.querySelector("main").replaceWith(found.page.querySelector("main"));
    begin();
    lookAtWrong();
    return;
  }
  leaving = true;
  if (found.next) location.assign(found.next);
  else HTMLFormElement.prototype.submit.call(form);
}

function begin() {
  const form = document.querySelector("form.entry");
  for (const measure of form.querySelectorAll("[data-measure]")) watch(measure);
  typed = form.querySelector(".errorlist") !== null;
  form.addEventListener("input", () => (typed = true));
  // A second press while the first is on its way is the same sending: the key says so.
  let sending = false;
  let button = null;
  form.addEventListener("submit", (event) => {
    button = event.submitter;
    if (!form.querySelector("[data-state]")) {
      if (leaving) event.preventDefault();
      leaving = true;
      return;
    }
    event.preventDefault();
    if (!sending) keep(form, () => button);
    sending = true;
  });
  // What stood in the way is asked when somebody didn't come.
  const status = form.querySelector("[name=status]");
  status?.addEventListener("change", () => {
    if (status.value !== "attended") form.querySelector("details").open = true;
  });
}

begin();
