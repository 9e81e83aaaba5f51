// Makes an element's content equal to new HTML by changing as little as possible: nodes that stay
// keep their focus, scroll, selection, and what their reader opened.
import { writeTimes } from "../times.js";

const THEIRS = new Set(["open", "aria-expanded", "data-htmx-powered"]);

export function morph(element, html) {
  const wanted = document.createElement("template");
  wanted.innerHTML = html;
  writeTimes(wanted.content);
  children(element, wanted.content);
}

function children(old, wanted) {
  const keyed = new Map();
  for (const child of old.children) {
    const key = keyOf(child);
    if (key) keyed.set(key, child);
  }
  let at = old.firstChild;
  for (const child of [...wanted.childNodes]) {
    const match = matching(at, child, keyed);
    if (!match) {
      old.insertBefore(child, at);
      continue;
    }
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    patch(match, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

// The old node that a new one continues: by its key wherever it is, else the next of its kind.
function matching(at, child, keyed) {
  const key = keyOf(child);
  if (key) {
    const same = keyed.get(key);
    keyed.delete(key);
    return same?.nodeName === child.nodeName ? same : null;
  }
  const isSame = at && at.nodeName === child.nodeName && !keyOf(at);
  return isSame ? at : null;
}

// A line of a list is known by what it loads, unless it says who it is.
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.id || node.dataset.key) return node.id || node.dataset.key;
  if (node.localName !== "li") return "";
  return node.querySelector(":scope > details > [hx-get]")?.getAttribute("hx-get") ?? "";
}

function patch(old, wanted) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
    return;
  }
  if (old.isEqualNode(wanted)) return;
  const loads = old.getAttribute("hx-get");
  const isField = old.matches("input, textarea, select");
  attributes(old, wanted, isField);
  // What was fetched into an element, or typed, is newer than the empty one that was rendered.
  if (isField || (loads && loads === wanted.getAttribute("hx-get"))) return;
  children(old, wanted);
}

function attributes(old, wanted, isField) {
  for (const { name, value, namespaceURI } of wanted.attributes) {
    if (THEIRS.has(name) || (isField && name === "value")) continue;
    if (old.getAttributeNS(namespaceURI, name) !== value) {
      old.setAttributeNS(namespaceURI, name, value);
    }
  }
  for (const { name } of [...old.attributes]) {
    if (!THEIRS.has(name) && !wanted.hasAttribute(name)) old.removeAttribute(name);
  }
}
