// One socket: it comes back by itself, acknowledges what it reads, and says how it is.
const FIRST_WAIT = 500, LONGEST_WAIT = 30_000;
// The server beats every five seconds: two missed beats and a bit.
const SILENCE = 12_000;
// Attempts of a page that was never accepted: about two minutes, then there is no way through.
const MOST_ATTEMPTS = 10;
// The server says that trying again is of no use.
const FINAL = { 4400: "expired", 4401: "signed out", 4403: "forbidden" };

export class Connection {
  constructor(address, { onOpen, onMessage, onState }) {
    this.url = new URL(address ?? "", location.href);
    this.url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.onOpen = onOpen;
    this.onMessage = onMessage;
    this.onState = onState;
    this.socket = null;
    this.isStarted = false;
    // Without an address, the server does not speak WebSocket.
    this.isOver = !address;
    this.wasOpen = false;
    this.attempts = 0;
    this.heardAt = 0;
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  start() {
    if (this.isStarted || this.isOver) return;
    this.isStarted = true;
    this.attempts = 0;
    this.watch = setInterval(() => this.#watchSilence(), 1000);
    this.#connect();
  }

  stop(state) {
    if (!this.isStarted) return;
    this.isStarted = false;
    clearTimeout(this.retry);
    clearInterval(this.watch);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.onState(state);
  }

  hurry() {
    if (this.isStarted && !this.socket) this.#connect();
  }

  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  #connect() {
    clearTimeout(this.retry);
    this.onState(this.attempts ? "reconnecting" : "connecting");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => socket === this.socket && this.#opened();
    socket.onmessage = (event) => socket === this.socket && this.#heard(event.data);
    socket.onclose = (event) => socket === this.socket && this.#closed(event.code);
  }

  #opened() {
    this.wasOpen = true;
    this.heardAt = Date.now();
    this.onOpen();
  }

  #heard(text) {
    const message = JSON.parse(text);
    this.heardAt = Date.now();
    this.send({ ack: message.seq });
    this.onMessage(message);
    // Accepted is not admitted: only a beat says that the page shows what is true now.
    if (message.beat) {
      this.attempts = 0;
      this.onState("live");
    }
  }

  #closed(code) {
    this.socket = null;
    if (code in FINAL) return this.#end(FINAL[code]);
    if (!this.wasOpen && this.attempts >= MOST_ATTEMPTS) return this.#end("unreachable");
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.attempts);
    this.attempts += 1;
    this.onState("reconnecting");
    // With jitter: a server that restarts meets all its pages again.
    this.retry = setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2));
  }

  #end(state) {
    this.isOver = true;
    this.stop(state);
  }

  #watchSilence() {
    if (this.isOpen && Date.now() - this.heardAt > SILENCE) this.onState("stale");
  }
}
