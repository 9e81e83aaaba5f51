// A page that shows each reader what they may do is not pushed: it is fetched again, as its reader.
const LATEST = 1000;
let fetching = null;

// The new content of an element, or null if the page does not answer with one.
export async function fetchAgain(element) {
  fetching ??= page().finally(() => (fetching = null));
  const fresh = await fetching;
  const isIt = `[data-topic="${CSS.escape(element.dataset.topic)}"]`;
  const at = [...document.querySelectorAll(isIt)].indexOf(element);
  return fresh?.querySelectorAll(isIt)[at]?.innerHTML ?? null;
}

async function page() {
  // Everybody who shows it hears of the change at once; they need not all ask at once.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * LATEST));
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return null;
  }
}
