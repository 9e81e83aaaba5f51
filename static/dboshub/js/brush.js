// A drag over a chart's columns leads to the workflows of all of that time, as a click on one does.
const MOVED = 4;

for (const plot of document.querySelectorAll(".plot-area")) {
  const columns = [...plot.querySelectorAll("a.column[href*='since=']")];
  if (columns.length) offer(plot, columns);
}

function offer(plot, columns) {
  let began = null;

  const brushed = (x) => {
    const [left, right] = [Math.min(began, x), Math.max(began, x)];
    return columns.filter((column) => {
      const box = column.querySelector(".column-hit").getBoundingClientRect();
      return box.right >= left && box.left <= right;
    });
  };
  const mark = (chosen) => {
    for (const each of columns) each.classList.toggle("is-brushed", chosen.includes(each));
  };
  const stop = () => {
    began = null;
    mark([]);
  };

  plot.classList.add("can-brush");
  plot.addEventListener("dragstart", (event) => event.preventDefault());
  plot.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && !event.ctrlKey && !event.metaKey) began = event.clientX;
  });
  plot.addEventListener("pointermove", (event) => {
    if (began === null || Math.abs(event.clientX - began) < MOVED) return;
    if (!plot.hasPointerCapture(event.pointerId)) plot.setPointerCapture(event.pointerId);
    mark(brushed(event.clientX));
  });
  plot.addEventListener("pointerup", (event) => {
    if (began === null) return;
    const isDrag = Math.abs(event.clientX - began) >= MOVED;
    const chosen = isDrag ? brushed(event.clientX) : [];
    stop();
    if (!isDrag) return;
    // The click that ends a drag means no column.
    const swallow = (click) => click.preventDefault();
    addEventListener("click", swallow, true);
    setTimeout(() => removeEventListener("click", swallow, true));
    if (chosen.length) location.assign(span(chosen[0], chosen.at(-1)));
  });
  plot.addEventListener("pointercancel", stop);
  addEventListener("keydown", (event) => event.key === "Escape" && stop());
}

function span(first, last) {
  const url = new URL(first.getAttribute("href"), location.href);
  const until = new URL(last.getAttribute("href"), location.href).searchParams.get("until");
  if (until) url.searchParams.set("until", until);
  else url.searchParams.delete("until");
  return url;
}
