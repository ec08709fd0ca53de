// Sending a form once, whatever the connection does: it goes again under the same key until an
// answer of this site has come. Meanwhile everything stays on the page, and what goes is what
// stands there then; a proxy's or a broken server's page is no answer.
"use strict";

const AGAIN = 3000; // milliseconds until it goes again, doubled each time
const LONGEST = 30000; // what isn't answered by then is asked for again
const SOON = 700; // what takes no longer needn't be said

// Until it is time, the network is back, or the button is pressed once more.
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

// `pressed` tells the button that was pressed last; `read` makes something of an answer of ours,
// and nothing of another's. The form says in its [data-state] how far it is.
async function send(form, pressed, headers, read) {
  const state = form.querySelector("[data-state]");
  const soon = setTimeout(() => (state.textContent = form.dataset.sending), SOON);
  for (let wait = AGAIN; ; wait = Math.min(2 * wait, LONGEST)) {
    try {
      const [answer, text] = await post(form, pressed(), headers);
      // A server that broke or asks to wait is asked again.
      const found = answer.status < 500 && answer.status !== 429 ? read(answer, text) : null;
      if (found) return found;
    } catch {
      // no connection, it broke off on the way, or nobody answered
    } finally {
      clearTimeout(soon);
    }
    state.textContent = form.dataset.waiting;
    await pause(form, wait);
  }
}
