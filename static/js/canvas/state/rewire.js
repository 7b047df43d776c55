// Changes that keep wires: splice a node into a wire, put another component in a node's place,
// walk along wires. Pure.

import { versionOf } from "./commands.js";
import { freeEdgeId, wiresFrom, wiresInto } from "./document.js";
import { checkWire } from "./rules.js";

/**
 * The command that splices a node into a wire, or null where nothing of it fits: the wire's source
 * goes into one of the node's inputs and one of its outputs into the wire's target. Order wires
 * are spliced by start and done.
 */
export function splice(document, catalog, rules, edge, nodeId) {
  const node = document.nodes.get(nodeId);
  if (!edge || !node || edge.source.node === nodeId || edge.target.node === nodeId) return null;
  const without = { ...document, edges: new Map(document.edges), version: document.version };
  without.edges.delete(edge.id);
  const into = catalog.inputs(document, node)
    .filter((port) => !wiresInto(document, nodeId, port.name).length)
    .map((port) => ({ node: nodeId, port: port.name, rank: port.field ? 1 : 0 }))
    .filter((end) => checkWire(without, catalog, rules, edge.source, end).ok)
    .sort((a, b) => a.rank - b.rank)[0];
  const out = catalog.outputs(document, node)
    .map((port) => ({ node: nodeId, port: port.name }))
    .find((end) => checkWire(without, catalog, rules, end, edge.target).ok);
  if (!into || !out) return null;
  const first = freeEdgeId(document);
  const second = freeEdgeId(document, new Set([first]));
  const end = ({ node: id, port }) => ({ node: id, port });
  return {
    label: `splice in ${node.label}`,
    operations: [
      { op: "edge.remove", id: edge.id },
      { op: "edge.add", edge: { id: first, source: end(edge.source), target: end(into) } },
      { op: "edge.add", edge: { id: second, source: end(out), target: end(edge.target) } },
    ],
  };
}

/**
 * Put another component in a node's place: settings of the same name and wires that still fit stay.
 * Returns the command with `lost`, the wires that had to go.
 */
export function replaceComponent(document, catalog, rules, nodeId, componentName) {
  const node = document.nodes.get(nodeId);
  const [before, after] = [catalog.of(node), catalog.find(componentName)];
  const names = new Set((after.fields ?? []).map(({ name }) => name));
  const config = Object.fromEntries(Object.entries(node.config ?? {}).filter(([name]) => names.has(name)));
  const label = node.label === (before?.title ?? node.component) ? after.title : node.label;
  const next = { ...node, component: componentName, component_version: versionOf(after), config, label };
  const trial = { ...document, nodes: new Map(document.nodes).set(nodeId, next), edges: new Map(), version: -1, touched: new Map() };
  const operations = [];
  const lost = [];
  for (const edge of document.edges.values()) {
    if (edge.source.node !== nodeId && edge.target.node !== nodeId) continue;
    const wire = renamed(edge, nodeId, before, after);
    const fits = checkWire(trial, catalog, rules, wire.source, wire.target).ok;
    if (fits && wire === edge) continue;
    operations.push({ op: "edge.remove", id: edge.id });
    if (fits) operations.push({ op: "edge.add", edge: wire });
    else lost.push(edge);
  }
  for (const key of ["component", "component_version", "config", "label"]) operations.push({ op: "node.set", id: nodeId, key, value: next[key] });
  return { label: `replace ${node.label}`, operations, lost };
}

/** The wire with its port renamed where the new component has one port of that type only. */
function renamed(edge, nodeId, before, after) {
  const swap = (name, side) => {
    const [old, now] = [before?.[side] ?? [], after[side] ?? []];
    if (name === "start" || name === "done" || now.some((port) => port.name === name)) return name;
    const type = old.find((port) => port.name === name)?.type;
    const same = now.filter((port) => port.type === type && !port.field);
    return type && same.length === 1 ? same[0].name : name;
  };
  const source = edge.source.node === nodeId ? swap(edge.source.port, "outputs") : edge.source.port;
  const target = edge.target.node === nodeId ? swap(edge.target.port, "inputs") : edge.target.port;
  if (source === edge.source.port && target === edge.target.port) return edge;
  return { ...edge, source: { ...edge.source, port: source }, target: { ...edge.target, port: target } };
}

/**
 * The node that Alt and an arrow lead to: right along a wire out, left along a wire in, up and down
 * among the nodes at the other ends of the same wires. Null where there is none.
 */
export function along(document, nodeId, arrow) {
  const top = (a, b) => place(document, a)[1] - place(document, b)[1] || place(document, a)[0] - place(document, b)[0];
  const after = (id) => [...new Set(wiresFrom(document, id).map(({ target }) => target.node))].sort(top);
  const before = (id) => [...new Set(wiresInto(document, id).map(({ source }) => source.node))].sort(top);
  if (arrow === "ArrowRight") return after(nodeId)[0] ?? null;
  if (arrow === "ArrowLeft") return before(nodeId)[0] ?? null;
  const beside = new Set([...before(nodeId).flatMap(after), ...after(nodeId).flatMap(before), nodeId]);
  const row = [...beside].sort(top);
  return row[row.indexOf(nodeId) + (arrow === "ArrowDown" ? 1 : -1)] ?? null;
}

function place(document, id) {
  return document.nodes.get(id).position;
}
