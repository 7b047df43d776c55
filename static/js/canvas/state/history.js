// Undo and redo: one step per gesture, each step named ("move Log").
//
// A step holds the operations that were performed and their inverses. Steps with the same
// `merge` key that follow each other within MERGE_MS become one, so typing in a field is one
// step until the field is left (`seal`).

import { apply } from "./document.js";

const MERGE_MS = 4000;
const LIMIT = 500;

export class History {
  constructor(document, { now = () => Date.now() } = {}) {
    this.document = document;
    this.now = now;
    this.done = [];
    this.undone = [];
  }

  /** Perform a command {label, operations, merge?}. Does nothing when it has no operations. */
  perform({ label, operations, merge = null }) {
    if (!operations.length) return false;
    const inverses = operations.map((operation) => apply(this.document, operation));
    const step = { label, merge, operations, inverses: inverses.reverse(), at: this.now() };
    const last = this.done.at(-1);
    if (merge && last?.merge === merge && step.at - last.at < MERGE_MS) {
      last.operations = [...last.operations, ...step.operations];
      last.inverses = [...step.inverses, ...last.inverses];
      last.at = step.at;
    } else {
      this.done.push(step);
      if (this.done.length > LIMIT) this.done.shift();
    }
    this.undone = [];
    return true;
  }

  /** End the merging of the last step: the next change is a step of its own. */
  seal() {
    const last = this.done.at(-1);
    if (last) last.merge = null;
  }

  /** Take back the last step and return its label, or null. */
  undo() {
    const step = this.done.pop();
    if (!step) return null;
    for (const operation of step.inverses) apply(this.document, operation);
    step.merge = null;
    this.undone.push(step);
    return step.label;
  }

  /** Perform the last undone step again and return its label, or null. */
  redo() {
    const step = this.undone.pop();
    if (!step) return null;
    for (const operation of step.operations) apply(this.document, operation);
    this.done.push(step);
    return step.label;
  }

  get undoLabel() {
    return this.done.at(-1)?.label ?? null;
  }

  get redoLabel() {
    return this.undone.at(-1)?.label ?? null;
  }

  clear() {
    this.done = [];
    this.undone = [];
  }
}
