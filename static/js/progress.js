// A page that waits for long work: the bar moves, and when the work is over the page shows what came.
"use strict";

const EVERY_MS = 1000;

async function look(card) {
  try {
    const answer = await fetch(card.dataset.state, { headers: { Accept: "application/json" } });
    const state = await answer.json();
    if (!state.running) {
      location.reload();
      return;
    }
    const bar = card.querySelector("progress");
    const read = state.done >= state.total;
    // Once all is read, nobody can say how long comparing and writing takes.
    if (read) bar.removeAttribute("value");
    else bar.value = state.done;
    card.querySelector("[data-done]").textContent = state.done;
    card.querySelector("[data-then]").hidden = !read;
  } catch {
    // Away for a moment: the next look may succeed.
  }
  setTimeout(look, EVERY_MS, card);
}

// The cover of a sign-in that rests has a state of its own on every page: it is no work.
document.querySelectorAll("[data-state]:has([data-done])").forEach((card) => setTimeout(look, EVERY_MS, card));
