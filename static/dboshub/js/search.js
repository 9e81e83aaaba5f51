// The filter of the list goes on with what the server suggests for the text before the caret.
import { Combobox } from "./combobox.js";

class Suggestions extends Combobox {
  constructor(box) {
    const list = document.createElement("ul");
    list.id = "search-options";
    list.className = "menu-panel suggestions";
    list.setAttribute("aria-label", "Suggestions");
    box.append(list);
    super(box.querySelector("input"), list);
    this.address = box.dataset.suggest;
    // Before the field loses its focus.
    list.addEventListener("pointerdown", (event) => {
      const option = event.target.closest("li");
      event.preventDefault();
      if (option) this.take(option);
    });
  }

  async request(signal) {
    const before = this.input.value.slice(0, this.input.selectionStart ?? undefined);
    const answer = await fetch(`${this.address}?${new URLSearchParams({ text: before })}`, { signal });
    if (!answer.ok) return false;
    this.show((await answer.json()).options, before.length);
    return true;
  }

  show(options, caret) {
    if (document.activeElement !== this.input) return;
    this.caret = caret;
    this.list.replaceChildren(
      ...options.map((option) => {
        const item = document.createElement("li");
        item.setAttribute("role", "option");
        item.dataset.text = option.text;
        const hint = document.createElement("span");
        hint.className = "muted";
        hint.textContent = option.hint;
        item.append(option.word, " ", hint);
        return item;
      }),
    );
    this.choose(null);
    if (options.length) this.open();
    else this.close();
  }

  take(option) {
    const after = this.input.value.slice(this.caret);
    this.input.value = option.dataset.text + after.trimStart();
    const end = option.dataset.text.length;
    this.input.setSelectionRange(end, end);
    this.close();
    // A key goes on with its values.
    if (/[:.]$/.test(option.dataset.text)) this.ask();
  }
}

function enhance() {
  for (const box of document.querySelectorAll("[data-suggest]")) {
    if (!box.querySelector("[role=listbox]")) new Suggestions(box);
  }
}

document.addEventListener("htmx:after:swap", enhance);
document.addEventListener("htmx:after:history:restore", enhance);
enhance();
