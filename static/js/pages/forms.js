// Forms: focus the first field at fault, guard a deed behind a typed name, send once.

/** Whether what was typed confirms a deed on `name`. Exact on purpose. */
export function confirms(typed, name) {
  return typed === name;
}

/** Go to the first field at fault; a field that is fine keeps the focus. */
function focusFirstError(document) {
  const field = document.querySelector("[aria-invalid='true']") ?? document.querySelector("[data-error-summary]");
  field?.focus();
}

function guard(input) {
  const button = input.form?.querySelector("[data-confirmed]");
  if (!button) return;
  const open = confirms(input.value, input.dataset.confirmName);
  button.setAttribute("aria-disabled", String(!open));
}

/** A dialog whose form was refused comes back open, with its error at the field. */
function reopen(document) {
  for (const dialog of document.querySelectorAll("dialog[data-open-now]:not([open])")) {
    dialog.removeAttribute("data-open-now");
    dialog.showModal();
  }
}

/** Bind error focus, typed confirmations, dialogs and double-submit protection. */
export function bindForms(document) {
  reopen(document);
  focusFirstError(document);
  for (const input of document.querySelectorAll("[data-confirm-name]")) guard(input);

  document.addEventListener("htmx:afterSettle", () => {
    reopen(document);
    for (const input of document.querySelectorAll("[data-confirm-name]")) guard(input);
    focusFirstError(document);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-confirm-name]")) guard(event.target);
  });
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      // htmx listens on the form and sends whatever the browser was told not to.
      event.stopPropagation();
      button.form.querySelector("[data-confirm-name]")?.focus();
      return;
    }
    if (event.target.matches("[data-once]")) button?.setAttribute("aria-busy", "true");
  }, true);
  document.addEventListener("click", (event) => {
    const suggestion = event.target.closest("[data-suggest]");
    if (suggestion) {
      const field = document.getElementById(suggestion.dataset.suggest);
      field.value = suggestion.dataset.value;
      field.focus();
      return;
    }
    const opener = event.target.closest("[data-open]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.open)?.showModal();
      return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog")?.close();
    }
  });
}
