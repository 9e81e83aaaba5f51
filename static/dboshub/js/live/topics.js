// Which topics a page follows, with the token and the digest of each.
const MOST_TOPICS = 64;
const LONGEST_MESSAGE = 12_000;

// By topic: [token, digest]. What is nearest to the window comes first, if there are too many.
export function regions(root = document) {
  const found = new Map();
  for (const element of root.querySelectorAll('[data-topic]:not([data-live="refused"])')) {
    const { topic, token, digest } = element.dataset;
    if (!found.has(topic)) found.set(topic, { token, digest, element });
    // Two regions that show different things: ask for the truth.
    else if (found.get(topic).digest !== digest) found.get(topic).digest = "";
  }
  const entries = [...found];
  if (entries.length > MOST_TOPICS) entries.sort((a, b) => distance(a[1]) - distance(b[1]));
  return new Map(
    entries.slice(0, MOST_TOPICS).map(([topic, { token, digest }]) => [topic, [token, digest]]),
  );
}

function distance({ element }) {
  if (element.dataset.kind !== "row") return -1;
  const { top, bottom } = element.getBoundingClientRect();
  return Math.max(0, -bottom, top - innerHeight);
}

export function* inBatches(entries) {
  let batch = {}, size = 0;
  for (const [topic, given] of entries) {
    const length = topic.length + given[0].length + given[1].length + 16;
    if (size + length > LONGEST_MESSAGE) {
      yield batch;
      batch = {}, size = 0;
    }
    batch[topic] = given;
    size += length;
  }
  if (size) yield batch;
}
