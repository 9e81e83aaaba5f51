// Times in the reader's own zone, where they chose so. Pages come in UTC and say so; without scripts
// that is what stays. The words are those of workflows/moments.py.
const KEY = "dboshub-zone";
const TIME = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DATE = { day: "2-digit", month: "short" };

let zone = "UTC";

function parts(ms, options) {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  return Object.fromEntries(format.formatToParts(ms).map((part) => [part.type, part.value]));
}

export function clock(ms, now, inZone = zone) {
  const all = { ...TIME, ...DATE, second: "2-digit", year: "numeric", timeZone: inZone };
  const then = parts(ms, all), today = parts(now, all);
  const isToday = ["day", "month", "year"].every((part) => then[part] === today[part]);
  if (isToday) return `${then.hour}:${then.minute}:${then.second}`;
  const year = then.year === today.year ? "" : ` ${then.year}`;
  return `${then.day} ${then.month.slice(0, 3)}${year} ${then.hour}:${then.minute}`;
}

function name() {
  return zone === "UTC" ? "UTC" : parts(Date.now(), { timeZoneName: "short" }).timeZoneName;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function refreshZone(now) {
  // What the server wrote is right already, until somebody has chosen otherwise.
  if (zone === "UTC" && !document.documentElement.dataset.zone) return;
  document.documentElement.dataset.zone = zone;
  for (const each of document.querySelectorAll("time.when > .clock")) {
    say(each, clock(Date.parse(each.parentElement.dateTime), now));
  }
  for (const label of document.querySelectorAll("[data-zone-name]")) say(label, name());
}

export function offerZones(root = document) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const form = root.querySelector("[data-zone-form]");
  try {
    zone = localStorage.getItem(KEY) === "own" ? own : "UTC";
  } catch {
    return;
  }
  if (!form || !own || own === "UTC") return;
  const buttons = [...form.querySelectorAll("button")];
  const show = () => buttons.forEach((each) => each.setAttribute("aria-pressed", String((each.value === "own") === (zone !== "UTC"))));
  buttons.find((each) => each.value === "own").textContent = own.split("/").pop().replaceAll("_", " ");
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    zone = button.value === "own" ? own : "UTC";
    document.documentElement.dataset.zone = zone;
    localStorage.setItem(KEY, button.value);
    show();
    refreshZone(Date.now());
  });
  form.hidden = form.previousElementSibling.hidden = false;
  show();
}
