// What the button of a problem does. A remedy is {action, label, …data} as the server names it; an
// action this page doesn't know leads to the node and its field, so that a button is never dead.

import { freePlace } from "../state/geometry.js";
import { announce } from "./announce.js";

const BESIDE = 300;

/** Returns remedy(problem). `jump(problem)` shows a problem's place, `openSecrets()` its picker,
 * `replace(node)` asks for another component, `store(problem)` for the name of a secret, `mark(problem)`
 * says that it is none, `upgrade(node)` brings it up to date. */
export function bindRemedies({ editor, jump, openSecrets, replace, store, mark, upgrade }) {
  const actions = {
    remap_secret(problem) {
      jump({ ...problem, field: "secretName" });
      openSecrets();
    },
    choose_version: (problem) => jump({ ...problem, field: "version" }),
    set_field(problem, { target, field, value }) {
      editor.setField(target ?? problem.node, field, value);
      editor.history.seal();
      jump({ node: target ?? problem.node, field });
    },
    remove_edge: (problem, { edge }) => editor.document.edges.has(edge) && editor.disconnect(edge),
    enable_node(problem, { target }) {
      editor.perform({ label: "enable node", operations: [{ op: "node.set", id: target, key: "disabled", value: undefined }] });
    },
    replace_node: (problem) => replace(problem.node),
    add_node: (problem, { component }) => addBefore(editor, problem, component),
  };
  return (problem) => {
    // It asks first, and says itself what became of it.
    if (problem.remedy?.action === "store_as_secret") return void store(problem);
    if (problem.remedy?.action === "mark_no_credential") return void mark(problem);
    if (problem.remedy?.action === "upgrade_node") return void upgrade(problem.node);
    const act = actions[problem.remedy?.action];
    if (act) act(problem, problem.remedy);
    else jump(problem);
    announce(problem.remedy?.label ? `${problem.remedy.label}: done.` : problem.message);
  };
}

/** Put a node to the left of the one with the problem, wired into the port where it fits. */
function addBefore(editor, { node, port }, component) {
  if (!editor.catalog.find(component) || !editor.document.nodes.has(node)) return;
  const box = editor.box(node);
  const size = { width: 204, height: 130 };
  const id = editor.add(component, freePlace(editor.boxes(), { x: box.x - BESIDE, y: box.y }, size));
  if (!port) return;
  const outputs = editor.catalog.outputs(editor.document, editor.document.nodes.get(id));
  const fitting = outputs.find((output) => editor.check({ node: id, port: output.name }, { node, port }).ok);
  if (fitting) editor.connect({ node: id, port: fitting.name }, { node, port });
}
