// The keyboard. Single letters work only while focus is on the canvas or the outline, never in a
// field; they can be switched off in the table (`?`).

import { GRID } from "../state/geometry.js";
import { along } from "../state/rewire.js";
import { announce } from "./announce.js";
import { dialogOpen } from "./dom.js";
import { lettersOn, showTable } from "./keys_table.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function bindKeys({ editor, view, ground, stage, pointer, acts, quick, menu, palette, connectList, problems, inspector, running, save, dialog, outline }) {
  const at = () => document.activeElement;
  const focused = () => at()?.closest?.(".node")?.dataset.nodeId ?? at()?.closest?.("[data-outline]")?.dataset.outline ?? editor.selection.single;
  const onCanvas = () => stage.contains(at()) || at() === document.body || Boolean(at()?.closest?.(".outline"));
  const selectFocused = () => {
    if (focused() && !editor.selection.nodes.has(focused()) && (editor.selection.empty || at()?.closest?.("[data-outline]"))) editor.select({ nodes: [focused()] });
  };
  const anchor = () => (at()?.closest?.("[data-outline]") ?? view.elements.get(focused()));

  const letters = {
    n: () => quick.add(pointerOr(stage)),
    "shift+n": () => acts.note(),
    "/": () => palette.focus(),
    r: () => running.start(),
    "shift+r": () => (focused() ? running.startTo(focused()) : announce("Select the node to run to.")),
    c: () => focused() && connectList.fromNode(focused(), anchor()),
    // In the outline without selecting it first: one stays in the list.
    d: () => (at()?.closest?.("[data-outline]") ? acts.disableThese([focused()]) : (selectFocused(), acts.disable())),
    o: () => outline(),
    f: () => view.fit(),
    1: () => view.fit(),
    0: () => view.zoomTo(1, editor.selection.single ? editor.box(editor.selection.single) : null),
    "+": () => view.zoom(1.2),
    "=": () => view.zoom(1.2),
    "-": () => view.zoom(1 / 1.2),
    p: () => problems.step(),
    "?": () => showTable(dialog),
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || dialogOpen() || connectList.open || quick.open || menu.open) return;
    if (pointer.busy && !["Escape", " "].includes(event.key)) return event.preventDefault();
    const typing = event.target.matches?.("input, textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey) return command(event, typing);
    if (event.key === "Escape" && !event.isComposing && inspector.leave()) return event.preventDefault();
    if (typing) return;
    if (event.altKey) return alternative(event);
    if (event.key === "Escape") return escape(event);
    if (!onCanvas()) return;
    if (event.key === " " && !event.target.closest("button, a")) return (event.preventDefault(), pointer.setSpace(true));
    if (canvasKey(event)) event.preventDefault();
  });
  document.addEventListener("keyup", (event) => event.key === " " && pointer.setSpace(false));
  window.addEventListener("blur", () => pointer.setSpace(false));

  function command(event, typing) {
    const key = event.key.toLowerCase();
    const redo = key === "y" || (key === "z" && event.shiftKey);
    if (typing && !["s", "f"].includes(key)) return;
    if (key === "s") save();
    else if (redo) step(editor.redo(), "Redone");
    else if (key === "z") step(editor.undo(), "Undone");
    else if (key === "f" && !event.shiftKey) quick.find();
    else if (!onCanvas()) return;
    else if (key === "a") editor.select({ nodes: editor.document.nodes.keys(), edges: editor.document.edges.keys(), notes: editor.document.notes.keys() });
    else if (key === "d") (selectFocused(), acts.duplicate());
    else if (key === "g") (selectFocused(), event.shiftKey ? acts.ungroup() : acts.group());
    else return;
    event.preventDefault();
  }

  function alternative(event) {
    if (event.shiftKey && event.code === "KeyT" && onCanvas()) acts.tidy();
    else if (ARROWS[event.key] && onCanvas() && focused()) goAlong(event.key);
    else return;
    event.preventDefault();
  }

  function goAlong(arrow) {
    const next = along(editor.document, focused(), arrow);
    if (!next) return announce("No wire leads there.");
    editor.select({ nodes: [next] });
    view.reveal(next);
    view.focusNode(next);
    return announce(editor.document.nodes.get(next).label);
  }

  function step(label, word) {
    if (editor.readOnly) announce("This canvas is view only.");
    else announce(label === null ? "Nothing left to step to." : `${word}: ${label}`);
  }

  function canvasKey(event) {
    const inOutline = Boolean(at()?.closest?.(".outline"));
    if (event.key === "Tab") return !inOutline && walk(event.shiftKey ? -1 : 1);
    if (ARROWS[event.key]) return inOutline ? false : nudge(ARROWS[event.key], event.shiftKey ? 5 : 1);
    if (event.key === "Delete" || event.key === "Backspace") return (selectFocused(), acts.remove());
    if (event.key === "Enter") return !inOutline && open(event);
    if (event.key === "F2") return rename();
    if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) return inspector.menu(focused(), anchor());
    if (!lettersOn()) return false;
    const act = letters[event.shiftKey && "NR".includes(event.key) ? `shift+${event.key.toLowerCase()}` : event.key.toLowerCase()];
    act?.();
    return Boolean(act);
  }

  function walk(direction) {
    const order = editor.order();
    const index = order.indexOf(at()?.closest?.(".node")?.dataset.nodeId);
    if (index === -1) return false;
    const next = order[index + direction];
    if (!next) return false;
    editor.select({ nodes: [next] });
    view.reveal(next);
    view.focusNode(next);
    return true;
  }

  function nudge([x, y], times) {
    const { nodes, notes } = editor.selection;
    const ids = nodes.size || notes.size ? [...nodes] : focused() ? [focused()] : [];
    if ((!ids.length && !notes.size) || editor.readOnly) return false;
    const by = GRID * times;
    const moved = (map, list) => new Map([...list].map((id) => {
      const [left, top] = map.get(id).position;
      return [id, [left + x * by, top + y * by]];
    }));
    editor.move(moved(editor.document.nodes, ids), { notes: moved(editor.document.notes, notes), merge: `nudge ${ids.join()}` });
    return true;
  }

  function rename() {
    const note = at()?.closest?.(".note")?.dataset.noteId;
    if (note) return (ground.editNote(note), true);
    return inspector.rename(focused());
  }

  function open(event) {
    const note = event.target.closest(".note")?.dataset.noteId;
    if (note) return (ground.editNote(note), true);
    const id = event.target.closest(".node")?.dataset.nodeId;
    if (!id || event.target.closest("button")) return false;
    editor.select({ nodes: [id] });
    inspector.open();
    return true;
  }

  function escape(event) {
    if (pointer.cancel()) return event.preventDefault();
    if (!editor.selection.empty) editor.select({});
    else inspector.close();
  }
}

let last = null;
document.addEventListener("pointermove", (event) => (last = { x: event.clientX, y: event.clientY }), { passive: true });

/** Where the pointer is, when it is over the stage; else the stage's middle. */
export function pointerOr(stage) {
  const rect = stage.getBoundingClientRect();
  const inside = last && last.x > rect.left && last.x < rect.right && last.y > rect.top && last.y < rect.bottom;
  return inside ? { ...last } : { x: rect.left + rect.width / 2, y: rect.top + rect.height / 2 };
}
