// Which wire runs under a box: for dropping a node onto it. Pure.

import { pinPoint } from "./geometry.js";

const STEPS = 24;
const INSET = 10;

/** The wire that runs through the middle of a box nearest to its centre, or null. */
export function wireUnder(editor, box, { except = null } = {}) {
  const inner = { x: box.x + INSET, y: box.y + INSET, width: box.width - 2 * INSET, height: box.height - 2 * INSET };
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  let best = null;
  let nearest = Infinity;
  for (const edge of editor.document.edges.values()) {
    if (edge.source.node === except || edge.target.node === except) continue;
    const ends = endsOf(editor, edge);
    if (!ends || !mayCross(ends, inner)) continue;
    for (const point of along(ends)) {
      const inside = point.x > inner.x && point.x < inner.x + inner.width && point.y > inner.y && point.y < inner.y + inner.height;
      const away = Math.hypot(point.x - middle.x, point.y - middle.y);
      if (inside && away < nearest) [best, nearest] = [edge, away];
    }
  }
  return best;
}

function endsOf(editor, { source, target }) {
  const { document } = editor;
  if (!document.nodes.has(source.node) || !document.nodes.has(target.node)) return null;
  const from = pinPoint(document.nodes.get(source.node), editor.shape(source.node), source.port, "out");
  const to = pinPoint(document.nodes.get(target.node), editor.shape(target.node), target.port, "in");
  return from && to ? [from, to] : null;
}

function mayCross([a, b], box) {
  const reach = 180;
  return Math.min(a.x, b.x) - reach < box.x + box.width && Math.max(a.x, b.x) + reach > box.x &&
    Math.min(a.y, b.y) < box.y + box.height && Math.max(a.y, b.y) > box.y;
}

/** Points of the curve that geometry.js `wirePath` draws. */
function along([a, b]) {
  const dx = b.x - a.x;
  const k = dx > 0 ? Math.max(26, Math.min(dx * 0.5, 130)) : Math.min(180, 70 + Math.abs(dx) * 0.2);
  const xs = [a.x, a.x + k, b.x - k, b.x];
  const ys = [a.y, a.y, b.y, b.y];
  const at = (v, t) => (1 - t) ** 3 * v[0] + 3 * (1 - t) ** 2 * t * v[1] + 3 * (1 - t) * t * t * v[2] + t ** 3 * v[3];
  return Array.from({ length: STEPS - 1 }, (_, index) => (index + 1) / STEPS).map((t) => ({ x: at(xs, t), y: at(ys, t) }));
}
