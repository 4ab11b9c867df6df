// What was typed has arrived: the posting screen need not keep it (admin-post.js).
Object.keys(sessionStorage).filter((name) => name.startsWith("post:")).forEach((name) => sessionStorage.removeItem(name));

// Tells screen readers how far the sending is, only when that has changed.
document.addEventListener("htmx:afterSettle", () => {
  const counts = document.getElementById("receipt");
  const said = document.getElementById("receipt-said");
  if (counts && said && said.textContent !== counts.dataset.said) said.textContent = counts.dataset.said;
});
