// Wiring without dragging: `C` on a node (or "Connect…" in the inspector) opens a list of the ends
// that fit, nearest first; refused ones stand below, disabled, with their reason.
//
// Hooks: [role="dialog"][data-testid="connect-list"], [role="option"][data-end="NODE.PORT"],
// input[data-testid="connect-search"].

import { distanceBetween } from "../state/geometry.js";
import { rankInputs, rankOutputs } from "../state/rules.js";
import { announce } from "./announce.js";
import { h, replace } from "./dom.js";
import { pinGlyph } from "./pins.js";

export class ConnectList {
  constructor(root, editor) {
    Object.assign(this, { root, editor });
    this.back = null;
    root.addEventListener("focusout", (event) => {
      if (!root.hidden && event.relatedTarget && !root.contains(event.relatedTarget)) this.close(false);
    });
  }

  get open() {
    return !this.root.hidden;
  }

  /** Choose an output of a node, then an input for it. */
  fromNode(nodeId, anchor) {
    const node = this.editor.document.nodes.get(nodeId);
    const outputs = this.editor.catalog.outputs(this.editor.document, node);
    const rows = outputs.map((port) => ({ end: { node: nodeId, port: port.name }, node, port, verdict: { ok: true } }));
    this.#show(`Wire from ${node.label}`, rows, anchor, ({ end }) => this.fromOutput(end, anchor));
  }

  /** Choose an input for an output. */
  fromOutput(source, anchor) {
    const { document, catalog, rules } = this.editor;
    const rows = rankInputs(document, catalog, rules, source, this.#distance(source.node));
    this.#show(`${this.#name(source)} goes into`, rows, anchor, ({ end }) => this.#connect(source, end));
  }

  /** Choose an output for an input. */
  intoInput(target, anchor) {
    const { document, catalog, rules } = this.editor;
    const rows = rankOutputs(document, catalog, rules, target, this.#distance(target.node));
    this.#show(`${this.#name(target)} takes`, rows, anchor, ({ end }) => this.#connect(end, target));
  }

  #connect(source, target) {
    const verdict = this.editor.connect(source, target);
    this.close();
    announce(verdict.ok ? `Connected ${this.#name(source)} to ${this.#name(target)}.` : `${verdict.title}. ${verdict.reason}`);
  }

  #distance(from) {
    const box = this.editor.box(from);
    return (id) => distanceBetween(box, this.editor.box(id));
  }

  #name({ node, port }) {
    return `${this.editor.document.nodes.get(node)?.label ?? node}.${port}`;
  }

  #show(title, rows, anchor, choose) {
    if (this.root.hidden) this.back = document.activeElement;
    let active = 0;
    let shown = rows;
    const search = h("input", {
      class: "input", type: "search", "aria-label": title, placeholder: "Filter by node or port", autocomplete: "off",
      role: "combobox", "aria-expanded": "true", "aria-controls": "connect-options", dataset: { testid: "connect-search" },
    });
    const list = h("div", { class: "combo__list", role: "listbox", id: "connect-options", "aria-label": title });
    const pick = (row) => row?.verdict.ok && choose(row);
    const option = (row, index) =>
      h(
        "div",
        {
          class: `option${index === active ? " is-active" : ""}`, role: "option", id: `connect-${index}`,
          "aria-selected": String(index === active), "aria-disabled": row.verdict.ok ? null : "true",
          dataset: { end: `${row.end.node}.${row.end.port}` }, on: { click: () => pick(row) },
        },
        pinGlyph(row.port.type),
        h("span", { class: "trunc" }, h("b", {}, row.node.label), ` ${row.port.name}`),
        h("span", { class: "muted" }, row.port.type),
        row.verdict.ok
          ? row.verdict.replaces ? h("small", {}, "Replaces the wire that is there") : null
          : h("small", { class: "c-bad" }, `${row.verdict.title}. ${row.verdict.reason}`),
      );
    const draw = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = rows.filter((row) => words.every((word) => `${row.node.label} ${row.port.name}`.toLowerCase().includes(word)));
      active = Math.max(0, Math.min(active, shown.length - 1));
      replace(list, shown.length ? shown.map(option) : h("p", { class: "combo__none" }, "Nothing fits. Add another node first."));
      if (shown.length) search.setAttribute("aria-activedescendant", `connect-${active}`);
      list.querySelector(".is-active")?.scrollIntoView({ block: "nearest" });
    };
    search.addEventListener("input", () => ((active = 0), draw()));
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) active += step;
      else if (event.key === "Enter") pick(shown[active]);
      else if (event.key === "Escape") this.close();
      else return;
      event.preventDefault();
      if (step) draw();
    });
    this.root.setAttribute("aria-label", title);
    replace(this.root, h("h2", {}, title), h("div", { class: "combo__search" }, search), list);
    this.root.hidden = false;
    this.#placeAt(anchor);
    draw();
    search.focus();
  }

  #placeAt(anchor) {
    const rect = anchor?.getBoundingClientRect?.() ?? { left: innerWidth / 2 - 180, right: innerWidth / 2, top: 160 };
    const width = 360;
    const left = rect.right + width + 16 < innerWidth ? rect.right + 8 : rect.left - width - 8;
    Object.assign(this.root.style, {
      left: `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`,
      top: `${Math.max(60, Math.min(rect.top, innerHeight - 420))}px`,
    });
  }

  close(refocus = true) {
    if (this.root.hidden) return;
    this.root.hidden = true;
    if (refocus) this.back?.focus?.();
    this.back = null;
  }
}
