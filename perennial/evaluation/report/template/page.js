"use strict";

const SETTINGS = { displaylogo: false, displayModeBar: false, responsive: true };
const PAPER = 660; // pixels between the margins of a printed page

for (const source of document.querySelectorAll("script[data-chart]")) {
  const figure = JSON.parse(source.textContent);
  Plotly.newPlot(source.dataset.chart, figure.data, figure.layout, SETTINGS);
}

// On paper everything folded is open, and charts are as wide as the page.
const folded = new Set();
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) {
    folded.add(part);
    part.open = true;
  }
  for (const chart of document.querySelectorAll(".chart")) Plotly.relayout(chart, { width: PAPER, autosize: false });
});
addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
  folded.clear();
  for (const chart of document.querySelectorAll(".chart")) Plotly.relayout(chart, { width: null, autosize: true });
});
