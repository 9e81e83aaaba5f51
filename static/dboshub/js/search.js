// The search box as a combobox: what the server suggests for the text before the caret.
const WAIT_MS = 120;
const AGAIN_MS = 1000;
const TRIES = 3;

class Suggestions {
  constructor(box) {
    this.box = box;
    this.input = box.querySelector("input");
    this.list = document.createElement("ul");
    this.list.id = "search-options";
    this.list.className = "menu-panel suggestions";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Suggestions");
    this.list.hidden = true;
    box.append(this.list);
    for (const [name, value] of [
      ["role", "combobox"],
      ["aria-autocomplete", "list"],
      ["aria-expanded", "false"],
      ["aria-controls", this.list.id],
    ]) {
      this.input.setAttribute(name, value);
    }
    this.input.addEventListener("input", () => this.ask());
    this.input.addEventListener("focus", () => this.ask());
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.press(event));
    // Before the field loses its focus.
    this.list.addEventListener("pointerdown", (event) => {
      const option = event.target.closest("li");
      event.preventDefault();
      if (option) this.take(option);
    });
  }

  ask() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), WAIT_MS);
  }

  async fetch(tries = TRIES) {
    const before = this.input.value.slice(0, this.input.selectionStart ?? undefined);
    const address = `${this.box.dataset.suggest}?${new URLSearchParams({ text: before })}`;
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const answer = await fetch(address, { signal: this.asked.signal });
      if (answer.ok) this.show((await answer.json()).options, before.length);
      else this.askAgain(tries);
    } catch (error) {
      if (error.name !== "AbortError") this.askAgain(tries);
    }
  }

  // Without an answer there are no suggestions, rather than those for an earlier text.
  askAgain(tries) {
    this.close();
    if (tries > 1 && document.activeElement === this.input) {
      this.timer = setTimeout(() => this.fetch(tries - 1), AGAIN_MS);
    }
  }

  show(options, caret) {
    if (document.activeElement !== this.input) return;
    this.caret = caret;
    this.list.replaceChildren(
      ...options.map((option, at) => {
        const item = document.createElement("li");
        item.id = `search-option-${at}`;
        item.setAttribute("role", "option");
        item.dataset.text = option.text;
        const hint = document.createElement("span");
        hint.className = "muted";
        hint.textContent = option.hint;
        item.append(option.word, " ", hint);
        return item;
      }),
    );
    this.list.hidden = !options.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.choose(null);
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.choose(null);
  }

  choose(option) {
    this.chosen?.setAttribute("aria-selected", "false");
    this.chosen = option;
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  press(event) {
    if (this.list.hidden || event.isComposing) return;
    const options = [...this.list.children];
    const at = options.indexOf(this.chosen);
    if (event.key === "ArrowDown") this.choose(options[(at + 1) % options.length]);
    else if (event.key === "ArrowUp") this.choose(options.at(at < 0 ? -1 : at - 1));
    else if (event.key === "Enter" && this.chosen) this.take(this.chosen);
    else if (event.key === "Escape") {
      this.close();
      // The next one leaves the field.
      event.stopPropagation();
    } else return;
    event.preventDefault();
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
