// The posting screen: Ctrl + Enter posts, a second press of the button does nothing, and what was typed
// survives a closed tab's reload or a session that ended (in this tab's own storage, until it is posted).
const form = document.getElementById("post-form");
const button = document.getElementById("post-button");
const key = `post:${location.pathname}`;
const KEPT = ["name", "body"];

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    form.requestSubmit(button);
  }
});

// Enter in the title goes on to the message; it must never post by accident.
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.name === "name" && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    form.elements.body.focus();
  }
});

form.addEventListener("submit", (event) => {
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  if (event.submitter?.value === "draft") sessionStorage.removeItem(key);
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});
// Back from the receipt: the page comes out of the browser's memory as it was left.
addEventListener("pageshow", () => {
  delete form.dataset.sent;
  form.removeAttribute("aria-busy");
});

form.addEventListener("input", () => {
  const typed = Object.fromEntries(KEPT.map((name) => [name, form.elements[name]?.value ?? ""]));
  typed.token = form.elements.token.value;
  sessionStorage.setItem(key, JSON.stringify(typed));
});

function forget() {
  Object.keys(sessionStorage).filter((name) => name.startsWith("post:")).forEach((name) => sessionStorage.removeItem(name));
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem(key) ?? "null");
  if (!kept || form.dataset.keep !== "yes") return;
  let changed = false;
  for (const name of KEPT) {
    const field = form.elements[name];
    if (field && !field.value && kept[name]) {
      field.value = kept[name];
      changed = true;
    }
  }
  // The token comes back too: had the first press arrived after all, posting again gives its result.
  if (changed) {
    form.elements.token.value = kept.token;
    form.elements.body.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
if (document.querySelector(".messagelist .success")) forget();
restore();

// A row takes the colour of the status that is chosen for it.
form.addEventListener("change", (event) => {
  const row = event.target.closest(".row");
  if (!row) return;
  row.dataset.before ??= row.className;
  row.className = event.target.value ? `row touched ${event.target.value}` : row.dataset.before;
});

// After a refusal, begin at the reason, and with the first field that is wrong.
document.querySelector(".alert, .errornote")?.scrollIntoView({ block: "center" });
document.querySelector('[aria-invalid="true"]')?.focus();
