// Says in the page's frame whether what it shows is true now, and lets its reader pause it.
const WORDS = {
  connecting: ["Connecting", ""],
  live: ["Live", "What you see changes as the database does"],
  paused: ["Paused", "Nothing changes until you resume"],
  asleep: ["Paused", "The page was in the background"],
  reconnecting: ["Reconnecting", "The connection was lost; what you see may be out of date"],
  stale: ["Stale", "The database has not been heard from; what you see may be out of date"],
  expired: ["Stale", "This page is too old to be followed: reload it"],
  unreachable: ["Not live", "No WebSocket reaches the server: a proxy must pass Upgrade on. Reload to try again"],
  "signed out": ["Signed out", "Sign in again to follow this page"],
  forbidden: ["Not live", "Your account may not follow this page: reload it"],
};
// A connection that is back at once is not worth a word.
const PATIENCE = 700;
const HASTY = new Set(["connecting", "reconnecting"]);

export class StateLine {
  constructor(onPress) {
    this.place = document.getElementById("live-state");
    this.onPress = onPress;
    this.shown = "";
  }

  // The button is there on pages that follow something.
  offer() {
    if (!this.place || this.button) return;
    this.word = document.createElement("span");
    this.place.replaceChildren(this.word);
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.id = "live-pause";
    this.button.className = "button button--quiet";
    this.button.textContent = "Pause";
    this.button.onclick = this.onPress;
    this.place.after(this.button);
  }

  show(state) {
    if (HASTY.has(state)) {
      this.later ??= setTimeout(() => this.#show(state), PATIENCE);
    } else {
      this.#show(state);
    }
  }

  #show(state) {
    clearTimeout(this.later);
    this.later = undefined;
    if (!this.place || state === this.shown) return;
    // A page that is too old stays so, whatever its socket says.
    if (this.shown === "expired" && state === "live") return;
    this.shown = state;
    const [word, meaning] = WORDS[state];
    this.place.dataset.state = state;
    this.place.title = meaning;
    this.word.textContent = word;
    this.button.textContent = state === "paused" ? "Resume" : "Pause";
    this.button.hidden = ["expired", "signed out", "forbidden", "unreachable"].includes(state);
  }
}
