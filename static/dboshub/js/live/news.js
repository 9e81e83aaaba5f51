// The bar above a list: "3 new, 2 changed". Rows come, go and move only when it is clicked.
const NOTHING = { new: 0, changed: 0, doubtful: [], doubtful_changed: [] };
const latest = new WeakMap();

export function takeNews(bar, frame) {
  latest.set(bar, frame);
}

export function countNews(root = document) {
  for (const bar of root.querySelectorAll('[data-kind="list"]')) {
    const frame = latest.get(bar) ?? NOTHING;
    const list = bar.parentElement;
    const shown = new Set(
      Array.from(list.querySelectorAll('[data-kind="row"]'), (row) => row.dataset.key),
    );
    const known = (ids) => ids.filter((id) => shown.has(id)).length;
    const moved = list.querySelectorAll('[data-kind="row"]:is(.is-gone, .has-left)').length;
    const fresh = frame.new - known(frame.doubtful);
    const changed = frame.changed - known(frame.doubtful_changed) + moved;
    show(bar, fresh, changed, frame.capped);
  }
}

function show(bar, fresh, changed, isCapped) {
  const parts = [];
  if (fresh > 0) parts.push(`${fresh.toLocaleString("en")}${isCapped ? "+" : ""} new`);
  if (changed > 0) parts.push(`${changed.toLocaleString("en")} changed`);
  bar.hidden = !parts.length;
  if (bar.hidden) return;
  const link = bar.querySelector("a") ?? addLink(bar);
  const text = parts.join(", ");
  if (link.textContent !== text) link.textContent = text;
}

function addLink(bar) {
  const query = new URLSearchParams(location.search);
  // What is new is on the first page.
  query.delete("after");
  query.delete("before");
  const link = document.createElement("a");
  link.className = "news-link";
  link.href = `?${query}`;
  link.setAttribute("hx-get", link.getAttribute("href"));
  bar.setAttribute("role", "status");
  bar.replaceChildren(link);
  globalThis.htmx?.process(link);
  return link;
}
