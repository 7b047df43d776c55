// The layout, off the page's thread: {nodes, edges} in, {places: {id: [x, y]}} of middles out.
// A classic worker, since dagre is a plain script; it obeys the policy that its own answer carries.

/* global importScripts, dagre */
importScripts("../../../vendor/dagre/dagre.min.js");

self.addEventListener("message", ({ data }) => {
  try {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ rankdir: "LR", nodesep: 40, ranksep: 100, ranker: "tight-tree" });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const { id, width, height } of data.nodes) graph.setNode(id, { width, height });
    for (const [from, to] of data.edges) graph.setEdge(from, to);
    dagre.layout(graph);
    const places = Object.fromEntries(graph.nodes().map((id) => [id, [graph.node(id).x, graph.node(id).y]]));
    self.postMessage({ places });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error) });
  }
});
