// What each room of the canvas may know: state is pure, and only the view knows X6.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPTS = fileURLToPath(new URL("../../static/js/", import.meta.url));
const STATE = "canvas/state/";
const VIEW = "canvas/view/";
const PAGE = /\b(X6|window|localStorage|sessionStorage|indexedDB|navigator|HTMLElement|querySelector\w*|createElement\w*|addEventListener|getBoundingClientRect|XMLHttpRequest)\b/;

// A worker has a world of its own, without a page in it.
const WORKER = "canvas/state/tidy_worker.js";

const scripts = readdirSync(SCRIPTS, { recursive: true }).filter((name) => name.endsWith(".js")).sort();

/** A script without its comments. */
function code(name) {
  return readFileSync(SCRIPTS + name, "utf8").replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

const imports = (text) => [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((found) => found[1]);

test("the state of the canvas knows no page, and asks nobody outside of itself", () => {
  const found = scripts.filter((name) => name.startsWith(STATE));
  assert.ok(found.length > 20);
  for (const name of found) {
    const text = code(name);
    if (name !== WORKER) assert.equal(text.match(PAGE)?.[0], undefined, `${name} knows the page`);
    for (const from of imports(text)) assert.match(from, /^\.\/\w+\.js$/, `${name} imports ${from}`);
  }
});

test("nothing outside the view knows X6", () => {
  const knowing = scripts.filter((name) => /\bX6\b|vendor\/x6/.test(code(name)));
  assert.ok(knowing.length > 0);
  assert.deepEqual(knowing.filter((name) => !name.startsWith(VIEW)), []);
});

test("its modules load where there is no page", async () => {
  for (const name of scripts.filter((one) => one.startsWith(STATE) && one !== WORKER)) {
    await import(`../../static/js/${name}`);
  }
});
