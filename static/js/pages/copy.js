// Copy buttons: the field is selected too, for browsers that refuse the clipboard.

/** Bind buttons with data-copy, the id of the field to copy. */
export function bindCopy(document) {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.lastChild.textContent = "Copied";
    } catch {
      button.lastChild.textContent = "Press Ctrl+C";
    }
  });
}
