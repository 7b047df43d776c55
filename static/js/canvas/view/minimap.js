// A light minimap, drawn from the editor's state: a box a node and the frame of what is seen.
// Press or drag in it to look elsewhere.

import { bounds } from "../state/geometry.js";
import { replace, s } from "./dom.js";

export function bindMinimap(svg, view, editor) {
  let waiting = false;
  const draw = () => {
    waiting = false;
    const seen = view.visible();
    const area = bounds([...editor.boxes(), seen]);
    if (!area) return replace(svg);
    const pad = Math.max(area.width, area.height) * 0.04;
    svg.setAttribute(
      "viewBox",
      `${area.x - pad} ${area.y - pad} ${area.width + 2 * pad} ${area.height + 2 * pad}`,
    );
    replace(svg, [...editor.document.nodes.values()].map((node) => box(editor, node)), frame(seen));
  };
  const schedule = () => {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  };
  for (const topic of ["document", "selection", "view"]) editor.on(topic, schedule);
  view.onTransform.add(schedule);
  bindLook(svg, view);
  schedule();
}

function box(editor, node) {
  const { x, y, width, height } = editor.box(node.id);
  const secret = editor.catalog.find(node.component)?.handles_secrets;
  const name = editor.selection.nodes.has(node.id) ? "mm-sel" : secret ? "mm-s" : "mm-n";
  return s("rect", { class: name, x, y, width, height, rx: 14 });
}

function frame({ x, y, width, height }) {
  return s("rect", { class: "mm-v", x, y, width, height, rx: 10, "vector-effect": "non-scaling-stroke" });
}

function bindLook(svg, view) {
  const look = (event) => {
    const matrix = svg.getScreenCTM();
    if (!matrix) return;
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const { scale } = view.transform;
    const { clientWidth, clientHeight } = view.stage;
    view.setTransform({ scale, x: clientWidth / 2 - point.x * scale, y: clientHeight / 2 - point.y * scale });
  };
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    look(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) look(event);
  });
}
