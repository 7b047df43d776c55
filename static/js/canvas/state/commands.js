// Commands: what a gesture means, as {label, operations, merge?}. Pure; `History.perform` runs them.

import { freeEdgeId, freeLabel, freeNodeId, wiresInto } from "./document.js";

/** Put a new node of a component at a position. Returns the command with the node's `id`. */
export function addNode(document, component, position, { config, label } = {}) {
  const id = freeNodeId(document, component.name);
  const node = {
    id,
    component: component.name,
    label: freeLabel(document, label ?? component.title),
    position: position.map(Math.round),
    config: config ?? {},
  };
  return { id, label: `add ${node.label}`, operations: [{ op: "node.add", node }] };
}

/** Remove nodes and wires, with every wire that touches a removed node. */
export function removeCells(document, nodeIds, edgeIds) {
  const nodes = new Set(nodeIds);
  const edges = new Set(edgeIds);
  for (const edge of document.edges.values()) {
    if (nodes.has(edge.source.node) || nodes.has(edge.target.node)) edges.add(edge.id);
  }
  const operations = [
    ...[...edges].map((id) => ({ op: "edge.remove", id })),
    ...[...nodes].map((id) => ({ op: "node.remove", id })),
  ];
  return { label: removeLabel(document, nodes, edges), operations };
}

function removeLabel(document, nodes, edges) {
  if (nodes.size === 1) return `delete ${document.nodes.get([...nodes][0]).label}`;
  if (nodes.size > 1) return `delete ${nodes.size} nodes`;
  return edges.size === 1 ? "delete wire" : `delete ${edges.size} wires`;
}

/** Move nodes to new positions: moves is a Map of id to [x, y]. */
export function moveNodes(document, moves, { merge = null } = {}) {
  const operations = [];
  for (const [id, position] of moves) {
    const value = position.map(Math.round);
    const now = document.nodes.get(id)?.position;
    if (now && (now[0] !== value[0] || now[1] !== value[1])) {
      operations.push({ op: "node.set", id, key: "position", value });
    }
  }
  const one = operations.length === 1 ? document.nodes.get(operations[0].id).label : null;
  return { label: one ? `move ${one}` : `move ${operations.length} nodes`, operations, merge };
}

/** Connect an output to an input; a wire in a single input is replaced, which undo restores. */
export function connect(document, source, target, { multiple = false } = {}) {
  const there = wiresInto(document, target.node, target.port);
  const same = there.find((edge) => edge.source.node === source.node && edge.source.port === source.port);
  if (same) return { id: same.id, label: "connect", operations: [] };
  const id = freeEdgeId(document);
  const operations = multiple ? [] : there.map((edge) => ({ op: "edge.remove", id: edge.id }));
  operations.push({ op: "edge.add", edge: { id, source: { ...source }, target: { ...target } } });
  const label = `connect ${document.nodes.get(source.node).label} to ${document.nodes.get(target.node).label}`;
  return { id, label, operations };
}

/** Set one field of a node's configuration; `undefined` takes it out again. */
export function setField(document, id, field, value) {
  const node = document.nodes.get(id);
  const config = { ...node.config };
  if (value === undefined) delete config[field];
  else config[field] = value;
  if (JSON.stringify(config) === JSON.stringify(node.config)) return { label: "", operations: [] };
  return {
    label: `edit ${field} of ${node.label}`,
    merge: `${id}.${field}`,
    operations: [{ op: "node.set", id, key: "config", value: config }],
  };
}

/** Give a node another label. An empty one is no change. */
export function renameNode(document, id, label) {
  const node = document.nodes.get(id);
  const value = label.trim();
  if (!value || value === node.label) return { label: "", operations: [] };
  return { label: `rename ${node.label}`, operations: [{ op: "node.set", id, key: "label", value }] };
}
