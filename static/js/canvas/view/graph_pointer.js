// Gestures on the stage: select, move, box select, pan, zoom, pinch. Wires: graph_connect.js.
//
// Left button on a node moves it (20 px grid, Alt places freely), on empty ground draws a box;
// middle button, Space and one finger pan; wheel pans, Ctrl+wheel and two fingers zoom.

import { GRID, overlaps } from "../state/geometry.js";
import { h } from "./dom.js";

const CLICK = 4;

/**
 * `connecting` is graph_connect.js's (null where nothing can be wired); `onOpen(id)` is called when a
 * node is clicked; `embedded` leaves the plain wheel to the page around the stage.
 */
export function bindPointer(view, editor, connecting, { onOpen = () => {}, embedded = false } = {}) {
  const { stage } = view;
  const fingers = new Map();
  const gesture = { now: null, space: false };

  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".stage__float, .flag, .node__fold")) return;
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 2) return begin(pinch(view, fingers), event);
    }
    if (gesture.now) return;
    const pin = event.target.closest(".pin");
    const node = event.target.closest(".node");
    const wire = event.target.closest("[data-edge-id]");
    const pan = event.button === 1 || gesture.space;
    if (pan) return begin(panning(view, event), event);
    if (event.button !== 0) return;
    if (pin && !editor.readOnly) return begin(connecting.begin(pin, event), event);
    if (node) return begin(moving(view, editor, node.dataset.nodeId, event, onOpen), event);
    if (wire) return selectWire(view, editor, wire.dataset.edgeId, event);
    stage.focus({ preventScroll: true });
    const touch = event.pointerType === "touch" || editor.readOnly;
    begin(touch ? panning(view, event, editor) : boxing(view, editor, event), event);
  });

  function begin(next, event) {
    gesture.now?.cancel?.();
    gesture.now = next;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
  }

  stage.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    gesture.now?.move(event);
  });
  const finish = (kind) => (event) => {
    fingers.delete(event.pointerId);
    const done = gesture.now;
    gesture.now = null;
    if (kind === "up") done?.up?.(event);
    else done?.cancel?.();
  };
  stage.addEventListener("pointerup", finish("up"));
  stage.addEventListener("pointercancel", finish("cancel"));

  stage.addEventListener(
    "wheel",
    (event) => {
      if (event.target.closest(".stage__float") || (embedded && !event.ctrlKey && !event.metaKey)) return;
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1;
      if (event.ctrlKey || event.metaKey) {
        view.zoom(Math.exp(-event.deltaY * unit * 0.0022), { x: event.clientX, y: event.clientY });
      } else {
        const [dx, dy] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
        view.pan(-dx * unit, -dy * unit);
      }
    },
    { passive: false },
  );

  return {
    /** Escape: give up the gesture. Returns true when there was one. */
    cancel() {
      const done = gesture.now;
      gesture.now = null;
      done?.cancel?.();
      return Boolean(done);
    },
    setSpace(down) {
      gesture.space = down;
      stage.classList.toggle("is-panning", down);
    },
  };
}

function selectWire(view, editor, id, event) {
  view.stage.focus({ preventScroll: true });
  if (event.shiftKey || event.ctrlKey || event.metaKey) editor.toggle({ edge: id });
  else editor.select({ edges: [id] });
  event.preventDefault();
}

function panning(view, event, editor = null) {
  const start = { x: event.clientX, y: event.clientY };
  let last = start;
  return {
    move(next) {
      view.pan(next.clientX - last.x, next.clientY - last.y);
      last = { x: next.clientX, y: next.clientY };
    },
    up(next) {
      if (editor && Math.hypot(next.clientX - start.x, next.clientY - start.y) < CLICK) editor.select({});
    },
  };
}

function pinch(view, fingers) {
  const read = () => {
    const [a, b] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, gap: Math.hypot(a.x - b.x, a.y - b.y) || 1 };
  };
  let last = read();
  return {
    move() {
      if (fingers.size < 2) return;
      const next = read();
      view.pan(next.x - last.x, next.y - last.y);
      view.zoom(next.gap / last.gap, next);
      last = next;
    },
  };
}

function moving(view, editor, id, event, onOpen) {
  const add = event.shiftKey || event.ctrlKey || event.metaKey;
  const already = editor.selection.nodes.has(id);
  if (add) editor.toggle({ node: id });
  else if (!already) editor.select({ nodes: [id] });
  view.focusNode(id);
  const from = view.toGraph({ x: event.clientX, y: event.clientY });
  const starts = new Map([...editor.selection.nodes].map((nodeId) => [nodeId, editor.document.nodes.get(nodeId).position]));
  const anchor = starts.get(id);
  let moves = null;
  const show = (positions) => {
    for (const [nodeId, position] of positions) view.preview(nodeId, position);
  };
  return {
    move(next) {
      const away = Math.hypot(next.clientX - event.clientX, next.clientY - event.clientY);
      if (editor.readOnly || !anchor || (!moves && away < CLICK)) return;
      const to = view.toGraph({ x: next.clientX, y: next.clientY });
      const free = { x: anchor[0] + to.x - from.x, y: anchor[1] + to.y - from.y };
      const snap = (value) => (next.altKey ? Math.round(value) : Math.round(value / GRID) * GRID);
      const [dx, dy] = [snap(free.x) - anchor[0], snap(free.y) - anchor[1]];
      moves = new Map([...starts].map(([nodeId, [x, y]]) => [nodeId, [x + dx, y + dy]]));
      show(moves);
    },
    up() {
      if (moves) editor.move(moves);
      else if (already && !add) editor.select({ nodes: [id] });
      if (!moves && !add) onOpen(id);
    },
    cancel() {
      if (moves) show(starts);
    },
  };
}

function boxing(view, editor, event) {
  const { stage } = view;
  const frame = h("div", { class: "boxsel" });
  const from = view.toGraph({ x: event.clientX, y: event.clientY });
  const rect = stage.getBoundingClientRect();
  const kept = event.shiftKey ? new Set(editor.selection.nodes) : new Set();
  let drawn = false;
  return {
    move(next) {
      const [x, y] = [Math.min(event.clientX, next.clientX), Math.min(event.clientY, next.clientY)];
      const [width, height] = [Math.abs(next.clientX - event.clientX), Math.abs(next.clientY - event.clientY)];
      if (!drawn && width + height < CLICK) return;
      if (!drawn) stage.append(frame);
      drawn = true;
      Object.assign(frame.style, {
        left: `${x - rect.left}px`, top: `${y - rect.top}px`, width: `${width}px`, height: `${height}px`,
      });
      const to = view.toGraph({ x: next.clientX, y: next.clientY });
      const box = {
        x: Math.min(from.x, to.x), y: Math.min(from.y, to.y),
        width: Math.abs(to.x - from.x), height: Math.abs(to.y - from.y),
      };
      const hit = [...editor.document.nodes.keys()].filter((id) => overlaps(editor.box(id), box));
      editor.select({ nodes: [...kept, ...hit] });
    },
    up() {
      frame.remove();
      if (!drawn && !event.shiftKey) editor.select({});
    },
    cancel() {
      frame.remove();
    },
  };
}
