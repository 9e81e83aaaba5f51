// Copies where a value lies: a click on its key, Alt and a click on that of a fold, or C on a fold
// puts a path such as order.lines[2].sku on the clipboard, and says so beside the key for a moment.
const SHOWN_MS = 1_500;

function keyOf(item) {
  return item.querySelector(":scope > .payload-key, :scope > details > summary > .payload-key");
}

function pathOf(key) {
  const parts = [];
  for (let item = key.closest("li"); item; item = item.parentElement.closest(".payload li")) {
    parts.unshift(keyOf(item)?.textContent ?? "");
  }
  return parts.reduce((path, part) => {
    const name = part.replace(/^"|"$/g, "");
    if (/^[A-Za-z_]\w*$/.test(name)) return path ? `${path}.${name}` : name;
    return `${path}[${part}]`;
  }, "");
}

async function copyPath(key) {
  const path = pathOf(key);
  try {
    await navigator.clipboard.writeText(path);
  } catch {
    // Without https there is no clipboard to write to.
    return;
  }
  const note = document.createElement("span");
  note.className = "payload-note";
  note.setAttribute("role", "status");
  note.textContent = ` copied ${path} `;
  key.after(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}

document.addEventListener("click", (event) => {
  const key = event.target.closest?.(".payload .payload-key");
  const isFold = key?.closest("summary");
  if (!key || (isFold && !event.altKey) || getSelection().toString()) return;
  event.preventDefault();
  copyPath(key);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "c" || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.target.closest?.(".payload summary")?.querySelector(".payload-key");
  if (key) copyPath(key);
});
