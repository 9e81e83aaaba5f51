// The search box of every page: what names and indexes give at once, then what is within values.
import { Combobox } from "./combobox.js";

const VALUES_WAIT_MS = 350;
const MIN_VALUE_LENGTH = 3;

function panel(form) {
  const popup = document.createElement("div");
  popup.className = "box-panel";
  popup.innerHTML = '<div id="box-options" aria-label="Results"></div><div class="box-notes" role="status"></div>';
  form.append(popup);
  return popup;
}

export class Box extends Combobox {
  constructor(form) {
    const popup = panel(form);
    super(form.querySelector("input"), popup.firstElementChild, popup);
    this.form = form;
    this.notes = popup.lastElementChild;
    // The field keeps the focus; a click on a result follows its link.
    popup.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".box-notes a")) event.preventDefault();
    });
    popup.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget)) this.close();
    });
    popup.addEventListener("click", (event) => {
      const option = event.target.closest("[data-text]");
      if (!option) return;
      event.preventDefault();
      this.take(option);
    });
    form.addEventListener("submit", () => this.close());
    // Back shows the page as it was left.
    addEventListener("pagehide", () => this.close());
  }

  get text() {
    return this.input.value.trim();
  }

  async request(signal) {
    const text = this.text;
    this.shown = null;
    const names = await this.part(this.form.dataset.names, text, signal);
    if (!names) return false;
    this.show(names, text);
    if (text.length < MIN_VALUE_LENGTH) return true;
    this.note("Searching values…");
    await new Promise((done) => setTimeout(done, VALUES_WAIT_MS));
    const values = signal.aborted ? null : await this.part(this.form.dataset.values, text, signal);
    if (values) this.add(values);
    else if (!signal.aborted) this.note("The values were not searched: the server did not answer.");
    return true;
  }

  // The options and the notes that the server renders; null if it does not.
  async part(address, text, signal) {
    const asked = `${address}?${new URLSearchParams({ q: text })}`;
    const answer = await fetch(asked, { signal, headers: { "HX-Request": "true" } });
    if (answer.headers.get("HX-Redirect")) location.assign(answer.headers.get("HX-Redirect"));
    // A database that does not answer is said to be so in the notes.
    if (!answer.ok && answer.status !== 503) return null;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const parts = [...found.querySelectorAll("[data-part]")];
    if (!parts.length) return null;
    return Object.fromEntries(parts.map((part) => [part.dataset.part, [...part.childNodes]]));
  }

  show({ options, notes }, text) {
    if (document.activeElement !== this.input) return;
    this.list.replaceChildren(...options);
    this.told = notes;
    this.notes.replaceChildren(...notes);
    this.choose(null);
    this.open();
    this.shown = text;
    if (text) this.choose(this.options[0] ?? null);
  }

  add({ options, notes }) {
    this.list.append(...options);
    if (this.options.length) this.notes.replaceChildren(...this.told, ...notes);
    else this.note("Nothing found.", notes);
    this.open();
    if (!this.chosen) this.choose(this.options[0] ?? null);
  }

  note(text, more = []) {
    const said = document.createElement("p");
    said.textContent = text;
    this.notes.replaceChildren(...this.told, said, ...more);
  }

  press(event) {
    // Options of an earlier text are no answer: Enter asks for the page of this one.
    if (event.key === "Enter" && this.shown !== this.text) return;
    super.press(event);
  }

  take(option) {
    if (option.dataset.text === undefined) return option.click();
    this.input.value = option.dataset.text;
    this.ask(0);
  }
}

export function offerBox(root = document) {
  const form = root.getElementById("box");
  return form ? new Box(form) : null;
}
