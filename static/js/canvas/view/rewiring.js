// Taking hold of an end of a wire that is there: near a pin on the wire itself, or at the pin of an
// input that takes one wire and has it. Let go without having moved, it was a click.

import { wiresInto } from "../state/document.js";
import { pinPoint } from "../state/geometry.js";

const CLICK = 4;
/** Pixels from the pin within which a wire is taken by its end. */
const NEAR = 36;

/** The wire and its end under a press on a wire, {edge, end}, or null in its middle. */
export function endUnder(view, editor, edgeId, client) {
  const edge = editor.document.edges.get(edgeId);
  if (!edge) return null;
  const at = view.toGraph(client);
  const away = (node, port, direction) => {
    const pin = pinPoint(editor.document.nodes.get(node), editor.shape(node), port, direction);
    return pin ? Math.hypot(pin.x - at.x, pin.y - at.y) * view.transform.scale : Infinity;
  };
  const target = away(edge.target.node, edge.target.port, "in");
  const source = away(edge.source.node, edge.source.port, "out");
  if (Math.min(target, source) > NEAR) return null;
  return { edge, end: target <= source ? "target" : "source" };
}

/** The wire in an input that takes one only, as {edge, end}, or null. */
export function wireAt(editor, { node, port }) {
  const { document, catalog } = editor;
  if (catalog.port(document, node, port, "in")?.multiple) return null;
  const [edge] = wiresInto(document, node, port);
  return edge ? { edge, end: "target" } : null;
}

/** The gesture: it becomes the wire's when the pointer has moved. onClick() when it never did. */
export function rewiring(connecting, { edge, end }, event, onClick = () => {}) {
  let taken = null;
  return {
    move(next) {
      if (!taken && Math.hypot(next.clientX - event.clientX, next.clientY - event.clientY) < CLICK) return;
      taken ??= connecting.take(edge, end, next);
      taken.move(next);
    },
    up: (last) => (taken ? taken.up(last) : onClick()),
    cancel: () => taken?.cancel(),
  };
}
