// Where things go together: align, distribute, guides while dragging. Pure; boxes are
// {x, y, width, height}.

/** The ways to align, as [name, label, icon]. */
export const ALIGNMENTS = [
  ["left", "Align left", "align-start-vertical"], ["center", "Align centres", "align-center-vertical"], ["right", "Align right", "align-end-vertical"],
  ["top", "Align top", "align-start-horizontal"], ["middle", "Align middles", "align-center-horizontal"], ["bottom", "Align bottom", "align-end-horizontal"],
  ["across", "Distribute across", "align-horizontal-distribute-center"], ["down", "Distribute down", "align-vertical-distribute-center"],
];

/** Moves (a Map of id to [x, y]) that align or distribute boxes (a Map of id to box). */
export function arrange(boxes, way) {
  if (way === "across") return distribute(boxes, "x", "width");
  if (way === "down") return distribute(boxes, "y", "height");
  const all = [...boxes.values()];
  const least = (axis) => Math.min(...all.map((box) => box[axis]));
  const most = (axis, length) => Math.max(...all.map((box) => box[axis] + box[length]));
  const middle = (axis, length) => (least(axis) + most(axis, length)) / 2;
  const place = {
    left: (box) => [least("x"), box.y],
    center: (box) => [middle("x", "width") - box.width / 2, box.y],
    right: (box) => [most("x", "width") - box.width, box.y],
    top: (box) => [box.x, least("y")],
    middle: (box) => [box.x, middle("y", "height") - box.height / 2],
    bottom: (box) => [box.x, most("y", "height") - box.height],
  }[way];
  return new Map([...boxes].map(([id, box]) => [id, place(box)]));
}

/** Equal gaps between boxes; the outer two stay. */
function distribute(boxes, axis, length) {
  const sorted = [...boxes].sort(([, a], [, b]) => a[axis] + a[length] / 2 - (b[axis] + b[length] / 2));
  if (sorted.length < 3) return new Map();
  const [first, last] = [sorted[0][1], sorted.at(-1)[1]];
  const room = last[axis] + last[length] - first[axis];
  const gap = (room - sorted.reduce((sum, [, box]) => sum + box[length], 0)) / (sorted.length - 1);
  let at = first[axis];
  return new Map(sorted.map(([id, box]) => {
    const position = axis === "x" ? [at, box.y] : [box.x, at];
    at += box[length] + gap;
    return [id, position];
  }));
}

/**
 * Guides for a box that is dragged among others: {dx, dy, lines}, the shift that brings it onto the
 * nearest edge or middle within `reach` on each axis, and the lines to draw.
 */
export function guides(box, others, reach) {
  const found = { dx: null, dy: null, lines: [] };
  const x = nearest(box, others, "x", "width", reach);
  const y = nearest(box, others, "y", "height", reach);
  const moved = { ...box, x: box.x + (x?.shift ?? 0), y: box.y + (y?.shift ?? 0) };
  if (x) {
    found.dx = x.shift;
    const [top, bottom] = span(moved, x.other, "y", "height");
    found.lines.push({ x1: x.at, x2: x.at, y1: top, y2: bottom });
  }
  if (y) {
    found.dy = y.shift;
    const [left, right] = span(moved, y.other, "x", "width");
    found.lines.push({ x1: left, x2: right, y1: y.at, y2: y.at });
  }
  return found;
}

function nearest(box, others, axis, length, reach) {
  const stops = (one) => [one[axis], one[axis] + one[length] / 2, one[axis] + one[length]];
  const mine = stops(box);
  let best = null;
  for (const other of others) {
    const theirs = stops(other);
    // Edges meet edges, middles meet middles.
    for (const [a, b] of [[0, 0], [0, 2], [2, 0], [2, 2], [1, 1]]) {
      const shift = theirs[b] - mine[a];
      if (Math.abs(shift) <= reach && (!best || Math.abs(shift) < Math.abs(best.shift))) {
        best = { shift, at: theirs[b], other };
      }
    }
  }
  return best;
}

function span(a, b, axis, length) {
  return [Math.min(a[axis], b[axis]) - 8, Math.max(a[axis] + a[length], b[axis] + b[length]) + 8];
}
