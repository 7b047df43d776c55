import assert from "node:assert/strict";
import { test } from "node:test";

import {
  DocumentError, ancestors, apply, freeEdgeId, freeLabel, freeNodeId, parseDocument, reaches, runOrder,
  serialize,
} from "../../static/js/canvas/state/document.js";
import { diamond } from "./fixtures.mjs";

test("a document survives reading and writing, unknown keys included", () => {
  const json = { ...diamond(), layout: { by: "hand" } };
  json.nodes[0].note = "kept";
  json.nodes[0].retry = { count: 3, backoff_seconds: 1, factor: 2, max_seconds: 60, jitter: 0.5 };
  Object.assign(json.nodes[0], { timeout: 30, on_error: "continue" });
  json.edges[0].bend = [1, 2];
  assert.deepEqual(serialize(parseDocument(json)), json);
});

test("a newer schema is refused with its number", () => {
  assert.throws(() => parseDocument({ schema: 2, nodes: [], edges: [] }), (error) => {
    return error instanceof DocumentError && /graph schema 2/.test(error.message);
  });
});

test("every operation returns its inverse", () => {
  const document = parseDocument(diamond());
  const before = JSON.stringify(serialize(document).edges.map((edge) => edge.id).sort());
  const inverse = apply(document, { op: "edge.remove", id: "e1" });
  assert.equal(document.edges.has("e1"), false);
  apply(document, inverse);
  assert.equal(JSON.stringify(serialize(document).edges.map((edge) => edge.id).sort()), before);
});

test("setting a key to nothing takes it out, and back", () => {
  const document = parseDocument(diamond());
  const inverse = apply(document, { op: "node.set", id: "a", key: "label", value: undefined });
  assert.equal("label" in document.nodes.get("a"), false);
  apply(document, inverse);
  assert.equal(document.nodes.get("a").label, "A");
});

test("what is changed outside never changes the document", () => {
  const json = diamond();
  const document = parseDocument(json);
  json.nodes[0].config.url = "changed";
  serialize(document).nodes[0].config.url = "changed too";
  assert.deepEqual(document.nodes.get("a").config, {});
});

test("an operation on a missing node is an error", () => {
  assert.throws(() => apply(parseDocument({}), { op: "node.remove", id: "x" }), DocumentError);
});

test("reach, ancestors and run order follow the wires", () => {
  const document = parseDocument(diamond());
  assert.equal(reaches(document, "a", "d"), true);
  assert.equal(reaches(document, "d", "a"), false);
  assert.deepEqual([...ancestors(document, "d")].sort(), ["a", "b", "c"]);
  assert.deepEqual(runOrder(document), ["a", "b", "c", "d"]);
});

test("run order ends even when the graph has a circle", () => {
  const json = diamond();
  json.edges.push({ id: "e9", source: { node: "d", port: "done" }, target: { node: "a", port: "start" } });
  assert.equal(runOrder(parseDocument(json)).length, 4);
});

test("free names avoid what is taken", () => {
  const document = parseDocument(diamond());
  document.nodes.set("secret_fetch", { id: "secret_fetch", label: "Secret Fetch" });
  assert.equal(freeNodeId(document, "secret.fetch"), "secret_fetch_2");
  assert.equal(freeLabel(document, "Secret Fetch"), "Secret Fetch 2");
  assert.equal(document.edges.has(freeEdgeId(document)), false);
});
