// The waiting tablet asks every few seconds whether the front desk has begun a form.
"use strict";

const waits = document.querySelector("[data-state]");
const said = waits.querySelector("[role=status]");
const EVERY = 3000;

async function look() {
  try {
    const answer = await fetch(waits.dataset.state, { cache: "no-store" });
    said.textContent = "";
    if (!answer.ok || (await answer.json()).form !== null) return location.reload();
  } catch {
    said.textContent = said.dataset.waiting;
  }
  setTimeout(look, EVERY);
}

setTimeout(look, EVERY);
