import assert from "node:assert/strict";
import { test } from "node:test";

import { Catalog } from "../../static/js/canvas/state/catalog.js";
import { parseDocument } from "../../static/js/canvas/state/document.js";
import { Editor } from "../../static/js/canvas/state/editor.js";
import { rankInputs } from "../../static/js/canvas/state/rules.js";
import { components, diamond, echoFlow } from "./fixtures.mjs";

const open = (graph = echoFlow(), more = {}) => new Editor({ graph, catalog: new Catalog(components()), ...more });

test("a secret goes into a secret input and nowhere else, in the table's words", () => {
  const editor = open();
  assert.equal(editor.check({ node: "fetch", port: "value" }, { node: "http", port: "bearer_token" }).ok, true);
  const text = editor.check({ node: "fetch", port: "value" }, { node: "log", port: "message" });
  assert.deepEqual(
    [text.ok, text.title, text.reason],
    [false, "secret can't go into text", "Log.message is written to the run log, so it takes no secrets."],
  );
  assert.equal(editor.check({ node: "fetch", port: "value" }, { node: "log", port: "data" }).ok, false);
});

test("a refused wire changes nothing", () => {
  const editor = open();
  const before = JSON.stringify(editor.serialize());
  const verdict = editor.connect({ node: "http", port: "body" }, { node: "http", port: "bearer_token" });
  assert.equal(verdict.ok, false);
  assert.equal(JSON.stringify(editor.serialize()), before);
  assert.equal(editor.history.undoLabel, null);
});

test("circles and loops are refused, by the fast way too", () => {
  const editor = open(diamond());
  const verdict = editor.check({ node: "d", port: "done" }, { node: "a", port: "start" });
  assert.equal(verdict.code, "cycle");
  assert.equal(editor.check({ node: "a", port: "done" }, { node: "a", port: "start" }).code, "self_loop");
  const ranked = rankInputs(editor.document, editor.catalog, editor.rules, { node: "d", port: "done" }, () => 0);
  assert.equal(ranked.every((row) => !row.verdict.ok), true);
});

test("a label that holds a placeholder is left alone", () => {
  const editor = open();
  editor.rename("log", "{source} {note}");
  const verdict = editor.check({ node: "fetch", port: "value" }, { node: "log", port: "message" });
  assert.match(verdict.reason, /^\{source\} \{note\}\.message is written/);
});

test("a wire into a single input replaces the one there; undo brings it back", () => {
  const editor = open();
  const fetch = editor.add("secret.fetch", [0, 200]);
  const verdict = editor.connect({ node: fetch, port: "value" }, { node: "http", port: "bearer_token" });
  assert.equal(verdict.replaces.id, "e1");
  assert.equal(editor.document.edges.size, 1);
  editor.undo();
  assert.deepEqual([...editor.document.edges.keys()], ["e1"]);
});

test("deleting a node takes its wires with it, in one step", () => {
  const editor = open();
  editor.select({ nodes: ["http"] });
  editor.remove();
  assert.deepEqual([editor.document.nodes.size, editor.document.edges.size], [2, 0]);
  assert.equal(editor.history.undoLabel, "delete HTTP Request");
  assert.equal(editor.selection.empty, true);
  editor.undo();
  assert.deepEqual([editor.document.nodes.size, editor.document.edges.size], [3, 1]);
  editor.redo();
  assert.equal(editor.document.nodes.has("http"), false);
});

test("typing in a field is one undo step until the field is left", () => {
  const editor = open();
  for (const url of ["h", "ht", "http"]) editor.setField("http", "url", url);
  editor.history.seal();
  editor.setField("http", "url", "https");
  editor.undo();
  assert.equal(editor.document.nodes.get("http").config.url, "http");
  editor.undo();
  assert.equal("url" in editor.document.nodes.get("http").config, false);
});

test("setting what is already there is no step", () => {
  const editor = open();
  assert.equal(editor.setField("fetch", "secretName", "echo_token"), false);
  assert.equal(editor.rename("log", "  "), false);
  assert.equal(editor.move(new Map([["log", [600, 0]]])), false);
});

test("a read-only editor performs nothing", () => {
  const editor = open(echoFlow(), { readOnly: true });
  assert.equal(editor.move(new Map([["log", [1, 1]]])), false);
});

test("rarely wired fields are folded, and unfolding or wiring moves no pin", () => {
  const editor = open();
  const places = (shape) => new Map(shape.inputs.map((port) => [port.name, port.y]));
  const folded = editor.shape("http");
  assert.equal(folded.hidden, 6);
  assert.equal(places(folded).has("rare_a"), false);
  editor.setExpanded("http", true);
  const open_ = places(editor.shape("http"));
  assert.equal(editor.shape("http").hidden, 0);
  for (const [name, y] of places(folded)) assert.equal(open_.get(name), y, name);
  editor.setExpanded("http", false);
  editor.connect({ node: "http", port: "body" }, { node: "log", port: "message" });
  const other = editor.add("http.request", [0, 400]);
  assert.equal(editor.connect({ node: other, port: "body" }, { node: "http", port: "rare_c" }).ok, true);
  const wired = places(editor.shape("http"));
  assert.equal(wired.has("rare_c"), true);
  for (const [name, y] of places(folded)) assert.equal(wired.get(name), y, name);
});

test("an unknown component keeps its ports and its wires", () => {
  const graph = echoFlow();
  graph.nodes[1].component = "acme.gone";
  const editor = open(graph);
  assert.deepEqual(editor.shape("http").inputs.map((port) => port.name), ["bearer_token", "start"]);
  assert.deepEqual(editor.serialize(), graph);
});

test("fields appear when their rule says so, summaries are filled", () => {
  const editor = open();
  const names = () => editor.catalog.fields(editor.document.nodes.get("http")).map((field) => field.name);
  assert.deepEqual(names(), ["method", "url"]);
  editor.setField("http", "method", "POST");
  assert.deepEqual(names(), ["method", "url", "body"]);
  editor.setField("http", "url", "https://x");
  assert.equal(editor.shape("http").summary, "POST https://x");
});

test("a field that goes with a secret shows while that one is wired, and a rare input waits behind more", () => {
  const body = components();
  const http = body.items.find((item) => item.name === "http.request");
  http.fields.push({ name: "basic_username", label: "User", kind: "text", default: "", wirable: true, visible_with: "basic_password" });
  http.inputs.push({ name: "basic_password", type: "secret", required: false, multiple: false, rare: true });
  http.inputs.push({ name: "basic_username", type: "text", required: false, multiple: false, field: true });
  const catalog = new Catalog(body);
  const document = parseDocument({ schema: 1, nodes: [{ id: "http", component: "http.request", label: "H", position: [0, 0], config: {} }], edges: [] });
  const node = document.nodes.get("http");
  const shows = (...wired) => catalog.fields(node, new Set(wired)).some((field) => field.name === "basic_username");
  assert.equal(shows(), false);
  assert.equal(shows("basic_password"), true);
  assert.equal(shows("basic_username"), true);
  assert.equal(catalog.shownInputs(document, node).ports.some((port) => port.name === "basic_password"), false);
  assert.equal(catalog.shownInputs(document, node, true).ports.some((port) => port.name === "basic_password"), true);
});


test("the palette finds by every word", () => {
  const catalog = new Catalog(components());
  assert.deepEqual(catalog.groups("fetch secret").map((group) => group.items.length), [1]);
  assert.deepEqual(catalog.groups("nothing"), []);
});

test("problems are counted and flagged, errors before warnings", () => {
  const editor = open(echoFlow(), {
    problems: [
      { code: "x", severity: "warning", node: "http", port: null, field: null, message: "Hm." },
      { code: "y", severity: "error", node: "http", port: "url", field: "url", message: "URL is required." },
    ],
  });
  assert.equal(editor.problems.words, "1 error, 1 warning");
  assert.deepEqual(editor.flag("http"), { severity: "error", count: 1, text: "1 error: URL is required." });
  assert.equal(editor.problems.at("http", "url").code, "y");
  assert.equal(editor.flag("log"), null);
});

test("a node without a name is called by its component's title, an unknown one by its kind", () => {
  const graph = diamond();
  graph.nodes[0].label = " ";
  delete graph.nodes[1].label;
  graph.nodes[1].component = "not.here";
  const editor = new Editor({ graph, catalog: new Catalog(components()) });
  assert.deepEqual([...editor.document.nodes.values()].map(({ label }) => label), ["Plain", "not.here", "C", "D"]);
});
