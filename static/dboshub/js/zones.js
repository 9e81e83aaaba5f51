// Times in the zone of the page, which its reader chose. The server writes pages so. What it pushes is
// the same for all readers, and is written again here. The words are those of rendering/time_format.py.
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const SHORT = { ...TIME, day: "2-digit", month: "short", year: "numeric" };
const FULL = { ...TIME, day: "2-digit", month: "2-digit", year: "numeric", timeZoneName: "longOffset" };

const formats = new Map();

function pageZone() {
  return document.documentElement.dataset.zone || "UTC";
}

function parts(ms, timeZone, options) {
  const key = timeZone + options.month;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone, ...options }));
  return Object.fromEntries(formats.get(key).formatToParts(ms).map((part) => [part.type, part.value]));
}

export function clock(ms, now, zone = pageZone()) {
  const then = parts(ms, zone, SHORT), today = parts(now, zone, SHORT);
  const isToday = ["day", "month", "year"].every((part) => then[part] === today[part]);
  if (isToday) return `${then.hour}:${then.minute}:${then.second}`;
  const year = then.year === today.year ? "" : ` ${then.year}`;
  return `${then.day} ${then.month.slice(0, 3)}${year} ${then.hour}:${then.minute}`;
}

export function absolute(ms, zone = pageZone()) {
  const then = parts(ms, zone, FULL);
  const thousandths = String(((ms % 1000) + 1000) % 1000).padStart(3, "0");
  const text = `${then.year}-${then.month}-${then.day} ${then.hour}:${then.minute}:${then.second}.${thousandths}`;
  if (zone === "UTC") return `${text} UTC`;
  return `${text} ${then.timeZoneName.slice(3) || "+00:00"} ${zone}`;
}

function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

// Writes the times within a node again; `now` decides which of them are of today.
export function inPageZone(root, now) {
  try {
    for (const each of root.querySelectorAll("time.when")) {
      const ms = Date.parse(each.dateTime);
      each.title = absolute(ms);
      say(each.querySelector(".clock"), clock(ms, now));
    }
    for (const each of root.querySelectorAll("time.moment")) say(each, absolute(Date.parse(each.dateTime)));
    for (const label of root.querySelectorAll("[data-zone-name]")) say(label, pageZone());
  } catch (error) {
    // A browser that does not know the zone leaves times as they came, each with its zone beside it.
    if (!(error instanceof RangeError)) throw error;
  }
}

export function dayOf(ms) {
  try {
    return parts(ms, pageZone(), SHORT).day;
  } catch {
    return "";
  }
}

// Offers the zone of this browser, which the server cannot know.
export function offerZones(root = document) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!own) return;
  const hint = root.querySelector("[data-own-zone]");
  if (hint) {
    hint.querySelector("span").textContent = own;
    hint.hidden = false;
  }
  const buttons = [...root.querySelectorAll("[data-zone-form] button")];
  const last = buttons.pop();
  if (!last || buttons.some((each) => each.textContent === own)) return;
  last.value = last.textContent = own;
  last.hidden = false;
}
