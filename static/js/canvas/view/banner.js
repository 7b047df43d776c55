// The one banner of the editor: what went wrong with loading, saving, pasting or running, and the
// buttons that lead on. A banner with a `kind` is hidden only by that kind.

import { h, icon, replace } from "./dom.js";

const ICONS = { bad: "octagon-alert", ok: "circle-check" };

export function bindBanner(root) {
  let shown = null;
  return {
    show(tone, title, text, buttons = [], kind = "") {
      shown = kind;
      root.className = `ed-banner banner banner--${tone}`;
      replace(root, icon(ICONS[tone] ?? "triangle-alert"), h("div", { class: "grow" }, h("strong", {}, title), h("p", {}, text)), h("div", { class: "row row--wrap" }, buttons));
      root.hidden = false;
    },
    hide(kind = "") {
      if (shown === kind) root.hidden = true;
    },
    /** A button for `show`, found by tests as [data-choice]. */
    button(choice, text, act) {
      return h("button", { type: "button", class: "btn btn--s", dataset: { choice }, on: { click: act } }, text);
    },
  };
}
