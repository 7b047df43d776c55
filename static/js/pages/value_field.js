// The write-only value of a secret. It is hidden while typed unless asked, it is emptied when the
// page is left or comes back from the browser's cache, and it never lands in storage.

/** What the text looks like, as a hint under the field; never shows any of it. */
export function looksLike(text) {
  const trimmed = text.trim();
  if (!trimmed) return "";
  if (/^-----BEGIN [A-Z ]+-----/.test(trimmed)) return "Looks like PEM";
  if (/^[[{]/.test(trimmed)) {
    try {
      JSON.parse(trimmed);
      return "Looks like JSON";
    } catch {
      return "Looks like text";
    }
  }
  return "Looks like text";
}

/** Bytes of the text in UTF-8: the limit is in bytes. */
export function byteLength(text) {
  return new TextEncoder().encode(text).length;
}

const LIMIT = 65536;

function describe(field) {
  const note = field.closest("[data-value-box]")?.querySelector("[data-value-note]");
  if (!note) return;
  const bytes = byteLength(field.value);
  note.textContent = bytes > LIMIT
    ? `${bytes.toLocaleString("en")} bytes: over the limit of 65,536`
    : looksLike(field.value);
}

/** Bind every value field: show while typing, load a file, clear on leave. */
export function bindValueFields(document) {
  const fields = () => document.querySelectorAll("[data-value-field]");
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-value-field]")) describe(event.target);
  });
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-value-show]");
    if (!toggle) return;
    const field = toggle.closest("[data-value-box]").querySelector("[data-value-field]");
    const shown = field.classList.toggle("is-shown");
    toggle.setAttribute("aria-pressed", String(shown));
    field.focus();
  });
  document.addEventListener("change", async (event) => {
    const picker = event.target.closest?.("[data-value-file]");
    if (!picker?.files?.length) return;
    const field = picker.closest("[data-value-box]").querySelector("[data-value-field]");
    field.value = await picker.files[0].text();
    picker.value = "";
    describe(field);
    field.focus();
  });
  // The field outlives a swap (hx-preserve), so its error state is set here and not by the server.
  const mark = () => {
    for (const field of fields()) {
      const wrong = document.getElementById(`${field.id}-error`) !== null;
      if (wrong) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  };
  mark();
  document.addEventListener("htmx:afterSettle", mark);
  const clear = () => {
    for (const field of fields()) field.value = "";
  };
  window.addEventListener("pagehide", clear);
  window.addEventListener("pageshow", (event) => event.persisted && clear());
}
