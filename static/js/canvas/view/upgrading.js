// Nodes made with an older version of their component. Those that don't run any more are upgraded
// when the draft is opened, as one step that undo takes back, and the banner says so; those that
// still run offer it as the remedy of their problem. Active versions of the flow stay as they are.

import { upgradeNode } from "../state/commands.js";
import { announce } from "./announce.js";

/** Returns {node(id), onOpen()}. */
export function bindUpgrading({ api, editor, banner }) {
  const ask = async (id) => {
    const node = editor.document.nodes.get(id);
    const path = `/components/${encodeURIComponent(node.component)}/upgrade`;
    return (await api.post(path, { config: node.config ?? {}, version: node.component_version ?? 1 })).body;
  };
  const upgrade = async (ids) => {
    const [said, failed] = [[], []];
    for (const id of ids) {
      const { label } = editor.document.nodes.get(id);
      try {
        const done = await ask(id);
        editor.perform(upgradeNode(editor.document, id, done));
        editor.history.seal();
        said.push(`${label} is version ${done.version} now. ${done.says.join(" ")}`.trim());
      } catch (error) {
        failed.push(`${label}: ${error.message}`);
      }
    }
    return { said, failed };
  };
  const close = () => banner.button("close", "Close", () => banner.hide("upgrade"));
  const undo = (steps) => banner.button("undo", "Undo", () => {
    for (let step = 0; step < steps; step += 1) editor.undo();
    banner.hide("upgrade");
  });
  const tell = ({ said, failed }, title) => {
    const text = [...said, ...failed, "The flow's active version stays as it is."].join(" ");
    announce(text);
    banner.show(failed.length ? "warn" : "ok", title, text, [...(said.length ? [undo(said.length)] : []), close()], "upgrade");
  };
  return {
    async node(id) {
      if (!editor.readOnly && editor.document.nodes.has(id)) tell(await upgrade([id]), "Upgraded.");
    },
    async onOpen() {
      const due = editor.problems.items.filter(({ code, remedy }) => code === "component_outdated" && remedy?.action === "upgrade_node");
      if (editor.readOnly || !due.length) return;
      const nodes = `${due.length} ${due.length === 1 ? "node was" : "nodes were"}`;
      tell(await upgrade(due.map(({ node }) => node)), `${nodes} made with an older version and upgraded on opening.`);
    },
  };
}
