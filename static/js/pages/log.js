// The run log's level buttons: a class on the log, the lines stay.

/** Bind the level buttons of every log of the page. */
export function bindLog(document) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-log-levels] button");
    if (!button) return;
    for (const other of button.parentElement.children) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    const log = button.closest(".card").querySelector("[role='log']");
    if (log) log.dataset.level = button.value;
  });
}
