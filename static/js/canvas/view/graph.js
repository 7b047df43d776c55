// The drawn graph: keeps X6's cells equal to the editor's document; where one looks is the camera's.
//
// X6 draws nodes and wires and nothing more: it takes no events (gestures are ours, see
// graph_pointer.js and graph_connect.js), keeps no history and its JSON is never stored.
// Hooks: .x6-edge[data-edge-id] for wires; for nodes and pins see node_element.js.

import { touchedAt, wiresFrom, wiresInto } from "../state/document.js";
import { GRID } from "../state/geometry.js";
import { Camera } from "./camera.js";
import { s } from "./dom.js";
import { createNodeElement, drawNode } from "./node_element.js";
import { elements, registerShapes } from "./graph_shapes.js";
import { READABLE, Sight } from "./sight.js";

const X6 = globalThis.X6;
/** Milliseconds after the last step of a zoom. */
const SETTLE = 160;
/** Units of the plane around all that is drawn. */
const AROUND = 2000;
/** X6 sorts all cells when one is added; what lies over what is in each cell's zIndex anyway. */
const UNSORTED = { sort: false };

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
    this.dots = document.createElement("div");
    this.dots.className = "stage__dots";
    stage.prepend(this.dots, this.holder);
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
    this.sheet = s("rect", { class: "stage__sheet" });
    this.graph.view.viewport.prepend(this.sheet);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(stage);
    this.drawn = { document: null, version: 0, selection: new Set(), flagged: new Set(editor.problems.byNode.keys()) };
    this.sight = new Sight(this);
    /** Told (id, element) when a node was drawn in full. */
    this.onFull = new Set();
    this.fit();
    this.onTransform.add(() => this.sight.lookSoon());
    stage.addEventListener("focusin", (event) => this.sight.drawFull(event.target.closest(".node")?.dataset.nodeId));
    editor.on("document", () => this.sync());
    editor.on("view", ({ node }) => this.#syncNodes([node]));
    editor.on("selection", () => this.#redrawSelection());
    editor.on("problems", () => this.#redrawFlags());
    editor.on("run", () => this.redraw());
    this.sync();
  }

  // ---- cells ----

  /** Make X6's cells equal to the document; only what was touched since the last time is looked at. */
  sync() {
    const { document } = this.editor;
    const fresh = this.drawn.document !== document;
    const since = fresh ? -1 : this.drawn.version;
    Object.assign(this.drawn, { document, version: document.version });
    for (const id of [...this.elements.keys()]) if (fresh || !document.nodes.has(id)) this.#dropNode(id);
    for (const id of [...this.wires]) if (fresh || !document.edges.has(id)) this.#dropWire(id);
    const touched = [...document.nodes.keys()].filter((id) => touchedAt(document, id) > since);
    if (fresh) this.#load(touched);
    else this.#syncNodes(touched);
    if (touched.length) this.sight.lookSoon();
    this.#spread();
  }

  /** Lay the sheet under all that is drawn, and what a wire or a drag may add around it. */
  #spread() {
    const all = this.editor.bounds();
    if (!all) return;
    const box = { x: all.x - AROUND, y: all.y - AROUND, width: all.width + 2 * AROUND, height: all.height + 2 * AROUND };
    const place = Object.values(box).join();
    if (this.sheet.place === place) return;
    this.sheet.place = place;
    for (const [name, value] of Object.entries(box)) this.sheet.setAttribute(name, value);
  }

  /** All cells at once: added one by one, each makes X6 sort those that are there. */
  #load(ids) {
    const { document } = this.editor;
    const nodes = ids.map((id) => this.graph.createNode(this.#node(document.nodes.get(id))));
    const wires = [...document.edges.values()].map((edge) => [edge, this.#ends(edge)]).filter(([, ends]) => ends);
    const edges = wires.map(([edge, ends]) => this.graph.createEdge(this.#wire(edge, ends)));
    this.graph.resetCells([...nodes, ...edges]);
    for (const id of ids) this.drawOne(id);
    for (const [edge] of wires) this.#drawEdge(edge);
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

  /** What X6 is told of a node; makes its element. */
  #node(node) {
    const { width, height } = this.editor.shape(node.id);
    const [x, y] = node.position;
    const id = this.#cellId("n", node.id);
    const element = createNodeElement(node.id);
    this.elements.set(node.id, element);
    elements.set(id, element);
    return { id, shape: "tacit-node", x, y, width, height, zIndex: 1 };
  }

  /** What X6 is told of a wire. */
  #wire(edge, { type, source, target, signature }) {
    this.wires.add(edge.id);
    return { id: this.#cellId("w", edge.id), shape: `tacit-${type}`, source, target, signature };
  }

  #syncNode(node) {
    const shape = this.editor.shape(node.id);
    const [x, y] = node.position;
    const cell = this.graph.getCellById(this.#cellId("n", node.id));
    if (!cell) return this.graph.addNode(this.#node(node), UNSORTED);
    const size = cell.getSize();
    const place = cell.getPosition();
    if (place.x !== x || place.y !== y) cell.setPosition(x, y);
    if (size.width !== shape.width || size.height !== shape.height) cell.setSize(shape.width, shape.height);
    return cell;
  }

  #dropNode(id) {
    this.sight.forget(id);
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
    if (cell && cell.shape === `tacit-${ends.type}`) {
      if (cell.getProp("signature") !== ends.signature) {
        cell.setProp("signature", ends.signature);
        cell.setSource(ends.source);
        cell.setTarget(ends.target);
      }
      return cell;
    }
    cell?.remove();
    return this.graph.addEdge(this.#wire(edge, ends), UNSORTED);
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

  /** Only nodes that have or had a problem can look different. */
  #redrawFlags() {
    const now = new Set(this.editor.problems.byNode.keys());
    for (const id of new Set([...this.drawn.flagged, ...now])) this.drawOne(id);
    this.drawn.flagged = now;
  }

  drawOne(id, now = Date.now()) {
    const { editor } = this;
    const { run, document } = editor;
    const node = document.nodes.get(id);
    const element = this.elements.get(id);
    if (!node || !element) return;
    const fresh = this.sight.enters(id);
    drawNode(element, {
      full: this.sight.full.has(id),
      node,
      item: editor.catalog.of(node),
      shape: editor.shape(id),
      selected: editor.selection.nodes.has(id),
      flag: editor.flag(id),
      state: run ? run.shown(id) : "idle",
      elapsed: run ? run.nodeElapsed(id, now) : null,
      wiredIn: new Set(wiresInto(document, id).map(({ target }) => target.port)),
      wiredOut: new Set(wiresFrom(document, id).map(({ source }) => source.port)),
    });
    if (fresh) for (const listener of this.onFull) listener(id, element);
  }

  #drawEdge(edge) {
    const cell = this.graph.getCellById(this.#cellId("w", edge.id));
    const view = cell && this.graph.findViewByCell(cell);
    if (!view) return;
    const { run, selection } = this.editor;
    view.container.dataset.edgeId = edge.id;
    const classes = view.container.classList;
    classes.toggle("is-selected", selection.edges.has(edge.id));
    classes.toggle("is-dead", Boolean(run?.final) && run.moment === null && !run.carried(edge));
    classes.toggle("is-live", Boolean(run) && run.carried(edge) && run.shown(edge.target.node) === "running");
  }

  /** Mark a wire as the one that a node would be spliced into. */
  markWire(id, on) {
    this.#wireView(id)?.container.classList.toggle("is-splice", on);
  }

  /** A wire whose end is in somebody's hand is drawn as the one on its way. */
  markTaken(id, on) {
    this.#wireView(id)?.container.classList.toggle("is-taken", on);
  }

  #wireView(id) {
    const cell = id && this.graph.getCellById(this.#cellId("w", id));
    return cell && this.graph.findViewByCell(cell);
  }

  /** Show a node at a place that isn't in the document yet (while it is dragged). */
  preview(id, [x, y]) {
    this.graph.getCellById(this.#cellId("n", id))?.setPosition(x, y);
  }

  focusNode(id) {
    this.sight.bring(id);
    this.elements.get(id)?.focus({ preventScroll: true });
  }

  // ---- camera ----

  applyTransform({ scale, x, y }) {
    this.#place({ scale, x, y });
    const step = dotStep(scale);
    if (this.step !== step) this.dots.style.backgroundSize = `${step}px ${step}px`;
    this.step = step;
    this.dots.style.transform = `translate3d(${(x % step) - step}px, ${(y % step) - step}px, 0)`;
    this.stage.classList.toggle("is-far", scale < 0.5);
    this.stage.classList.toggle("is-farther", scale < 0.35);
    this.stage.classList.toggle("is-sketchy", scale < READABLE);
  }

  /**
   * Put the drawing where it belongs: a layer that is moved as a whole, and scaled as a whole while
   * one zooms, with nothing laid out or painted anew. When the zooming is over the scale goes into
   * the drawing itself, for a browser paints a layer that is scaled down again and again in a pan.
   */
  #place({ scale, x, y }) {
    clearTimeout(this.settling);
    this.baked ??= this.#bake(scale);
    const rest = scale === this.baked ? "" : ` scale(${scale / this.baked})`;
    this.holder.style.transform = `translate3d(${x}px, ${y}px, 0)${rest}`;
    if (!rest) return;
    this.settling = setTimeout(() => {
      this.baked = this.#bake(this.transform.scale);
      this.#place(this.transform);
    }, SETTLE);
  }

  /** Scale the drawing. X6's own scale() would read it back, which lays the page out. */
  #bake(scale) {
    this.graph.matrix({ a: scale, b: 0, c: 0, d: scale, e: 0, f: 0 });
    return scale;
  }

  /** Pan so that a node is in view; `readable` zooms in where no word can be read. */
  reveal(id, { readable = false } = {}) {
    const box = this.editor.box(id);
    if (readable && this.transform.scale < READABLE) this.centre(box, 1);
    else this.revealBox(box);
  }

  #resize() {
    this.graph.resize(this.stage.clientWidth, this.stage.clientHeight);
    this.resized();
  }

  dispose() {
    clearTimeout(this.settling);
    this.sight.dispose();
    this.observer.disconnect();
    for (const id of [...this.elements.keys()]) elements.delete(this.#cellId("n", id));
    this.graph.dispose();
  }
}

/** Pixels between the ground's dots: every fifth of the grid's where they would run together. */
function dotStep(scale) {
  let step = GRID * scale;
  while (step < 12) step *= 5;
  return step;
}
