// The run log: its buttons hide, wrap and follow lines; older ones come in pages, before the first.

const NEAR = 24;

/** Whether a log shows its end. */
export const atEnd = (log) => log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;

const press = (button, on) => button?.setAttribute("aria-pressed", String(on));

/** Follow the end until the log is scrolled up (at the end again, go on) or Follow is let go. */
function follow(document) {
  const log = () => document.getElementById("run-log");
  const button = () => document.querySelector("[data-log-follow]");
  let held = false;
  const pin = (on) => {
    log().dataset.follow = on ? "on" : "off";
    press(button(), on);
  };
  document.addEventListener("scroll", (event) => {
    // A log that a search hides has no height, and says nothing of its reader.
    if (event.target.id === "run-log" && event.target.clientHeight && !held) pin(atEnd(event.target));
  }, true);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-log-follow]") || !log()) return;
    const on = log().dataset.follow === "off";
    if (on) log().scrollTop = log().scrollHeight;
    held = !on;
    pin(on);
  });
  document.addEventListener("htmx:oobAfterSwap", (event) => {
    if (!log() || event.detail.target?.id !== "run-log") return;
    if (log().querySelector(".log__line")) log().querySelector("[data-log-empty]")?.remove();
    if (log().dataset.follow !== "off") log().scrollTop = log().scrollHeight;
  });
  // A run that goes on, and one whose beginning isn't here, are read from their end.
  if (log() && (button() || document.querySelector("#run-log-older:not([hidden])"))) {
    log().scrollTop = log().scrollHeight;
  }
}

/** Load older lines before the first one that is here, and keep what is read where it is. */
function older(document) {
  let below = 0;
  const asked = (event) => event.detail.elt?.matches?.("[data-log-older]");
  document.addEventListener("htmx:configRequest", (event) => {
    const first = document.querySelector("#run-log [data-seq]");
    if (asked(event) && first) event.detail.parameters.before = first.dataset.seq;
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target } = event.detail;
    if (target?.id === "run-log") below = target.scrollHeight - target.scrollTop;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const { target } = event.detail;
    if (target?.id === "run-log") target.scrollTop = target.scrollHeight - below;
  });
  document.addEventListener("log:shortened", () => {
    document.getElementById("run-log-older")?.removeAttribute("hidden");
  });
}

/** Bind the buttons, the following and the older lines of the page's log. */
export function bindLog(document) {
  follow(document);
  older(document);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-log-levels] button, [data-log-wrap]");
    if (!button) return;
    const card = button.closest(".card");
    if (button.matches("[data-log-wrap]")) {
      press(button, card.dataset.wrap === "off");
      card.dataset.wrap = card.dataset.wrap === "off" ? "on" : "off";
      return;
    }
    for (const other of button.parentElement.children) press(other, other === button);
    card.dataset.level = button.value;
  });
}
