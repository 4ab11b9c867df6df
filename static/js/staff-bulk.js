// Lists whose rows can be ticked: one box for all that are shown, and Shift for all between two.
for (const form of document.querySelectorAll("form:has([data-tick-all])")) {
  const all = form.querySelector("[data-tick-all]");
  const findBoxes = () => [...form.elements].filter((each) => each.name === "row" && !each.disabled);
  let last = null;
  const count = () => {
    const boxes = findBoxes();
    const ticked = boxes.filter((box) => box.checked).length;
    all.closest("label").hidden = boxes.length < 2;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  all.addEventListener("change", () => findBoxes().forEach((box) => { box.checked = all.checked; }));
  document.addEventListener("click", (event) => {
    if (event.target.name !== "row" || event.target.form !== form) return;
    const boxes = findBoxes();
    const from = boxes.indexOf(last);
    const to = boxes.indexOf(event.target);
    if (event.shiftKey && from >= 0) {
      boxes.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((box) => { box.checked = event.target.checked; });
    }
    last = event.target;
    count();
  });
  count();
}
