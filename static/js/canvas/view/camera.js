// The view of an endless plane through a stage: scale and shift, pan, zoom, fit, reveal. Knows
// neither X6 nor the DOM beyond the stage's size; `apply({scale, x, y})` is told every change.

import { bounds, fitTransform, overlaps } from "../state/geometry.js";

const MIN_SCALE = 0.05;
const MAX_SCALE = 2.5;

export class Camera {
  /** `boxes()` gives the boxes of everything there is. */
  constructor(stage, boxes) {
    this.stage = stage;
    this.boxes = boxes;
    this.transform = { scale: 1, x: 0, y: 0 };
    this.size = { width: stage.clientWidth, height: stage.clientHeight };
    this.onTransform = new Set();
    this.keepFit = false;
  }

  setTransform({ scale, x, y }) {
    this.transform = { scale: clamp(scale), x, y };
    this.applyTransform(this.transform);
    for (const listener of this.onTransform) listener(this.transform);
  }

  /** For the one that draws. */
  applyTransform() {}

  pan(dx, dy) {
    const { scale, x, y } = this.transform;
    this.setTransform({ scale, x: x + dx, y: y + dy });
  }

  /** Zoom by a factor around a point of the page (default: the middle of the stage). */
  zoom(factor, client = this.#middle()) {
    const before = this.toGraph(client);
    const scale = clamp(this.transform.scale * factor);
    const rect = this.stage.getBoundingClientRect();
    this.setTransform({
      scale,
      x: client.x - rect.left - before.x * scale,
      y: client.y - rect.top - before.y * scale,
    });
  }

  /** Zoom to a scale, around a box of the plane where one is given and in view. */
  zoomTo(scale, box = null) {
    if (!box || !overlaps(box, this.visible())) return this.zoom(scale / this.transform.scale);
    return this.zoom(scale / this.transform.scale, this.#toPage({ x: box.x + box.width / 2, y: box.y + box.height / 2 }));
  }

  /** Put the middle of a box into the middle of the stage. */
  centre(box, scale) {
    const { width, height } = this.size;
    this.setTransform({ scale, x: width / 2 - (box.x + box.width / 2) * scale, y: height / 2 - (box.y + box.height / 2) * scale });
  }

  /** Fit everything into the stage, at most at scale `max`; with `keepFit` also after a resize. */
  fit({ max = 1 } = {}) {
    const rect = bounds(this.boxes());
    if (!rect || !this.size.width) return;
    this.setTransform(fitTransform(rect, this.size, { max, min: MIN_SCALE }));
  }

  /** Pan as little as brings a box into view with a margin; does nothing when it already is. */
  revealBox(box, margin = 40) {
    if (holds(this.visible(), box)) return;
    const { scale, x, y } = this.transform;
    const shift = (from, length, room) => {
      if (from < margin || length + 2 * margin > room) return margin - from;
      return Math.min(0, room - margin - (from + length));
    };
    this.pan(
      shift(box.x * scale + x, box.width * scale, this.size.width),
      shift(box.y * scale + y, box.height * scale, this.size.height),
    );
  }

  /** The part of the plane that the stage shows. */
  visible() {
    const { scale, x, y } = this.transform;
    return { x: -x / scale, y: -y / scale, width: this.size.width / scale, height: this.size.height / scale };
  }

  /** A point of the page as a point of the plane. */
  toGraph({ x, y }) {
    const rect = this.stage.getBoundingClientRect();
    const { transform } = this;
    return { x: (x - rect.left - transform.x) / transform.scale, y: (y - rect.top - transform.y) / transform.scale };
  }

  #toPage({ x, y }) {
    const rect = this.stage.getBoundingClientRect();
    return { x: rect.left + this.transform.x + x * this.transform.scale, y: rect.top + this.transform.y + y * this.transform.scale };
  }

  /** The stage has another size: what was wholly in view (the run panel opens) stays so. */
  resized() {
    const seen = this.visible();
    this.size = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    if (this.keepFit) return this.fit();
    const all = bounds(this.boxes());
    if (all && holds(seen, all) && !holds(this.visible(), all)) this.fit({ max: this.transform.scale });
    else for (const listener of this.onTransform) listener(this.transform);
    return undefined;
  }

  #middle() {
    const rect = this.stage.getBoundingClientRect();
    return { x: rect.left + rect.width / 2, y: rect.top + rect.height / 2 };
  }
}

function clamp(scale) {
  return Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale));
}

function holds(outer, inner) {
  return (
    inner.x >= outer.x && inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height
  );
}
