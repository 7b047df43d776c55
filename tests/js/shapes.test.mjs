// Ports and choices that follow from settings, and nodes made with another version.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalog } from "../../static/js/canvas/state/catalog.js";
import { addNode, upgradeNode } from "../../static/js/canvas/state/commands.js";
import { Editor } from "../../static/js/canvas/state/editor.js";

const port = (name, type = "text") => ({ name, type, label: name, required: false, multiple: false });
const at = { inputs: [], outputs: [port("text")], fields: [], help: "", summary: "", category: "logic", icon: "box" };
const ITEMS = [
  { ...at, name: "acme.split", title: "Split", version: 1, dynamic: true, fields: [{ name: "names", kind: "text", default: "", shapes: true }, { name: "first", kind: "select", default: "", dynamic_choices: true }] },
  { ...at, name: "acme.greet", title: "Greet", version: 3, outputs: [port("greeting")], older: [{ ...at, name: "acme.greet", title: "Greet", version: 2, outputs: [port("text")] }] },
];
const node = (id, component, more = {}) => ({ id, component, label: id, position: [0, 0], config: {}, ...more });

function made(nodes, edges = []) {
  const catalog = new Catalog({ items: ITEMS, port_rules: [] });
  return new Editor({ graph: { schema: 1, nodes, edges }, catalog });
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 160));

test("ports come from the server, once for the same settings, and stay until another answer is there", async () => {
  const editor = made([node("s", "acme.split")]);
  const { shapes } = editor.catalog;
  const asked = [];
  shapes.ask = async (item, config) => {
    asked.push(config.names);
    const names = (config.names ?? "text").split(",");
    return { inputs: [], outputs: names.map((name) => port(name)), choices: { first: names.map((value) => ({ value, label: value })) } };
  };
  const changed = [];
  shapes.onChange = (name) => changed.push(name);
  const outputs = () => editor.catalog.outputs(editor.document, editor.document.nodes.get("s")).map(({ name }) => name);
  for (const names of ["a", "a,", "a,b"]) {
    editor.setField("s", "names", names);
    outputs();
  }
  assert.deepEqual(outputs(), ["text", "done"]);
  await settled();
  assert.deepEqual(asked, ["a,b"], "typing in between isn't asked for");
  assert.deepEqual(changed, ["acme.split"]);
  assert.deepEqual(outputs(), ["a", "b", "done"]);
  assert.deepEqual(editor.catalog.of(editor.document.nodes.get("s")).fields[1].choices.map(({ value }) => value), ["a", "b"]);
  editor.history.seal();
  editor.setField("s", "names", "c");
  assert.deepEqual(outputs(), ["a", "b", "done"]);
  await settled();
  assert.deepEqual(outputs(), ["c", "done"]);
  editor.undo();
  assert.deepEqual(outputs(), ["a", "b", "done"]);
  assert.equal(asked.length, 2);
});

test("a node has the ports of the version it was made with", () => {
  const editor = made([node("old", "acme.greet", { component_version: 2 }), node("gone", "acme.greet"), node("new", "acme.greet", { component_version: 3 })]);
  const outputs = (id) => editor.catalog.outputs(editor.document, editor.document.nodes.get(id)).map(({ name }) => name);
  assert.deepEqual(outputs("old"), ["text", "done"]);
  assert.deepEqual(outputs("new"), ["greeting", "done"]);
  assert.deepEqual(outputs("gone"), ["done"]);
});

test("a new node says which version it is made with, unless it is the first", () => {
  const editor = made([]);
  const { operations: [{ node: greet }] } = addNode(editor.document, ITEMS[1], [0, 0]);
  assert.equal(greet.component_version, 3);
  const { operations: [{ node: split }] } = addNode(editor.document, ITEMS[0], [0, 0]);
  assert.ok(!("component_version" in split));
});

test("an upgrade takes settings and wires along, and is one step back", () => {
  const nodes = [node("g", "acme.greet", { config: { who: "you" } }), node("s", "acme.split")];
  const edges = [{ id: "e1", source: { node: "g", port: "text" }, target: { node: "s", port: "names" } }];
  const editor = made(nodes, edges);
  const before = editor.serialize();
  editor.perform(upgradeNode(editor.document, "g", { version: 3, config: { name: "you" }, inputs: {}, outputs: { text: "greeting" } }));
  const after = editor.serialize();
  assert.deepEqual(after.nodes[0].config, { name: "you" });
  assert.equal(after.nodes[0].component_version, 3);
  assert.deepEqual(after.edges[0].source, { node: "g", port: "greeting" });
  editor.undo();
  assert.deepEqual(editor.serialize(), before);
});

test("a seldom wired field of a small node has its pin once it is wired, and a setting that a wire decides hides nothing", () => {
  const rare = (name) => ({ ...port(name), field: true, rare: true });
  const items = [
    { ...at, name: "acme.source", title: "Source" },
    { ...at, name: "acme.sign", title: "Sign", inputs: [port("message"), rare("mode"), rare("salt")], fields: [{ name: "mode", kind: "select", default: "plain", wirable: true }, { name: "salt", kind: "text", default: "", wirable: true, visible_when: { field: "mode", in: ["salted"] } }] },
  ];
  const catalog = new Catalog({ items, port_rules: [] });
  const wire = { id: "e", source: { node: "a", port: "text" }, target: { node: "b", port: "mode" } };
  const editor = new Editor({ graph: { schema: 1, nodes: [node("a", "acme.source"), node("b", "acme.sign"), node("c", "acme.sign")], edges: [wire] }, catalog });
  const shown = (id) => catalog.shownInputs(editor.document, editor.document.nodes.get(id)).ports.map(({ name }) => name);
  assert.deepEqual(shown("b"), ["message", "mode", "start"]);
  assert.deepEqual(shown("c"), ["message", "start"]);
  const fields = (id, wired) => catalog.fields(editor.document.nodes.get(id), new Set(wired)).map(({ name }) => name);
  assert.deepEqual(fields("b", ["mode"]), ["mode", "salt"]);
  assert.deepEqual(fields("c", []), ["mode"]);
});
