// The waiting tablet asks every few seconds whether the front desk has begun a form.
"use strict";

const waits = document.querySelector("[data-state]");
const said = waits.querySelectorAll("[role=status]");
const EVERY = 3000;

async function look() {
  try {
    const answer = await fetch(waits.dataset.state, { cache: "no-store" });
    for (const one of said) one.textContent = "";
    if (!answer.ok || (await answer.json()).form !== null) return location.reload();
  } catch {
    for (const one of said) one.textContent = one.dataset.waiting;
  }
  setTimeout(look, EVERY);
}

setTimeout(look, EVERY);
