"use strict";
// What the server says is only ever put into the page as text, never as markup.

const byId = (id) => document.getElementById(id);
let form = null;
let queue = [];
let at = -1; // Where in the queue we are.
let text = null; // What is shown.
let chosen = []; // Labels or spans, before they are kept.
let busy = false;

const annotator = () => byId("annotator").value.trim();

function remembered(store, name) {
  try { return store.getItem(name) || ""; } catch { return ""; }
}

function remember(store, name, value) {
  try { store.setItem(name, value); } catch { /* A browser that keeps nothing asks again. */ }
}

async function ask(place, body = {}) {
  const headers = { "Content-Type": "application/json" };
  if (byId("key").value) headers.Authorization = `Bearer ${byId("key").value}`;
  let response;
  try {
    response = await fetch(`/api/${place}`, { method: "POST", headers, body: JSON.stringify({ annotator: annotator(), ...body }) });
  } catch {
    say("The server can't be reached; nothing was kept. Is it still running?");
    return null;
  }
  const content = await response.json().catch(() => ({ error: `The server answered ${response.status}.` }));
  if (response.status === 401) byId("key-label").hidden = byId("who").hidden = false;
  if (!response.ok) {
    say([content.error, content.remedy].filter(Boolean).join(" "));
    return null;
  }
  say("");
  return content;
}

function say(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

async function begin() {
  const told = await ask("begin");
  if (!told) {
    byId("who").hidden = false;
    return;
  }
  remember(localStorage, "annotator", annotator());
  remember(sessionStorage, "key", byId("key").value);
  byId("who").hidden = true;
  form = told.form;
  document.title = `${told.pipeline}: labels`;
  byId("name").textContent = told.pipeline;
  // What was labelled here stays in front, to go back to.
  const before = queue.slice(0, at + 1).filter((id) => !told.queue.includes(id));
  queue = [...before, ...told.queue];
  at = before.length - 1;
  progress(told.progress);
  buildChoices();
  await go(1);
  tellMore();
}

function progress(figures) {
  const parts = [`${figures.waiting} waiting`, `${figures.labelled} labelled`, `${figures.mine} by you`];
  if (figures.skipped) parts.push(`${figures.skipped} skipped`);
  byId("progress").textContent = parts.join(" · ");
}

function buildChoices() {
  byId("number").hidden = form.asks !== "number";
  byId("keep").hidden = form.asks !== "labels" && form.asks !== "spans";
  byId("choices").replaceChildren(...form.labels.map((label, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(label);
    if (place < 9) {
      const key = document.createElement("kbd");
      key.textContent = String(place + 1);
      button.append(key);
    }
    if (form.meanings[label]) {
      const meaning = document.createElement("small");
      meaning.textContent = form.meanings[label];
      button.append(meaning);
    }
    button.dataset.label = label;
    button.addEventListener("click", () => choose(label));
    return button;
  }));
}

// To the next text in this direction that is still ours to label, or, unless it is to be fresh, that we labelled.
async function go(step, fresh = false) {
  let place = at + step;
  while (place >= 0 && place < queue.length) {
    const shown = await ask("text", { id: queue[place] });
    if (shown && !shown.done && !(fresh && (shown.skipped || shown.said !== null))) {
      at = place;
      show(shown);
      return;
    }
    if (!shown && byId("problem").textContent.includes("reached")) return;
    place += step;
  }
  if (step < 0) return;
  say("");
  at = queue.length;
  text = null;
  byId("work").hidden = true;
  byId("done").hidden = false;
}

function show(shown) {
  text = shown;
  chosen = Array.isArray(shown.said) ? [...shown.said] : [];
  byId("done").hidden = true;
  byId("work").hidden = false;
  const when = new Date(shown.time).toLocaleString();
  const state = shown.skipped ? "skipped" : shown.said === null ? "" : "labelled by you";
  byId("about").textContent = [shown.source, when, state].filter(Boolean).join(" · ");
  byId("value").value = typeof shown.said === "number" ? String(shown.said) : "";
  draw();
  byId("text").scrollTop = 0;
  (form.asks === "number" ? byId("value") : byId("text")).focus();
}

function draw() {
  if (form.asks === "spans") {
    byId("text").replaceChildren(...markedText(text.text, chosen, (span) => {
      chosen = chosen.filter((one) => one !== span);
      draw();
    }));
  } else {
    byId("text").textContent = text.text;
  }
  for (const button of byId("choices").children) {
    const label = button.dataset.label;
    const pressed = form.asks === "labels" ? chosen.includes(label) : form.asks === "label" && text.said === label;
    button.setAttribute("aria-pressed", String(pressed));
  }
}

function choose(label) {
  if (!text) return;
  if (form.asks === "label") {
    keep(label);
  } else if (form.asks === "labels") {
    chosen = chosen.includes(label) ? chosen.filter((one) => one !== label) : [...chosen, label];
    draw();
  } else if (form.asks === "spans") {
    mark(label);
  }
}

function mark(label) {
  const selected = selectedSpan(byId("text"));
  const span = selected && trimmed(selected, text.text);
  if (!span) {
    say("Select some words of the text first, then choose their label.");
    return;
  }
  say("");
  chosen = chosen.filter((one) => one.end <= span.start || one.start >= span.end);
  chosen.push({ ...span, label });
  getSelection().removeAllRanges();
  draw();
}

const keep = (value) => told("answer", { id: text.id, value });
const skip = () => text && told("skip", { id: text.id });

async function told(place, body) {
  if (busy) return;
  busy = true;
  const answered = await ask(place, body);
  busy = false;
  if (!answered) return;
  progress(answered.progress);
  await go(1, true);
  if (answered.progress.mine % 20 === 0) tellMore();
}

async function undo() {
  if (busy) return;
  busy = true;
  const answered = await ask("undo");
  busy = false;
  if (!answered) return;
  progress(answered.progress);
  if (answered.id === null) {
    say("There is nothing of yours to undo.");
    return;
  }
  const place = queue.indexOf(answered.id);
  if (place < 0) queue.splice(Math.max(at, 0), 0, answered.id);
  at = (place < 0 ? queue.indexOf(answered.id) : place) - 1;
  await go(1);
}

async function tellMore() {
  const told = await ask("more");
  if (told) byId("more").textContent = told.sentence;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("who").hidden === false) return;
  const typing = event.target.tagName === "INPUT";
  const actions = { s: skip, u: undo, ArrowRight: () => go(1), ArrowLeft: () => go(-1) };
  if (text && (form.asks === "labels" || form.asks === "spans") && event.target.tagName !== "BUTTON") {
    actions.Enter = () => keep(chosen);
  }
  const label = form && !typing && /^[1-9]$/.test(event.key) ? form.labels[Number(event.key) - 1] : undefined;
  const action = label === undefined ? actions[event.key] : () => choose(label);
  // In the field of a number, arrows and letters are the field's as long as something is typed.
  if (!action || (typing && byId("value").value)) return;
  event.preventDefault();
  action();
}

byId("who").addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
byId("number").addEventListener("submit", (event) => {
  event.preventDefault();
  if (text && byId("value").value.trim()) keep(byId("value").value);
});
byId("keep").addEventListener("click", () => text && keep(chosen));
byId("skip").addEventListener("click", skip);
byId("undo").addEventListener("click", undo);
byId("undo-last").addEventListener("click", undo);
byId("again").addEventListener("click", begin);
byId("back").addEventListener("click", () => go(-1));
byId("on").addEventListener("click", () => go(1));
document.addEventListener("keydown", pressed);
byId("annotator").value = remembered(localStorage, "annotator");
byId("key").value = remembered(sessionStorage, "key");
if (annotator()) {
  begin();
} else {
  byId("who").hidden = false;
  byId("annotator").focus();
}
