// Making a wire by dragging from a pin: inputs that fit are ringed, the others dimmed; over a
// refused one the wire breaks and the server's reason stands at the pointer; dropped there it
// retracts and the reason is announced. The verdicts come from state/rules.js.
//
// Hooks: .pin.is-ok / .is-no / .is-dim while dragging, .draft[data-state="free|ok|no"] the wire,
// .refusal[data-code] the reason (role="tooltip").

import { ancestors } from "../state/document.js";
import { SNAP, nearestPin, wirePath } from "../state/geometry.js";
import { checkWire } from "../state/rules.js";
import { announce } from "./announce.js";
import { h, icon, replace, s } from "./dom.js";

const STAY = 4000;
/** A wire that was hardly drawn out is no wire dropped on empty ground. */
const FAR = 40;

export class Connecting {
  /** onDropped(end, client): a wire from `end` ({node, port, direction}) was dropped on empty ground. */
  constructor(view, editor, { onDropped = () => {} } = {}) {
    Object.assign(this, { view, editor, onDropped });
    this.refusal = h("div", { class: "refusal stage__float", role: "tooltip", hidden: true });
    view.stage.append(this.refusal);
    this.timer = null;
    this.drag = null;
    view.onFull.add((id, element) => this.drag && this.#markPins(this.drag, element));
    document.addEventListener("pointerdown", () => this.hideRefusal(), { capture: true });
  }

  /** Begin at a pin; returns a gesture for graph_pointer.js. */
  begin(pin, event) {
    const { direction, type } = pin.dataset;
    return this.#start({ from: readPin(pin), fromInput: direction === "in", type, edge: null }, event);
  }

  /** Begin with a wire that is there, in hand at one end, "source" or "target"; the other stays. */
  take(edge, end, event) {
    const { document, catalog } = this.editor;
    const from = end === "target" ? edge.source : edge.target;
    const { type } = catalog.port(document, edge.source.node, edge.source.port, "out");
    return this.#start({ from: { ...from }, fromInput: end === "source", type, edge }, event);
  }

  #start(given, event) {
    const drag = {
      ...given,
      start: this.#pinCentre(given.from, given.fromInput ? "in" : "out"),
      began: { x: event.clientX, y: event.clientY },
      unfolded: new Set(),
      target: null,
    };
    this.hideRefusal();
    drag.before = drag.fromInput ? null : ancestors(this.editor.document, drag.from.node);
    drag.pins = [...this.editor.document.nodes.keys()].flatMap((id) => this.#judge(drag, id));
    drag.draft = this.#draft(drag);
    if (drag.edge) this.view.markTaken(drag.edge.id, true);
    this.#mark(drag);
    this.#follow(drag, event);
    return {
      move: (next) => this.#follow(drag, next),
      up: (last) => this.#drop(drag, last),
      cancel: () => this.#end(drag),
    };
  }

  #pinCentre({ node, port }, direction) {
    const shape = this.editor.shape(node);
    const list = direction === "in" ? shape.inputs : shape.outputs;
    const [x, y] = this.editor.document.nodes.get(node).position;
    const pin = list.find((item) => item.name === port);
    return { x: x + pin.x, y: y + pin.y };
  }

  /** A node's pins of the other direction, each with its verdict. */
  #judge(drag, id) {
    const { document, catalog, rules } = this.editor;
    const [x, y] = document.nodes.get(id).position;
    const shape = this.editor.shape(id);
    return (drag.fromInput ? shape.outputs : shape.inputs).map((port) => {
      const end = { node: id, port: port.name };
      const [source, target] = drag.fromInput ? [end, drag.from] : [drag.from, end];
      const verdict = checkWire(document, catalog, rules, source, target, drag.before);
      return { ...end, x: x + port.x, y: y + port.y, source, target, verdict };
    });
  }

  #mark(drag) {
    drag.verdicts = new Map(drag.pins.map(verdictOf));
    this.drag = drag;
    this.view.stage.classList.add("is-wiring");
    this.view.stage.parentElement.classList.add("is-drawing");
    this.#markPins(drag, this.view.stage);
  }

  /** Ring and dim the pins within an element: the stage, or a node that came into view since. */
  #markPins({ verdicts, ...drag }, root) {
    const direction = drag.fromInput ? "out" : "in";
    for (const element of root.querySelectorAll(".pin")) {
      const mine = element.dataset.direction === direction;
      const ok = mine && verdicts.get(element.dataset.port);
      const own = element.dataset.port === `${drag.from.node}.${drag.from.port}` && !mine;
      element.classList.toggle("is-ok", Boolean(ok));
      element.classList.toggle("is-dim", !ok && !own);
    }
  }

  #draft(drag) {
    const path = (name) => s("path", { class: name, fill: "none" });
    const paths =
      drag.type === "secret"
        ? [path("wire-case"), path("wire-core"), path("wire-ties")]
        : [path("wire-halo"), path(`wire wire--${drag.type}`)];
    const stop = s(
      "g",
      { class: "wire-stopper" },
      s("circle", { class: "wire-stop", r: 10 }),
      s("path", { class: "wire-stop-x", d: "M-3.5 -3.5l7 7m0-7l-7 7" }),
    );
    const group = s("g", {}, paths, stop);
    const svg = s("svg", { class: "draft", "aria-hidden": "true", "data-state": "free" }, group);
    this.view.stage.append(svg);
    return { svg, group, paths, stop };
  }

  #follow(drag, event) {
    const point = this.view.toGraph({ x: event.clientX, y: event.clientY });
    this.#unfoldUnder(drag, event);
    const hit = nearestPin(drag.pins, point, SNAP / Math.min(1, this.view.transform.scale));
    drag.target = hit;
    const state = hit ? (hit.verdict.ok ? "ok" : "no") : "free";
    this.#drawDraft(drag, hit && state === "ok" ? hit : point, state);
    this.#markTarget(hit, state);
    if (state === "no") this.showRefusal(hit.verdict, event);
    else this.hideRefusal();
  }

  /** A folded node under the pointer shows all its inputs while a wire is on its way. */
  #unfoldUnder(drag, event) {
    if (drag.fromInput) return;
    const id = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".node")?.dataset.nodeId;
    if (!id || id === drag.from.node || drag.unfolded.has(id)) return;
    if (this.editor.expanded.has(id) || !this.editor.shape(id).hidden) return;
    drag.unfolded.add(id);
    this.editor.setExpanded(id, true);
    const pins = this.#judge(drag, id);
    drag.pins = [...drag.pins.filter((pin) => pin.node !== id), ...pins];
    for (const pin of pins) drag.verdicts.set(...verdictOf(pin));
    this.#markPins(drag, this.view.elements.get(id));
  }

  #drawDraft(drag, tip, state) {
    const { svg, group, paths, stop } = drag.draft;
    const { scale, x, y } = this.view.transform;
    const d = drag.fromInput ? wirePath(tip, drag.start) : wirePath(drag.start, tip);
    group.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
    for (const path of paths) path.setAttribute("d", d);
    stop.setAttribute("transform", `translate(${tip.x} ${tip.y})`);
    svg.dataset.state = state;
    svg.classList.toggle("is-refused", state === "no");
  }

  #markTarget(hit, state) {
    this.view.stage.querySelector(".pin.is-no")?.classList.remove("is-no");
    this.view.stage.querySelector(".pin.is-target")?.classList.remove("is-target");
    if (!hit) return;
    const name = CSS.escape(`${hit.node}.${hit.port}`);
    const direction = hit.target.node === hit.node && hit.target.port === hit.port ? "in" : "out";
    const pin = this.view.stage.querySelector(`.pin[data-port="${name}"][data-direction="${direction}"]`);
    pin?.classList.add(state === "no" ? "is-no" : "is-target");
  }

  #drop(drag, event) {
    const { target } = drag;
    this.#end(drag);
    if (!target && drag.edge) return announce("The wire stays where it was.");
    if (!target) {
      const over = document.elementFromPoint(event.clientX, event.clientY);
      const empty = this.view.stage.contains(over) && !over.closest(".node, .stage__float");
      const far = Math.hypot(event.clientX - drag.began.x, event.clientY - drag.began.y) > FAR;
      if (empty && far) this.onDropped({ ...drag.from, direction: drag.fromInput ? "in" : "out" }, { x: event.clientX, y: event.clientY });
      return undefined;
    }
    if (target.verdict.ok) {
      if (drag.edge) this.editor.rewire(drag.edge.id, target.source, target.target);
      else this.editor.connect(target.source, target.target);
      announce(`Connected ${nameOf(this.editor, target.source)} to ${nameOf(this.editor, target.target)}.`);
      return undefined;
    }
    this.refusal.hidden = false;
    announce(`${target.verdict.title}. ${target.verdict.reason}`);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hideRefusal(), STAY);
    return undefined;
  }

  #end(drag) {
    this.drag = null;
    if (drag.edge) this.view.markTaken(drag.edge.id, false);
    this.view.stage.classList.remove("is-wiring");
    this.view.stage.parentElement.classList.remove("is-drawing");
    for (const element of this.view.stage.querySelectorAll(".pin")) {
      element.classList.remove("is-ok", "is-dim", "is-no", "is-target");
    }
    for (const id of drag.unfolded) this.editor.setExpanded(id, false);
    const { svg } = drag.draft;
    if (drag.target?.verdict.ok) return svg.remove();
    svg.classList.add("is-retracting");
    setTimeout(() => svg.remove(), 180);
    if (!drag.target) this.hideRefusal();
  }

  /** Show why a wire is refused, beside a point of the page. */
  showRefusal(verdict, { clientX, clientY }) {
    const { stage } = this.view;
    const rect = stage.getBoundingClientRect();
    const box = this.refusal;
    clearTimeout(this.timer);
    if (box.dataset.code !== verdict.code || box.words !== verdict.reason) {
      box.dataset.code = verdict.code;
      box.words = verdict.reason;
      replace(
        box,
        h("strong", {}, icon("unlink", "s"), verdict.title),
        verdict.reason ? h("p", {}, verdict.reason) : null,
      );
    }
    box.hidden = false;
    const left = Math.min(clientX - rect.left + 16, rect.width - box.offsetWidth - 8);
    const below = clientY - rect.top + 22;
    const top = below + box.offsetHeight > rect.height - 8 ? clientY - rect.top - box.offsetHeight - 16 : below;
    Object.assign(box.style, { left: `${Math.max(8, left)}px`, top: `${Math.max(8, top)}px` });
  }

  hideRefusal() {
    clearTimeout(this.timer);
    this.refusal.hidden = true;
  }
}

/** {node, port} of a pin's element. */
export function readPin(pin) {
  const node = pin.closest(".node").dataset.nodeId;
  return { node, port: pin.dataset.port.slice(node.length + 1) };
}

function verdictOf({ node, port, verdict }) {
  return [`${node}.${port}`, verdict.ok];
}

function nameOf(editor, { node, port }) {
  return `${editor.document.nodes.get(node)?.label ?? node}.${port}`;
}
