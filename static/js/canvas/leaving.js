// Links of the top bar that lead to a page about the draft: they wait until it is saved, so that
// the page shows what the canvas does.
const WAIT = 4000;

const saved = () => {
  const mark = document.querySelector('[data-testid="saved"]');
  return !mark || (mark.dataset.state ?? "saved") === "saved";
};

for (const link of document.querySelectorAll("[data-when-saved]")) {
  link.addEventListener("click", (event) => {
    if (saved() || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    const began = Date.now();
    const look = () => {
      if (saved() || Date.now() - began > WAIT) location.assign(link.href);
      else setTimeout(look, 100);
    };
    look();
  });
}
