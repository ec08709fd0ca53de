// Each question can be heard in the browser's own voice; where it has none there is no button.
"use strict";

const heard = document.querySelector("[data-aloud]");

function wordsOf(question) {
  const label = question.querySelector("label, legend").innerText;
  const rest = question.querySelectorAll(".vas-ends span, .pick span");
  return [label, ...[...rest].map((one) => one.innerText)].filter(Boolean).join(". ");
}

function speak(text) {
  const words = new SpeechSynthesisUtterance(text);
  words.lang = document.documentElement.lang;
  speechSynthesis.cancel();
  speechSynthesis.speak(words);
}

if ("speechSynthesis" in window && heard) {
  for (const question of document.querySelectorAll(".vas, .choice")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button aloud";
    button.textContent = heard.dataset.aloud;
    const hidden = document.createElement("span");
    hidden.className = "visually-hidden";
    hidden.textContent = `, ${question.querySelector("label, legend").firstChild.textContent.trim()}`;
    button.append(hidden);
    button.addEventListener("click", () => speak(wordsOf(question)));
    question.append(button);
  }
  addEventListener("pagehide", () => speechSynthesis.cancel());
}
