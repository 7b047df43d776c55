// The graph document as the editor holds it, and the only way to change it.
//
// An *operation* is plain data: {op: "node.add", node}, {op: "node.remove", id},
// {op: "node.set", id, key, value}, {op: "edge.add", edge}, {op: "edge.remove", id}.
// `apply` performs one and returns its inverse, so undo is nothing but more operations.
// Unknown keys of nodes, edges and the document itself are kept: what this page does not
// understand it must not lose on save.

export const SCHEMA = 1;

export class DocumentError extends Error {}

/** Build a document from its JSON form. Throws DocumentError on a newer schema. */
export function parseDocument(json) {
  const { schema = SCHEMA, nodes = [], edges = [], ...rest } = json ?? {};
  if (schema > SCHEMA) {
    throw new DocumentError(
      `This flow is written in graph schema ${schema}; this version of Tacit reads up to ${SCHEMA}.`,
    );
  }
  return {
    schema,
    rest,
    nodes: new Map(nodes.map((node) => [node.id, structuredClone(node)])),
    edges: new Map(edges.map((edge) => [edge.id, structuredClone(edge)])),
    version: 0,
    touched: new Map(),
  };
}

/** The version at which a node, or a wire at it, changed last: what is drawn from it is stale before. */
export function touchedAt(document, nodeId) {
  return document.touched.get(nodeId) ?? 0;
}

/** The JSON form: what is sent to the server. */
export function serialize(document) {
  return {
    ...document.rest,
    schema: document.schema,
    nodes: [...document.nodes.values()].map((node) => structuredClone(node)),
    edges: [...document.edges.values()].map((edge) => structuredClone(edge)),
  };
}

/** Perform one operation and return the operation that takes it back. */
export function apply(document, operation) {
  const perform = OPERATIONS[operation.op];
  if (!perform) throw new DocumentError(`unknown operation ${operation.op}`);
  const edge = operation.edge ?? (operation.op === "edge.remove" ? document.edges.get(operation.id) : null);
  const inverse = perform(document, operation);
  document.version += 1;
  for (const id of edge ? [edge.source.node, edge.target.node] : [operation.id ?? operation.node.id]) {
    document.touched.set(id, document.version);
  }
  return inverse;
}

const OPERATIONS = {
  "node.add"(document, { node }) {
    document.nodes.set(node.id, structuredClone(node));
    return { op: "node.remove", id: node.id };
  },
  "node.remove"(document, { id }) {
    const node = need(document.nodes, id, "node");
    document.nodes.delete(id);
    return { op: "node.add", node };
  },
  "node.set"(document, { id, key, value }) {
    const node = need(document.nodes, id, "node");
    const before = structuredClone(node[key]);
    if (value === undefined) delete node[key];
    else node[key] = structuredClone(value);
    return { op: "node.set", id, key, value: before };
  },
  "edge.add"(document, { edge }) {
    document.edges.set(edge.id, structuredClone(edge));
    return { op: "edge.remove", id: edge.id };
  },
  "edge.remove"(document, { id }) {
    const edge = need(document.edges, id, "edge");
    document.edges.delete(id);
    return { op: "edge.add", edge };
  },
};

function need(map, id, kind) {
  const found = map.get(id);
  if (!found) throw new DocumentError(`no ${kind} ${id}`);
  return found;
}

/** A node id that is free: the component's last word, numbered when taken. */
export function freeNodeId(document, component, taken = new Set()) {
  const stem = component.split(".").slice(-2).join("_").replace(/[^a-z0-9_]/gi, "_").toLowerCase();
  for (let count = 1; ; count += 1) {
    const id = count === 1 ? stem : `${stem}_${count}`;
    if (!document.nodes.has(id) && !taken.has(id)) return id;
  }
}

/** An edge id that is free: e1, e2, … */
export function freeEdgeId(document, taken = new Set()) {
  for (let count = document.edges.size + 1; ; count += 1) {
    const id = `e${count}`;
    if (!document.edges.has(id) && !taken.has(id)) return id;
  }
}

/** A label that no node has yet: "Log", "Log 2", … */
export function freeLabel(document, title) {
  const labels = new Set([...document.nodes.values()].map((node) => node.label));
  for (let count = 1; ; count += 1) {
    const label = count === 1 ? title : `${title} ${count}`;
    if (!labels.has(label)) return label;
  }
}

/** Wires that end at this input (or any input of the node), in document order. */
export function wiresInto(document, nodeId, port) {
  const found = wiresOf(document).into.get(nodeId) ?? [];
  return port === undefined ? [...found] : found.filter(({ target }) => target.port === port);
}

/** Wires that leave this output (or any output of the node), in document order. */
export function wiresFrom(document, nodeId, port) {
  const found = wiresOf(document).from.get(nodeId) ?? [];
  return port === undefined ? [...found] : found.filter(({ source }) => source.port === port);
}

const indexes = new WeakMap();

/** The wires by node, made once a version. */
function wiresOf(document) {
  const known = indexes.get(document);
  if (known?.version === document.version) return known;
  const made = { version: document.version, into: new Map(), from: new Map() };
  const put = (map, id, edge) => (map.has(id) ? map.get(id).push(edge) : map.set(id, [edge]));
  for (const edge of document.edges.values()) {
    put(made.into, edge.target.node, edge);
    put(made.from, edge.source.node, edge);
  }
  indexes.set(document, made);
  return made;
}

/** True when `to` can be reached from `from` along wires. */
export function reaches(document, from, to) {
  return from === to || walk(from, (id) => wiresFrom(document, id).map(({ target }) => target.node)).has(to);
}

/** The nodes that come before a node along wires, itself not included unless in a circle. */
export function ancestors(document, id) {
  return walk(id, (other) => wiresInto(document, other).map(({ source }) => source.node));
}

function walk(start, next) {
  const seen = new Set();
  const waiting = next(start);
  while (waiting.length) {
    const id = waiting.pop();
    if (seen.has(id)) continue;
    seen.add(id);
    waiting.push(...next(id));
  }
  return seen;
}

/** Node ids in run order: sources first, ties by position from left to right, top to bottom. */
export function runOrder(document) {
  const waits = new Map([...document.nodes.keys()].map((id) => [id, new Set()]));
  for (const { source, target } of document.edges.values()) {
    if (waits.has(target.node) && waits.has(source.node)) waits.get(target.node).add(source.node);
  }
  const place = (id) => document.nodes.get(id).position ?? [0, 0];
  const before = (a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1];
  const order = [];
  const left = new Set(waits.keys());
  while (left.size) {
    const ready = [...left].filter((id) => [...waits.get(id)].every((dep) => !left.has(dep)));
    const batch = (ready.length ? ready : [...left]).sort(before);
    for (const id of batch) {
      order.push(id);
      left.delete(id);
    }
  }
  return order;
}
