// Reads {components, cases} from standard input and prints, for each case {graph, source, target},
// what the canvas would say: {"allowed": bool, "code", "message"}. Driven by
// tests/integration/canvas/test_words.py, which compares it with the server.

import { readFileSync } from "node:fs";

import { Catalog } from "../../static/js/canvas/state/catalog.js";
import { Editor } from "../../static/js/canvas/state/editor.js";

const { components, cases } = JSON.parse(readFileSync(0, "utf8"));
const catalog = new Catalog(components);
const answers = cases.map(({ graph, source, target }) => {
  const verdict = new Editor({ graph, catalog }).check(source, target);
  if (verdict.ok) return { allowed: true, code: "", message: "" };
  return { allowed: false, code: verdict.code, message: `${verdict.title}. ${verdict.reason}` };
});
process.stdout.write(JSON.stringify(answers));
