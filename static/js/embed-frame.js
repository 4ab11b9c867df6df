// Inside /embed/frame: tells the page around it to show or hide the frame, and looks for news. docs/banner.md.
const POLL_MS = 60_000;
const root = document.documentElement;
const id = root.dataset.banner || "";
const key = "status-banner";

function tell(action) {
  if (parent !== window) parent.postMessage({ action }, "*"); // a public word for whoever embeds us
}

function remembered() {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is switched off in many frames
  }
}

function dismiss() {
  try {
    localStorage.setItem(key, id);
  } catch {
    // then it comes back with the next page
  }
  tell("dismissFrame");
}

document.getElementById("dismiss")?.addEventListener("click", dismiss);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") dismiss();
});
tell(id && id !== remembered() ? "showFrame" : "dismissFrame");

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch("../api/banner.json", {
      credentials: "omit", cache: "no-cache", signal: AbortSignal.timeout(2000),
    });
    const { banner } = await answer.json();
    if ((banner ? banner.id : "") !== id) location.reload();
  } catch {
    // the next look may work
  }
}

setInterval(look, POLL_MS * (0.75 + Math.random() / 2));
