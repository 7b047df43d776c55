// What is selected: nodes and wires. A set of ids each, changed only through these functions.

export class Selection {
  constructor() {
    this.nodes = new Set();
    this.edges = new Set();
  }

  get empty() {
    return this.nodes.size === 0 && this.edges.size === 0;
  }

  /** The id of the node when exactly one node and nothing else is selected. */
  get single() {
    return this.nodes.size === 1 && this.edges.size === 0 ? [...this.nodes][0] : null;
  }

  only({ nodes = [], edges = [] }) {
    this.nodes = new Set(nodes);
    this.edges = new Set(edges);
  }

  toggle({ node, edge }) {
    flip(this.nodes, node);
    flip(this.edges, edge);
  }

  clear() {
    this.only({});
  }

  /** Forget what is no longer in the document. Returns true when something was forgotten. */
  prune(document) {
    const before = this.nodes.size + this.edges.size;
    this.nodes = new Set([...this.nodes].filter((id) => document.nodes.has(id)));
    this.edges = new Set([...this.edges].filter((id) => document.edges.has(id)));
    return before !== this.nodes.size + this.edges.size;
  }
}

function flip(set, id) {
  if (id === undefined || id === null) return;
  if (!set.delete(id)) set.add(id);
}
