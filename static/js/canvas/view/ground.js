// What lies under the nodes: frames of groups, notes, and the guides of a drag. One layer that
// moves with the camera.
//
// Hooks: .group[data-group-id] with .group__title, .note[data-note-id] with .note__grip, .guide.

import { renameGroup, setNote } from "../state/marks.js";
import { h, replace, s, setAttribute } from "./dom.js";

const LEAST = [100, 60];

export class Ground {
  constructor(view, editor) {
    Object.assign(this, { view, editor });
    this.layer = h("div", { class: "ground" });
    this.lines = s("svg", { class: "guides", "aria-hidden": "true" });
    this.groups = new Map();
    this.notes = new Map();
    view.stage.prepend(this.layer);
    this.layer.append(this.lines);
    const follow = ({ scale, x, y }) => (this.layer.style.transform = `translate3d(${x}px, ${y}px, 0) scale(${scale})`);
    view.onTransform.add(follow);
    follow(view.transform);
    editor.on("document", () => this.draw());
    editor.on("selection", () => this.draw());
    editor.on("view", () => this.draw());
    this.draw();
  }

  draw() {
    const { document } = this.editor;
    keep(this.groups, document.groups);
    keep(this.notes, document.notes);
    for (const group of document.groups.values()) this.#group(group);
    for (const note of document.notes.values()) this.#note(note);
  }

  #group(group) {
    let element = this.groups.get(group.id);
    if (!element) {
      element = h("section", { class: "group", dataset: { groupId: group.id } }, h("div", { class: "group__title", title: "Drag to move, double-click to rename" }));
      this.groups.set(group.id, element);
      this.layer.prepend(element);
    }
    const box = this.editor.frame(group);
    if (box) put(element, [box.x, box.y], [box.width, box.height]);
    setAttribute(element, "aria-label", `Group ${group.label}, ${group.nodes.length} nodes`);
    const title = element.firstElementChild;
    if (!title.querySelector("input")) title.textContent = group.label || "Group";
    element.classList.toggle("is-selected", group.nodes.every((id) => this.editor.selection.nodes.has(id)));
  }

  #note(note) {
    let element = this.notes.get(note.id);
    if (!element) {
      element = h("aside", { class: "note", tabindex: "0", dataset: { noteId: note.id } }, h("div", { class: "note__text" }), h("span", { class: "note__grip", "aria-hidden": "true" }));
      this.notes.set(note.id, element);
      this.layer.append(element);
    }
    put(element, note.position, note.size);
    element.setAttribute("aria-label", `Note: ${note.text.slice(0, 80) || "empty"}`);
    const text = element.firstElementChild;
    if (text.tagName !== "TEXTAREA" && text.words !== note.text) {
      text.words = note.text;
      text.classList.toggle("muted", !note.text);
      replace(text, note.text || "Double-click to write");
    }
    element.classList.toggle("is-selected", this.editor.selection.notes.has(note.id));
  }

  /** Show a note or the frames at places that aren't in the document yet. `positions` of nodes too. */
  preview({ nodes = new Map(), notes = new Map() }) {
    for (const [id, position] of notes) {
      const element = this.notes.get(id);
      if (element) put(element, position, this.editor.document.notes.get(id).size);
    }
    if (!this.groups.size || !nodes.size) return;
    const moved = (id) => {
      const box = this.editor.box(id);
      const [x, y] = nodes.get(id) ?? [box.x, box.y];
      return { ...box, x, y };
    };
    for (const group of this.editor.document.groups.values()) {
      if (!group.nodes.some((id) => nodes.has(id))) continue;
      const box = this.editor.frame(group, moved);
      put(this.groups.get(group.id), [box.x, box.y], [box.width, box.height]);
    }
  }

  /** Draw guides, lines {x1, y1, x2, y2} of the plane. */
  guides(lines) {
    replace(this.lines, lines.map((line) => s("line", { class: "guide", ...line, "vector-effect": "non-scaling-stroke" })));
  }

  /** Write in a note. */
  editNote(id) {
    const element = this.notes.get(id);
    if (!element || this.editor.readOnly || element.querySelector("textarea")) return;
    const area = h("textarea", { class: "note__text", "aria-label": "Text of the note", maxlength: 10_000, spellcheck: "false" });
    area.value = this.editor.document.notes.get(id).text;
    area.addEventListener("input", () => this.editor.perform(setNote(this.editor.document, id, "text", area.value)));
    area.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape") element.focus();
    });
    area.addEventListener("blur", () => {
      this.editor.history.seal();
      area.replaceWith(h("div", { class: "note__text" }));
      if (this.editor.document.notes.has(id)) this.#note(this.editor.document.notes.get(id));
    });
    element.firstElementChild.replaceWith(area);
    area.focus();
  }

  /** Give a group another name. */
  renameGroup(id) {
    const title = this.groups.get(id)?.firstElementChild;
    if (!title || this.editor.readOnly || title.querySelector("input")) return;
    const input = h("input", { class: "group__input", "aria-label": "Name of the group", maxlength: 200, value: this.editor.document.groups.get(id).label });
    let ended = false;
    // Taking the input away blurs it, which ends it once more.
    const end = (keepIt) => {
      if (ended) return;
      ended = true;
      input.remove();
      if (keepIt) this.editor.perform(renameGroup(this.editor.document, id, input.value));
      this.draw();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
    });
    input.addEventListener("blur", () => end(true));
    replace(title, input);
    input.focus();
    input.select();
  }

  /** A gesture that resizes a note from its corner. */
  resizing(id, event) {
    const note = this.editor.document.notes.get(id);
    const from = this.view.toGraph({ x: event.clientX, y: event.clientY });
    let size = note.size;
    const element = this.notes.get(id);
    return {
      move: (next) => {
        const to = this.view.toGraph({ x: next.clientX, y: next.clientY });
        size = [note.size[0] + to.x - from.x, note.size[1] + to.y - from.y]
          .map((value, axis) => Math.round(Math.min(2000, Math.max(LEAST[axis], value)) / 20) * 20);
        put(element, note.position, size);
      },
      up: () => this.editor.perform(setNote(this.editor.document, id, "size", size)),
      cancel: () => put(element, note.position, note.size),
    };
  }
}

function put(element, [x, y], [width, height]) {
  Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
}

/** Drop the elements of what is gone. */
function keep(elements, items) {
  for (const [id, element] of elements) {
    if (items.has(id)) continue;
    element.remove();
    elements.delete(id);
  }
}
