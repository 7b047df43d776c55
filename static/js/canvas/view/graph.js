// The drawn graph: keeps X6's cells equal to the editor's document; where one looks is the camera's.
//
// X6 draws nodes and wires and nothing more: it takes no events (gestures are ours, see
// graph_pointer.js and graph_connect.js), keeps no history and its JSON is never stored.
// Hooks: .x6-edge[data-edge-id] for wires; for nodes and pins see node_element.js.

import { touchedAt, wiresFrom, wiresInto } from "../state/document.js";
import { Camera } from "./camera.js";
import { createNodeElement, drawNode } from "./node_element.js";
import { elements, registerShapes } from "./graph_shapes.js";

const X6 = globalThis.X6;

export class GraphView extends Camera {
  /** `stage` is the element to draw in; it must have a size. */
  constructor(stage, editor) {
    super(stage, () => editor.boxes());
    registerShapes();
    this.editor = editor;
    this.elements = new Map();
    this.wires = new Set();
    this.prefix = `${Math.random().toString(36).slice(2)}:`;
    this.holder = document.createElement("div");
    this.holder.className = "stage__graph";
    stage.prepend(this.holder);
    this.graph = new X6.Graph({
      container: this.holder,
      width: stage.clientWidth,
      height: stage.clientHeight,
      async: false,
      interacting: false,
      guard: () => true,
      preventDefaultMouseDown: false,
      preventDefaultBlankAction: false,
      preventDefaultContextMenu: false,
      preventDefaultDblClick: false,
      connecting: { connector: "tacit-wire", connectionPoint: "anchor", router: "normal" },
    });
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(stage);
    this.drawn = { document: null, version: 0, selection: new Set() };
    editor.on("document", () => this.sync());
    editor.on("view", ({ node }) => this.#syncNodes([node]));
    editor.on("selection", () => this.#redrawSelection());
    for (const topic of ["problems", "run"]) editor.on(topic, () => this.redraw());
    this.sync();
  }

  // ---- cells ----

  /** Make X6's cells equal to the document; only what was touched since the last time is looked at. */
  sync() {
    const { document } = this.editor;
    const fresh = this.drawn.document !== document;
    const since = fresh ? -1 : this.drawn.version;
    Object.assign(this.drawn, { document, version: document.version });
    for (const id of [...this.elements.keys()]) if (!document.nodes.has(id)) this.#dropNode(id);
    for (const id of [...this.wires]) if (!document.edges.has(id)) this.#dropWire(id);
    this.#syncNodes([...document.nodes.keys()].filter((id) => touchedAt(document, id) > since));
  }

  #syncNodes(ids) {
    const { document } = this.editor;
    const edges = new Set();
    for (const id of ids) {
      this.#syncNode(document.nodes.get(id));
      for (const edge of [...wiresInto(document, id), ...wiresFrom(document, id)]) edges.add(edge);
    }
    for (const edge of edges) this.#syncEdge(edge);
    for (const id of ids) this.drawOne(id);
    for (const edge of edges) this.#drawEdge(edge);
  }

  #cellId(kind, id) {
    return `${this.prefix}${kind}:${id}`;
  }

  #syncNode(node) {
    const shape = this.editor.shape(node.id);
    const [x, y] = node.position;
    const id = this.#cellId("n", node.id);
    const cell = this.graph.getCellById(id);
    if (!cell) {
      const element = createNodeElement(node.id);
      this.elements.set(node.id, element);
      elements.set(id, element);
      this.graph.addNode({ id, shape: "tacit-node", x, y, width: shape.width, height: shape.height, zIndex: 1 });
      return;
    }
    const size = cell.getSize();
    const place = cell.getPosition();
    if (place.x !== x || place.y !== y) cell.setPosition(x, y);
    if (size.width !== shape.width || size.height !== shape.height) cell.setSize(shape.width, shape.height);
  }

  #dropNode(id) {
    this.elements.delete(id);
    elements.delete(this.#cellId("n", id));
    this.graph.getCellById(this.#cellId("n", id))?.remove();
  }

  #dropWire(id) {
    this.wires.delete(id);
    this.graph.getCellById(this.#cellId("w", id))?.remove();
  }

  #syncEdge(edge) {
    const ends = this.#ends(edge);
    const id = this.#cellId("w", edge.id);
    const cell = this.graph.getCellById(id);
    if (!ends) return this.#dropWire(edge.id);
    this.wires.add(edge.id);
    const shape = `tacit-${ends.type}`;
    if (cell && cell.shape === shape) {
      if (cell.getProp("signature") !== ends.signature) {
        cell.setProp("signature", ends.signature);
        cell.setSource(ends.source);
        cell.setTarget(ends.target);
      }
      return;
    }
    cell?.remove();
    const made = this.graph.addEdge({
      id, shape, source: ends.source, target: ends.target, edgeId: edge.id, signature: ends.signature,
    });
    const view = this.graph.findViewByCell(made);
    if (view) view.container.dataset.edgeId = edge.id;
  }

  #ends({ source, target }) {
    const { document, catalog } = this.editor;
    if (!document.nodes.has(source.node) || !document.nodes.has(target.node)) return null;
    const from = this.editor.shape(source.node).outputs.find((port) => port.name === source.port);
    const to = this.editor.shape(target.node).inputs.find((port) => port.name === target.port);
    if (!from || !to) return null;
    const end = (node, port) => ({
      cell: this.#cellId("n", node),
      anchor: { name: "tacit-pin", args: { dx: port.x, dy: port.y } },
    });
    const type = catalog.port(document, source.node, source.port, "out").type;
    return {
      type,
      source: end(source.node, from),
      target: end(target.node, to),
      signature: [source.node, from.x, from.y, target.node, to.x, to.y].join("|"),
    };
  }

  // ---- looks ----

  /** Bring selection, problems and run state of every cell up to date. */
  redraw(now = Date.now()) {
    const { document } = this.editor;
    for (const id of document.nodes.keys()) this.drawOne(id, now);
    for (const edge of document.edges.values()) this.#drawEdge(edge);
  }

  #redrawSelection() {
    const { nodes, edges } = this.editor.selection;
    const { document } = this.editor;
    const now = new Set([...nodes, ...edges]);
    for (const id of new Set([...this.drawn.selection, ...now])) {
      if (document.nodes.has(id)) this.drawOne(id);
      if (document.edges.has(id)) this.#drawEdge(document.edges.get(id));
    }
    this.drawn.selection = now;
  }

  drawOne(id, now = Date.now()) {
    const { editor } = this;
    const { run, document } = editor;
    const node = document.nodes.get(id);
    const element = this.elements.get(id);
    if (!node || !element) return;
    drawNode(element, {
      node,
      item: editor.catalog.find(node.component),
      shape: editor.shape(id),
      selected: editor.selection.nodes.has(id),
      flag: editor.flag(id),
      state: run ? run.shown(id) : "idle",
      elapsed: run ? run.nodeElapsed(id, now) : null,
      wiredIn: new Set(wiresInto(document, id).map(({ target }) => target.port)),
      wiredOut: new Set(wiresFrom(document, id).map(({ source }) => source.port)),
    });
  }

  #drawEdge(edge) {
    const cell = this.graph.getCellById(this.#cellId("w", edge.id));
    const view = cell && this.graph.findViewByCell(cell);
    if (!view) return;
    const { run, selection } = this.editor;
    const classes = view.container.classList;
    classes.toggle("is-selected", selection.edges.has(edge.id));
    classes.toggle("is-dead", Boolean(run?.final) && run.moment === null && !run.carried(edge));
    classes.toggle("is-live", Boolean(run) && run.carried(edge) && run.shown(edge.target.node) === "running");
  }

  /** Mark a wire as the one that a node would be spliced into. */
  markWire(id, on) {
    const cell = id && this.graph.getCellById(this.#cellId("w", id));
    const view = cell && this.graph.findViewByCell(cell);
    view?.container.classList.toggle("is-splice", on);
  }

  /** Show a node at a place that isn't in the document yet (while it is dragged). */
  preview(id, [x, y]) {
    this.graph.getCellById(this.#cellId("n", id))?.setPosition(x, y);
  }

  focusNode(id) {
    this.elements.get(id)?.focus({ preventScroll: true });
  }

  // ---- camera ----

  applyTransform({ scale, x, y }) {
    this.graph.scale(scale, scale);
    this.graph.translate(x, y);
    this.stage.style.backgroundSize = `${20 * scale}px ${20 * scale}px`;
    this.stage.style.backgroundPosition = `${x}px ${y}px`;
    this.stage.classList.toggle("is-far", scale < 0.5);
    this.stage.classList.toggle("is-farther", scale < 0.35);
  }

  /** Pan so that a node is in view. */
  reveal(id) {
    this.revealBox(this.editor.box(id));
  }

  #resize() {
    this.graph.resize(this.stage.clientWidth, this.stage.clientHeight);
    this.resized();
  }

  dispose() {
    this.observer.disconnect();
    for (const id of [...this.elements.keys()]) elements.delete(this.#cellId("n", id));
    this.graph.dispose();
  }
}
