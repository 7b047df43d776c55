// Notes and groups: what is written and framed beside the nodes. Pure commands and boxes.
//
// A group has no place of its own: its frame goes around its nodes.

import { freeMarkId, groupOf } from "./document.js";
import { bounds } from "./geometry.js";

const PAD = 20;
const TITLE = 32;
export const NOTE_SIZE = [220, 120];

/** Take nodes out of their groups; a group that would be empty goes. */
export function leaveGroups(document, nodes) {
  const gone = new Set(nodes);
  return [...document.groups.values()].flatMap((group) => {
    const kept = group.nodes.filter((id) => !gone.has(id));
    if (kept.length === group.nodes.length) return [];
    if (!kept.length) return [{ op: "group.remove", id: group.id }];
    return [{ op: "group.set", id: group.id, key: "nodes", value: kept }];
  });
}

/** Put nodes into a new group, out of those they are in. Returns the command with the group's `id`. */
export function groupNodes(document, nodes, label = "Group") {
  const ids = [...nodes];
  if (!ids.length) return { label: "", operations: [] };
  const id = freeMarkId(document.groups, "group");
  const operations = [...leaveGroups(document, ids), { op: "group.add", group: { id, label, nodes: ids } }];
  return { id, label: `group ${ids.length} node${ids.length === 1 ? "" : "s"}`, operations };
}

/** Dissolve the groups that these nodes are in. */
export function ungroup(document, nodes) {
  const groups = new Set([...nodes].map((id) => groupOf(document, id)?.id).filter(Boolean));
  return { label: "ungroup", operations: [...groups].map((id) => ({ op: "group.remove", id })) };
}

/** Give a group another label. */
export function renameGroup(document, id, label) {
  const value = label.replace(/\s+/g, " ").trim().slice(0, 200);
  if (value === document.groups.get(id)?.label) return { label: "", operations: [] };
  return { label: "rename group", operations: [{ op: "group.set", id, key: "label", value }] };
}

/** Put an empty note at a place. Returns the command with the note's `id`. */
export function addNote(document, position, text = "") {
  const id = freeMarkId(document.notes, "note");
  const note = { id, text, position: position.map(Math.round), size: [...NOTE_SIZE] };
  return { id, label: "add note", operations: [{ op: "note.add", note }] };
}

/** Set a note's text or size; typing merges into one step. */
export function setNote(document, id, key, value) {
  if (JSON.stringify(document.notes.get(id)?.[key]) === JSON.stringify(value)) return { label: "", operations: [] };
  const label = key === "text" ? "edit note" : "resize note";
  return { label, merge: `${id}.${key}`, operations: [{ op: "note.set", id, key, value }] };
}

/** The box of a note. */
export function noteBox(note) {
  const [x, y] = note.position;
  const [width, height] = note.size ?? NOTE_SIZE;
  return { x, y, width, height };
}

/** The frame around a group, with room for its title, or null. `box(id)` gives a node's box. */
export function groupBox(group, box) {
  const inner = bounds(group.nodes.map(box));
  if (!inner) return null;
  return {
    x: inner.x - PAD, y: inner.y - PAD - TITLE,
    width: inner.width + 2 * PAD, height: inner.height + 2 * PAD + TITLE,
  };
}
