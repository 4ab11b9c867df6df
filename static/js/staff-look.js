// The screen "Look": shows each change in the preview, and puts a colour picker beside each colour that is typed.
const form = document.getElementById("look");
const button = document.getElementById("show-preview");
let waiting;

function showSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => form.requestSubmit(button), 400);
}

for (const input of form.querySelectorAll("input.colour")) {
  const picker = document.createElement("input");
  picker.type = "color";
  picker.tabIndex = -1;
  picker.ariaHidden = "true";
  const follow = () => {
    if (/^#[0-9a-f]{6}$/i.test(input.value)) picker.value = input.value;
  };
  follow();
  input.addEventListener("input", follow);
  picker.addEventListener("input", () => {
    input.value = picker.value;
  });
  input.after(picker);
}

form.addEventListener("input", (event) => {
  if (event.target.name !== "width") showSoon();
});
