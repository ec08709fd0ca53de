// "How many can you look at a week?": the slider picks the threshold that fits, and what it would have caught.
"use strict";

function show(card) {
  const room = Number(card.querySelector("input[type=range]").value);
  card.querySelector("output").textContent = room;
  const rows = [...card.querySelectorAll("tbody tr")];
  // Rows go from the lowest threshold to the highest: the first that fits catches most.
  const fitting = rows.find((row) => Number(row.dataset.perWeek) <= room);
  for (const row of rows) row.classList.toggle("chosen", row === fitting);
  card.querySelector("p[data-said]").textContent = fitting ? fitting.dataset.said : card.dataset.none;
}

document.querySelectorAll("[data-thresholds]").forEach((card) => {
  const slider = card.querySelector("[data-slider]");
  slider.hidden = false;
  slider.addEventListener("input", () => show(card));
  show(card);
});
