// The theme buttons: they set the cookie that the server reads at the next page, and the attribute now.

const YEAR = 31536000;

/** Cookie text for a theme choice; "auto" follows the system and is stored as such. */
export function themeCookie(theme) {
  return `tacit-theme=${theme}; Path=/; Max-Age=${YEAR}; SameSite=Lax; Secure`;
}

/** Answer the theme form without a reload. */
export function bindTheme(document) {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-theme-form]");
    const theme = event.submitter?.value;
    if (!form || !theme) return;
    event.preventDefault();
    document.cookie = themeCookie(theme);
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("[data-theme-form] button")) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  });
}
