// The clipboard: nodes, their inner wires, notes and groups as JSON text, so that they can be
// pasted into another flow, another tab or a chat. It carries secrets' names, never values; names
// of another environment are dropped on paste, and said.

import { freeEdgeId, freeLabel, freeMarkId, freeNodeId } from "./document.js";
import { bounds } from "./geometry.js";

const FORMAT = "tacit.nodes";
const VERSION = 1;
const MOST_NODES = 2000;
const MOST_TEXT = 2 * 1024 * 1024;
const NODE_KEYS = ["id", "component", "label", "position", "config", "disabled", "retry", "timeout", "on_error"];
const BINDINGS = new Set(["secret_name", "secret_version"]);

/** What is selected as text, or "" where nothing is that can be copied. */
export function copyText(document, { nodes, notes = new Set() }, environment) {
  const chosen = [...document.nodes.values()].filter(({ id }) => nodes.has(id));
  const written = [...document.notes.values()].filter(({ id }) => notes.has(id));
  if (!chosen.length && !written.length) return "";
  const edges = [...document.edges.values()].filter(({ source, target }) => nodes.has(source.node) && nodes.has(target.node));
  const groups = [...document.groups.values()].filter((group) => group.nodes.every((id) => nodes.has(id)));
  const body = { format: FORMAT, version: VERSION, environment, nodes: chosen, edges };
  if (written.length) body.notes = written;
  if (groups.length) body.groups = groups;
  return JSON.stringify(body, null, 1);
}

/**
 * Read pasted text. Returns {clip} or {error}: a sentence, or "" for a text that is no JSON at all
 * and so is none of our business.
 */
export function readClip(text) {
  if (text.length > MOST_TEXT) return { error: "The clipboard holds more than 2 MiB, so nothing was pasted." };
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    return { error: /^\s*[{[]/.test(text) ? "The clipboard holds broken JSON, so nothing was pasted." : "" };
  }
  if (body?.format === "tacit.bundle") return { error: "The clipboard holds a bundle. Import it on the Flows page." };
  const ours = body?.format === FORMAT || (Number.isInteger(body?.schema) && Array.isArray(body.nodes));
  if (!ours) return { error: "The clipboard holds JSON, but no nodes of a flow, so nothing was pasted." };
  const written = body.version ?? body.schema;
  if (written > VERSION) return { error: `The clipboard was written by a newer Tacit (version ${written}). This one reads up to ${VERSION}.` };
  return check(body);
}

function check(body) {
  const list = (name) => (Array.isArray(body[name]) ? body[name] : []);
  const text = (value) => typeof value === "string";
  const place = (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
  const object = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const nodes = list("nodes").filter((node) => object(node) && text(node.id) && text(node.component));
  const notes = list("notes").filter((note) => object(note) && text(note.text) && place(note.position));
  if (nodes.length > MOST_NODES) return { error: `The clipboard holds more than ${MOST_NODES} nodes, so nothing was pasted.` };
  if (!nodes.length && !notes.length) return { error: "The clipboard holds no nodes, so nothing was pasted." };
  const edges = list("edges").filter((edge) => [edge?.source, edge?.target].every((end) => text(end?.node) && text(end?.port)));
  const groups = list("groups").filter((group) => object(group) && Array.isArray(group.nodes));
  return {
    clip: {
      environment: text(body.environment) ? body.environment : null,
      nodes: nodes.map((node) => clean(node, place, object)), edges, notes, groups,
    },
  };
}

function clean(node, place, object) {
  const kept = Object.fromEntries(NODE_KEYS.filter((key) => key in node).map((key) => [key, node[key]]));
  kept.label = String(node.label ?? "").replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").slice(0, 200);
  kept.position = place(node.position) ? node.position : [0, 0];
  kept.config = object(node.config) ? node.config : {};
  return kept;
}

/**
 * The command that pastes a clip with its middle at a point ([x, y]; null: 40 px beside where it
 * was), and what has to be said: {command, nodes, notes, dropped} with ids of what is new and the
 * labels of nodes whose secret was dropped.
 */
export function pasteClip(document, catalog, clip, { at = null, environment }) {
  const all = [...clip.nodes, ...clip.notes].map(({ position: [x, y] }) => ({ x, y, width: 204, height: 120 }));
  const box = bounds(all);
  const snap = (value) => Math.round(value / 20) * 20;
  const shift = at ? [snap(at[0] - box.x - box.width / 2), snap(at[1] - box.y - box.height / 2)] : [40, 40];
  const moved = ([x, y]) => [Math.round(x + shift[0]), Math.round(y + shift[1])];
  const foreign = clip.environment !== environment;
  const [ids, dropped, taken, labels] = [new Map(), [], new Set(), new Set()];
  const operations = [];
  for (const given of clip.nodes) {
    const id = freeNodeId(document, given.component, taken);
    taken.add(id);
    ids.set(given.id, id);
    const item = catalog.find(given.component);
    const label = freeLabel(document, given.label || item?.title || given.component, labels);
    labels.add(label);
    const config = { ...given.config };
    if (foreign && drop(config, item)) dropped.push(label);
    operations.push({ op: "node.add", node: { ...given, id, label, config, position: moved(given.position) } });
  }
  operations.push(...wires(document, clip, ids), ...framed(document, clip, ids));
  const notes = clip.notes.map((note, index) => {
    const id = freeMarkId(document.notes, "note", new Set(Array.from({ length: index }, (_, past) => `note_${document.notes.size + 1 + past}`)));
    const size = Array.isArray(note.size) ? note.size : [220, 120];
    operations.push({ op: "note.add", note: { id, text: note.text.slice(0, 10_000), position: moved(note.position), size } });
    return id;
  });
  const count = ids.size + notes.length;
  return { command: { label: `paste ${count === 1 && ids.size ? [...labels][0] : `${count} things`}`, operations }, nodes: [...ids.values()], notes, dropped };
}

function wires(document, clip, ids) {
  const taken = new Set();
  return clip.edges.flatMap(({ source, target }) => {
    if (!ids.has(source.node) || !ids.has(target.node)) return [];
    const id = freeEdgeId(document, taken);
    taken.add(id);
    const end = ({ node, port }) => ({ node: ids.get(node), port });
    return [{ op: "edge.add", edge: { id, source: end(source), target: end(target) } }];
  });
}

function framed(document, clip, ids) {
  const taken = new Set();
  const inside = new Set();
  return clip.groups.flatMap((group) => {
    const nodes = group.nodes.map((id) => ids.get(id)).filter((id) => id && !inside.has(id));
    if (!nodes.length) return [];
    for (const id of nodes) inside.add(id);
    const id = freeMarkId(document.groups, "group", taken);
    taken.add(id);
    return [{ op: "group.add", group: { id, label: String(group.label ?? "").slice(0, 200), nodes } }];
  });
}

/** Take the secret's name and version out of a configuration. True when there was one. */
function drop(config, item) {
  let had = false;
  const names = (item?.fields ?? []).filter(({ kind }) => BINDINGS.has(kind)).map(({ name }) => name);
  for (const name of names.length ? names : ["secretName", "version"]) {
    if (item && !names.length) break;
    if (config[name] !== undefined && config[name] !== null && config[name] !== "") had = true;
    delete config[name];
  }
  return had;
}
