// Follows a stream: values are appended, the newest 500 kept, the end in view only if it was.
const KEPT = 500;
const NEAR = 40;

export function append(list, frame) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR;
  if (frame.reset) list.replaceChildren();
  const [from, to] = frame.gap;
  if (to > from) list.append(gap(from, to));
  for (const { html } of frame.values) list.insertAdjacentHTML("beforeend", html);
  while (list.children.length > KEPT) list.firstElementChild.remove();
  globalThis.htmx?.process(list);
  list.parentElement.querySelector(":scope > .nothing")?.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
  else announce(list, frame.values.length);
}

function gap(from, to) {
  const item = document.createElement("li");
  item.className = "stream-gap";
  const link = document.createElement("a");
  const url = new URL(location);
  url.searchParams.set("from", from);
  link.href = url;
  link.textContent = to - from === 1 ? `Value ${from}` : `Values ${from} to ${to - 1}`;
  item.append(link, " not shown here");
  return item;
}

// Its reader has scrolled back: say what waits below instead of moving what they read.
function announce(list, count) {
  let button = list.nextElementSibling;
  if (!button?.matches(".stream-newest")) {
    button = document.createElement("button");
    button.type = "button";
    button.className = "button stream-newest";
    button.onclick = () => (list.scrollTop = list.scrollHeight);
    list.after(button);
    list.addEventListener("scroll", () => forget(list, button), { passive: true });
  }
  const waiting = Number(button.dataset.waiting ?? 0) + count;
  button.dataset.waiting = waiting;
  button.textContent = `${waiting} newer`;
}

function forget(list, button) {
  if (list.scrollHeight - list.scrollTop - list.clientHeight < NEAR) button.remove();
}
