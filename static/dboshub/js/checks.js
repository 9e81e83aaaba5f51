// Checking rows: all of a page at once, or a stretch of them with the shift key.

const BOX = 'input[name="ids"]';
let last = null;

function boxes() {
  return [...document.querySelectorAll(BOX)];
}

// Rows that come later are not checked, and then not all of the page are.
function update() {
  const isAll = boxes().every((each) => each.checked);
  for (const all of document.querySelectorAll(".check-all")) {
    all.hidden = false;
    all.checked = isAll;
  }
}

document.addEventListener("click", (event) => {
  const box = event.target;
  if (box.matches?.(".check-all")) {
    for (const each of boxes()) each.checked = box.checked;
  } else if (box.matches?.(BOX)) {
    const shown = boxes();
    const [from, to] = [shown.indexOf(last), shown.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) {
      for (const each of shown.slice(from, to + 1)) each.checked = box.checked;
    }
    last = box;
    update();
  }
});
document.addEventListener("htmx:after:swap", update);
update();
