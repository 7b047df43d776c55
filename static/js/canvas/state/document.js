// The graph document as the editor holds it, and the only way to change it.
//
// An *operation* is plain data: {op: "node.add", node}, {op: "node.remove", id},
// {op: "node.set", id, key, value}, {op: "edge.add", edge}, {op: "edge.remove", id}; notes and
// groups have the same three as nodes ({op: "note.set", id, key, value} …).
// `apply` performs one and returns its inverse, so undo is nothing but more operations.
// Unknown keys of nodes, edges and the document itself are kept: what this page does not
// understand it must not lose on save.

export const SCHEMA = 1;

export class DocumentError extends Error {}

/** Build a document from its JSON form. Throws DocumentError on a newer schema. */
export function parseDocument(json) {
  const { schema = SCHEMA, nodes = [], edges = [], notes = [], groups = [], ...rest } = json ?? {};
  const byId = (items) => new Map(items.map((item) => [item.id, structuredClone(item)]));
  if (schema > SCHEMA) {
    throw new DocumentError(
      `This flow is written in graph schema ${schema}; this version of Tacit reads up to ${SCHEMA}.`,
    );
  }
  return {
    schema,
    rest,
    nodes: byId(nodes),
    edges: byId(edges),
    notes: byId(notes),
    groups: byId(groups),
    version: 0,
    touched: new Map(),
  };
}

/** The version at which a node, or a wire at it, changed last: what is drawn from it is stale before. */
export function touchedAt(document, nodeId) {
  return document.touched.get(nodeId) ?? 0;
}

/** The JSON form: what is sent to the server. Notes and groups are left out where there are none. */
export function serialize(document) {
  const list = (map) => [...map.values()].map((item) => structuredClone(item));
  const made = { ...document.rest, schema: document.schema, nodes: list(document.nodes), edges: list(document.edges) };
  if (document.notes.size) made.notes = list(document.notes);
  if (document.groups.size) made.groups = list(document.groups);
  return made;
}

/** Perform one operation and return the operation that takes it back. */
export function apply(document, operation) {
  const perform = OPERATIONS[operation.op];
  if (!perform) throw new DocumentError(`unknown operation ${operation.op}`);
  const edge = operation.edge ?? (operation.op === "edge.remove" ? document.edges.get(operation.id) : null);
  const inverse = perform(document, operation);
  document.version += 1;
  if (/^(note|group)\./.test(operation.op)) return inverse;
  for (const id of edge ? [edge.source.node, edge.target.node] : [operation.id ?? operation.node.id]) {
    document.touched.set(id, document.version);
  }
  return inverse;
}

const OPERATIONS = Object.fromEntries(
  [["node", "nodes"], ["edge", "edges"], ["note", "notes"], ["group", "groups"]].flatMap(([kind, map]) => [
    [`${kind}.add`, (document, operation) => {
      document[map].set(operation[kind].id, structuredClone(operation[kind]));
      return { op: `${kind}.remove`, id: operation[kind].id };
    }],
    [`${kind}.remove`, (document, { id }) => {
      const there = need(document[map], id, kind);
      document[map].delete(id);
      return { op: `${kind}.add`, [kind]: there };
    }],
    [`${kind}.set`, (document, { id, key, value }) => {
      const there = need(document[map], id, kind);
      const before = structuredClone(there[key]);
      if (value === undefined) delete there[key];
      else there[key] = structuredClone(value);
      return { op: `${kind}.set`, id, key, value: before };
    }],
  ]),
);

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

/** A note's or group's id that is free: note_1, group_2, … */
export function freeMarkId(map, kind, taken = new Set()) {
  for (let count = map.size + 1; ; count += 1) {
    const id = `${kind}_${count}`;
    if (!map.has(id) && !taken.has(id)) return id;
  }
}

/** The group a node is in, or null. */
export function groupOf(document, nodeId) {
  for (const group of document.groups.values()) if (group.nodes.includes(nodeId)) return group;
  return null;
}

/** A label that no node has yet: "Log", "Log 2", … */
export function freeLabel(document, title, taken = []) {
  const labels = new Set([...document.nodes.values()].map((node) => node.label).concat([...taken]));
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
  const place = (id) => document.nodes.get(id).position ?? [0, 0];
  const before = (a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1];
  const waits = new Map([...document.nodes.keys()].map((id) => [id, 0]));
  for (const { source, target } of document.edges.values()) {
    if (waits.has(source.node) && waits.has(target.node)) waits.set(target.node, waits.get(target.node) + 1);
  }
  const order = [];
  let ready = [...waits.keys()].filter((id) => waits.get(id) === 0);
  while (waits.size) {
    // Whatever is on a circle comes last; no circle can be drawn, but a document may hold one.
    const batch = (ready.length ? ready : [...waits.keys()]).sort(before);
    ready = [];
    for (const id of batch) {
      order.push(id);
      waits.delete(id);
    }
    for (const id of batch) {
      for (const { target } of wiresFrom(document, id)) {
        if (!waits.has(target.node)) continue;
        waits.set(target.node, waits.get(target.node) - 1);
        if (waits.get(target.node) === 0) ready.push(target.node);
      }
    }
  }
  return order;
}
