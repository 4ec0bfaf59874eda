"use strict";
// What the server says is only ever put into the page as text, never as markup.

const here = location.pathname.replace(/\/+$/, "");
const byId = (id) => document.getElementById(id);
let model = null;
let asked = 0;

function element(name, content = "", attributes = {}) {
  const made = document.createElement(name);
  made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

async function request(place, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (byId("key").value) headers.Authorization = `Bearer ${byId("key").value}`;
  let response;
  try {
    response = await fetch(place, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  } catch {
    return { status: 0, content: { error: "The server can't be reached.", remedy: "Is it still running?" } };
  }
  const content = await response.json().catch(() => ({ error: `The server answered ${response.status}.`, remedy: "" }));
  if (response.status === 401 || response.status === 403) byId("key-label").hidden = false;
  return { status: response.status, content };
}

function problem(content) {
  return element("p", [content.error, content.remedy].filter(Boolean).join(" "), { class: "problem", role: "alert" });
}

async function begin() {
  const { status, content } = await request(here || "/");
  if (status === 401 || status === 403) {
    byId("name").textContent = "Perennial";
    byId("about").textContent = "This server wants a key.";
    byId("ask").hidden = false;
    return;
  }
  if (status !== 200) {
    byId("name").textContent = "Perennial";
    byId("about").replaceChildren(problem(content));
    return;
  }
  if (content.models) list(content.models);
  else show(content);
}

function list(models) {
  byId("name").textContent = "Models";
  byId("about").textContent = "Choose one to try it.";
  for (const [name, described] of Object.entries(models)) {
    const words = described.version ? `version ${described.version}, ${described.kind}` : described.error;
    const link = element("a", name, { href: `/models/${encodeURIComponent(name)}` });
    byId("models").append(element("p", [link, element("span", words, { class: "quiet" })]));
  }
  byId("models").hidden = false;
}

function show(described) {
  model = described;
  document.title = described.model;
  byId("name").textContent = described.model;
  byId("about").textContent = `Version ${described.version} · ${described.kind}`;
  const roles = described.reads[described.reads.length - 1];
  const names = roles.length > 1 ? { text: "First text", text_pair: "Second text" } : { text: "Text" };
  byId("texts").replaceChildren(...roles.map((role) => {
    const field = element("textarea", "", { id: role, name: role, rows: roles.length > 1 ? 3 : 4, spellcheck: "false" });
    return element("label", [names[role] || role, field], { for: role });
  }));
  byId("ask").hidden = false;
  document.querySelector("textarea").focus();
}

async function ask() {
  if (!model) return begin();
  const texts = [...document.querySelectorAll("textarea")].map((field) => field.value);
  const body = { texts: [texts.length > 1 ? texts : texts[0]] };
  const number = ++asked;
  const button = document.querySelector("button");
  button.disabled = true;
  const { status, content } = await request(`${here}/predict`, body);
  button.disabled = false;
  if (number !== asked) return;
  if (status !== 200) {
    byId("answer").replaceChildren(problem(content));
    return;
  }
  const by = element("p", `Answered by version ${content.version}.`, { class: "quiet" });
  const words = element("div");
  byId("answer").replaceChildren(...answered(content.predictions[0], texts), words, by);
  await explain(body, texts, number, words);
}

async function explain(body, texts, number, place) {
  const { status, content } = await request(`${here}/explain`, body);
  // A server that explains nothing has no such place.
  if (number !== asked || status === 404 || status === 405) return;
  if (status !== 200) {
    place.replaceChildren(element("h2", "Words"), problem(content));
    return;
  }
  place.replaceChildren(...explained(content.explanations[0], texts));
}

function answered(given, texts) {
  const title = element("h2", "Answer");
  if ("label" in given) {
    const sure = element("small", ` ${percent(given.score)} sure`);
    return [title, element("p", [given.label, sure], { class: "verdict" }), scores(given.scores, [given.label])];
  }
  if ("labels" in given) {
    const words = given.labels.join(", ") || "No label holds";
    return [title, element("p", words, { class: "verdict" }), scores(given.scores, given.labels)];
  }
  if ("spans" in given) return [title, ...spans(given.spans, texts[0])];
  if ("value" in given) return [title, element("p", number(given.value), { class: "verdict" })];
  return [title, element("pre", element("code", JSON.stringify(given, null, 2)))];
}

function scores(shares, held) {
  const rows = Object.entries(shares).sort((one, other) => other[1] - one[1]).map(([name, share]) => {
    const bar = element("div");
    bar.style.width = `${100 * share}%`;
    return element("li", [
      element("span", name, { class: held.includes(name) ? "name held" : "name" }),
      element("div", bar, { class: "track", "aria-hidden": "true" }),
      element("span", percent(share), { class: "figure" }),
    ]);
  });
  return element("ul", rows, { class: "scores", "aria-label": "Scores" });
}

function spans(found, text) {
  if (!found.length) return [element("p", "Nothing is found in this text.", { class: "verdict" })];
  const marked = pieces(text, found, (span, words) => element("mark", [words, element("small", span.label)]));
  const head = element("tr", ["Text", "Label", "Sure"].map((name) => (
    element("th", name, { scope: "col", class: name === "Sure" ? "figure" : "" }))));
  const rows = found.map((span) => element("tr", [
    element("td", span.text), element("td", span.label), element("td", percent(span.score), { class: "figure" }),
  ]));
  return [
    element("p", marked, { class: "text" }),
    element("table", [element("thead", head), element("tbody", rows)]),
  ];
}

function explained(explanation, texts) {
  const tokens = (explanation && explanation.tokens) || [];
  const most = Math.max(...tokens.map((token) => Math.abs(token.weight)), 0);
  if (!most) return [];
  const parts = [element("h2", "Words that moved it")];
  // With two texts, whose places are counted apart, only the list below says which words.
  if (texts.length === 1) {
    const marked = pieces(texts[0], tokens, (token, words) => {
      const mark = element("mark", words, { class: "word", title: signed(token.weight) });
      const colour = token.weight > 0 ? "--for" : "--against";
      mark.style.background = `rgba(var(${colour}), ${(0.75 * Math.abs(token.weight) / most).toFixed(3)})`;
      return mark;
    });
    parts.push(element("p", marked, { class: "text" }));
  }
  const strongest = [...tokens].sort((one, other) => Math.abs(other.weight) - Math.abs(one.weight)).slice(0, 6);
  const head = element("tr", ["Word", "Moved the answer", ""].map((name) => element("th", name, { scope: "col" })));
  const rows = strongest.filter((token) => token.weight).map((token) => element("tr", [
    element("td", token.text), element("td", token.weight > 0 ? "towards it" : "away from it"),
    element("td", signed(token.weight), { class: "figure" }),
  ]));
  parts.push(element("table", [element("thead", head), element("tbody", rows)]));
  return parts;
}

// Places are counted in characters; JavaScript would count two for an emoji.
function pieces(text, places, made) {
  const letters = Array.from(text);
  const cut = (start, end) => letters.slice(start, end).join("");
  const parts = [];
  let done = 0;
  for (const place of [...places].sort((one, other) => one.start - other.start)) {
    if (place.start < done) continue;
    parts.push(cut(done, place.start), made(place, cut(place.start, place.end)));
    done = place.end;
  }
  parts.push(cut(done));
  return parts;
}

const percent = (share) => `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 2 : 1)} %`;
const number = (value) => String(Number(value.toPrecision(4)));
const signed = (value) => `${value > 0 ? "+" : "−"}${Math.abs(value).toPrecision(2)}`;

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
byId("ask").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    byId("ask").requestSubmit();
  }
});
begin();
