// Keeps what a page shows true: one socket, the page's topics with the digests they show, frames.
import { Connection } from "./live/connection.js";
import { applyFrame, refuse } from "./live/frames.js";
import { countNews } from "./live/news.js";
import { StateLine } from "./live/state.js";
import { inBatches, regions } from "./live/topics.js";
import { setClock } from "./times.js";

const LOOK_AGAIN = 150;
const ASLEEP_AFTER = 60_000;

const address = document.getElementById("live-state")?.dataset.socket;
const line = new StateLine(() => (isPaused ? resume() : pause()));
const connection = new Connection(address, {
  onOpen,
  onMessage,
  onState: (state) => line.show(state),
});
let followed = new Set();
let isPaused = false;
let looking = 0;
let sleeping = 0;

function onOpen() {
  followed = new Set();
  follow();
}

function onMessage(message) {
  for (const frame of message.frames ?? []) applyFrame(frame);
  if (message.frames) countNews();
  if (message.beat) setClock(message.beat);
  if (message.refused) {
    for (const topic of message.refused) refuse(topic);
    line.show("expired");
  }
}

// Every connection, every swap and every scroll ends here: say what is shown that was not said.
function follow() {
  const wanted = regions();
  const gone = [...followed].filter((topic) => !wanted.has(topic));
  if (gone.length) connection.send({ unsub: gone });
  const more = [...wanted].filter(([topic]) => !followed.has(topic));
  followed = new Set(wanted.keys());
  for (const sub of inBatches(more)) connection.send({ sub });
}

function lookAgain() {
  clearTimeout(looking);
  looking = setTimeout(() => {
    if (!isPaused && !document.hidden && !connection.isStarted && regions().size) start();
    else if (connection.isOpen) follow();
  }, LOOK_AGAIN);
}

function start() {
  if (connection.isOver) return;
  line.offer();
  connection.start();
}

function pause() {
  isPaused = true;
  connection.stop("paused");
}

function resume() {
  isPaused = false;
  start();
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(sleeping);
  if (document.hidden) sleeping = setTimeout(() => connection.stop("asleep"), ASLEEP_AFTER);
  else if (!isPaused) lookAgain();
});
// A page with an open socket is not kept for Back; one that comes back is behind.
addEventListener("pagehide", () => connection.stop("asleep"));
addEventListener("pageshow", (event) => event.persisted && !isPaused && lookAgain());
addEventListener("online", () => connection.hurry());
addEventListener("scroll", lookAgain, { passive: true, capture: true });
// Texts change every second: clocks count. Only elements can follow something.
const hasElements = ({ addedNodes, removedNodes }) =>
  [...addedNodes, ...removedNodes].some((node) => node.nodeType === Node.ELEMENT_NODE);
new MutationObserver((changes) => changes.some(hasElements) && lookAgain())
  .observe(document.body, { childList: true, subtree: true });
if (regions().size) start();
