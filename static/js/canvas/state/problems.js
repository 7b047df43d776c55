// The server's problems, counted and ordered for the page.
// A problem is {code, severity, node, port, field, edge, message, remedy}.

const RANK = { error: 0, warning: 1 };

export class Problems {
  constructor(items = []) {
    this.given = items;
    this.items = [...items].sort((a, b) => (RANK[a.severity] ?? 2) - (RANK[b.severity] ?? 2));
    this.byNode = new Map();
    for (const item of this.items) {
      if (!this.byNode.has(item.node)) this.byNode.set(item.node, []);
      this.byNode.get(item.node).push(item);
    }
  }

  get errors() {
    return this.items.filter((item) => item.severity === "error").length;
  }

  get warnings() {
    return this.items.filter((item) => item.severity === "warning").length;
  }

  of(nodeId) {
    return this.byNode.get(nodeId) ?? [];
  }

  /** {severity, count, text} of a node's flag, or null. Errors hide warnings. */
  flag(nodeId) {
    const mine = this.of(nodeId);
    if (!mine.length) return null;
    const severity = mine.some((item) => item.severity === "error") ? "error" : "warning";
    const shown = mine.filter((item) => item.severity === severity);
    return { severity, count: shown.length, text: `${counted(shown.length, severity)}: ${shown[0].message}` };
  }

  /** The problem to show at one field or port of a node, or null. */
  at(nodeId, name) {
    return this.of(nodeId).find((item) => item.field === name || (!item.field && item.port === name)) ?? null;
  }

  /** "1 error, 2 warnings", or "No problems". */
  get words() {
    const parts = [];
    if (this.errors) parts.push(counted(this.errors, "error"));
    if (this.warnings) parts.push(counted(this.warnings, "warning"));
    return parts.join(", ") || "No problems";
  }
}

/** "1 error", "2 errors". */
export function counted(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
