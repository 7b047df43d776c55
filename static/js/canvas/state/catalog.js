// What a node can do: the components the server described, and the ports and fields of a node.
//
// A port here is {name, type, label, required, multiple, direction, field?: true, help}. Every
// node has the order ports `start` (in, takes many wires) and `done` (out) besides its own.

import { wiresFrom, wiresInto } from "./document.js";
import { Shapes } from "./shapes.js";

export const CATEGORIES = [
  ["trigger", "Triggers"],
  ["secret", "Secrets"],
  ["connect", "Connect"],
  ["logic", "Logic"],
  ["output", "Output"],
];
export const START = { name: "start", type: "order", label: "start", multiple: true, required: false };
export const DONE = { name: "done", type: "order", label: "done", multiple: false, required: false };

/** More inputs than this, and optional fields that are rarely wired wait behind "more". */
const ROOMY = 7;
const OFTEN_WIRED = new Set(["multiline", "json"]);

export class Catalog {
  /** `body` is what GET /api/v1/components answers. */
  constructor(body) {
    this.items = body.items ?? [];
    this.rules = body.port_rules ?? [];
    // Fields that every node has beside its component's own; names are paths in the node.
    this.policies = body.node_policies ?? [];
    this.byName = new Map(this.items.map((item) => [item.name, item]));
    this.shapes = new Shapes();
  }

  find(name) {
    return this.byName.get(name) ?? null;
  }

  /** The component as a node has it: in the version it was made with, where that still runs, and
   * with the ports and choices that follow from its settings. */
  of(node) {
    const current = this.find(node.component);
    const version = node.component_version ?? 1;
    const item = current && (current.version ?? 1) !== version
      ? (current.older ?? []).find((one) => one.version === version) ?? null
      : current;
    return item?.dynamic ? this.shapes.of(item, node) : item;
  }

  /** Components grouped for the palette, filtered by words that must all occur. */
  groups(query = "") {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (item) => {
      const text = `${item.title} ${item.name} ${item.help ?? ""}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const known = new Set(CATEGORIES.map(([name]) => name));
    const all = [...CATEGORIES, ...this.#otherCategories(known)];
    return all
      .map(([name, title]) => ({
        name,
        title,
        items: this.items.filter((item) => item.category === name && fits(item)),
      }))
      .filter((group) => group.items.length);
  }

  #otherCategories(known) {
    const names = new Set(this.items.map((item) => item.category).filter((name) => !known.has(name)));
    return [...names].map((name) => [name, name]);
  }

  /** All inputs of a node: declared ones, wirable fields, and `start` last. */
  inputs(document, node) {
    const item = this.of(node);
    if (!item) return [...guessed(wiresInto(document, node.id).map(({ target }) => target.port), "in"), start()];
    return [...(item.inputs ?? []).map((port) => ({ ...port, direction: "in" })), start()];
  }

  /** All outputs of a node, `done` last. */
  outputs(document, node) {
    const item = this.of(node);
    if (!item) return [...guessed(wiresFrom(document, node.id).map(({ source }) => source.port), "out"), done()];
    return [...(item.outputs ?? []).map((port) => ({ ...port, direction: "out" })), done()];
  }

  port(document, nodeId, name, direction) {
    const node = document.nodes.get(nodeId);
    if (!node) return null;
    const ports = direction === "in" ? this.inputs(document, node) : this.outputs(document, node);
    return ports.find((port) => port.name === name) ?? null;
  }

  /**
   * The inputs a node shows: {ports, hidden, foldable}. What is usually needed comes first, then
   * `start`, then rarely wired fields: those with a wire always, the others when unfolded. So
   * unfolding and wiring never move a pin that is already there.
   */
  shownInputs(document, node, expanded = false) {
    const all = this.inputs(document, node);
    const own = all.filter((port) => port.type !== "order");
    const wired = new Set(wiresInto(document, node.id).map(({ target }) => target.port));
    const seldom = own.filter((port) => port.rare);
    if (own.length - seldom.length <= ROOMY && seldom.every((port) => port.field)) {
      return { ports: all.filter((port) => !port.rare || wired.has(port.name)), hidden: 0, foldable: false };
    }
    const kinds = new Map((this.of(node)?.fields ?? []).map(({ name, kind }) => [name, kind]));
    const usual = (port) => !port.rare && (!port.field || port.required || OFTEN_WIRED.has(kinds.get(port.name)));
    const rare = own.filter((port) => !usual(port));
    const shown = [
      ...own.filter(usual),
      ...all.filter((port) => port.type === "order"),
      ...rare.filter((port) => wired.has(port.name)),
    ];
    const folded = rare.filter((port) => !wired.has(port.name));
    if (expanded) return { ports: [...shown, ...folded], hidden: 0, foldable: folded.length > 0 };
    return { ports: shown, hidden: folded.length, foldable: folded.length > 0 };
  }

  /** Fields that the configuration, and the wires into `wired` (names), make visible, in order. */
  fields(node, wired) {
    const item = this.of(node);
    return (item?.fields ?? []).filter((field) => {
      if (field.visible_with && wired && !wired.has(field.visible_with) && !wired.has(field.name)) return false;
      const rule = field.visible_when;
      // What a wire brings is known when the node runs.
      if (rule && wired && (wired.has(rule.field) || wired.has(field.name))) return true;
      return !rule || rule.in.includes(fieldValue(item, node, rule.field));
    });
  }

  /** The one line that tells two nodes of a kind apart: the component's template, filled. */
  summary(node) {
    const item = this.of(node);
    if (!item?.summary) return "";
    let filled = false;
    const text = item.summary.replace(/\{(\w+)\}/g, (_, name) => {
      const value = fieldValue(item, node, name);
      if (value === null || value === undefined || value === "") return "";
      filled = true;
      return typeof value === "object" ? JSON.stringify(value) : String(value);
    });
    return filled ? text.replace(/\s+/g, " ").trim() : "";
  }

  /** What stands at the end of the summary: the version a secret is pinned to. */
  pin(node) {
    const field = this.of(node)?.fields?.find(({ kind }) => kind === "secret_version");
    const version = field ? node.config?.[field.name] : null;
    return version === null || version === undefined ? "" : `v${version}`;
  }
}

/** What a field holds: the node's own value, else the component's default. */
export function fieldValue(item, node, name) {
  const own = node.config?.[name];
  if (own !== undefined) return own;
  return item?.fields?.find((field) => field.name === name)?.default ?? null;
}

function start() {
  return { ...START, direction: "in" };
}

function done() {
  return { ...DONE, direction: "out" };
}

/** Ports of a component that isn't installed: only what its wires tell. */
function guessed(names, direction) {
  return [...new Set(names)]
    .filter((name) => name !== START.name && name !== DONE.name)
    .map((name) => ({ name, label: name, type: "any", direction, required: false, multiple: true }));
}
