// A small window with a search and a list to choose from: quick add, find, connect, replace.
//
// Hooks: [role="dialog"] the window, input[data-testid] its search, [role="option"] a row.

import { h, icon, replace, setAttribute } from "./dom.js";

const WIDTH = 360;
const MOST = 200;

export class Picker {
  /** `root` is the window's element; `name` prefixes its ids. */
  constructor(root, name) {
    Object.assign(this, { root, name });
    this.back = null;
    this.onClose = null;
    root.addEventListener("focusout", (event) => {
      if (!root.hidden && event.relatedTarget && !root.contains(event.relatedTarget)) this.close(false);
    });
    document.addEventListener("pointerdown", (event) => {
      if (!root.hidden && !root.contains(event.target)) this.close(false);
    }, { capture: true });
  }

  get open() {
    return !this.root.hidden;
  }

  /**
   * Show the window. rows(query) gives [{content, disabled, dataset, …}]; choose(row) is called with
   * one that isn't disabled; `at` is a point {x, y} of the page or an element to stand beside.
   */
  show({ title, placeholder, testid, rows, choose, at, none = "Nothing fits these words.", moved = null, onClose = null }) {
    if (this.root.hidden) this.back = document.activeElement;
    this.onClose = onClose;
    let active = 0;
    let shown = [];
    const search = h("input", {
      class: "input", type: "search", "aria-label": title, placeholder, autocomplete: "off", spellcheck: "false",
      role: "combobox", "aria-expanded": "true", "aria-controls": `${this.name}-options`, dataset: { testid },
    });
    const list = h("div", { class: "combo__list", role: "listbox", id: `${this.name}-options`, "aria-label": title });
    const pick = (row) => {
      if (row && !row.disabled) choose(row);
    };
    const mark = () => {
      [...list.querySelectorAll(".option")].forEach((element, index) => {
        element.classList.toggle("is-active", index === active);
        element.setAttribute("aria-selected", String(index === active));
      });
      setAttribute(search, "aria-activedescendant", shown.length ? `${this.name}-${active}` : null);
      list.querySelector(".is-active")?.scrollIntoView({ block: "nearest" });
      if (shown[active]) moved?.(shown[active]);
    };
    const draw = () => {
      shown = rows(search.value).slice(0, MOST);
      active = Math.max(0, Math.min(active, shown.length - 1));
      replace(list, shown.length ? shown.map((row, index) => this.#option(row, index, pick)) : h("p", { class: "combo__none" }, none));
      mark();
    };
    search.addEventListener("input", () => ((active = 0), draw()));
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
      if (step) active = Math.max(0, Math.min(shown.length - 1, active + step));
      else if (event.key === "Enter") pick(shown[active]);
      else if (event.key === "Escape") this.close();
      else return;
      event.preventDefault();
      if (step) mark();
    });
    this.root.setAttribute("aria-label", title);
    replace(this.root, h("h2", {}, title), h("label", { class: "search combo__search" }, h("span", { class: "icon-slot" }, icon("search")), search), list);
    this.root.hidden = false;
    this.#placeAt(at);
    draw();
    search.focus();
  }

  #option(row, index, pick) {
    return h(
      "div",
      {
        class: "option", role: "option", id: `${this.name}-${index}`, "aria-selected": "false",
        "aria-disabled": row.disabled ? "true" : null, dataset: row.dataset ?? {}, on: { click: () => pick(row) },
      },
      row.content,
    );
  }

  #placeAt(at) {
    const point = at && "x" in at && !at.getBoundingClientRect;
    const rect = at?.getBoundingClientRect?.() ?? (point
      ? { left: at.x, right: at.x - 8, top: at.y }
      : { left: innerWidth / 2 - WIDTH / 2, right: innerWidth / 2 - WIDTH / 2, top: 120 });
    const left = rect.right + WIDTH + 16 < innerWidth ? rect.right + 8 : rect.left - WIDTH - 8;
    Object.assign(this.root.style, {
      left: `${Math.max(8, Math.min(left, innerWidth - WIDTH - 8))}px`,
      top: `${Math.max(60, Math.min(rect.top, innerHeight - 420))}px`,
    });
  }

  close(refocus = true) {
    if (this.root.hidden) return;
    this.root.hidden = true;
    if (refocus) this.back?.focus?.({ preventScroll: true });
    this.back = null;
    const told = this.onClose;
    this.onClose = null;
    told?.();
  }
}
