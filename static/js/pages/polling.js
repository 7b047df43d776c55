// Lists that refresh themselves rest while nobody looks at the page, and while one of their menus
// has the focus: a swap would close it.

/** Hold back polls that would come unseen or at the wrong moment. */
export function bindPolling(document) {
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = event.detail;
    if (!elt.matches?.("[data-poll]") || requestConfig?.triggeringEvent?.type) return;
    const followed = document.getElementById("run")?.hasAttribute("data-live");
    if (elt.dataset.poll === "run" && followed) event.preventDefault();
    if (document.hidden || elt.querySelector("select:focus")) event.preventDefault();
  });
}
