// Zooming a waterfall beyond its links: + - 0, and dragging along its axis.
const TYPING = "input, textarea, select, [contenteditable], dialog[open] *";
const SHORTEST_DRAG = 6;
const CLOSEST_MS = 4;

let pressed = null;

function follow(sign) {
  const link = document.querySelector(`[data-zoom="${sign}"]`);
  if (link) location.assign(link.href);
  return Boolean(link);
}

function timeAt(axis, x) {
  const box = axis.getBoundingClientRect();
  const at = Math.min(100, Math.max(0, (100 * (x - box.left)) / box.width));
  const parts = axis.dataset.stretches.split(" ").map((part) => part.split(",").map(Number));
  const [start, end, left, right] = parts.find((part) => at <= part[3]) ?? parts.at(-1);
  return Math.round(start + ((end - start) * (at - left)) / (right - left || 1));
}

function show(from, to) {
  const url = new URL(location.href);
  url.searchParams.set("from", from);
  url.searchParams.set("to", to);
  url.hash = "steps";
  location.assign(url);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(TYPING)) return;
  const sign = event.key === "=" ? "+" : event.key;
  if ("+-0".includes(sign) && follow(sign)) event.preventDefault();
});

document.addEventListener("pointerdown", (event) => {
  const axis = event.target.closest(".axis-row")?.querySelector("[data-stretches]");
  if (!axis || event.button) return;
  event.preventDefault();
  pressed = { axis, x: event.clientX };
});

// A finger that began to scroll.
document.addEventListener("pointercancel", () => (pressed = null));
document.addEventListener("pointerup", (event) => {
  if (!pressed) return;
  const { axis, x } = pressed;
  pressed = null;
  if (Math.abs(event.clientX - x) < SHORTEST_DRAG) return;
  const [from, to] = [x, event.clientX].map((each) => timeAt(axis, each)).sort((a, b) => a - b);
  if (to - from >= CLOSEST_MS) show(from, to);
});
