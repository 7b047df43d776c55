// Putting a new node where it was dropped, searched for, or next to what is selected; wired to the
// wire that waited for it, or spliced into the wire it was dropped on.

import { GRID, freePlace } from "../state/geometry.js";
import { wireUnder } from "../state/under.js";
import { announce } from "./announce.js";
import { spliceInto } from "./moving.js";

const NEW = { width: 204, height: 130 };

/**
 * Returns place(component, client | null, {end, port, free}?) → the node's id, or null. With `free`
 * (chosen from a list) it goes to the next free place below; dropped by hand it stays where it is.
 */
export function bindPlacing(editor, view) {
  return (component, client, { free = false, ...given } = {}) => {
    if (editor.readOnly) return null;
    const waiting = given.end ? given : null;
    const point = client ? dropped(view.toGraph(client), waiting) : beside(editor, view);
    const id = editor.add(component, free ? freePlace(editor.boxes(), { x: point[0], y: point[1] }, NEW) : point);
    if (waiting) wireUp(editor, id, waiting);
    const under = client && !waiting && !free ? wireUnder(editor, editor.box(id), { except: id }) : null;
    if (!client || free) view.reveal(id);
    view.focusNode(id);
    announce(`Added ${editor.document.nodes.get(id).label}.`);
    if (under) spliceInto(editor, under, id);
    return id;
  };
}

function wireUp(editor, id, { end, port }) {
  const [there, mine] = [{ node: end.node, port: end.port }, { node: id, port }];
  const verdict = end.direction === "out" ? editor.connect(there, mine) : editor.connect(mine, there);
  if (verdict.ok) editor.joinLast(`add ${editor.document.nodes.get(id).label}`);
}

/** The corner that puts the node's middle at the pointer; a waiting wire ends at its pin's side. */
function dropped({ x, y }, waiting) {
  const left = waiting ? (waiting.end.direction === "out" ? 0 : NEW.width) : NEW.width / 2;
  return [x - left, y - (waiting ? 70 : 24)].map((value) => Math.round(value / GRID) * GRID);
}

function beside(editor, view) {
  const after = editor.selection.single ?? (editor.document.nodes.size === 1 ? [...editor.document.nodes.keys()][0] : null);
  if (after) {
    const box = editor.box(after);
    return freePlace(editor.boxes(), { x: box.x + box.width + 5 * GRID, y: box.y }, NEW);
  }
  const seen = view.visible();
  const corner = { x: seen.x + (seen.width - NEW.width) / 2, y: seen.y + (seen.height - NEW.height) / 2 };
  return freePlace(editor.boxes(), corner, NEW);
}
