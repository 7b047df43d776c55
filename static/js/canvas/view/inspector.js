// The inspector: label, fields and wires of the one selected node, or the flow's outline.
//
// Hooks: aside[data-testid="inspector"], .field[data-field="NAME"], input[data-testid="node-label"],
// button[data-connect="PORT"] opens the list of ends that fit, button[data-disconnect="EDGE"],
// .wirelist li[data-end="PORT"], button[data-outline="NODE"].

import { fieldValue } from "../state/catalog.js";
import { wiresFrom, wiresInto } from "../state/document.js";
import { connectionTest } from "./connection.js";
import { fieldEditor } from "./fields.js";
import { groupedFields } from "./field_groups.js";
import { h, icon, replace, setAttribute } from "./dom.js";
import { drawLastRun } from "./node_run.js";
import { drawOutline } from "./outline.js";
import { policyFields, policyValue } from "./policies.js";
import { tile } from "./node_element.js";
import { pinGlyph } from "./pins.js";
import { sealed } from "./sealed.js";

/** Milliseconds between two drawings of the outline while a run goes on. */
const CALM = 400;

export class Inspector {
  /** actions: {runOne(id, options), testConnection(id, …) or null, connectFrom, connectInto (end, anchor), connectNode(id, anchor), select(id), back(id or null), menu(id, anchor), close(), quickAdd(anchor), acts()} */
  constructor(root, editor, { secrets, actions }) {
    Object.assign(this, { root, editor, secrets, actions });
    this.tab = "configure";
    this.editors = new Map();
    this.unfolded = new Map();
    this.signature = null;
    for (const topic of ["document", "selection", "problems"]) editor.on(topic, () => this.draw());
    editor.on("run", () => this.draw({ calmly: true }));
    this.draw();
  }

  /** `calmly`: the outline may wait, a run changes it all the time. */
  draw({ calmly = false } = {}) {
    const id = this.editor.selection.single;
    const node = id && this.editor.document.nodes.get(id);
    this.root.classList.toggle("is-node", Boolean(node));
    if (!node) {
      this.signature = null;
      this.editors.clear();
      return this.#outlineSoon(calmly);
    }
    const signature = this.#structure(node);
    if (signature !== this.signature) this.#build(node, signature);
    this.#update(node);
  }

  /** The outline is drawn once a frame, however much changes: a box select changes a lot. */
  #outlineSoon(calmly) {
    if (this.waiting) return;
    const draw = () => {
      this.waiting = this.calming = null;
      if (!this.editor.selection.single) drawOutline(this.root, this.editor, this.actions);
    };
    if (calmly) this.calming ??= setTimeout(() => this.#outlineSoon(false), CALM);
    else this.waiting = requestAnimationFrame(() => (clearTimeout(this.calming), draw()));
  }

  /** Go to the outline's first row, at once: keys that are pressed next are meant for it. */
  focusOutline() {
    cancelAnimationFrame(this.waiting);
    clearTimeout(this.calming);
    this.waiting = this.calming = null;
    drawOutline(this.root, this.editor, this.actions);
    this.root.querySelector("[data-outline]")?.focus();
  }

  #structure(node) {
    const { document, catalog } = this.editor;
    const wires = [...wiresInto(document, node.id), ...wiresFrom(document, node.id)];
    const ends = wires.map((edge) => {
      const other = edge.source.node === node.id ? edge.target : edge.source;
      return `${edge.id}>${document.nodes.get(other.node)?.label}.${other.port}`;
    });
    const fields = this.#fields(node).map((field) => field.name);
    const item = catalog.of(node);
    const shape = item?.dynamic ? JSON.stringify([item.inputs, item.outputs, item.fields.map(({ choices }) => choices)]) : "";
    return [node.id, node.component, node.component_version, this.tab, this.editor.readOnly, fields, ends, shape].join("|");
  }

  #build(node, signature) {
    const focused = this.signature ? document.activeElement?.id : null;
    this.signature = signature;
    this.editors.clear();
    const item = this.editor.catalog.of(node);
    this.root.setAttribute("aria-label", `Inspector: ${node.label}`);
    const body = this.tab === "run" ? h("div", { class: "insp__body" }, this.#runOne(node), h("div", { class: "stack", dataset: { lastRun: node.id } })) : this.#form(node, item);
    replace(this.root, this.#head(node, item), this.#tabs(), body);
    if (focused) this.root.querySelector(`#${CSS.escape(focused)}`)?.focus({ preventScroll: true });
  }

  #head(node, item) {
    const label = h("input", {
      class: "insp__label", id: "insp-label", value: node.label, "aria-label": "Name of this node", maxlength: 120,
      autocomplete: "off", spellcheck: "false", readonly: this.editor.readOnly, dataset: { testid: "node-label" },
    });
    label.addEventListener("change", () => {
      this.editor.rename(node.id, label.value);
      label.value = this.editor.document.nodes.get(node.id)?.label ?? label.value;
    });
    label.addEventListener("keydown", (event) => {
      if (event.key === "Escape") label.value = this.editor.document.nodes.get(node.id)?.label ?? node.label;
      else if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      label.blur();
      this.actions.back(node.id);
    });
    return h(
      "div",
      { class: "insp__head" },
      tile(item),
      h("div", { class: "grow" }, h("h2", { class: "sr" }, node.label), label, h("small", {}, node.component)),
      h(
        "button",
        {
          type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": "More for this node", "aria-haspopup": "menu", dataset: { testid: "node-menu" },
          on: { click: (event) => this.actions.menu(node.id, event.currentTarget) },
        },
        icon("ellipsis"),
      ),
      h(
        "button",
        { type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": "Close inspector", on: { click: () => this.actions.close() } },
        icon("x"),
      ),
    );
  }

  #tabs() {
    const tab = (name, label) =>
      h(
        "button",
        {
          type: "button", role: "tab", "aria-selected": String(this.tab === name), dataset: { tab: name },
          on: { click: () => this.show(name) },
        },
        label,
      );
    return h("div", { class: "tabs", role: "tablist", "aria-label": "Node details" }, tab("configure", "Configure"), tab("run", "Last run"));
  }

  /** Show a tab: "configure" or "run". */
  show(tab) {
    this.tab = tab;
    this.draw();
  }

  #runOne(node) {
    const run = (label, options, act) => h("button", { type: "button", class: "btn btn--s", dataset: { act }, on: { click: () => this.actions.runOne(node.id, options) } }, label);
    const alone = run("Run this node", {}, "run-one");
    alone.prepend(icon("play", "s"));
    return h("div", { class: "row" }, alone, run("With…", { ask: true }, "run-one-with"));
  }

  #form(node, item) {
    const form = h("form", { class: "insp__body", autocomplete: "off", on: { submit: (event) => event.preventDefault() } });
    if (item?.help) form.append(h("p", { class: "field__help" }, item.help));
    if (!item) form.append(h("p", { class: "banner banner--warn" }, `The component ${node.component} isn't installed here. The node and its wires are kept as they are.`));
    form.append(...groupedFields(this.#fields(node), {
      node, item, unfolded: this.unfolded, draw: (field) => this.#field(node, field),
      isWired: (name) => wiresInto(this.editor.document, node.id, name).length > 0,
    }));
    if (item?.provider && this.actions.testConnection) {
      const test = connectionTest((waiting, watched) => this.actions.testConnection(node.id, waiting, watched));
      for (const event of ["input", "change"]) form.addEventListener(event, test.forget);
      form.append(test.element);
    }
    form.append(this.#inputs(node), this.#outputs(node));
    if (item && this.editor.catalog.policies.length) form.append(policyFields(this, node));
    if (item?.handles_secrets) form.append(sealed());
    return form;
  }

  #fields(node) {
    const { document, catalog } = this.editor;
    return catalog.fields(node, new Set(wiresInto(document, node.id).map(({ target }) => target.port)));
  }

  #field(node, field) {
    const id = `f-${field.name}`;
    const help = h("p", { class: "field__help", id: `${id}-help` }, field.help);
    const error = h("p", { class: "field__error", id: `${id}-error`, hidden: true });
    const wire = field.wirable ? wiresInto(this.editor.document, node.id, field.name)[0] : null;
    const editor = wire ? null : fieldEditor({
      field, id, describedby: `${id}-help ${id}-error`, secrets: this.secrets,
      config: () => this.editor.document.nodes.get(node.id)?.config ?? {},
      commit: (value) => this.editor.setField(node.id, field.name, value),
      seal: () => this.editor.history.seal(),
    });
    if (editor) this.editors.set(field.name, { editor, error });
    if (editor && this.editor.readOnly) disable(editor.element);
    const label = h(
      "div",
      { class: "field__label" },
      h("label", { for: wire ? null : id }, field.label, field.required ? h("span", { class: "port__req", "aria-label": "required" }, "*") : null),
      h("span", { class: "field__tools" }, h("span", { class: "field__key" }, field.name), field.wirable && !wire ? this.#wireButton(node, field.name) : null),
    );
    return h(
      "div",
      { class: `field${editor?.inline ? " field--inline" : ""}`, dataset: { field: field.name } },
      label,
      wire ? this.#wiredFrom(wire) : editor.element,
      error,
      field.help ? help : null,
    );
  }

  #wireButton(node, port) {
    if (this.editor.readOnly) return null;
    return h(
      "button",
      {
        type: "button", class: "field__wire", "aria-label": `Wire an output into ${port}`, title: "Wire an output into this field",
        dataset: { connect: port },
        on: { click: (event) => this.actions.connectInto({ node: node.id, port }, event.currentTarget) },
      },
      icon("plug", "xs"),
    );
  }

  #wiredFrom(edge) {
    const { document, catalog } = this.editor;
    const type = catalog.port(document, edge.source.node, edge.source.port, "out")?.type ?? "any";
    return h("div", { class: "wired" }, pinGlyph(type), h("span", { class: "grow trunc" }, this.#otherEnd(edge.source)), this.#disconnect(edge));
  }

  #otherEnd({ node, port }) {
    const label = this.editor.document.nodes.get(node)?.label ?? node;
    return h("button", { type: "button", class: "link", on: { click: () => this.actions.select(node) } }, `${label} · ${port}`);
  }

  #disconnect(edge) {
    if (this.editor.readOnly) return null;
    return h(
      "button",
      {
        type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": `Disconnect ${edge.target.port}`, title: "Disconnect",
        dataset: { disconnect: edge.id }, on: { click: () => this.editor.disconnect(edge.id) },
      },
      icon("unlink", "s"),
    );
  }

  #inputs(node) {
    const { document, catalog } = this.editor;
    const ports = catalog.inputs(document, node).filter((port) => !port.field);
    const rows = ports.flatMap((port) => {
      const edges = wiresInto(document, node.id, port.name);
      if (!edges.length || port.multiple) edges.push(null);
      return edges.map((edge) => this.#endRow(node, port, edge, edge?.source, "arrow-left"));
    });
    return wireSection("What comes in", rows);
  }

  #outputs(node) {
    const { document, catalog } = this.editor;
    const rows = catalog.outputs(document, node).flatMap((port) => {
      const edges = [...wiresFrom(document, node.id, port.name), null];
      return edges.map((edge) => this.#endRow(node, port, edge, edge?.target, "arrow-right"));
    });
    return wireSection("Where it goes", rows);
  }

  #endRow(node, port, edge, other, arrow) {
    const open = (event) => {
      const end = { node: node.id, port: port.name };
      if (port.direction === "in") this.actions.connectInto(end, event.currentTarget);
      else this.actions.connectFrom(end, event.currentTarget);
    };
    const tail = edge
      ? [icon(arrow, "xs"), this.#otherEnd(other), this.#disconnect(edge)]
      : this.editor.readOnly
        ? [h("span", { class: "muted" }, "not connected")]
        : [h("button", { type: "button", class: "link", dataset: { connect: port.name }, on: { click: open } }, "Connect…")];
    return h("li", { dataset: { end: port.name } }, pinGlyph(port.type, Boolean(edge)), h("span", { class: "grow trunc", title: port.help || null }, port.name), ...tail);
  }

  #update(node) {
    const item = this.editor.catalog.of(node);
    const label = this.root.querySelector("#insp-label");
    if (label && document.activeElement !== label) label.value = node.label;
    for (const [name, { editor, error, policy }] of this.editors) {
      editor.set(policy ? policyValue(this.editor.catalog, node, policy) : fieldValue(item, node, name));
      const problem = this.editor.problems.at(node.id, name);
      error.hidden = !problem;
      error.classList.toggle("field__error--warn", problem?.severity === "warning");
      if (problem && error.textContent !== problem.message) replace(error, icon("octagon-alert", "s"), problem.message);
      setAttribute(editor.control, "aria-invalid", problem?.severity === "error" ? "true" : null);
    }
    const last = this.root.querySelector("[data-last-run]");
    if (last) drawLastRun(last, this.editor, node);
  }

  /** Escape: from a field back to its node, from the outline to the stage. True where a node was left. */
  leave() {
    if (!this.root.contains(document.activeElement)) return false;
    const id = this.editor.selection.single;
    this.actions.back(id);
    return Boolean(id);
  }

  /** Focus the field (or the port's row) a problem is about. */
  focusField(name) {
    if (this.tab !== "configure") this.show("configure");
    const field = name && this.root.querySelector(`[data-field="${CSS.escape(name)}"], [data-end="${CSS.escape(name)}"]`);
    for (let fold = field?.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    // The button that wires a field stands before what it is filled in with.
    const fillable = ":is(input, textarea, select, button:not(.field__wire))";
    (field?.querySelector(fillable) ?? this.root.querySelector(`.insp__body ${fillable}`))?.focus();
  }
}

function disable(element) {
  for (const control of [element, ...element.querySelectorAll("input, textarea, select, button")]) control.disabled = true;
}

function wireSection(title, rows) {
  return h("section", { class: "field" }, h("h3", { class: "field__label" }, title), h("ul", { class: "wirelist" }, rows));
}
