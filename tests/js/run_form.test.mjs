// What Run asks for: which inputs, and what was typed as the declared type.

import assert from "node:assert/strict";
import { test } from "node:test";

import { declaredInputs, readValue } from "../../static/js/canvas/view/run_form.js";
import { readDefault } from "../../static/js/canvas/view/inputs_field.js";

test("inputs of enabled manual triggers, each name once", () => {
  const nodes = [
    { component: "trigger.manual", config: { inputs: [{ name: "day" }, { name: "count", type: "number" }] } },
    { component: "trigger.manual", disabled: true, config: { inputs: [{ name: "never" }] } },
    { component: "output.log", config: { inputs: [{ name: "never" }] } },
    { component: "trigger.manual", config: { inputs: [{ name: "day", type: "json" }, null, { name: "more" }] } },
    { component: "trigger.manual" },
  ];
  assert.deepEqual(declaredInputs(nodes).map((one) => one.name), ["day", "count", "more"]);
});

test("what was typed, as the declared type", () => {
  const read = (type, text) => readValue({ name: "n", label: "Rows", type }, text);
  assert.deepEqual(read("text", " x "), { value: " x " });
  assert.deepEqual(read("text", ""), { value: undefined });
  assert.deepEqual(read("number", "3.5"), { value: 3.5 });
  assert.deepEqual(read("number", "many"), { problem: "Rows has to be a number." });
  assert.deepEqual(read("boolean", false), { value: false });
  assert.deepEqual(read("json", '{"a": 1}'), { value: { a: 1 } });
  assert.deepEqual(read("json", "{"), { problem: "Rows has to be JSON." });
});

test("a default that isn't of its type is kept, for the server to find", () => {
  assert.equal(readDefault("number", "3"), 3);
  assert.equal(readDefault("number", "three"), "three");
  assert.equal(readDefault("boolean", "true"), true);
  assert.equal(readDefault("text", ""), undefined);
  assert.deepEqual(readDefault("json", "[1]"), [1]);
});
