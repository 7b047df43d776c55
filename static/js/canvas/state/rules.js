// May this output go into that input? The server's port table answers, in the server's words.
//
// `port_rules` of GET /api/v1/components holds every pair of types with `allowed`, and for the
// refused ones a title and a reason with the placeholders {source}, {target} and {note}. The page
// only explains; PUT is refused by the same table, in the same words.

import { ancestors, reaches, wiresInto } from "./document.js";

export class Rules {
  constructor(rows) {
    this.table = new Map(rows.map((row) => [`${row.source}>${row.target}`, row]));
  }

  /** The refusal of a pair of types, or null when it connects. */
  pair(source, target) {
    const row = this.table.get(`${source}>${target}`);
    if (!row) return { code: "type_mismatch", title: `${source} can't go into ${target}`, reason: "" };
    return row.allowed ? null : row;
  }
}

/**
 * Check a wire that is about to be made. `source` and `target` are {node, port}.
 * Returns {ok: true, multiple, replaces} or {ok: false, code, title, reason}.
 * `before`, the set of nodes that come before the source, spares a walk for every check.
 */
export function checkWire(document, catalog, rules, source, target, before = null) {
  const from = catalog.port(document, source.node, source.port, "out");
  const to = catalog.port(document, target.node, target.port, "in");
  if (!from || !to) return refuse("port_unknown", "This port isn't there any more", "");
  const names = {
    source: portName(document, source),
    target: portName(document, target),
    note: to.note || "takes no secrets",
  };
  const row = rules.pair(from.type, to.type);
  if (row) return { ...refuse(row.code, fill(row.title, names), fill(row.reason, names)), remedy: row.remedy ?? null };
  if (source.node === target.node) {
    return refuse("self_loop", "A node can't wait for itself", fill("{source} and {target} are the same node.", names));
  }
  if (before ? before.has(target.node) : reaches(document, target.node, source.node)) {
    return refuse("cycle", "This wire would close a circle", fill("{target} already comes before {source}.", names));
  }
  const there = wiresInto(document, target.node, target.port);
  return { ok: true, multiple: Boolean(to.multiple), replaces: to.multiple ? null : (there[0] ?? null) };
}

/** "Label.port", as the server's sentences name a port. */
export function portName(document, { node, port }) {
  return `${document.nodes.get(node)?.label ?? node}.${port}`;
}

/** Fill the placeholders in one pass, so that a label which holds "{target}" stays as it is. */
export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function refuse(code, title, reason) {
  return { ok: false, code, title, reason };
}

/**
 * Every input with its verdict for a wire from `source`, allowed ones first, nearest first.
 * `distance(nodeId)` gives how far a node is.
 */
export function rankInputs(document, catalog, rules, source, distance) {
  const rows = [];
  const before = ancestors(document, source.node);
  for (const node of document.nodes.values()) {
    if (node.id === source.node) continue;
    for (const port of catalog.inputs(document, node)) {
      const target = { node: node.id, port: port.name };
      const verdict = checkWire(document, catalog, rules, source, target, before);
      rows.push({ end: target, node, port, verdict });
    }
  }
  return rank(rows, distance);
}

/** Every output with its verdict for a wire into `target`, ranked the same way. */
export function rankOutputs(document, catalog, rules, target, distance) {
  const rows = [];
  for (const node of document.nodes.values()) {
    if (node.id === target.node) continue;
    for (const port of catalog.outputs(document, node)) {
      const source = { node: node.id, port: port.name };
      const verdict = checkWire(document, catalog, rules, source, target);
      rows.push({ end: source, node, port, verdict });
    }
  }
  return rank(rows, distance);
}

function rank(rows, distance) {
  const order = (row) => (row.verdict.ok ? 0 : 1);
  const late = (row) => (row.port.type === "order" ? 1 : 0);
  return rows.sort(
    (a, b) => order(a) - order(b) || late(a) - late(b) || distance(a.node.id) - distance(b.node.id),
  );
}
