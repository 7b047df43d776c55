import assert from "node:assert/strict";
import { test } from "node:test";

import { confirms } from "../../static/js/pages/forms.js";
import { themeCookie } from "../../static/js/pages/theme.js";
import { relative } from "../../static/js/pages/times.js";
import { byteLength, looksLike } from "../../static/js/pages/value_field.js";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const before = (seconds) => relative(NOW - seconds * 1000, NOW);

test("times are relative up to a day, then the server's date stays", () => {
  assert.equal(before(2), "just now");
  assert.equal(before(42), "42 s ago");
  assert.equal(before(60), "1 min ago");
  assert.equal(before(3600), "1 hour ago");
  assert.equal(before(7300), "2 hours ago");
  assert.equal(before(86400), null);
  assert.equal(before(-120), "in 2 min");
});

test("a deed is confirmed by the exact name only", () => {
  assert.ok(confirms("stripe/live", "stripe/live"));
  assert.ok(!confirms("Stripe/live", "stripe/live"));
  assert.ok(!confirms("stripe/live ", "stripe/live"));
  assert.ok(!confirms("", "stripe/live"));
});

test("the hint under a value says its kind and nothing of it", () => {
  assert.equal(looksLike("  "), "");
  assert.equal(looksLike("-----BEGIN PRIVATE KEY-----\nMII"), "Looks like PEM");
  assert.equal(looksLike('{"user": "a", "password": "b"}'), "Looks like JSON");
  assert.equal(looksLike("{not json"), "Looks like text");
  assert.equal(looksLike("hunter2-hunter2"), "Looks like text");
});

test("the limit of a value counts bytes", () => {
  assert.equal(byteLength("abc"), 3);
  assert.equal(byteLength("ü€𝄞"), 9);
});

test("the theme cookie is readable by the server on every path, over TLS only", () => {
  assert.equal(themeCookie("dark"), "tacit-theme=dark; Path=/; Max-Age=31536000; SameSite=Lax; Secure");
});
