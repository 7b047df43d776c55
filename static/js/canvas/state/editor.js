// The editor's state in one place: document, history, selection, problems, run. It knows nothing
// of the page; views subscribe with `on` and call its methods.
//
// Topics: "document" (with {reason}), "selection", "problems", "run", "view" (what is unfolded),
// "mode" (whether it can be edited).

import { addNode, connect, moveNodes, removeCells, renameNode, rewire, setField, toggleDisabled } from "./commands.js";
import { parseDocument, runOrder, serialize, touchedAt } from "./document.js";
import { bounds, nodeShape } from "./geometry.js";
import { groupBox, noteBox } from "./marks.js";
import { History } from "./history.js";
import { Problems } from "./problems.js";
import { Rules, checkWire } from "./rules.js";
import { Selection } from "./selection.js";

export class Editor {
  constructor({ graph, catalog, problems = [], readOnly = false }) {
    this.catalog = catalog;
    this.rules = new Rules(catalog.rules);
    this.readOnly = readOnly;
    this.selection = new Selection();
    this.expanded = new Set();
    this.run = null;
    this.listeners = new Map();
    this.load(graph, problems);
  }

  /** Take another document (first load, or a reload after a conflict): history starts anew. */
  load(graph, problems = []) {
    this.document = parseDocument(graph);
    this.#nameNodes();
    this.shapes = new Map();
    this.history = new History(this.document);
    this.problems = new Problems(problems);
    this.selection.prune(this.document);
    this.emit("document", { reason: "load" });
    this.emit("problems");
  }

  /** A node without a name is called what the server calls it: by its component's title. */
  #nameNodes() {
    for (const node of this.document.nodes.values()) {
      if (!node.label?.trim()) node.label = this.catalog.find(node.component)?.title ?? node.component;
    }
  }

  on(topic, listener) {
    if (!this.listeners.has(topic)) this.listeners.set(topic, new Set());
    this.listeners.get(topic).add(listener);
    return () => this.listeners.get(topic).delete(listener);
  }

  emit(topic, detail = {}) {
    for (const listener of this.listeners.get(topic) ?? []) listener(detail);
  }

  serialize() {
    return serialize(this.document);
  }

  // ---- shapes ----

  /** The node's shape (geometry.js), remembered until the node or a wire at it changes. */
  shape(nodeId) {
    const version = touchedAt(this.document, nodeId);
    const expanded = this.expanded.has(nodeId);
    const known = this.shapes.get(nodeId);
    if (known?.version === version && known.expanded === expanded) return known.shape;
    const shape = nodeShape(this.document, this.catalog, this.document.nodes.get(nodeId), expanded);
    this.shapes.set(nodeId, { version, expanded, shape });
    return shape;
  }

  /** The nodes of a component look different, though nothing of the document changed. */
  reshape(componentName) {
    const ids = [...this.document.nodes.values()].filter(({ component }) => component === componentName).map(({ id }) => id);
    for (const id of ids) {
      this.shapes.delete(id);
      this.emit("view", { node: id });
    }
    if (ids.length) this.emit("document", { reason: "shape" });
  }

  box(nodeId) {
    const [x, y] = this.document.nodes.get(nodeId).position;
    const { width, height } = this.shape(nodeId);
    return { x, y, width, height };
  }

  /** The boxes of nodes and notes: what a new thing must not lie on, and what has to be in view. */
  boxes() {
    const nodes = [...this.document.nodes.keys()].map((id) => this.box(id));
    return [...nodes, ...[...this.document.notes.values()].map(noteBox)];
  }

  /** The frame of a group; `box(id)` gives other boxes than the document's while they move. */
  frame(group, box = (id) => this.box(id)) {
    return groupBox(group, box);
  }

  bounds() {
    return bounds(this.boxes());
  }

  order() {
    return runOrder(this.document);
  }

  setExpanded(nodeId, open) {
    if (open) this.expanded.add(nodeId);
    else this.expanded.delete(nodeId);
    this.emit("view", { node: nodeId });
  }

  /** The flag of a node: what the last run blames it for comes before the draft's problems. */
  flag(nodeId) {
    const blamed = this.run?.problems.filter((problem) => problem.node === nodeId) ?? [];
    return (blamed.length ? new Problems(blamed) : this.problems).flag(nodeId);
  }

  // ---- changes ----

  perform(command) {
    if (this.readOnly || !this.history.perform(command)) return false;
    this.#changed(command.label);
    return true;
  }

  #changed(reason) {
    if (this.selection.prune(this.document)) this.emit("selection");
    this.emit("document", { reason, changed: true });
  }

  undo() {
    return this.readOnly ? null : this.#step(this.history.undo());
  }

  redo() {
    return this.readOnly ? null : this.#step(this.history.redo());
  }

  /** Make one step of the last two, under one name. */
  joinLast(label) {
    this.history.joinLast(label);
    this.emit("document", { reason: label, changed: true });
  }

  #step(label) {
    if (label !== null) this.#changed(label);
    return label;
  }

  add(componentName, position) {
    const component = this.catalog.find(componentName);
    const command = addNode(this.document, component, position);
    this.perform(command);
    this.select({ nodes: [command.id] });
    return command.id;
  }

  remove() {
    const { nodes, edges, notes } = this.selection;
    if (this.selection.empty) return false;
    return this.perform(removeCells(this.document, nodes, edges, notes));
  }

  /** Disable the nodes, or enable them where all are disabled. Returns the step's words, or null. */
  toggleDisabled(ids) {
    const command = toggleDisabled(this.document, ids);
    return this.perform(command) ? command.label : null;
  }

  disconnect(edgeId) {
    return this.perform(removeCells(this.document, [], [edgeId]));
  }

  move(moves, options) {
    return this.perform(moveNodes(this.document, moves, options));
  }

  check(source, target) {
    return checkWire(this.document, this.catalog, this.rules, source, target);
  }

  /** Make a wire if it is allowed. Returns the verdict of `check`. */
  connect(source, target) {
    const verdict = this.check(source, target);
    if (verdict.ok) this.perform(connect(this.document, source, target, verdict));
    return verdict;
  }

  /** Move an end of a wire, if it is allowed. Returns the verdict of `check`. */
  rewire(edgeId, source, target) {
    const verdict = this.check(source, target);
    if (verdict.ok) this.perform(rewire(this.document, edgeId, source, target, verdict));
    return verdict;
  }

  setField(nodeId, field, value) {
    return this.perform(setField(this.document, nodeId, field, value));
  }

  rename(nodeId, label) {
    return this.perform(renameNode(this.document, nodeId, label));
  }

  // ---- what is shown ----

  select(what) {
    this.selection.only(what);
    this.emit("selection");
  }

  toggle(what) {
    this.selection.toggle(what);
    this.emit("selection");
  }

  /** Told by every save; most say the same again. */
  setProblems(items) {
    if (JSON.stringify(items) === JSON.stringify(this.problems.given)) return;
    this.problems = new Problems(items);
    this.emit("problems");
  }

  setRun(run) {
    this.run = run;
    this.emit("run");
  }
}
