// The gesture that moves nodes and notes: snapped to the grid, to neighbours within 6 px (guides),
// freely with Alt; a lone node dropped on a wire is spliced in.

import { arrangeable, snapMove } from "../state/moves.js";
import { splice } from "../state/rewire.js";
import { wireUnder } from "../state/under.js";
import { announce } from "./announce.js";

const CLICK = 4;

/**
 * `grabbed` is {node} or {note}; `only` (ids of nodes) moves these instead of the selection (a
 * group by its title). onOpen(id) is called when a node was clicked and not moved.
 */
export function moving({ view, editor, ground, grabbed, event, only = null, onOpen = () => {} }) {
  const { document } = editor;
  const add = event.shiftKey || event.ctrlKey || event.metaKey;
  const kind = grabbed.note ? "notes" : "nodes";
  const id = grabbed.note ?? grabbed.node;
  const already = editor.selection[kind].has(id);
  if (only) editor.select({ nodes: only });
  else if (add) editor.toggle(grabbed);
  else if (!already) editor.select({ [kind]: [id] });
  if (grabbed.node && !only) view.focusNode(id);
  const from = view.toGraph({ x: event.clientX, y: event.clientY });
  const starts = arrangeable(editor);
  const lone = starts.nodes.size === 1 && !starts.notes.size && !touchesWire(document, id) ? id : null;
  let moves = null;
  let wire = null;

  const show = (places) => {
    for (const [nodeId, position] of places.nodes) view.preview(nodeId, position);
    ground.preview(places);
  };
  const markWire = (edge) => {
    if (edge?.id === wire?.id) return;
    view.markWire(wire?.id, false);
    view.markWire(edge?.id, true);
    wire = edge;
  };
  const end = () => {
    markWire(null);
    ground.guides([]);
  };
  return {
    move(next) {
      const away = Math.hypot(next.clientX - event.clientX, next.clientY - event.clientY);
      if (editor.readOnly || !starts.box || (!moves && away < CLICK)) return;
      const to = view.toGraph({ x: next.clientX, y: next.clientY });
      const snapped = snapMove(starts, [to.x - from.x, to.y - from.y], { free: next.altKey, scale: view.transform.scale });
      moves = snapped.moves;
      show(moves);
      ground.guides(snapped.lines);
      if (lone) markWire(wireUnder(editor, { ...editor.box(lone), x: moves.nodes.get(lone)[0], y: moves.nodes.get(lone)[1] }, { except: lone }));
    },
    up() {
      const under = wire;
      end();
      if (moves) {
        editor.move(moves.nodes, { notes: moves.notes });
        if (under) spliceInto(editor, under, lone);
      } else if (already && !add) editor.select({ [kind]: [id] });
      if (!moves && !add && grabbed.node && !only) onOpen(id);
    },
    cancel() {
      end();
      if (moves) show(starts);
    },
  };
}

/** Splice a node into a wire, as one step with what was done before; says so. */
export function spliceInto(editor, edge, nodeId) {
  const command = splice(editor.document, editor.catalog, editor.rules, edge, nodeId);
  const label = editor.document.nodes.get(nodeId)?.label;
  if (!command) return announce(`${label} doesn't fit into this wire.`);
  editor.perform(command);
  editor.joinLast(command.label);
  return announce(`Spliced ${label} into the wire.`);
}

function touchesWire(document, id) {
  for (const { source, target } of document.edges.values()) if (source.node === id || target.node === id) return true;
  return false;
}
