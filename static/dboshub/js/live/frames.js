// Puts a frame where its topic is shown. Rows keep their place; sections are morphed.
import { morph } from "./morph.js";
import { takeNews } from "./news.js";
import { fetchAgain } from "./refresh.js";
import { append } from "./stream.js";

export function applyFrame(frame) {
  for (const element of showing(frame.topic)) {
    element.dataset.digest = frame.digest;
    delete element.dataset.live;
    if (frame.failed) element.dataset.live = "failed";
    else if (element.dataset.kind === "row") showRow(element, frame);
    else if (frame.stale) refresh(element);
    else if (frame.cells) showCells(element, frame.cells);
    else if (element.dataset.kind === "list") takeNews(element, frame);
    else if (frame.values) append(element, frame);
    else if (frame.gone) element.classList.add("is-gone");
    else showSection(element, frame.html);
  }
}

// The server will not serve this topic: it is not asked for again on this page.
export function refuse(topic) {
  for (const element of showing(topic)) element.dataset.live = "refused";
}

function showing(topic) {
  return document.querySelectorAll(`[data-topic="${CSS.escape(topic)}"]`);
}

async function refresh(element) {
  const fresh = await fetchAgain(element);
  if (fresh === null) element.dataset.live = "failed";
  else showSection(element, fresh);
}

function showSection(element, html) {
  morph(element, html);
  element.classList.remove("is-gone");
  globalThis.htmx?.process(element);
  element.dispatchEvent(new CustomEvent("live:shown", { bubbles: true }));
}

function showCells(element, cells) {
  for (const [name, html] of Object.entries(cells)) {
    const cell = element.querySelector(`[data-cell="${CSS.escape(name)}"]`);
    if (cell) morph(cell, html);
  }
}

function showRow(element, frame) {
  showCells(element, frame.cells ?? {});
  element.classList.toggle("is-gone", Boolean(frame.gone));
  element.classList.toggle("has-left", frame.matches === false);
  note(element, frame.gone ? "deleted" : frame.matches === false ? "no longer matches" : "");
  globalThis.htmx?.process(element);
  flash(element);
  if (element.querySelector("td.value")) refreshValues(element);
}

// Values are for one reader and are not pushed: the page is asked for them again.
async function refreshValues(row) {
  const fresh = await fetchAgain(row);
  if (fresh === null) return;
  const cells = document.createElement("template");
  cells.innerHTML = fresh;
  const found = [...cells.content.querySelectorAll("td.value")];
  showCells(row, Object.fromEntries(found.map((cell) => [cell.dataset.cell, cell.innerHTML])));
}

function note(element, text) {
  element.querySelector(".row-note")?.remove();
  if (!text) return;
  const words = document.createElement("span");
  words.className = "row-note";
  words.textContent = text;
  const name = element.querySelector('[data-cell="name"]');
  (name ?? element.querySelector("[data-cell]") ?? element).append(" ", words);
}

function flash(element) {
  element.classList.remove("has-changed");
  // Read a layout property, so that the animation starts anew.
  void element.offsetWidth;
  element.classList.add("has-changed");
  element.addEventListener("animationend", () => element.classList.remove("has-changed"), {
    once: true,
  });
}
