// The tree of components: rows and groups are dragged to their place; the server answers with the tree as it is then.
const token = () => document.querySelector("#moves [name=csrfmiddlewaretoken]").value;
let dragged = null;

const clear = () => document.querySelectorAll(".drop-before, .drop-last").forEach((each) => each.classList.remove("drop-before", "drop-last"));

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.("#tree li[draggable]");
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.code);
  dragged.classList.add("dragged");
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("dragged");
  dragged = null;
  clear();
});

// In front of the row under the pointer, or last in its list when the pointer is in a row's lower half.
function findPlace(event) {
  const list = event.target.closest?.("#tree [data-group]");
  if (!list || !dragged) return null;
  const rows = [...list.querySelectorAll("li[draggable]")].filter((row) => row !== dragged);
  const before = rows.find((row) => event.clientY < row.getBoundingClientRect().top + row.offsetHeight / 2);
  return { list, before };
}

document.addEventListener("dragover", (event) => {
  const place = findPlace(event);
  if (!place) return;
  event.preventDefault();
  clear();
  if (place.before) place.before.classList.add("drop-before");
  else place.list.classList.add("drop-last");
});

document.addEventListener("drop", (event) => {
  const place = findPlace(event);
  if (!place) return;
  event.preventDefault();
  const values = { what: "component", code: dragged.dataset.code, group: place.list.dataset.group, before: place.before?.dataset.code ?? "", csrfmiddlewaretoken: token() };
  htmx.ajax("POST", document.getElementById("tree").dataset.move, { target: "#tree", swap: "outerHTML", values });
});

// Alt and an arrow move the row that has the focus; the focus stays on the button it was on.
document.addEventListener("keydown", (event) => {
  const step = { ArrowUp: "-1", ArrowDown: "1" }[event.key];
  const row = event.altKey && step && event.target.closest?.("#tree li[draggable]");
  if (!row) return;
  event.preventDefault();
  row.querySelector(`.moves [value$=" ${step}"]`).click();
});

let pressed = "";
document.addEventListener("htmx:beforeRequest", (event) => {
  pressed = event.detail.elt.value ?? "";
});
document.addEventListener("htmx:afterSettle", () => {
  if (pressed) document.querySelector(`#tree [value="${pressed}"]`)?.focus();
});
