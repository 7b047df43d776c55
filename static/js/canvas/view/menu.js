// The menu of a node, a wire or the empty canvas: by the second mouse button, a long touch, the
// menu key, or the inspector's "…".
//
// Hooks: [role="menu"][data-testid="menu"], [role="menuitem"][data-act="NAME"].

import { h, icon, replace } from "./dom.js";

export class Menu {
  constructor(root) {
    this.root = root;
    this.back = null;
    root.setAttribute("role", "menu");
    root.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", (event) => {
      if (!root.contains(event.target)) this.close(false);
    }, { capture: true });
    root.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !root.contains(event.relatedTarget)) this.close(false);
    });
  }

  get open() {
    return !this.root.hidden;
  }

  /** items: [{act, label, icon, keys, run, off}] or null for a line between. */
  show(items, { x, y }, label) {
    this.back = document.activeElement;
    this.root.setAttribute("aria-label", label);
    replace(this.root, items.map((item) => (item ? this.#item(item) : h("hr"))));
    this.root.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.root;
    Object.assign(this.root.style, {
      left: `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`,
      top: `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`,
    });
    this.#items()[0]?.focus();
  }

  #item({ act, label, icon: symbol, keys, run, off = false }) {
    const go = () => {
      if (off) return;
      this.close();
      run();
    };
    return h(
      "button",
      { type: "button", class: "menu__item", role: "menuitem", tabindex: "-1", "aria-disabled": off ? "true" : null, dataset: { act }, on: { click: go } },
      icon(symbol, "s"),
      h("span", { class: "grow" }, label),
      keys ? h("kbd", { "aria-hidden": "true" }, keys) : null,
    );
  }

  #items() {
    return [...this.root.querySelectorAll('[role="menuitem"]:not([aria-disabled])')];
  }

  #key(event) {
    const items = this.#items();
    const at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) items[to % items.length]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") this.close();
    else if (event.key !== "Enter" && event.key !== " ") return event.stopPropagation();
    else return event.stopPropagation();
    event.preventDefault();
    return event.stopPropagation();
  }

  close(refocus = true) {
    if (this.root.hidden) return;
    this.root.hidden = true;
    if (refocus) this.back?.focus?.({ preventScroll: true });
    this.back = null;
  }
}
