// Searching for something at the pointer: a node to add (N, double-click, a wire dropped on empty
// ground), a component to put in a node's place, and a node that is there (Ctrl+F).
//
// Hooks: [data-testid="quick-add"], input[data-testid="quick-search"], [role="option"][data-component],
// [role="option"][data-found="NODE"].

import { offer } from "../state/palette.js";
import { announce } from "./announce.js";
import { h } from "./dom.js";
import { tile } from "./node_element.js";
import { Picker } from "./picker.js";

export class QuickAdd {
  /** actions: {place(component, client) → id, goTo(id), reveal(id), replace(id, component)} */
  constructor(root, editor, actions) {
    Object.assign(this, { editor, actions });
    this.picker = new Picker(root, "quick");
  }

  get open() {
    return this.picker.open;
  }

  close() {
    this.picker.close();
  }

  /** Add a node at a point of the page. */
  add(client) {
    if (this.editor.readOnly) return;
    this.#components("Add a node", null, client, ({ item }) => {
      this.picker.close(false);
      this.actions.place(item.name, "x" in client ? client : null, { free: true });
    });
  }

  /** A wire was dropped on empty ground: add a node that takes it. `end` is {node, port, direction}. */
  forWire(end, client, onClose) {
    const label = this.editor.document.nodes.get(end.node)?.label ?? end.node;
    const title = end.direction === "out" ? `${label}.${end.port} goes into a new` : `${label}.${end.port} takes from a new`;
    this.#components(title, end, client, ({ item, port }) => {
      this.picker.close(false);
      this.actions.place(item.name, client, { end, port, free: true });
    }, onClose);
  }

  /** Put another component in a node's place. */
  replace(nodeId, anchor) {
    const node = this.editor.document.nodes.get(nodeId);
    this.#components(`Replace ${node.label} with`, null, anchor, ({ item }) => {
      this.picker.close(false);
      this.actions.replace(nodeId, item.name);
    });
  }

  #components(title, end, at, choose, onClose = null) {
    this.picker.show({
      title, at, choose, onClose, testid: "quick-search", placeholder: "Search nodes",
      none: end ? "No node takes this wire." : "No node is called that.",
      rows: (query) => offer(this.editor, query, end).map((row) => ({
        ...row, dataset: { component: row.item.name },
        content: [
          tile(row.item), h("span", { class: "trunc" }, row.item.title),
          h("span", { class: "muted" }, row.port ?? ""),
          h("small", { class: "trunc" }, row.item.help ?? row.item.name),
        ],
      })),
    });
  }

  /** Find a node by its name, component or settings, and go there. */
  find() {
    const { editor } = this;
    const order = editor.order();
    this.picker.show({
      title: "Find a node", testid: "quick-search", placeholder: "Name, component or setting",
      none: "No node has these words.",
      moved: ({ id }) => this.actions.reveal(id),
      choose: ({ id }) => {
        this.picker.close(false);
        this.actions.goTo(id);
        announce(`At ${editor.document.nodes.get(id).label}.`);
      },
      rows: (query) => {
        const words = query.toLowerCase().split(/\s+/).filter(Boolean);
        return order.filter((id) => words.every((word) => textOf(editor, id).includes(word))).slice(0, 200).map((id) => {
          const node = editor.document.nodes.get(id);
          return {
            id, dataset: { found: id },
            content: [
              tile(editor.catalog.of(node)), h("span", { class: "trunc" }, node.label), h("span"),
              h("small", { class: "trunc" }, editor.catalog.summary(node) || node.component),
            ],
          };
        });
      },
    });
  }
}

function textOf(editor, id) {
  const node = editor.document.nodes.get(id);
  return `${node.label} ${node.component} ${id} ${editor.catalog.summary(node)}`.toLowerCase();
}
