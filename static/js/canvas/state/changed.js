// What has been changed in a flow since a run: positions and marks don't count, settings and wires do.

const KEYS = ["component", "label", "config", "disabled", "retry", "timeout", "on_error"];

/** {nodes: ids that are new or changed, gone: number of nodes no longer there, wires: number}. */
export function changedSince(graph, document) {
  const before = new Map((graph.nodes ?? []).map((node) => [node.id, node]));
  const nodes = [...document.nodes.values()].filter((node) => !same(before.get(node.id), node)).map(({ id }) => id);
  const gone = [...before.keys()].filter((id) => !document.nodes.has(id)).length;
  const name = ({ source, target }) => [source.node, source.port, target.node, target.port].join("\u0000");
  const [old, now] = [new Set((graph.edges ?? []).map(name)), new Set([...document.edges.values()].map(name))];
  const wires = [...old].filter((key) => !now.has(key)).length + [...now].filter((key) => !old.has(key)).length;
  return { nodes: new Set(nodes), gone, wires };
}

/** "Changed since this run: 2 nodes, 1 wire", or "". */
export function changedWords({ nodes, gone, wires }) {
  const parts = [];
  const count = nodes.size + gone;
  if (count) parts.push(`${count} node${count === 1 ? "" : "s"}`);
  if (wires) parts.push(`${wires} wire${wires === 1 ? "" : "s"}`);
  return parts.length ? `Changed since this run: ${parts.join(", ")}` : "";
}

function same(a, b) {
  return Boolean(a) && KEYS.every((key) => stable(a[key]) === stable(b[key]));
}

/** JSON with sorted keys; what is left out equals what is empty. */
function stable(value) {
  if (value === undefined || value === null || value === false || value === "") return "";
  return JSON.stringify(value, (_, inner) =>
    inner && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  ).replace(/^\{\}$/, "");
}
