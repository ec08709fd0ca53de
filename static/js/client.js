/* Made by `manage.py join_files` from sending.js, form.js. */
"use strict";
const AGAIN = 3000; // milliseconds until it goes again, doubled each time
const LONGEST = 30000; // what isn't answered by then is asked for again
const SOON = 700; // what takes no longer needn't be said
const pause = (form, wait) =>
new Promise((done) => {
const over = () => {
clearTimeout(timer);
removeEventListener("online", over);
form.removeEventListener("submit", over);
done();
};
const timer = setTimeout(over, wait);
addEventListener("online", over);
form.addEventListener("submit", over);
});
async function post(form, button, headers) {
const stop = new AbortController();
const timer = setTimeout(() => stop.abort(), LONGEST);
const body = new URLSearchParams(new FormData(form));
if (button?.name) body.append(button.name, button.value);
try {
const answer = await fetch(location.href, { method: "POST", body, headers, signal: stop.signal });
return [answer, await answer.text()];
} finally {
clearTimeout(timer);
}
}
async function send(form, pressed, headers, read) {
const state = form.querySelector("[data-state]");
const soon = setTimeout(() => (state.textContent = form.dataset.sending), SOON);
for (let wait = AGAIN; ; wait = Math.min(2 * wait, LONGEST)) {
try {
const [answer, text] = await post(form, pressed(), headers);
const found = answer.status < 500 && answer.status !== 429 ? read(answer, text) : null;
if (found) return found;
} catch {
} finally {
clearTimeout(soon);
}
state.textContent = form.dataset.waiting;
await pause(form, wait);
}
}
"use strict";
const THUMB = 8; // its width in respondent.css
function setUp(box) {
const line = box.querySelector("input[type=range]");
const kept = box.querySelector("input[type=text]");
const number = box.querySelector("[data-number]"); // only where the measure says so
const low = Number(line.min);
const high = Number(line.max);
const step = Number(line.step);
const digits = (line.step.split(".")[1] ?? "").length;
let before = null; // what stood before this finger came down: another may rest elsewhere
const written = (value) => (low + Math.round((value - low) / step) * step).toFixed(digits);
function show() {
const empty = kept.value === "";
line.toggleAttribute("data-empty", empty);
if (number) number.textContent = kept.value;
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
line.addEventListener("pointerdown", (event) => {
if (event.button !== 0) return; // a menu was meant, no mark
before = { finger: event.pointerId, kept: kept.value, line: line.value };
});
addEventListener("pointerup", (event) => {
if (before?.finger !== event.pointerId) return;
before = null;
mark(placeOf(event));
});
addEventListener("pointercancel", (event) => {
if (before?.finger !== event.pointerId) return;
kept.value = before.kept;
line.value = before.line;
before = null;
show();
});
line.addEventListener("input", () => {
if (before === null) mark(Number(line.value)); // keys, a screen reader's gesture
else {
line.removeAttribute("data-empty"); // on its way under the finger
if (number) number.textContent = written(Number(line.value));
}
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
function wordsOf(question) {
const label = question.querySelector("label, legend").innerText;
const rest = question.querySelectorAll(".vas-ends span, .pick span");
return [label, ...[...rest].map((one) => one.innerText)].filter(Boolean).join(". ");
}
function speak(question) {
const words = new SpeechSynthesisUtterance(wordsOf(question));
words.lang = question.querySelector("label, legend").closest("[lang]").lang;
speechSynthesis.cancel();
speechSynthesis.speak(words);
}
function giveVoice(question, name) {
const button = document.createElement("button");
button.type = "button";
button.className = "button aloud";
button.textContent = name;
const hidden = document.createElement("span");
hidden.className = "visually-hidden";
hidden.textContent = `, ${question.querySelector("label, legend").firstChild.textContent.trim()}`;
button.append(hidden);
button.addEventListener("click", () => speak(question));
question.append(button);
}
const hasVoice = "speechSynthesis" in window;
if (hasVoice) addEventListener("pagehide", () => speechSynthesis.cancel());
const THANKS = 12000;
let touched = false;
let sending = false;
addEventListener("beforeunload", (event) => {
if (touched) event.preventDefault();
});
function pageOf(_answer, text) {
const page = new DOMParser().parseFromString(text, "text/html");
return page.querySelector("main h1") ? page : null;
}
function show(page) {
document.title = page.title;
document.querySelector("main").replaceWith(page.querySelector("main"));
if (begin()) {
touched = true; // nothing of it is kept yet
document.querySelector("[data-ask], .wrong input:not([type=hidden])")?.focus();
return;
}
touched = false;
const heading = document.querySelector("main h1");
heading.tabIndex = -1;
heading.focus();
const then = document.querySelector("[data-then]");
if (then) setTimeout(() => location.assign(then.dataset.then), THANKS);
}
function begin() {
const form = document.querySelector(".respondent-form");
if (!form) return false;
for (const box of form.querySelectorAll("[data-line]")) setUp(box);
if (hasVoice) {
for (const question of form.querySelectorAll(".vas, .choice")) {
giveVoice(question, form.dataset.aloud);
}
}
form.addEventListener("marked", () => (touched = true));
form.addEventListener("change", () => (touched = true));
let pressed = null;
form.addEventListener("submit", async (event) => {
event.preventDefault();
pressed = event.submitter;
if (sending) return; // it is on its way, and goes again at once if it waits
sending = true;
const headers = { "Accept-Language": document.documentElement.lang };
const page = await send(form, () => pressed, headers, pageOf);
sending = false;
show(page);
});
return true;
}
begin();
document.querySelector("[data-ask]")?.focus();
