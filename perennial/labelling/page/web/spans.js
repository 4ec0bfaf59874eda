"use strict";
// Spans of a text, counted in characters as Python has them; a browser counts two for an emoji.

// The span that a person has selected within `place`, whose text content up to each mark's small label is the text.
function selectedSpan(place) {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!place.contains(range.startContainer) || !place.contains(range.endContainer)) return null;
  const start = charactersBefore(place, range.startContainer, range.startOffset);
  const end = charactersBefore(place, range.endContainer, range.endOffset);
  return end > start ? { start, end } : null;
}

function charactersBefore(place, node, offset) {
  const range = document.createRange();
  range.selectNodeContents(place);
  range.setEnd(node, offset);
  const part = range.cloneContents();
  for (const label of part.querySelectorAll("small")) label.remove();
  return Array.from(part.textContent).length;
}

// Blanks at the edges cut off.
function trimmed(span, text) {
  const letters = Array.from(text);
  let { start, end } = span;
  while (start < end && !letters[start].trim()) start += 1;
  while (end > start && !letters[end - 1].trim()) end -= 1;
  return end > start ? { start, end } : null;
}

// The text with its spans marked, as nodes; only ever text, never markup.
function markedText(text, spans, remove) {
  const letters = Array.from(text);
  const nodes = [];
  let done = 0;
  for (const span of [...spans].sort((one, other) => one.start - other.start)) {
    nodes.push(letters.slice(done, span.start).join(""));
    const mark = document.createElement("mark");
    const label = document.createElement("small");
    label.textContent = span.label;
    mark.append(letters.slice(span.start, span.end).join(""), label);
    mark.title = "Take this span out";
    mark.addEventListener("click", () => remove(span));
    nodes.push(mark);
    done = span.end;
  }
  nodes.push(letters.slice(done).join(""));
  return nodes;
}
