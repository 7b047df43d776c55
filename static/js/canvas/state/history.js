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
    this.saved = null;
  }

  /** Where the history stands now, for `markSaved` when what was sent has been saved. */
  mark() {
    return { step: this.done.at(-1) ?? null, at: this.done.at(-1)?.at ?? 0 };
  }

  /** What was there at the mark has been saved: undoing back to it leaves nothing to save. */
  markSaved(mark = this.mark()) {
    this.saved = mark;
  }

  /** Whether the document is what `markSaved` saw. */
  get atSaved() {
    const last = this.done.at(-1) ?? null;
    return this.saved !== null && this.saved.step === last && this.saved.at === (last?.at ?? 0);
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
      if (this.done.length > LIMIT && this.done.shift() === this.saved?.step) this.saved = null;
    }
    this.undone = [];
    return true;
  }

  /** Make one step of the last two, under one name: a move that also spliced. */
  joinLast(label) {
    if (this.done.length < 2) return;
    const last = this.done.pop();
    const before = this.done.pop();
    this.done.push({
      label, merge: null, at: last.at,
      operations: [...before.operations, ...last.operations],
      inverses: [...last.inverses, ...before.inverses],
    });
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
