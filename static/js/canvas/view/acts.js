// What can be done to the selection, by name: one place for keys, menus and buttons.

import { ALIGNMENTS, arrange } from "../state/arrange.js";
import { moveNodes } from "../state/commands.js";
import { groupOf } from "../state/document.js";
import { addNote, groupNodes, ungroup } from "../state/marks.js";
import { replaceComponent } from "../state/rewire.js";
import { announce } from "./announce.js";
import { asksOfOne } from "./run_one.js";
import { tidy } from "./tidying.js";

/** `pages` are the views that acts need: {view, ground, clip, quick, connectList, inspector, stage}. */
export function bindActs(editor, pages) {
  const { view, ground, clip } = pages;
  const some = () => editor.selection.nodes.size > 0;

  const acts = {
    copy: () => clip().copy(),
    paste: () => clip().paste(),
    duplicate: () => clip().duplicate(),
    remove() {
      const count = editor.selection.size;
      if (!editor.remove()) return false;
      announce(`Deleted ${count === 1 ? "it" : `${count} things`}. Ctrl Z brings it back.`);
      pages.stage.focus({ preventScroll: true });
      return true;
    },
    disable: () => some() && acts.disableThese(editor.selection.nodes),
    disableThese(ids) {
      const said = editor.toggleDisabled(ids);
      if (said) announce(`${said.replace(/^(enable|disable)/, (word) => (word === "enable" ? "Enabled" : "Disabled"))}.`);
      return Boolean(said);
    },
    tidy: () => tidy(editor),
    group() {
      const command = groupNodes(editor.document, editor.selection.nodes);
      if (!editor.perform(command)) return false;
      ground.renameGroup(command.id);
      announce("Grouped. Type the group's name.");
      return true;
    },
    ungroup() {
      const done = editor.perform(ungroup(editor.document, editor.selection.nodes));
      if (done) announce("Ungrouped.");
      return done;
    },
    note(client = null) {
      if (editor.readOnly) return false;
      const seen = view.visible();
      const point = client ? view.toGraph(client) : { x: seen.x + seen.width / 2 - 110, y: seen.y + seen.height / 2 - 60 };
      const command = addNote(editor.document, [point.x, point.y].map((value) => Math.round(value / 20) * 20));
      editor.perform(command);
      editor.select({ notes: [command.id] });
      ground.editNote(command.id);
      announce("Added a note. Type its text; Escape ends.");
      return true;
    },
    arrange(way) {
      const boxes = new Map([...editor.selection.nodes].map((id) => [id, editor.box(id)]));
      if (boxes.size < 2) return false;
      const [, label] = ALIGNMENTS.find(([name]) => name === way);
      const done = editor.perform(moveNodes(editor.document, arrange(boxes, way), { label: label.toLowerCase() }));
      announce(done ? `${label}: done.` : "They are in line already.");
      return done;
    },
    replace(id, component) {
      const command = replaceComponent(editor.document, editor.catalog, editor.rules, id, component);
      editor.perform(command);
      editor.select({ nodes: [id] });
      view.focusNode(id);
      const lost = command.lost.length;
      announce(`Replaced.${lost ? ` ${lost} wire${lost === 1 ? "" : "s"} no longer fitted and ${lost === 1 ? "was" : "were"} removed.` : " All wires stay."}`);
    },
    grouped: () => [...editor.selection.nodes].some((id) => groupOf(editor.document, id)),
  };
  return acts;
}

/** The menu's rows for what is selected; `at` is where it opens. */
export function menuItems(editor, acts, { pages, at, node }) {
  const off = editor.readOnly;
  const many = editor.selection.nodes.size > 1;
  const disabled = [...editor.selection.nodes].every((id) => editor.document.nodes.get(id)?.disabled);
  const anchor = () => pages.view.elements.get(node) ?? at;
  if (editor.selection.empty) {
    return [
      { act: "add", label: "Add a node…", icon: "plus", keys: "N", off, run: () => pages.quick.add(at) },
      { act: "note", label: "Add a note", icon: "sticky-note", keys: "Shift N", off, run: () => acts.note(at) },
      { act: "paste", label: "Paste", icon: "clipboard-paste", keys: "Ctrl V", off, run: acts.paste },
      null,
      { act: "tidy", label: "Tidy all", icon: "wand-sparkles", keys: "Shift Alt T", off, run: acts.tidy },
      { act: "find", label: "Find a node…", icon: "search", keys: "Ctrl F", run: () => pages.quick.find() },
      null,
      { act: "duplicate-flow", label: "Duplicate this flow", icon: "copy", off, run: () => pages.duplicateFlow() },
    ];
  }
  const one = node && !many;
  return [
    ...(one ? [
      { act: "open", label: "Open", icon: "panel-right", keys: "Enter", run: () => pages.open(node) },
      { act: "rename", label: "Rename", icon: "pencil", keys: "F2", off, run: () => pages.rename(node) },
      { act: "connect", label: "Connect…", icon: "plug", keys: "C", off, run: () => pages.connectList.fromNode(node, anchor()) },
      { act: "replace", label: "Replace…", icon: "replace", off, run: () => pages.quick.replace(node, anchor()) },
      null,
      { act: "run-to", label: "Run to here", icon: "play", keys: "Shift R", off: !pages.runsOne() || disabled, run: () => pages.runTo(node) },
      { act: "run-one", label: "Run this node", icon: "play", off: !pages.runsOne() || disabled, run: () => pages.runOne(node) },
      { act: "run-one-with", label: "Run this node with…", icon: "play", off: !pages.runsOne() || disabled || !asksOfOne(editor, node), run: () => pages.runOne(node, { ask: true }) },
      null,
    ] : []),
    { act: "copy", label: "Copy", icon: "copy", keys: "Ctrl C", run: acts.copy },
    { act: "duplicate", label: "Duplicate", icon: "blocks", keys: "Ctrl D", off, run: acts.duplicate },
    ...(editor.selection.nodes.size ? [
      { act: "disable", label: disabled ? "Enable" : "Disable", icon: "power", keys: "D", off, run: acts.disable },
      acts.grouped()
        ? { act: "ungroup", label: "Ungroup", icon: "ungroup", keys: "Ctrl Shift G", off, run: acts.ungroup }
        : { act: "group", label: "Group", icon: "group", keys: "Ctrl G", off, run: acts.group },
    ] : []),
    ...(many ? [{ act: "tidy", label: "Tidy these", icon: "wand-sparkles", keys: "Shift Alt T", off, run: acts.tidy }] : []),
    null,
    { act: "remove", label: "Delete", icon: "trash", keys: "Delete", off, run: acts.remove },
  ];
}
