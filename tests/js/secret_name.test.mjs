// The name that is suggested for a typed credential's secret.

import assert from "node:assert/strict";
import { test } from "node:test";

import { secretName } from "../../static/js/canvas/state/secret_name.js";

test("a node's label and the last key of the field", () => {
  assert.equal(secretName("Call API", "headers.Authorization"), "call_api_authorization");
  assert.equal(secretName("Überweisung", "X-Api-Key"), "uberweisung_x_api_key");
  assert.equal(secretName("", ""), "secret");
  assert.equal(secretName("日本", null), "secret");
  assert.ok(secretName("a".repeat(300), "body").length <= 128);
});

test("a name that is taken gets a number", () => {
  assert.equal(secretName("Call", "body", new Set(["call_body", "call_body_2"])), "call_body_3");
});
