// Moving the selection by the mouse: what moves, and where it snaps. Pure.

import { guides } from "./arrange.js";
import { GRID, bounds } from "./geometry.js";
import { noteBox } from "./marks.js";

const REACH = 6;
/** With more boxes than these, guides look only at those near enough to matter. */
const NEAR = 1200;

/** What the selection holds when a drag begins: {nodes, notes, box, anchor, others}. */
export function arrangeable(editor) {
  const { document, selection } = editor;
  const at = (map, ids) => new Map([...ids].filter((id) => map.has(id)).map((id) => [id, map.get(id).position]));
  const [nodes, notes] = [at(document.nodes, selection.nodes), at(document.notes, selection.notes)];
  const boxes = [...[...nodes.keys()].map((id) => editor.box(id)), ...[...notes.keys()].map((id) => noteBox(document.notes.get(id)))];
  const box = bounds(boxes);
  const rest = [
    ...[...document.nodes.keys()].filter((id) => !nodes.has(id)).map((id) => editor.box(id)),
    ...[...document.notes.values()].filter(({ id }) => !notes.has(id)).map(noteBox),
  ];
  return { nodes, notes, box, others: rest };
}

/**
 * Where a drag by [dx, dy] puts things: {moves: {nodes, notes}, lines}. A neighbour's edge or middle
 * within 6 px of the page wins over the grid; `free` places freely.
 */
export function snapMove({ nodes, notes, box, others }, [dx, dy], { free = false, scale = 1 } = {}) {
  const moved = { ...box, x: box.x + dx, y: box.y + dy };
  let shift = [Math.round(dx), Math.round(dy)];
  let lines = [];
  if (!free) {
    const near = others.filter((other) => Math.abs(other.x - moved.x) < NEAR && Math.abs(other.y - moved.y) < NEAR);
    const found = guides(moved, near, REACH / Math.max(scale, 0.25));
    const grid = (value) => Math.round(value / GRID) * GRID;
    shift = [
      found.dx === null ? grid(moved.x) - box.x : dx + found.dx,
      found.dy === null ? grid(moved.y) - box.y : dy + found.dy,
    ];
    lines = found.lines.filter((line) => (line.x1 === line.x2 ? found.dx !== null : found.dy !== null));
  }
  const place = (starts) => new Map([...starts].map(([id, [x, y]]) => [id, [x + shift[0], y + shift[1]]]));
  return { moves: { nodes: place(nodes), notes: place(notes) }, lines };
}
