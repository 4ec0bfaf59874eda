"use strict";
// What stands in the figures (texts, names, reasons) is put into the page only as text, and escaped for Plotly.

const BLUE = "#3b82c4", ORANGE = "#c97316", QUIET = "#7d8794", RED = "#d1495b", GREEN = "#1b9e77"; // as the report's
const SETTINGS = { displaylogo: false, displayModeBar: false, responsive: true };
const MOST_LISTED = 40, UNFOLDED = 10; // texts of a bucket; texts of a list before it is folded
const byId = (id) => document.getElementById(id);
let figures = JSON.parse(byId("figures").textContent);
let range = 0, series = 0, bucket = null;

function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  return made;
}

const escaped = (text) => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const moment = (time) => time.slice(0, 16).replace("T", " ");
const at = (time) => Date.parse(time); // a moment
const wall = (time) => Date.parse(`${time.slice(0, 19)}Z`); // what the pipeline's clock shows then, for Plotly
const count = (number) => number.toLocaleString("en");
const several = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;
const signed = (index) => (index === null ? "—" : (index > 0 ? "+" : "") + index.toFixed(2).replace("-", "−"));
const share = (part) => (part === null || part === undefined ? "—" : `${(100 * part).toFixed(1)}%`);
const between = (interval, words) => (interval ? `${words(interval.low)} to ${words(interval.high)}` : "—");
const shownRange = () => figures.ranges[range];
const counts = () => shownRange().series[series];
const tone = (text) => (text.label === figures.watched ? "bad" : "quiet");

function remarks(about) {
  const here = figures.remarks.filter((one) => one.about === about);
  byId(`${about}-remarks`).replaceChildren(...here.map((one) => element("p", one.text, { class: "quiet" })));
}

function table(head, rows, words, caption) {
  const cell = (name, content, place) => element(name, content, {
    scope: place ? null : "row", "data-name": head[place], class: place && !words.includes(place) ? "figure" : null,
  });
  const titles = head.map((name, place) => element("th", name, {
    scope: "col", class: place && !words.includes(place) ? "figure" : null,
  }));
  const body = rows.map(({ cells, chosen }) => element("tr", cells.map((content, place) => (
    cell(place ? "td" : "th", content, place))), { class: chosen ? "chosen" : null }));
  const made = element("table", [
    element("caption", caption), element("thead", element("tr", titles)), element("tbody", body),
  ], { class: "stacked" });
  return element("div", made, { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
}

function headline(text) {
  const words = text.text === null ? `${text.id} (its words are not stored)` : text.text;
  const about = [moment(text.time)];
  if (text.source) about.push(text.source);
  if (text.model) about.push(`version ${text.model}`);
  if (text.told > 1) about.push(`told by ${several(text.told, "text")} of ${several(text.sources, "source")}`);
  else if (text.telling !== "first") about.push(text.telling);
  const sure = text.score === null ? "" : ` ${share(text.score)} sure`;
  return element("li", [
    element("p", element("bdi", words, { dir: "auto" })),
    element("small", [element("span", text.label, { class: `label ${tone(text)}` }), element("span", `${sure} · ${about.join(" · ")}`)]),
  ]);
}

function headlines(texts) {
  const list = (some) => element("ol", some.map(headline), { class: "headlines" });
  if (texts.length <= UNFOLDED) return [list(texts)];
  const rest = texts.slice(UNFOLDED);
  return [list(texts.slice(0, UNFOLDED)), element("details", [element("summary", `${count(rest.length)} more`), list(rest)])];
}

function drawControls() {
  const groups = new Map([["", []]]);
  figures.series.forEach((one, place) => {
    const column = one.key.length === 1 ? one.key[0][0] : "";
    if (!groups.has(column)) groups.set(column, []);
    groups.get(column).push(element("option", one.name, { value: String(place) }));
  });
  byId("series").replaceChildren(...[...groups].flatMap(([name, options]) => (
    name ? [element("optgroup", options, { label: name })] : options)));
  byId("series").value = String(series);
  byId("ranges").replaceChildren(...figures.ranges.map((one, place) => {
    const words = place ? `last ${one.name}` : one.name;
    const button = element("button", words, { type: "button", "aria-pressed": String(place === range) });
    button.addEventListener("click", () => choose({ range: place }));
    return button;
  }));
}

// An alarm belongs to the series in which it was noticed, and is drawn upon all texts, too.
const ownAlarms = () => figures.alarms.filter((one) => series === 0 || one.series === series);

function band(x, low, high, texts) {
  const outline = { x: [], y: [] };
  const close = (from, to) => {
    const places = Array.from({ length: to - from }, (_, step) => from + step);
    const half = from + 1 === to ? shownRange().minutes * 15000 : 0; // one bucket by itself is a small box
    const points = [...places.map((p) => [x[p] - half, high[p]]), ...(half ? [[x[from] + half, high[from]], [x[from] + half, low[from]]] : []),
      ...places.reverse().map((p) => [x[p] - half, low[p]])];
    for (const [across, up] of [...points, points[0], [null, null]]) {
      outline.x.push(across);
      outline.y.push(up);
    }
  };
  let from = null;
  for (let place = 0; place <= x.length; place++) {
    if (place < x.length && texts[place] > 0) from = from === null ? place : from;
    else if (from !== null) { close(from, place); from = null; }
  }
  return { type: "scatter", mode: "lines", fill: "toself", hoverinfo: "skip", showlegend: false, line: { width: 0 }, fillcolor: "rgba(59,130,196,0.22)", ...outline };
}

function marks() {
  const [first, last] = [wall(shownRange().starts[0]), wall(shownRange().end)];
  const inside = figures.versions.filter((one) => wall(one.since) >= first && wall(one.since) <= last);
  const lines = inside.map((one) => ({
    type: "line", xref: "x", yref: "paper", x0: wall(one.since), x1: wall(one.since), y0: 0, y1: 1,
    line: { color: one.what === "answers" ? ORANGE : GREEN, width: 1.5, dash: one.what === "answers" ? "dash" : "dot" },
  }));
  const answering = inside.filter((one) => one.what === "answers");
  const names = answering.slice(-12).map((one) => ({
    x: wall(one.since), y: 0.34, xref: "x", yref: "paper", yanchor: "bottom", textangle: -90, showarrow: false,
    xanchor: wall(one.since) > first + 0.9 * (last - first) ? "right" : "left", font: { size: 11, color: ORANGE },
    text: escaped(`version ${cut(one.version, 20)}`),
  }));
  const spans = ownAlarms().filter((one) => wall(one.alarm.surge.until) >= first).map((one) => ({
    type: "rect", xref: "x", yref: "paper", x0: Math.max(first, wall(one.alarm.surge.opened)), x1: wall(one.alarm.surge.until),
    y0: 0, y1: 1, line: { width: 0 }, fillcolor: one.alarm.verdict === "false" ? "rgba(125,135,148,0.2)" : "rgba(209,73,91,0.18)",
  }));
  if (bucket !== null) {
    const ends = wall(shownRange().starts[bucket + 1] || shownRange().end);
    spans.push({ type: "rect", xref: "x", yref: "paper", x0: wall(shownRange().starts[bucket]), x1: ends, y0: 0, y1: 1, line: { color: QUIET, width: 1 }, fillcolor: "rgba(125,135,148,0.25)" });
  }
  return { shapes: [...spans, ...lines], annotations: names };
}

function alarmPoints() {
  const first = wall(shownRange().starts[0]);
  const here = ownAlarms().filter((one) => wall(one.alarm.surge.until) >= first);
  return {
    type: "scatter", mode: "markers", name: "alarms", x: here.map((one) => Math.max(first, wall(one.alarm.surge.opened))),
    y: here.map(() => 1.08), customdata: here.map((one) => figures.alarms.indexOf(one)), cliponaxis: false,
    marker: { color: RED, size: 12, symbol: here.map((one) => (one.alarm.verdict === "false" ? "x" : one.alarm.surge.state === "open" ? "triangle-down" : "triangle-down-open")) },
    text: here.map((one) => escaped(`alarm: ${cut(one.name, 40)}`)), hovertemplate: "%{text}<extra></extra>",
  };
}

function drawCourse() {
  const here = counts(), x = shownRange().starts.map(wall);
  const width = shownRange().minutes * 60000;
  const middle = x.map((start) => start + width / 2);
  const about = x.map((_, place) => escaped(`${moment(shownRange().starts[place])}: ${signed(here.index[place])} (${signed(here.low[place])} to ${signed(here.high[place])})`));
  const others = here.texts.map((all, place) => all - here.watched[place]);
  const bars = (name, y, colour) => ({
    type: "bar", name: escaped(cut(name, 24)), x: middle, y, width, yaxis: "y2", marker: { color: colour, line: { width: 0 } },
    hovertemplate: "%{y:,} %{fullData.name}<extra></extra>",
  });
  const line = {
    type: "scatter", mode: "lines+markers", name: "index", x: middle, y: here.index, line: { color: BLUE, width: 2 },
    marker: { color: BLUE, size: x.length > 150 ? 3 : 5 }, text: about, hovertemplate: "%{text}<extra></extra>",
  };
  const axis = { fixedrange: true, zeroline: false, automargin: true };
  const layout = {
    margin: { l: 8, r: 12, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, hovermode: "x",
    font: { family: "system-ui, -apple-system, 'Segoe UI', sans-serif", size: 12 }, barmode: "stack", bargap: 0,
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", xanchor: "left", traceorder: "normal" },
    xaxis: { ...axis, type: "date", anchor: "y2", range: [x[0], wall(shownRange().end)], showgrid: false },
    yaxis: { ...axis, domain: [0.34, 1], range: [-1.05, 1.15], zeroline: true, tickvals: [-1, -0.5, 0, 0.5, 1], ticktext: ["−1", "−0.5", "0", "+0.5", "+1"] },
    yaxis2: { ...axis, domain: [0, 0.26], rangemode: "tozero", nticks: 4 }, ...marks(),
  };
  Plotly.react("chart", [band(middle, here.low, here.high, here.texts), line, bars(figures.watched, here.watched, RED), bars("other texts", others, QUIET), alarmPoints()], layout, SETTINGS);
  byId("chart").setAttribute("aria-label", `Sentiment and volume of ${figures.series[series].name}, ${several(x.length, "bucket")} of ${width / 60000} minutes`);
}

function drawBucket() {
  const place = byId("bucket");
  for (const name of ["earlier", "later"]) byId(name).disabled = bucket === null;
  if (bucket === null) {
    place.replaceChildren(element("p", "No bucket is chosen.", { class: "quiet" }));
    return;
  }
  const here = counts(), start = shownRange().starts[bucket], end = shownRange().starts[bucket + 1] || shownRange().end;
  const inside = figures.texts.filter((text) => at(text.time) >= at(start) && at(text.time) < at(end) && (series === 0 || text.series.includes(series)));
  // The label that is watched first, then first tellings, then the surest.
  const rank = (text) => (text.label === figures.watched ? 4 : 0) + (text.telling === "first" ? 2 : 0) + (text.score || 0);
  const listed = inside.sort((one, other) => rank(other) - rank(one)).slice(0, MOST_LISTED);
  const all = here.texts[bucket];
  const words = `${several(all, "text")}, ${several(here.stories[bucket], "story", "stories")}; ${count(here.watched[bucket])} ${figures.watched}; index ${signed(here.index[bucket])} (${signed(here.low[bucket])} to ${signed(here.high[bucket])}).`;
  const rest = all > listed.length ? ` ${count(listed.length)} of them are on this page.` : "";
  place.replaceChildren(
    element("h3", `${figures.series[series].name}, ${moment(start)} to ${moment(end)}`),
    element("p", words + rest, { class: "quiet" }),
    ...headlines(listed),
  );
}

function drawAlarms() {
  remarks("alarms");
  const mentions = (name, some) => (some.length ? element("p", `${name}: ${some.map((one) => `${one.name} (${count(one.texts)})`).join(", ")}`, { class: "quiet" }) : "");
  byId("alarm-list").replaceChildren(...figures.alarms.map((one) => {
    const surge = one.alarm.surge;
    const factor = surge.usual_share > 0 && surge.texts ? `, ${(surge.counted / surge.texts / surge.usual_share).toFixed(1)} times the usual share` : "";
    const title = element("button", `${one.name}: ${moment(surge.opened)}`, { type: "button", class: "link" });
    title.addEventListener("click", () => showAlarm(one));
    const texts = surge.headlines.map((text) => element("li", element("p", element("bdi", text.text === null ? text.id : text.text, { dir: "auto" }))));
    return element("li", [
      element("h3", title),
      element("p", `${one.alarm.severity}. Until ${moment(surge.until)}: ${count(surge.counted)} of ${several(surge.texts, "text")} ${surge.label}${factor}. ${one.became}`),
      mentions(`${several(surge.source_count, "source")}`, surge.sources), mentions("Topics", surge.topics), mentions("Entities", surge.entities),
      element("ol", texts, { class: "headlines" }),
    ], { class: one.alarm.severity });
  }));
}

function showAlarm(one) {
  const opened = at(one.alarm.surge.opened);
  // In the narrowest buckets that go so far back.
  const ranges = figures.ranges.map((_, place) => place).filter((place) => at(figures.ranges[place].starts[0]) <= opened);
  if (!ranges.length) return;
  range = ranges[ranges.length - 1];
  series = one.series === null ? 0 : one.series;
  const starts = shownRange().starts.map(at);
  bucket = starts.filter((start) => start <= opened).length - 1;
  drawStream();
  byId("course").scrollIntoView();
  byId("chart").focus({ preventScroll: true });
}

function drawParts() {
  remarks("series");
  const columns = [...new Set(figures.series.filter((one) => one.key.length === 1).map((one) => one.key[0][0]))];
  byId("parts-tables").replaceChildren(...(figures.ranges.length ? columns : []).map((column) => {
    const rows = figures.series.map((one, place) => ({ one, place })).filter(({ one }) => one.key.length === 1 && one.key[0][0] === column).map(({ one, place }) => {
      const total = shownRange().series[place].total;
      const name = element("button", one.name, { type: "button", class: "link" });
      name.addEventListener("click", () => { choose({ series: place }); byId("course").scrollIntoView(); });
      return { chosen: place === series, cells: [name, count(total.texts), count(total.stories), share(total.texts ? total.watched / total.texts : null), signed(total.index), total.texts ? `${signed(total.low)} to ${signed(total.high)}` : "—"] };
    });
    return table([column, "texts", "stories", figures.watched, "index", "interval"], rows, [], `By ${column}, ${range ? "last " : ""}${shownRange().name}`);
  }));
}

function drawNewest() {
  remarks("texts");
  byId("newest-list").replaceChildren(...headlines(figures.newest));
}

function drawHealth() {
  remarks("health");
  const looks = figures.health;
  byId("health-figure").hidden = !looks.length;
  if (!looks.length) { byId("health-table").replaceChildren(); return; }
  const x = looks.map((one) => wall(one.last));
  const spread = (values, intervals) => ({
    type: "data", symmetric: false, thickness: 1.4, width: 3,
    array: values.map((value, place) => (value === null || !intervals[place] ? 0 : Math.max(0, intervals[place].high - value))),
    arrayminus: values.map((value, place) => (value === null || !intervals[place] ? 0 : Math.max(0, value - intervals[place].low))),
  });
  const points = (name, values, intervals, colour, symbol, shift) => ({
    type: "scatter", mode: "lines+markers", name, x: x.map((one) => one + shift), y: values, line: { color: colour, width: 1.5 }, marker: { color: colour, size: 8, symbol },
    hovertext: values.map(share), hovertemplate: `${name} %{hovertext}<extra></extra>`, ...(intervals ? { error_y: { ...spread(values, intervals), color: colour } } : {}),
  });
  const shift = (x[x.length - 1] - x[0]) / 200;
  const data = [
    points("estimated accuracy", looks.map((one) => one.estimated_accuracy), looks.map((one) => one.estimated_interval), BLUE, "circle", 0),
    points("accuracy of labels that came", looks.map((one) => one.accuracy), looks.map((one) => one.accuracy_interval), ORANGE, "diamond-open", shift),
    points("unsure share", looks.map((one) => one.unsure_share), null, QUIET, "square", 0),
  ];
  const axis = { fixedrange: true, zeroline: false, automargin: true };
  const calls = looks.filter((one) => one.calls_for_retraining !== null).map((one) => ({ type: "line", xref: "x", yref: "paper", x0: wall(one.last), x1: wall(one.last), y0: 0, y1: 1, line: { color: RED, width: 1.5, dash: "dash" } }));
  Plotly.react("health-chart", data, {
    margin: { l: 8, r: 12, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, hovermode: "x", shapes: calls,
    font: { family: "system-ui, -apple-system, 'Segoe UI', sans-serif", size: 12 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", xanchor: "left" },
    xaxis: { ...axis, type: "date", showgrid: false }, yaxis: { ...axis, range: [0, 1.03], tickformat: ".0%" },
  }, SETTINGS);
  const rows = [...looks].reverse().map((one) => ({
    cells: [
      `${moment(one.last)}, version ${one.model}`, count(one.texts), share(one.unsure_share),
      one.estimated_accuracy === null ? `can't be told: ${one.not_estimated || "no estimate was made"}` : `${share(one.estimated_accuracy)} (${between(one.estimated_interval, share)})`,
      one.labelled ? `${share(one.accuracy)} of ${count(one.labelled)} (${between(one.accuracy_interval, share)})` : "no labels came",
      [...one.violations, ...(one.calls_for_retraining === null ? [] : [`Calls for retraining: ${one.calls_for_retraining}`])].map((words) => element("div", words, { class: "bad" })),
    ],
  }));
  rows.filter((row) => !row.cells[5].length).forEach((row) => { row.cells[5] = "none"; });
  byId("health-table").replaceChildren(table(["window up to", "texts", "unsure", "estimated accuracy", "accuracy of labels", "violations"], rows, [3, 4, 5], "Each window of texts, the newest first; red lines in the chart are calls for retraining"));
}

function drawVersions() {
  remarks("versions");
  const words = { answers: "answers the stream from here (orange, dashed)", champion: "became champion (green, dotted)" };
  const rows = [...figures.versions].reverse().map((one) => ({ cells: [moment(one.since), `version ${one.version}`, words[one.what], one.by || "—"] }));
  byId("versions-table").replaceChildren(rows.length ? table(["when", "version", "what", "by"], rows, [1, 2, 3], "The newest first") : element("p", "No version has answered yet.", { class: "quiet" }));
}

function drawStream() {
  const drawn = figures.ranges.length > 0;
  for (const part of document.querySelectorAll("#course figure, #course .controls")) part.hidden = !drawn;
  if (!drawn) { byId("bucket").replaceChildren(); return; }
  drawControls();
  drawCourse();
  drawBucket();
  drawParts();
}

function drawAll() {
  byId("made").textContent = `as of ${moment(figures.made)}`;
  byId("zone").textContent = figures.zone;
  byId("watched").textContent = figures.watched;
  remarks("stream");
  byId("tiles").replaceChildren(...figures.tiles.map((tile) => element("div", [element("span", tile.name), element("strong", tile.value), element("small", tile.note)], { class: "tile" })));
  drawParts();
  drawStream();
  drawAlarms();
  drawNewest();
  drawHealth();
  drawVersions();
}

function choose(chosen) {
  const start = bucket === null ? null : at(shownRange().starts[bucket]);
  if ("range" in chosen) range = chosen.range;
  if ("series" in chosen) series = chosen.series;
  if ("range" in chosen && start !== null) bucket = bucketAt(start);
  if ("bucket" in chosen) bucket = Math.max(0, Math.min(chosen.bucket, shownRange().starts.length - 1));
  drawStream();
}

function bucketAt(time) {
  const place = shownRange().starts.filter((start) => at(start) <= time).length - 1;
  return place < 0 ? null : place;
}

function mostNegative() {
  const here = counts();
  // By the upper end of the interval: a bucket of one text is no spike.
  const ends = here.high.map((high, place) => (here.texts[place] ? high : Infinity));
  return ends.indexOf(Math.min(...ends));
}

function listen() {
  byId("series").addEventListener("change", (event) => choose({ series: Number(event.target.value) }));
  byId("earlier").addEventListener("click", () => choose({ bucket: bucket - 1 }));
  byId("later").addEventListener("click", () => choose({ bucket: bucket + 1 }));
  byId("lowest").addEventListener("click", () => choose({ bucket: mostNegative() }));
  byId("chart").addEventListener("keydown", (event) => {
    const last = shownRange().starts.length - 1;
    const moves = { ArrowLeft: bucket === null ? last : bucket - 1, ArrowRight: bucket === null ? 0 : bucket + 1, Home: 0, End: last };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose({ bucket: moves[event.key] });
  });
  if (figures.ranges.length) hear();
}

function hear() {
  const chart = byId("chart");
  if (chart.dataset.heard) return;
  chart.dataset.heard = "yes";
  chart.on("plotly_click", ({ points }) => {
    const alarm = points.find((point) => point.curveNumber === 4);
    if (alarm && points.length === 1) { showAlarm(figures.alarms[alarm.customdata]); return; }
    const point = points.find((one) => [1, 2, 3].includes(one.curveNumber));
    if (point) choose({ bucket: point.pointNumber });
  });
}

// Served, the page asks for newer figures, and keeps what a person chose.
async function refresh() {
  try {
    const answer = await fetch("figures.json", { headers: { Accept: "application/json" }, cache: "no-cache" });
    const content = await answer.json();
    if (!answer.ok) throw new Error([content.error, content.remedy].filter(Boolean).join(" "));
    byId("trouble").hidden = true;
    if (JSON.stringify({ ...content, made: "" }) !== JSON.stringify({ ...figures, made: "" })) take(content);
    byId("made").textContent = `as of ${moment(content.made)}`;
  } catch (problem) {
    byId("trouble").textContent = `No newer figures: ${problem.message || "the server does not answer."}`;
    byId("trouble").hidden = false;
  }
}

function take(content) {
  const [key, start] = [JSON.stringify(figures.series[series].key), bucket === null ? null : at(shownRange().starts[bucket])];
  const name = figures.ranges.length ? shownRange().name : null;
  figures = content;
  series = Math.max(0, figures.series.findIndex((one) => JSON.stringify(one.key) === key));
  range = Math.max(0, figures.ranges.findIndex((one) => one.name === name));
  bucket = start === null || !figures.ranges.length ? null : bucketAt(start);
  drawAll();
  if (figures.ranges.length) hear();
}

drawAll();
listen();
if (document.body.dataset.refresh) setInterval(() => { if (!document.hidden) refresh(); }, 1000 * Number(document.body.dataset.refresh));
