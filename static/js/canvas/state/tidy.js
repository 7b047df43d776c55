// Tidy: what the layout worker is asked, and what becomes of its answer. Pure.

import { GRID } from "./geometry.js";

/**
 * What dagre lays out: {nodes: [{id, width, height}], edges: [[from, to]]} of some nodes, or of all
 * where fewer than two are named.
 */
export function tidyRequest(editor, ids = []) {
  const chosen = new Set(ids.length > 1 ? ids : editor.document.nodes.keys());
  const nodes = [...chosen].map((id) => {
    const { width, height } = editor.shape(id);
    return { id, width, height };
  });
  const edges = [];
  for (const { source, target } of editor.document.edges.values()) {
    if (chosen.has(source.node) && chosen.has(target.node)) edges.push([source.node, target.node]);
  }
  return { nodes, edges };
}

/** Moves (a Map of id to [x, y]) from the places of the layout: snapped, the corner where it was. */
export function tidyMoves(editor, request, places) {
  const old = request.nodes.map(({ id }) => editor.document.nodes.get(id)?.position).filter(Boolean);
  const snap = (value) => Math.round(value / GRID) * GRID;
  const least = (list, axis) => Math.min(...list.map((position) => position[axis]));
  const corners = request.nodes.map(({ id, width, height }) => [places[id][0] - width / 2, places[id][1] - height / 2]);
  const dx = snap(least(old, 0)) - least(corners, 0);
  const dy = snap(least(old, 1)) - least(corners, 1);
  return new Map(request.nodes.map(({ id }, index) => [id, [snap(corners[index][0] + dx), snap(corners[index][1] + dy)]]));
}
