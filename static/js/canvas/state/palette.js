// Which components to offer, for quick add: ranked by words, and by whether a wire would fit.

import { checkWire } from "./rules.js";

/**
 * Rows for quick add: {item, port?}, best first. `end` ({node, port, direction}) is a wire waiting to
 * be dropped: only components with a port that takes it are offered, with that port.
 */
export function offer(editor, query, end = null) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [];
  for (const item of editor.catalog.items) {
    const rank = rankOf(item, words);
    if (rank === null) continue;
    const port = end ? fitting(editor, item, end) : null;
    if (end && !port) continue;
    rows.push({ item, port: port?.name ?? null, rank: rank + (port?.type === "order" ? 5 : 0) });
  }
  return rows.sort((a, b) => a.rank - b.rank);
}

function rankOf(item, words) {
  const [title, rest] = [item.title.toLowerCase(), `${item.name} ${item.help ?? ""}`.toLowerCase()];
  let rank = 0;
  for (const word of words) {
    if (title.startsWith(word)) continue;
    if (title.includes(word)) rank += 1;
    else if (rest.includes(word)) rank += 2;
    else return null;
  }
  return rank;
}

/** The port of a component, were it on the canvas, that takes the waiting wire; or null. */
export function fitting(editor, item, end) {
  const ghost = "\u0000new";
  const node = { id: ghost, component: item.name, label: item.title, position: [0, 0], config: {} };
  const document = { ...editor.document, nodes: new Map(editor.document.nodes).set(ghost, node) };
  const fromOutput = end.direction === "out";
  const ports = fromOutput ? editor.catalog.inputs(document, node) : editor.catalog.outputs(document, node);
  const ranked = [...ports].sort((a, b) => Number(Boolean(b.required)) - Number(Boolean(a.required)) || Number(Boolean(a.field)) - Number(Boolean(b.field)));
  return ranked.find((port) => {
    const mine = { node: ghost, port: port.name };
    const there = { node: end.node, port: end.port };
    const [source, target] = fromOutput ? [there, mine] : [mine, there];
    return checkWire(document, editor.catalog, editor.rules, source, target).ok;
  }) ?? null;
}
