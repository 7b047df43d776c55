import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange, guides } from "../../static/js/canvas/state/arrange.js";
import { Catalog } from "../../static/js/canvas/state/catalog.js";
import { copyText, pasteClip, readClip } from "../../static/js/canvas/state/clipboard.js";
import { setPolicy } from "../../static/js/canvas/state/commands.js";
import { Editor } from "../../static/js/canvas/state/editor.js";
import { addNote, groupNodes } from "../../static/js/canvas/state/marks.js";
import { offer } from "../../static/js/canvas/state/palette.js";
import { along, replaceComponent, splice } from "../../static/js/canvas/state/rewire.js";
import { tidyMoves, tidyRequest } from "../../static/js/canvas/state/tidy.js";
import { wireUnder } from "../../static/js/canvas/state/under.js";
import { components, diamond, echoFlow } from "./fixtures.mjs";

const catalog = new Catalog(components());
const open = (graph = echoFlow()) => new Editor({ graph, catalog });

test("what is copied and pasted keeps inner wires and gets names of its own", () => {
  const editor = open();
  editor.perform(addNote(editor.document, [0, 300], "hi"));
  editor.select({ nodes: ["fetch", "http"], notes: ["note_1"] });
  const { clip } = readClip(copyText(editor.document, editor.selection, "dev"));
  const { command, nodes, dropped } = pasteClip(editor.document, catalog, clip, { at: [1000, 1000], environment: "dev" });
  editor.perform(command);
  assert.deepEqual([editor.document.nodes.size, editor.document.edges.size, editor.document.notes.size], [5, 2, 2]);
  assert.deepEqual(nodes.map((id) => editor.document.nodes.get(id).label), ["Secret Fetch 2", "HTTP Request 2"]);
  assert.deepEqual(dropped, []);
  assert.equal(editor.document.nodes.get(nodes[0]).config.secretName, "echo_token");
  editor.undo();
  assert.deepEqual(editor.document.nodes.size, 3);
});

test("a secret's name doesn't go into another environment", () => {
  const editor = open();
  editor.select({ nodes: ["fetch"] });
  const { clip } = readClip(copyText(editor.document, editor.selection, "prod"));
  const pasted = pasteClip(editor.document, catalog, clip, { environment: "dev" });
  assert.deepEqual(pasted.dropped, ["Secret Fetch 2"]);
  assert.deepEqual(pasted.command.operations[0].node.config, {});
});

test("foreign clipboards are refused in words, plain text in silence", () => {
  assert.equal(readClip("just words").error, "");
  assert.match(readClip("{").error, /broken JSON/);
  assert.match(readClip('[{"a": 1}]').error, /no nodes/);
  assert.match(readClip('{"format":"tacit.nodes","version":7}').error, /newer Tacit \(version 7\)/);
  const { clip } = readClip('{"schema":1,"nodes":[{"id":"__proto__","component":"output.log","evil":1,"config":{"__proto__":{"x":1}}},7,null],"edges":[{"source":{},"target":null}]}');
  assert.deepEqual(clip.nodes.map((node) => Object.keys(node).sort()), [["component", "config", "id", "label", "position"]]);
  assert.deepEqual(clip.edges, []);
  assert.equal({}.x, undefined);
});

test("a group loses nodes that are deleted, and goes with the last", () => {
  const editor = open();
  editor.perform(groupNodes(editor.document, ["http", "log"], "Calls"));
  editor.select({ nodes: ["http"] });
  editor.remove();
  assert.deepEqual(editor.document.groups.get("group_1").nodes, ["log"]);
  editor.select({ nodes: ["log"] });
  editor.remove();
  assert.equal(editor.document.groups.size, 0);
  editor.undo();
  editor.undo();
  assert.deepEqual(editor.serialize().groups, [{ id: "group_1", label: "Calls", nodes: ["http", "log"] }]);
});

test("alignment and distribution", () => {
  const boxes = new Map([["a", { x: 0, y: 0, width: 10, height: 10 }], ["b", { x: 50, y: 7, width: 10, height: 20 }], ["c", { x: 100, y: 30, width: 10, height: 10 }]]);
  assert.deepEqual([...arrange(boxes, "top").values()].map(([, y]) => y), [0, 0, 0]);
  assert.deepEqual([...arrange(boxes, "bottom").values()].map(([, y]) => y), [30, 20, 30]);
  assert.deepEqual(arrange(boxes, "down").get("b"), [50, 10]);
  const found = guides({ x: 3, y: 104, width: 10, height: 10 }, [boxes.get("a"), boxes.get("c")], 6);
  assert.deepEqual([found.dx, found.dy], [-3, null]);
});

test("splicing needs a way in and a way out", () => {
  const editor = open(diamond());
  const plain = editor.add("test.plain", [100, 100]);
  const command = splice(editor.document, catalog, editor.rules, editor.document.edges.get("e1"), plain);
  editor.perform(command);
  assert.equal(editor.document.edges.size, 5);
  const other = open();
  const fetch = other.add("secret.fetch", [100, 100]);
  assert.equal(splice(other.document, catalog, other.rules, other.document.edges.get("e1"), fetch), null);
});

test("the wire under a box is found", () => {
  const editor = open(diamond());
  assert.equal(wireUnder(editor, { x: 150, y: -20, width: 60, height: 160 })?.id !== undefined, true);
  assert.equal(wireUnder(editor, { x: 5000, y: 0, width: 100, height: 100 }), null);
});

test("another component keeps the wires that fit and names those that don't", () => {
  const editor = open();
  editor.connect({ node: "http", port: "body" }, { node: "log", port: "message" });
  const { lost, operations } = replaceComponent(editor.document, catalog, editor.rules, "log", "test.plain");
  assert.deepEqual(lost.map(({ target }) => target.port), ["message"]);
  assert.equal(operations.some((one) => one.op === "node.set" && one.value === "Plain"), true);
});

test("walking along wires", () => {
  const editor = open(diamond());
  assert.deepEqual(["ArrowRight", "ArrowLeft"].map((key) => along(editor.document, "b", key)), ["d", "a"]);
  assert.equal(along(editor.document, "b", "ArrowDown"), "c");
  assert.equal(along(editor.document, "a", "ArrowLeft"), null);
});

test("only components that take the waiting wire are offered", () => {
  const editor = open();
  const names = (end) => offer(editor, "", end).map(({ item, port }) => `${item.name}.${port}`);
  assert.deepEqual(names({ node: "fetch", port: "value", direction: "out" }), ["http.request.bearer_token"]);
  assert.deepEqual(names({ node: "http", port: "bearer_token", direction: "in" }), ["secret.fetch.value"]);
  assert.equal(offer(editor, "log", null)[0].item.name, "output.log");
});

test("tidy keeps the corner and the grid", () => {
  const editor = open(diamond());
  const request = tidyRequest(editor, []);
  const moves = tidyMoves(editor, request, Object.fromEntries(request.nodes.map(({ id }, index) => [id, [index * 333, 77]])));
  assert.deepEqual(moves.get("a"), [0, 0]);
  assert.equal([...moves.values()].flat().every((value) => value % 20 === 0), true);
  assert.equal(tidyRequest(editor, ["a", "b"]).edges.length, 1);
});

test("policies are left out where they say what is so anyway", () => {
  const editor = open();
  const defaults = new Map([["retry.count", 0], ["timeout", null], ["on_error", "stop"]]);
  const set = (path, value) => editor.perform(setPolicy(editor.document, "http", path, value, defaults));
  const node = () => editor.document.nodes.get("http");
  set("retry.count", 3);
  set("retry.factor", 4);
  set("on_error", "continue");
  assert.deepEqual([node().retry, node().on_error], [{ count: 3, factor: 4 }, "continue"]);
  set("retry.count", 0);
  set("on_error", "stop");
  assert.deepEqual(["retry" in node(), "on_error" in node()], [false, false]);
});

test("what was saved is known again after undo", () => {
  const editor = open();
  editor.history.markSaved();
  editor.rename("log", "Other");
  assert.equal(editor.history.atSaved, false);
  editor.undo();
  assert.equal(editor.history.atSaved, true);
});
