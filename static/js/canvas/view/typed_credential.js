// "Store as secret and wire it", in one step: the server stores what was typed, fetches and wires
// it and empties the field; the page takes the flow that it answers. Or: "Not a credential".
//
// Hooks: dialog[data-ask], #credential-name, #credential-port, button[data-act="store-credential|not-a-credential"].

import { secretName } from "../state/secret_name.js";
import { announce } from "./announce.js";
import { ask, field } from "./ask.js";
import { h } from "./dom.js";

/** Returns store(problem), which asks, and mark(problem), for what stands in a field or a note. */
export function bindTypedCredential({ api, editor, flow, autosave, secrets, dialog }) {
  const saved = async () => {
    if (!(await autosave.flush())) throw new Error("The flow isn't saved yet. Save it first, then try again.");
  };
  const mark = async (problem) => {
    await saved();
    const label = editor.document.nodes.get(problem.node)?.label;
    await api.post(`/flows/${flow.id}/credential-marks`, { ...(problem.node ? { node: problem.node } : {}), field: problem.field });
    editor.setProblems(editor.problems.items.filter((one) => one !== problem && !(one.code === problem.code && one.node === problem.node && one.field === problem.field)));
    announce(`Marked: ${label ? `${label}, ${problem.field}` : "the note"} holds no credential.`);
  };
  const store = (problem) => {
    const place = { node: problem.node, field: problem.field };
    const label = editor.document.nodes.get(problem.node)?.label ?? "";
    const ports = problem.remedy?.ports ?? [];
    const name = h("input", { class: "input input-mono", id: "credential-name", value: secretName(label, problem.field, new Set((secrets.items ?? []).map((one) => one.name))), maxlength: 128, autocomplete: "off", spellcheck: "false", required: true });
    const port = ports.length > 1
      ? h("select", { class: "select", id: "credential-port" }, ports.map((one) => h("option", { value: one }, one)))
      : null;
    const send = async () => {
      await saved();
      const body = { ...place, name: name.value.trim(), ...(port ? { port: port.value } : {}) };
      const answer = await api.post(`/flows/${flow.id}/store-credential`, body, { ifMatch: autosave.etag });
      // History starts anew: a step back would put the typed text into the page and the draft again.
      editor.load(answer.body.graph, answer.body.problems ?? []);
      editor.history.markSaved();
      autosave.resume(answer.etag ?? `"${answer.body.revision}"`);
      editor.select({ nodes: [problem.node] });
      await secrets.load({ force: true });
      announce(`Stored as secret ${body.name}, wired, and the field is empty.`);
    };
    ask(dialog, {
      title: "Store as secret and wire it",
      about: `${label}, ${problem.field}: the text there becomes a secret, and the field is emptied.`,
      fields: [field("credential-name", "Name of the secret", name), port ? field("credential-port", "Input that takes it", port) : null],
      label: "Store and wire", act: "store-credential", send,
      others: [{ label: "Not a credential", act: "not-a-credential", send: () => mark(problem) }],
    });
  };
  return { store, mark };
}
