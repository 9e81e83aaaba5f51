// Keys: "/" and Ctrl+K or ⌘K search, "f" filters, "g" and a key go to a page, j and k walk the rows,
// Escape leaves a field or closes a menu, "?" says so.
const typing = "input, textarea, select, [contenteditable]";
// After "g", the next key is that of a page, for so long.
const GO_MS = 2000;

let goingSince = -Infinity;

export function listenForKeys(root = document) {
  for (const button of root.querySelectorAll("[data-keys]")) button.hidden = false;
  root.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if ((event.metaKey || event.ctrlKey) && !event.altKey && event.key.toLowerCase() === "k") {
      focus("#jump", event, root);
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.key === "Escape") return leave(event.target);
    if (event.target.closest(typing) || root.querySelector("dialog[open]")) return;
    if (goes(event, root)) return;
    if (event.key === "/") focus("#jump", event, root);
    else if (event.key === "f") focus("[data-filter]", event, root);
    else if (event.key === "?") root.getElementById("keys")?.showModal();
    else if (event.key === "j" || event.key === "k") walk(event.key === "j" ? 1 : -1, root);
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) root.getElementById("keys").showModal();
    for (const menu of root.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
}

function focus(selector, event, root) {
  const field = root.querySelector(selector);
  if (!field || root.querySelector("dialog[open]")) return;
  event.preventDefault();
  field.focus();
  field.select();
}

// Whether the key belongs to "g" and a page.
function goes(event, root) {
  const isGoing = event.timeStamp - goingSince < GO_MS;
  goingSince = !isGoing && event.key === "g" ? event.timeStamp : -Infinity;
  if (!isGoing) return event.key === "g";
  const link = [...root.querySelectorAll("[data-go]")].find((each) => each.dataset.go === event.key);
  link?.click();
  return Boolean(link);
}

function leave(element) {
  const menu = element.closest("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (element.matches(typing)) {
    element.blur();
  }
}

function walk(step, root) {
  const links = [...root.querySelectorAll("[data-row-link]")];
  const at = links.indexOf(root.activeElement);
  const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1);
  links[next]?.focus();
  links[next]?.scrollIntoView({ block: "nearest" });
}
