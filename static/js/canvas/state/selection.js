// What is selected: nodes, wires and notes. A set of ids each, changed only through these functions.

export class Selection {
  constructor() {
    this.only({});
  }

  get size() {
    return this.nodes.size + this.edges.size + this.notes.size;
  }

  get empty() {
    return this.size === 0;
  }

  /** The id of the node when exactly one node and nothing else is selected. */
  get single() {
    return this.nodes.size === 1 && this.size === 1 ? [...this.nodes][0] : null;
  }

  only({ nodes = [], edges = [], notes = [] }) {
    this.nodes = new Set(nodes);
    this.edges = new Set(edges);
    this.notes = new Set(notes);
  }

  toggle({ node, edge, note }) {
    flip(this.nodes, node);
    flip(this.edges, edge);
    flip(this.notes, note);
  }

  clear() {
    this.only({});
  }

  /** Forget what is no longer in the document. Returns true when something was forgotten. */
  prune(document) {
    const before = this.size;
    for (const kind of ["nodes", "edges", "notes"]) {
      this[kind] = new Set([...this[kind]].filter((id) => document[kind].has(id)));
    }
    return before !== this.size;
  }
}

function flip(set, id) {
  if (id === undefined || id === null) return;
  if (!set.delete(id)) set.add(id);
}
