// A light minimap, drawn from the editor's state: a box for each node and the frame of what is seen.
// Press or drag in it to look elsewhere.

import { bounds } from "../state/geometry.js";
import { h, replace, s } from "./dom.js";

/** Within its border. */
const SIZE = { width: 146, height: 86 };
const PAD = 4;

export function bindMinimap(element, view, editor) {
  const svg = s("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, "aria-hidden": "true" });
  const frame = h("div", { class: "mm-v" });
  element.append(svg, frame);
  let all = null;
  let drawn = null;
  let size = "";
  // The scale is in the numbers, not in a viewBox: another viewBox at each step of a pan makes the
  // browser sort all of the page's layers anew. The frame is no part of the drawing: moved, it has
  // nothing laid out.
  const drawFrame = () => {
    const seen = view.visible();
    const map = mapping(bounds(all ? [all, seen] : [seen]));
    if (drawn?.all !== all || drawn.key !== map.key) replace(svg, paths(editor, map));
    drawn = { all, ...map };
    const { x, y, scale } = map;
    const px = (value) => `${value.toFixed(1)}px`;
    const [width, height] = [px(seen.width * scale), px(seen.height * scale)];
    if (size !== width + height) Object.assign(frame.style, { width, height });
    size = width + height;
    frame.style.transform = `translate(${px(x + seen.x * scale)}, ${px(y + seen.y * scale)})`;
  };
  const drawAll = () => {
    all = editor.bounds();
    drawn = null;
    drawFrame();
  };
  const [soonAll, soonFrame] = [once(drawAll), once(drawFrame)];
  for (const topic of ["document", "selection", "view"]) editor.on(topic, soonAll);
  view.onTransform.add(soonFrame);
  bindLook(element, svg, view, () => drawn);
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

/** How the plane comes into the map: scale and shift that fit an area with a margin. */
function mapping(area) {
  const scale = Math.min((SIZE.width - 2 * PAD) / area.width, (SIZE.height - 2 * PAD) / area.height);
  const x = (SIZE.width - area.width * scale) / 2 - area.x * scale;
  const y = (SIZE.height - area.height * scale) / 2 - area.y * scale;
  return { scale, x, y, key: [scale, x, y].join() };
}

/** One path a kind: a thousand rectangles would be a thousand elements, made anew at each change. */
function paths(editor, map) {
  const parts = { "mm-n": [], "mm-s": [], "mm-sel": [] };
  const n = (value) => Math.round(value * 10) / 10;
  for (const node of editor.document.nodes.values()) {
    const { x, y, width, height } = editor.box(node.id);
    const secret = editor.catalog.of(node)?.handles_secrets;
    const kind = editor.selection.nodes.has(node.id) ? "mm-sel" : secret ? "mm-s" : "mm-n";
    const across = n(width * map.scale);
    parts[kind].push(`M${n(map.x + x * map.scale)} ${n(map.y + y * map.scale)}h${across}v${n(height * map.scale)}h${-across}z`);
  }
  return Object.entries(parts).map(([kind, d]) => s("path", { class: kind, d: d.join("") }));
}

function bindLook(element, svg, view, map) {
  const look = (event) => {
    const matrix = svg.getScreenCTM();
    if (!matrix || !map()) return;
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const point = { x: (at.x - map().x) / map().scale, y: (at.y - map().y) / map().scale };
    const { scale } = view.transform;
    const { clientWidth, clientHeight } = view.stage;
    view.setTransform({ scale, x: clientWidth / 2 - point.x * scale, y: clientHeight / 2 - point.y * scale });
  };
  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    look(event);
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) look(event);
  });
}
