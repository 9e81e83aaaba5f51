// Keys: "/" searches, j and k walk the rows, Escape leaves a field or closes a menu, "?" says so.
const typing = "input, textarea, select, [contenteditable]";

export function listenForKeys(root = document) {
  for (const button of root.querySelectorAll("[data-keys]")) button.hidden = false;
  root.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") return leave(event.target);
    if (event.target.closest(typing) || root.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      event.preventDefault();
      root.querySelector("[data-search]")?.focus();
    } else if (event.key === "?") {
      root.getElementById("keys")?.showModal();
    } else if (event.key === "j" || event.key === "k") {
      walk(event.key === "j" ? 1 : -1, root);
    }
  });
  root.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) root.getElementById("keys").showModal();
    for (const menu of root.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
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
