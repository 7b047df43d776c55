// Toasts can be dismissed; good news leaves by itself, errors stay until read.

const STAY = 6000;

/** Bind dismiss buttons and let successful toasts fade. */
export function bindToasts(document) {
  document.addEventListener("click", (event) => {
    event.target.closest("[data-dismiss]")?.closest("[data-toast]")?.remove();
  });
  document.addEventListener("submit", (event) => {
    // What a toast offers is done once.
    event.target.closest?.("[data-dismisses]")?.closest("[data-toast]")?.setAttribute("hidden", "");
  });
  const fade = () => {
    for (const toast of document.querySelectorAll("[data-toast]:not([data-error], [data-seen])")) {
      toast.dataset.seen = "";
      setTimeout(() => toast.remove(), STAY);
    }
  };
  fade();
  document.addEventListener("htmx:afterSwap", fade);
  document.addEventListener("htmx:oobAfterSwap", fade);
}
