// Plots that can be explored, in place of the drawing that stands there without script.
// A figure names its description's element in data-plot; colours come from the style sheet.
"use strict";

const QUIET = { displayModeBar: false, responsive: true, displaylogo: false };

function colours() {
  const style = getComputedStyle(document.documentElement);
  const named = (name) => style.getPropertyValue(name).trim();
  return {
    surface: named("--surface"), muted: named("--muted"), font: named("--font"),
    score: named("--chart-score"), band: named("--chart-band"), grid: named("--chart-grid"),
    cutoff: named("--chart-cutoff"), event: named("--chart-event"),
  };
}

function dressed(description, width) {
  const c = colours();
  const { data, layout } = structuredClone(description);
  const looks = {
    value: { line: { color: c.score, width: 2 }, marker: { color: c.score } },
    band: { fillcolor: c.band },
    signal: { marker: { color: c.event } },
  };
  for (const trace of data) {
    const look = looks[trace.meta] ?? {};
    for (const [part, values] of Object.entries(look)) {
      trace[part] = typeof values === "object" ? { ...trace[part], ...values } : values;
    }
  }
  for (const shape of layout.shapes ?? []) shape.line = { ...shape.line, color: c.cutoff };
  const axis = { gridcolor: c.grid, linecolor: c.grid, zerolinecolor: c.grid };
  Object.assign(layout, {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: c.muted, family: c.font, size: 12 },
    hoverlabel: { bgcolor: c.surface, bordercolor: c.muted, font: { color: c.score } },
    xaxis: { ...layout.xaxis, ...axis, nticks: Math.max(3, Math.floor(width / 70)) }, yaxis: { ...layout.yaxis, ...axis },
  });
  return [data, layout];
}

const figures = [...document.querySelectorAll("[data-plot]")].map((figure) => {
  const place = document.createElement("div");
  place.className = "plot";
  figure.querySelector(".chart").after(place);
  const description = JSON.parse(document.getElementById(figure.dataset.plot).textContent);
  return { figure, place, description };
});

function draw() {
  for (const { figure, place, description } of figures) {
    figure.classList.add("explored");
    Plotly.react(place, ...dressed(description, place.clientWidth), QUIET);
  }
}

if (window.Plotly) {
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
