// "Run this node": at once with what the last run left behind, else with what is asked for.

import { inputsOfOne } from "../state/one_node.js";
import { askInputs, declaredInputs } from "./run_form.js";

const WORDS = {
  title: "Run this node with",
  help: "Values that the last run left are filled in. They are stored with the run: no passwords or keys here. Secrets are fetched anew.",
};

/** Run one node: `post(inputs)` starts the run and throws the refusal. `ask` shows the form in any
 *  case; without it, only where something is missing. */
export async function runOne({ editor, id, ask, post }) {
  const node = editor.document.nodes.get(id);
  const trigger = editor.catalog.of(node)?.category === "trigger";
  const inputs = trigger ? declaredInputs([node]) : inputsOfOne(editor.document, editor.catalog, editor.run, id);
  const form = () => askInputs(document.body, inputs, post, WORDS);
  if (inputs.length && (ask || trigger)) return form();
  try {
    return await post({});
  } catch (error) {
    if (inputs.length && error.code === "inputs_invalid") return form();
    throw error;
  }
}

/** Whether a node has inputs that the form could ask for. */
export function asksOfOne(editor, id) {
  const node = editor.document.nodes.get(id);
  if (!node || editor.catalog.of(node)?.category === "trigger") return false;
  return inputsOfOne(editor.document, editor.catalog, editor.run, id).length > 0;
}
