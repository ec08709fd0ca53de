// Sending once, whatever the connection does: the same form goes again under the same key.
"use strict";

const form = document.querySelector(".respondent-form");
const state = form.querySelector("[data-state]");
const AGAIN = 3000;
const THANKS = 12000;
let touched = false;
let sending = false;

form.addEventListener("marked", () => (touched = true));
form.addEventListener("change", () => (touched = true));
addEventListener("beforeunload", (event) => {
  if (touched) event.preventDefault();
});

const pause = () =>
  new Promise((done) => {
    const timer = setTimeout(done, AGAIN);
    addEventListener("online", () => { clearTimeout(timer); done(); }, { once: true });
  });

async function send(body) {
  for (;;) {
    try {
      return await fetch(location.href, { method: "POST", body });
    } catch {
      state.textContent = form.dataset.waiting;
      await pause();
    }
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  const body = new URLSearchParams(new FormData(form));
  if (event.submitter?.name) body.append(event.submitter.name, event.submitter.value);
  const answer = await send(body);
  const text = await answer.text();
  touched = false;
  state.textContent = "";
  // The answer is a whole page of this site: thanks, or this form with what is to be looked at.
  const page = new DOMParser().parseFromString(text, "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(page.querySelector("main"));
  const again = document.querySelector(".respondent-form");
  if (again) {
    again.submit(); // something is to be looked at: the page comes anew, with its scripts
  } else {
    document.querySelector("main h1").tabIndex = -1;
    document.querySelector("main h1").focus();
    // A tablet at reception goes back to waiting by itself.
    const then = document.querySelector("[data-then]");
    if (then) setTimeout(() => location.assign(then.dataset.then), THANKS);
  }
});

const ask = document.querySelector("[data-ask]");
if (ask) ask.focus();
