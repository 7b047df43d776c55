// "/" goes to the page's search field, as its key cap says.

const typing = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

/** Bind the page-wide keys. */
export function bindKeys(document) {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.querySelector("[data-search]");
    if (!search || typing(event.target)) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
}
