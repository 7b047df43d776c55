// A button that puts a suggestion into a field: data-fill names the field, data-with the text.
export function bindFill(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-fill]");
    const field = button?.form?.elements.namedItem(button.dataset.fill);
    if (!field) return;
    field.value = button.dataset.with;
    field.focus();
    button.form.requestSubmit();
  });
}
