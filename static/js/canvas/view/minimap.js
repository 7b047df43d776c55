// A light minimap, drawn from the editor's state: a box for each node and the frame of what is seen.
// Press or drag in it to look elsewhere.

import { bounds } from "../state/geometry.js";
import { replace, s } from "./dom.js";

export function bindMinimap(svg, view, editor) {
  const boxes = s("g");
  const frame = s("rect", { class: "mm-v", rx: 10, "vector-effect": "non-scaling-stroke" });
  svg.append(boxes, frame);
  let all = null;
  const drawFrame = () => {
    const seen = view.visible();
    const area = bounds(all ? [all, seen] : [seen]);
    const pad = Math.max(area.width, area.height) * 0.04;
    svg.setAttribute("viewBox", `${area.x - pad} ${area.y - pad} ${area.width + 2 * pad} ${area.height + 2 * pad}`);
    for (const name of ["x", "y", "width", "height"]) frame.setAttribute(name, seen[name]);
  };
  const drawAll = () => {
    all = editor.bounds();
    replace(boxes, paths(editor));
    drawFrame();
  };
  const [soonAll, soonFrame] = [once(drawAll), once(drawFrame)];
  for (const topic of ["document", "selection", "view"]) editor.on(topic, soonAll);
  view.onTransform.add(soonFrame);
  bindLook(svg, view);
  soonAll();
}

/** Do it in the next frame, once however often it is asked for. */
function once(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      act();
    });
  };
}

/** One path a kind: a thousand rectangles would be a thousand elements, made anew at each change. */
function paths(editor) {
  const parts = { "mm-n": [], "mm-s": [], "mm-sel": [] };
  for (const node of editor.document.nodes.values()) {
    const { x, y, width, height } = editor.box(node.id);
    const secret = editor.catalog.of(node)?.handles_secrets;
    const kind = editor.selection.nodes.has(node.id) ? "mm-sel" : secret ? "mm-s" : "mm-n";
    parts[kind].push(`M${x} ${y}h${width}v${height}h${-width}z`);
  }
  return Object.entries(parts).map(([kind, d]) => s("path", { class: kind, d: d.join("") }));
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
