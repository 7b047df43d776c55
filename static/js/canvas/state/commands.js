// Commands: what a gesture means, as {label, operations, merge?}. Pure; `History.perform` runs them.

import { freeEdgeId, freeLabel, freeNodeId, wiresInto } from "./document.js";
import { leaveGroups } from "./marks.js";

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
  if (versionOf(component)) node.component_version = versionOf(component);
  return { id, label: `add ${node.label}`, operations: [{ op: "node.add", node }] };
}

/** What a node says of the component's version it is made with; the first one needs no words. */
export function versionOf(component) {
  return component.version > 1 ? component.version : undefined;
}

/** Bring a node to another version, as the server worked it out: {version, config, inputs, outputs}. */
export function upgradeNode(document, id, { version, config, inputs, outputs }) {
  const node = document.nodes.get(id);
  const operations = [
    { op: "node.set", id, key: "component_version", value: version > 1 ? version : undefined },
    { op: "node.set", id, key: "config", value: config },
  ];
  for (const edge of document.edges.values()) {
    const wire = structuredClone(edge);
    if (edge.target.node === id) wire.target.port = inputs[edge.target.port] ?? edge.target.port;
    if (edge.source.node === id) wire.source.port = outputs[edge.source.port] ?? edge.source.port;
    if (wire.target.port === edge.target.port && wire.source.port === edge.source.port) continue;
    operations.push({ op: "edge.remove", id: edge.id }, { op: "edge.add", edge: wire });
  }
  return { label: `upgrade ${node.label}`, operations };
}

/** Remove nodes, wires and notes, with every wire that touches a removed node. */
export function removeCells(document, nodeIds, edgeIds, noteIds = []) {
  const nodes = new Set(nodeIds);
  const edges = new Set(edgeIds);
  const notes = [...noteIds];
  for (const edge of document.edges.values()) {
    if (nodes.has(edge.source.node) || nodes.has(edge.target.node)) edges.add(edge.id);
  }
  const operations = [
    ...leaveGroups(document, nodes),
    ...[...edges].map((id) => ({ op: "edge.remove", id })),
    ...[...nodes].map((id) => ({ op: "node.remove", id })),
    ...notes.map((id) => ({ op: "note.remove", id })),
  ];
  return { label: removeLabel(document, nodes, edges, notes), operations };
}

function removeLabel(document, nodes, edges, notes) {
  if (notes.length) return nodes.size ? `delete ${nodes.size + notes.length} things` : notes.length === 1 ? "delete note" : `delete ${notes.length} notes`;
  if (nodes.size === 1) return `delete ${document.nodes.get([...nodes][0]).label}`;
  if (nodes.size > 1) return `delete ${nodes.size} nodes`;
  return edges.size === 1 ? "delete wire" : `delete ${edges.size} wires`;
}

/**
 * Move nodes, and notes, to new positions: both are Maps of id to [x, y]. `label` names the step
 * where it is more than a move ("tidy").
 */
export function moveNodes(document, moves, { merge = null, notes = new Map(), label = null } = {}) {
  const operations = [];
  for (const [kind, list] of [["node", moves], ["note", notes]]) {
    for (const [id, position] of list) {
      const value = position.map(Math.round);
      const now = document[`${kind}s`].get(id)?.position;
      if (now && (now[0] !== value[0] || now[1] !== value[1])) {
        operations.push({ op: `${kind}.set`, id, key: "position", value });
      }
    }
  }
  const [first] = operations;
  const one = operations.length === 1 ? (first.op === "node.set" ? document.nodes.get(first.id).label : "note") : null;
  const words = label ?? (one ? `move ${one}` : `move ${operations.length} things`);
  return { label: words, operations, merge };
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

/** Let a wire start or end elsewhere: the old one goes and a new one comes in one step. */
export function rewire(document, edgeId, source, target, verdict) {
  const made = connect(document, source, target, verdict);
  if (!made.operations.length) return made;
  const replaced = made.operations.some((operation) => operation.op === "edge.remove" && operation.id === edgeId);
  const operations = replaced ? made.operations : [{ op: "edge.remove", id: edgeId }, ...made.operations];
  return { ...made, label: `move the wire to ${document.nodes.get(target.node).label}`, operations };
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

/** Set a policy by its dotted path ("retry.count"); a value that is the default is left out. */
export function setPolicy(document, id, path, value, defaults) {
  const node = document.nodes.get(id);
  const [key, part] = path.split(".");
  let next = value === undefined || value === defaults.get(path) ? undefined : value;
  if (part) {
    const whole = { ...node[key], [part]: value };
    if (value === undefined) delete whole[part];
    next = key === "retry" && !whole.count ? undefined : whole;
  }
  if (JSON.stringify(next) === JSON.stringify(node[key])) return { label: "", operations: [] };
  return {
    label: `edit ${part ?? key} of ${node.label}`,
    merge: `${id}.${path}`,
    operations: [{ op: "node.set", id, key, value: next }],
  };
}

/** Disable the nodes, or enable them where all of them are disabled. */
export function toggleDisabled(document, ids) {
  const nodes = [...ids].map((id) => document.nodes.get(id)).filter(Boolean);
  const off = nodes.every((node) => node.disabled);
  const changed = nodes.filter((node) => Boolean(node.disabled) === off);
  const what = nodes.length === 1 ? nodes[0].label : `${nodes.length} nodes`;
  return {
    label: `${off ? "enable" : "disable"} ${what}`,
    operations: changed.map(({ id }) => ({ op: "node.set", id, key: "disabled", value: off ? undefined : true })),
  };
}
