// "Activate" without leaving the canvas: a note, then the version, or everything that is in the way.
// With Ctrl or the middle button the link still leads to the versions.
//
// Hooks: a[data-testid="activate"], dialog[data-ask], #activate-note, button[data-act="activate"],
// [data-in-the-way="CODE"].

import { announce } from "./announce.js";
import { ask, field } from "./ask.js";
import { h } from "./dom.js";

export function bindActivating({ api, editor, autosave, flow, link, dialog, banner, jump, drawn }) {
  if (!link) return;
  const send = async (note) => {
    if (!(await autosave.flush())) throw new Error("The flow isn't saved yet, so its draft can't be activated.");
    const { body } = await api.post(`/flows/${flow.id}/activate`, { note }, { ifMatch: autosave.etag });
    flow.active_version = body.number;
    drawn();
    banner.show("ok", `Version ${body.number} is active.`, "Schedules, webhooks and the API run it from now on.", [
      h("a", { class: "btn btn--s", href: link.href.split("#")[0] }, "Versions"),
      banner.button("close", "Close", () => banner.hide("activate")),
    ], "activate");
    announce(`Version ${body.number} is active.`);
  };
  const wrong = (error) => {
    if (!error.problems?.length) return error.message;
    const warnings = editor.problems.items.filter((one) => one.severity !== "error");
    const known = error.problems.filter((one) => one.severity !== "error").map((one) => `${one.code} ${one.node} ${one.field}`);
    editor.setProblems([...error.problems, ...warnings.filter((one) => !known.includes(`${one.code} ${one.node} ${one.field}`))]);
    return h("ul", { class: "stack stack--xs" }, error.problems.map((one) => h("li", {}, one.node && editor.document.nodes.has(one.node)
      ? h("button", { type: "button", class: "link", dataset: { inTheWay: one.code }, on: { click: () => (dialog.close(), jump(one)) } }, one.message)
      : h("span", { dataset: { inTheWay: one.code } }, one.message))));
  };
  // In the capture phase: the link's own waiting for the save is not wanted where no page is left.
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const note = h("textarea", { class: "textarea", id: "activate-note", rows: 3, maxlength: 1000 });
    ask(dialog, {
      title: "Activate the draft",
      about: "It becomes a version that never changes; its secrets are bound as they are named now.",
      fields: [field("activate-note", "Note", note, "What changed, for those who read the versions.")],
      label: "Activate", act: "activate", send: () => send(note.value.trim()), wrong,
    });
  }, { capture: true });
}
