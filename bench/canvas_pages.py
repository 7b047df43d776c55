"""What the bench of the canvas runs in its pages: the bare X6 page, and the gestures measured."""

#: Draws the same boxes and wires with X6 alone; `bare` is what the measurements drive.
BARE = """
const graph = new X6.Graph({container: document.getElementById("stage"), width: 1100, height: 800,
  async: false, interacting: {nodeMovable: true}});
fetch("/graph.json").then((answer) => answer.json()).then((document_) => {
  graph.fromJSON({
    nodes: document_.nodes.map((node) => ({id: node.id, x: node.position[0], y: node.position[1],
      width: 204, height: 160, label: node.label, attrs: {body: {rx: 10}}})),
    edges: document_.edges.map((edge) => ({source: {cell: edge.source.node},
      target: {cell: edge.target.node}})),
  });
  graph.zoomToFit({padding: 40, maxScale: 1});
  window.bare = graph;
  requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("tacit-ready")));
});
"""
PAGE = """<!doctype html><meta charset="utf-8"><style>#stage{width:1100px;height:800px}</style>
<link rel="stylesheet" href="/x6.css"><div id="stage"></div><script src="/x6.js"></script>
<script src="/bare.js"></script>"""
#: Shows a node of the bare page in the middle, at the size it is drawn in.
CENTRE = """(id) => {
  bare.zoomTo(1);
  bare.centerCell(bare.getCellById(id));
}"""
#: Turns wheels on an element and measures the time from one frame to the next.
WHEEL = """async ([selector, frames, ctrlKey]) => {
  const target = document.querySelector(selector);
  const box = target.getBoundingClientRect();
  const taken = [];
  const next = () => new Promise(requestAnimationFrame);
  await next();
  let last = await next();
  for (let count = 0; count < frames; count += 1) {
    const sign = count % 20 < 10 ? 1 : -1;
    const event = new WheelEvent("wheel", {
      deltaX: ctrlKey ? 0 : 25 * sign, deltaY: 30 * sign, ctrlKey,
      clientX: box.x + 500, clientY: box.y + 400, bubbles: true, cancelable: true});
    if (window.bare && ctrlKey) bare.zoom(sign * 0.02);
    else if (window.bare) bare.translateBy(-25 * sign, -30 * sign);
    else target.dispatchEvent(event);
    const now = await next();
    taken.push(now - last);
    last = now;
  }
  return taken;
}"""

#: Asked in the page itself: its policy forbids the evaluation that Playwright's own waiting needs.
READY = """() => new Promise((done) => {
  const look = () => {
    const [mark] = performance.getEntriesByName("tacit-ready");
    if (mark) done(mark.startTime); else setTimeout(look, 20);
  };
  look();
})"""

#: Drags the node that has ten wires, one step a frame; the median frame.
DRAG = """async () => {
  const stage = document.getElementById("main");
  const head = document.querySelector('[data-node-id="n0"] .node__name');
  const box = head.getBoundingClientRect();
  const send = (type, x, y) => (type === "pointerdown" ? head : stage).dispatchEvent(
    new PointerEvent(type, {clientX: x, clientY: y, bubbles: true, cancelable: true,
      pointerId: 1, button: 0, pointerType: "mouse"}));
  stage.setPointerCapture = () => {};
  send("pointerdown", box.x + 5, box.y + 5);
  const next = () => new Promise(requestAnimationFrame);
  let last = await next();
  const taken = [];
  for (let count = 1; count <= 60; count += 1) {
    send("pointermove", box.x + 5 + count * 4, box.y + 5 + count * 2);
    const now = await next();
    taken.push(now - last);
    last = now;
  }
  send("pointerup", box.x + 245, box.y + 125);
  return taken.sort((a, b) => a - b)[30];
}"""

#: From a secret over a text input; from the move until its reason is painted.
REFUSE = """async () => {
  const stage = document.getElementById("main");
  const from = document.querySelector('.pin[data-port="n0.value"][data-direction="out"]');
  const to = document.querySelector('.pin[data-port="n1.url"][data-direction="in"]');
  const middle = (pin) => {
    const box = pin.getBoundingClientRect();
    return {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
  };
  const send = (target, type, at) => target.dispatchEvent(new PointerEvent(type,
    {...at, bubbles: true, cancelable: true, pointerId: 1, button: 0, pointerType: "mouse"}));
  stage.setPointerCapture = () => {};
  send(from, "pointerdown", middle(from));
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  const begin = performance.now();
  send(stage, "pointermove", middle(to));
  const shown = !document.querySelector(".refusal").hidden;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const taken = performance.now() - begin;
  send(stage, "pointerup", middle(to));
  if (!shown) throw new Error("no reason was shown");
  return taken;
}"""

#: Types a letter into the field; until the frame after it was painted.
KEY = """async () => {
  const field = document.getElementById("f-url");
  const begin = performance.now();
  field.value += "x";
  field.dispatchEvent(new Event("input", {bubbles: true}));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begin;
}"""

#: Ctrl+Z; until the frame after it was painted.
UNDO = """async () => {
  const begin = performance.now();
  document.getElementById("main").dispatchEvent(
    new KeyboardEvent("keydown", {key: "z", ctrlKey: true, bubbles: true}));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begin;
}"""
