// What X6 is told once: our node as an HTML shape, a wire shape per port type, the curve of a
// wire and where it starts. Only the graph*.js modules know X6 (a global of static/vendor/x6).

import { wirePath } from "../state/geometry.js";

const X6 = globalThis.X6;
const XHTML = "http://www.w3.org/1999/xhtml";
const TYPES = ["text", "number", "boolean", "json", "list", "order", "secret", "any"];

/** Elements of nodes by X6 cell id; the HTML shape mounts them. */
export const elements = new Map();

let registered = false;

export function registerShapes() {
  if (registered) return;
  registered = true;
  X6.Config.autoInsertCSS = false;
  X6.Graph.registerConnector("tacit-wire", (source, target) => wirePath(source, target), true);
  X6.Graph.registerAnchor(
    "tacit-pin",
    (view, magnet, reference, { dx, dy }) => {
      const { x, y } = view.cell.getPosition();
      return new X6.Point(x + dx, y + dy);
    },
    true,
  );
  X6.Shape.HTML.register({
    shape: "tacit-node",
    effect: ["data"],
    html: (cell) => elements.get(cell.id),
    markup: [
      {
        tagName: "foreignObject",
        selector: "fo",
        attrs: { overflow: "visible" },
        children: [{ ns: XHTML, tagName: "div", selector: "foContent", className: "node-mount" }],
      },
    ],
    attrs: { fo: { refWidth: "100%", refHeight: "100%" } },
  });
  for (const type of TYPES) registerWire(type);
}

function registerWire(type) {
  const path = (selector, className, pointerEvents = "none") => ({
    tagName: "path",
    selector,
    groupSelector: "lines",
    className,
    attrs: { fill: "none", "pointer-events": pointerEvents },
  });
  const drawn = {
    secret: [path("case", "wire-case"), path("core", "wire-core"), path("ties", "wire-ties")],
    list: [path("body", "wire wire--list"), path("core", "wire--list-core")],
  }[type] ?? [path("body", `wire wire--${type}`)];
  X6.Graph.registerEdge(
    `tacit-${type}`,
    {
      inherit: "edge",
      // Under the wire its halo, which is its ring where it is selected; over it what the pointer
      // hits, which shows what flows. Each path more costs a thousand wires a tenth of their time.
      markup: [path("halo", "wire-halo"), ...drawn, path("wrap", "wire-hit", "stroke")],
      attrs: {
        lines: { connection: true },
        line: { sourceMarker: null, targetMarker: null },
      },
      defaultLabel: { markup: [], attrs: {} },
      ...(type === "secret" ? { labels: [lockBead()] } : {}),
      zIndex: 0,
    },
    true,
  );
}

function lockBead() {
  return {
    position: { distance: 0.5 },
    markup: [
      { tagName: "circle", selector: "bead", className: "wire-lock" },
      { tagName: "rect", selector: "lock", className: "wire-lock-b" },
      { tagName: "path", selector: "bow", className: "wire-lock-i" },
    ],
    attrs: {
      bead: { r: 9.5 },
      lock: { x: -4, y: -1, width: 8, height: 5.5, rx: 1.2 },
      bow: { d: "M-2.4 -1v-1.6a2.4 2.4 0 0 1 4.8 0v1.6" },
    },
  };
}
