// A text field with a list of options below it: what the server answers for its text. One request at
// a time, and never an answer to an earlier text.
const WAIT_MS = 120;
const AGAIN_MS = 1000;
const TRIES = 3;

export class Combobox {
  // `popup` is shown and hidden; `list` within it holds the options.
  constructor(input, list, popup = list) {
    Object.assign(this, { input, list, popup });
    for (const [name, value] of [
      ["role", "combobox"],
      ["aria-autocomplete", "list"],
      ["aria-expanded", "false"],
      ["aria-controls", list.id],
    ]) {
      input.setAttribute(name, value);
    }
    list.setAttribute("role", "listbox");
    popup.hidden = true;
    input.addEventListener("input", () => this.ask());
    input.addEventListener("focus", () => this.ask());
    input.addEventListener("blur", (event) => {
      if (!popup.contains(event.relatedTarget)) this.close();
    });
    input.addEventListener("keydown", (event) => this.press(event));
  }

  get options() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  get isOpen() {
    return !this.popup.hidden;
  }

  ask(wait = WAIT_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), wait);
  }

  // A subclass says what to ask: `request(signal)` resolves to true if it was answered.
  async fetch(tries = TRIES) {
    this.asked?.abort();
    const asked = (this.asked = new AbortController());
    try {
      if (await this.request(asked.signal)) return;
      this.askAgain(tries);
    } catch (error) {
      if (error.name !== "AbortError" && !asked.signal.aborted) this.askAgain(tries);
    }
  }

  // Without an answer there are no options, rather than those for an earlier text.
  askAgain(tries) {
    this.close();
    if (tries > 1 && document.activeElement === this.input) {
      this.timer = setTimeout(() => this.fetch(tries - 1), AGAIN_MS);
    }
  }

  open() {
    this.popup.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.options.forEach((option, at) => (option.id = `${this.list.id}-${at}`));
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.popup.hidden = true;
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
    if (!this.isOpen || event.isComposing) return;
    const options = this.options;
    const at = options.indexOf(this.chosen);
    if (event.key === "ArrowDown") this.choose(options[(at + 1) % options.length] ?? null);
    else if (event.key === "ArrowUp") this.choose(options.at(at < 0 ? -1 : at - 1) ?? null);
    else if (event.key === "Enter" && this.chosen) this.take(this.chosen);
    else if (event.key === "Escape") {
      this.close();
      // The next one leaves the field.
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }
}
