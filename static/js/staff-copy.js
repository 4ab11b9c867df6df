// Copies what stands in a field; without script, or where the clipboard is closed, the text is there to select.
const say = (button, isCopied) => {
  const [words, done] = [button.dataset.words || button.textContent, button.dataset.done];
  button.dataset.words = words;
  button.textContent = isCopied ? done : words;
};

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    if (!document.execCommand("copy")) return;
  }
  say(button, true);
  setTimeout(() => say(button, false), 3000);
}

const show = (root) => {
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
document.addEventListener("htmx:afterSwap", () => show(document));
show(document);
