// On an incident's page: a button beside each update that copies its address, and a link back to where the visitor was.
// page.js loads this at the first sign of the visitor, so that it costs the first view nothing.
const announcer = document.getElementById("announcer");
const more = document.querySelector("[data-later]");
const words = more.dataset;
const SHOWN_MS = 3000;

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeAsBefore(text); // no clipboard: the page came without TLS, or the browser is old
  }
}

function writeAsBefore(text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "unseen" });
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return isCopied;
}

async function copy(button, address) {
  if (!(await write(address))) return;
  button.firstChild.data = words.copied;
  announcer.textContent = words.copied;
  setTimeout(() => {
    button.firstChild.data = words.copy;
    announcer.textContent = "";
  }, SHOWN_MS);
}

/** Each button names its update for who hears them one by one. */
function addButtons() {
  for (const link of document.querySelectorAll("#incident .timeline > li > .posted:last-child")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "link posted" });
    const which = Object.assign(document.createElement("span"), { className: "unseen" });
    which.textContent = ` (${link.closest("li").querySelector(".phase").textContent}, ${link.querySelector("time").firstChild.data})`;
    button.append(words.copy, which);
    link.style.marginInlineEnd = "1em";
    button.style.textDecoration = "underline";
    button.addEventListener("click", () => copy(button, link.href));
    link.after(" ", button);
  }
}

/** Back is where the scroll position is kept; a visitor who went to another update meanwhile takes the link as it is. */
function addWayBack() {
  const from = document.referrer;
  if (!from.startsWith(`${location.origin}/`) || new URL(from).pathname === location.pathname) return;
  const link = Object.assign(document.createElement("a"), { href: from, textContent: words.back });
  let hasMoved = false;
  addEventListener("hashchange", () => (hasMoved = true));
  link.addEventListener("click", (event) => {
    const isPlain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (!isPlain || hasMoved || history.length < 2) return;
    event.preventDefault();
    history.back();
  });
  more.prepend(link, " ");
}

addButtons();
addWayBack();
// Before page.js gives the focus back to the button that had it.
document.addEventListener("htmx:afterSwap", addButtons, { capture: true });
