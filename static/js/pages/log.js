// The run log: its level buttons hide lines, and it follows the end unless scrolled up.

const NEAR = 24;

/** Whether a log shows its end. */
export const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;

function follow(document) {
  let pinned = true;
  document.addEventListener("scroll", (event) => {
    if (event.target.id === "run-log") pinned = atEnd(event.target);
  }, true);
  document.addEventListener("htmx:oobAfterSwap", () => {
    const log = document.getElementById("run-log");
    if (!log) return;
    if (log.querySelector(".log__line")) log.querySelector("[data-log-empty]")?.remove();
    if (pinned) log.scrollTop = log.scrollHeight;
  });
}

/** Bind the level buttons and the following of the page's log. */
export function bindLog(document) {
  follow(document);
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
