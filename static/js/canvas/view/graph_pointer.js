// Gestures on the stage: select, move, box select, pan, zoom, pinch. Wires: graph_connect.js.
//
// Left button on a node, note or a group's title moves it (moving.js), on empty ground draws a box;
// middle button, Space and one finger pan; wheel pans, Ctrl+wheel and two fingers zoom. A double
// click adds on empty ground, renames a node or group, writes in a note.

import { overlaps } from "../state/geometry.js";
import { noteBox } from "../state/marks.js";
import { h } from "./dom.js";
import { readPin } from "./graph_connect.js";
import { moving } from "./moving.js";
import { endUnder, rewiring, wireAt } from "./rewiring.js";

const CLICK = 4;

const NO_GROUND = { preview() {}, guides() {} };

/**
 * `connecting` is graph_connect.js's (null where nothing can be wired); `ground` draws notes and
 * groups; `onOpen(id)` is called when a node is clicked, `onDouble(what, client)` after a double
 * click on {node}, {note}, {group} or {}; `embedded` leaves the plain wheel to the page around.
 */
export function bindPointer(view, editor, connecting, { ground = NO_GROUND, onOpen = () => {}, onDouble = () => {}, embedded = false } = {}) {
  const { stage } = view;
  const fingers = new Map();
  const gesture = { now: null, space: false, from: { x: 0, y: 0 }, moved: false };

  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".stage__float, .flag, .node__fold, input, textarea")) return;
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 2) return begin(pinch(view, fingers), event);
    }
    if (gesture.now) return;
    const pin = event.target.closest(".pin");
    const node = event.target.closest(".node");
    const wire = event.target.closest("[data-edge-id]");
    const note = event.target.closest(".note")?.dataset.noteId;
    const title = event.target.closest(".group__title");
    const pan = event.button === 1 || gesture.space;
    if (pan) return begin(panning(view, event), event);
    if (event.button !== 0) return;
    if (pin && !editor.readOnly) {
      const there = pin.dataset.direction === "in" ? wireAt(editor, readPin(pin)) : null;
      return begin(there ? rewiring(connecting, there, event) : connecting.begin(pin, event), event);
    }
    const grasp = { view, editor, ground, event };
    if (node) return begin(moving({ ...grasp, grabbed: { node: node.dataset.nodeId }, onOpen }), event);
    if (note && event.target.closest(".note__grip") && !editor.readOnly) return begin(ground.resizing(note, event), event);
    if (note) {
      event.target.closest(".note").focus({ preventScroll: true });
      return begin(moving({ ...grasp, grabbed: { note } }), event);
    }
    if (title) {
      const { nodes } = editor.document.groups.get(title.parentElement.dataset.groupId);
      return begin(moving({ ...grasp, grabbed: { node: nodes[0] }, only: nodes }), event);
    }
    if (wire) {
      selectWire(view, editor, wire.dataset.edgeId, event);
      const held = editor.readOnly ? null : endUnder(view, editor, wire.dataset.edgeId, { x: event.clientX, y: event.clientY });
      return held ? begin(rewiring(connecting, held, event), event) : undefined;
    }
    stage.focus({ preventScroll: true });
    const touch = event.pointerType === "touch" || editor.readOnly;
    begin(touch ? panning(view, event, editor) : boxing(view, editor, event), event);
  });

  function begin(next, event) {
    gesture.now?.cancel?.();
    gesture.now = next;
    gesture.from = { x: event.clientX, y: event.clientY };
    gesture.moved = false;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
  }

  stage.addEventListener("pointermove", (event) => {
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    gesture.moved ||= Math.hypot(event.clientX - gesture.from.x, event.clientY - gesture.from.y) >= CLICK;
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

  stage.addEventListener("dblclick", (event) => {
    // The stage has captured the pointer, so what lies under it has to be asked for.
    const under = document.elementFromPoint(event.clientX, event.clientY);
    if (editor.readOnly || !under || under.closest(".stage__float, .flag, .node__fold, .pin, input, textarea")) return;
    onDouble({
      node: under.closest(".node")?.dataset.nodeId, note: under.closest(".note")?.dataset.noteId,
      group: under.closest(".group__title")?.parentElement.dataset.groupId, edge: under.closest("[data-edge-id]")?.dataset.edgeId,
    }, { x: event.clientX, y: event.clientY });
  });

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

  const cancel = () => {
    const done = gesture.now;
    gesture.now = null;
    done?.cancel?.();
    return Boolean(done);
  };

  return {
    /** Escape: give up the gesture. Returns true when there was one. */
    cancel,
    /** Whether something is in hand: keys that change what is drawn have to wait for it. */
    get busy() {
      return Boolean(gesture.now);
    },
    /** A menu is asked for: a press that hasn't moved (a long one) ends, what is in hand stays. */
    yields: () => !gesture.now || (!gesture.moved && cancel()),
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

function boxing(view, editor, event) {
  const { stage } = view;
  const frame = h("div", { class: "boxsel" });
  const from = view.toGraph({ x: event.clientX, y: event.clientY });
  const rect = stage.getBoundingClientRect();
  const kept = event.shiftKey ? new Set(editor.selection.nodes) : new Set();
  const before = Object.fromEntries(["nodes", "edges", "notes"].map((kind) => [kind, [...editor.selection[kind]]]));
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
      const notes = [...editor.document.notes.values()].filter((note) => overlaps(noteBox(note), box)).map(({ id }) => id);
      editor.select({ nodes: [...kept, ...hit], notes });
    },
    up() {
      frame.remove();
      if (!drawn && !event.shiftKey) editor.select({});
    },
    cancel() {
      frame.remove();
      if (drawn) editor.select(before);
    },
  };
}
