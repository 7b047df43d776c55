// Wiring without dragging: `C` on a node (or "Connect…" in the inspector) opens a list of the ends
// that fit, nearest first; refused ones stand below, disabled, with their reason.
//
// Hooks: [role="dialog"][data-testid="connect-list"], [role="option"][data-end="NODE.PORT"],
// input[data-testid="connect-search"].

import { distanceBetween } from "../state/geometry.js";
import { rankInputs, rankOutputs } from "../state/rules.js";
import { announce } from "./announce.js";
import { h } from "./dom.js";
import { Picker } from "./picker.js";
import { pinGlyph } from "./pins.js";

export class ConnectList {
  constructor(root, editor) {
    this.editor = editor;
    this.picker = new Picker(root, "connect");
  }

  get open() {
    return this.picker.open;
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
    this.picker.close();
    announce(verdict.ok ? `Connected ${this.#name(source)} to ${this.#name(target)}.` : `${verdict.title}. ${verdict.reason}`);
  }

  #distance(from) {
    const box = this.editor.box(from);
    return (id) => distanceBetween(box, this.editor.box(id));
  }

  #name({ node, port }) {
    return `${this.editor.document.nodes.get(node)?.label ?? node}.${port}`;
  }

  #show(title, ends, at, choose) {
    if (this.editor.readOnly) return;
    const fits = (row, words) => words.every((word) => `${row.node.label} ${row.port.name}`.toLowerCase().includes(word));
    this.picker.show({
      title, at, choose, testid: "connect-search", placeholder: "Filter by node or port",
      none: "Nothing fits. Add another node first.",
      rows: (query) => {
        const words = query.toLowerCase().split(/\s+/).filter(Boolean);
        return ends.filter((row) => fits(row, words)).slice(0, 200).map((row) => ({
          ...row, disabled: !row.verdict.ok, dataset: { end: `${row.end.node}.${row.end.port}` }, content: describe(row),
        }));
      },
    });
  }

  close() {
    this.picker.close();
  }
}

function describe({ node, port, verdict }) {
  return [
    pinGlyph(port.type),
    h("span", { class: "trunc" }, h("b", {}, node.label), ` ${port.name}`),
    h("span", { class: "muted" }, port.type),
    verdict.ok
      ? verdict.replaces ? h("small", {}, "Replaces the wire that is there") : null
      : h("small", { class: "c-bad" }, `${verdict.title}. ${verdict.reason}`),
  ];
}
