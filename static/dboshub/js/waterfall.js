// A workflow's page beyond plain HTML: arrow keys through the waterfall, confirmations in a dialog,
// copying the id. Everything delegates from the document, because sections are replaced as they move.
import "./payload.js";
import "./zoom.js";

const SUMMARY = ".lines summary";

function visibleSummaries(chart) {
  return [...chart.querySelectorAll(SUMMARY)].filter((each) => each.checkVisibility());
}

function travel(event) {
  const here = event.target.closest?.(SUMMARY);
  if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
  const all = visibleSummaries(here.closest(".chart, .pairs"));
  const at = all.indexOf(here);
  const fold = here.parentElement;
  const moves = {
    ArrowDown: () => all[at + 1]?.focus(),
    ArrowUp: () => all[at - 1]?.focus(),
    Home: () => all[0].focus(),
    End: () => all.at(-1).focus(),
    ArrowRight: () => (fold.open ? all[at + 1]?.focus() : (fold.open = true)),
    ArrowLeft: () =>
      fold.open ? (fold.open = false) : fold.parentElement.closest("details")?.querySelector("summary").focus(),
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  moves[event.key]();
}

async function ask(event) {
  const link = event.target.closest?.("a[data-dialog]");
  const dialog = document.getElementById("dialog");
  if (!link || !dialog || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  try {
    const response = await fetch(link.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    dialog.replaceChildren(document.adoptNode(page.getElementById("confirm")));
    dialog.showModal();
  } catch {
    // The page of its own says what is wrong.
    location.assign(link.href);
  }
}

function close(event) {
  const dialog = event.target.closest?.("dialog[open]");
  if (!dialog) return;
  if (event.target === dialog || event.target.closest("[data-close]")) {
    event.preventDefault();
    dialog.close();
  }
}

async function copy(event) {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Without https there is no clipboard to write to: leave the text selected instead.
    getSelection().selectAllChildren(source);
  }
}

document.addEventListener("keydown", travel);
document.addEventListener("click", (event) => {
  ask(event);
  close(event);
  copy(event);
});
for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
