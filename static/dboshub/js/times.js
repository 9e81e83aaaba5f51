// Keeps "42 s ago" and running durations true. The words are those of rendering/time_format.py.
import { dayOf, inPageZone } from "./zones.js";

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"]];
const SPANS = [[DAY, "d", HOUR, "h"], [HOUR, "h", MINUTE, "min"], [MINUTE, "min", SECOND, "s"]];

// The server's clock rules: what it rendered and what is counted here must agree.
let ahead = 0;
let day = "";

export function setClock(serverNow) {
  ahead = serverNow - Date.now();
}

// What the server pushes is written for nobody in particular.
export function writeTimes(root) {
  inPageZone(root, Date.now() + ahead);
}

export function relative(ms, now) {
  const distance = Math.abs(now - ms);
  const step = STEPS.find(([size]) => distance >= size);
  if (!step) return "just now";
  const words = `${Math.floor(distance / step[0])} ${step[1]}`;
  return ms <= now ? `${words} ago` : `in ${words}`;
}

export function going(ms) {
  const span = SPANS.find(([size]) => ms >= size);
  if (!span) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  const [large, name, small, rest] = span;
  const left = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${name}${left ? ` ${left} ${rest}` : ""}`;
}

function refresh() {
  const now = Date.now() + ahead;
  for (const words of document.querySelectorAll("[data-relative]")) {
    const text = relative(Date.parse(words.parentElement.dateTime), now);
    if (words.textContent !== text) words.textContent = text;
  }
  for (const counter of document.querySelectorAll("[data-since]")) {
    const text = going(now - Number(counter.dataset.since));
    if (counter.textContent !== text) counter.textContent = text;
  }
  // At midnight, the times of today become those of yesterday.
  if (dayOf(now) !== day) {
    if (day) inPageZone(document, now);
    day = dayOf(now);
  }
}

export function keepTimes() {
  refresh();
  setInterval(() => document.hidden || refresh(), SECOND);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}
