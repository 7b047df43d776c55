// What of the nodes is drawn: in full where it can be read, and nothing where nobody sees it.
//
// A browser makes its layers anew in each frame of a pan, in a time that grows with all that is
// painted, in view or not. X6's own virtual rendering takes cells away and makes them again, which
// a pan then stops for (docs/adr/0008-nodes-out-of-sight.md); here they stay, unpainted.

import { overlaps } from "../state/geometry.js";

/** Below this scale no word can be read: nodes are boxes in their kind's colour. */
export const READABLE = 0.25;
/** Milliseconds after the last move of the view, until what left it is put away. */
const SETTLE = 300;
/** So many nodes stay painted, and drawn in full, when they are out of sight. */
const KEPT = 150;

export class Sight {
  /** `view` is the GraphView whose nodes these are. */
  constructor(view) {
    this.view = view;
    this.full = new Set();
    this.away = new Set();
  }

  /** Whether a node that is being drawn has to be drawn in full from now on. */
  enters(id) {
    if (this.full.has(id) || !this.#near(id, this.#readable())) return false;
    this.full.add(id);
    return true;
  }

  forget(id) {
    this.full.delete(id);
    this.away.delete(id);
  }

  /** In the next frame, however often one looked elsewhere until then. */
  lookSoon() {
    if (this.looking) return;
    this.looking = true;
    requestAnimationFrame(() => {
      this.looking = false;
      this.#look();
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.#putAway(), SETTLE);
    });
  }

  dispose() {
    clearTimeout(this.settling);
  }

  /** Paint a node that is out of sight: nothing else can take the focus. */
  bring(id) {
    if (this.away.delete(id)) this.view.elements.get(id).classList.remove("is-away");
  }

  /** Draw a node in full, wherever it is. */
  drawFull(id) {
    if (!id || this.full.has(id) || !this.view.elements.has(id)) return;
    this.full.add(id);
    this.view.drawOne(id);
    for (const listener of this.view.onFull) listener(id, this.view.elements.get(id));
  }

  /** What is seen and half as much around it. */
  #seen() {
    const { x, y, width, height } = this.view.visible();
    return { x: x - width / 2, y: y - height / 2, width: width * 2, height: height * 2 };
  }

  /** The same; null where the scale is too small to read. */
  #readable() {
    return this.view.transform.scale < READABLE ? null : this.#seen();
  }

  #near(id, box) {
    return box !== null && overlaps(this.view.editor.box(id), box);
  }

  /** Show what came into view. */
  #look() {
    const seen = this.#seen();
    for (const id of [...this.away]) if (this.#near(id, seen)) this.bring(id);
    const readable = this.#readable();
    if (!readable) return;
    for (const id of this.view.elements.keys()) if (!this.full.has(id) && this.#near(id, readable)) this.drawFull(id);
  }

  /** Let go of what left it, all but a number of nodes: not while the view moves. */
  #putAway() {
    const { elements } = this.view;
    const [seen, readable, kept] = [this.#seen(), this.#readable(), this.#kept()];
    if (elements.size > KEPT) {
      for (const [id, element] of elements) {
        if (this.away.has(id) || this.#near(id, seen) || kept.has(element)) continue;
        this.away.add(id);
        element.classList.add("is-away");
      }
    } else for (const id of [...this.away]) this.bring(id);
    if (this.full.size <= KEPT) return;
    for (const id of [...this.full]) {
      if (this.#near(id, readable) || elements.get(id).contains(document.activeElement)) continue;
      this.full.delete(id);
      this.view.drawOne(id);
    }
  }

  /** What has the focus, and the ends, where Tab comes in from before and after the canvas. */
  #kept() {
    const all = this.view.holder.getElementsByClassName("node");
    return new Set([all[0], all[all.length - 1], document.activeElement?.closest(".node")]);
  }
}
