// Copy, cut, paste and duplicate. The browser's own clipboard events carry the text, so no
// permission is asked; what was said is announced.

import { removeCells } from "../state/commands.js";
import { copyText, pasteClip, readClip } from "../state/clipboard.js";
import { announce } from "./announce.js";

/** `onCanvas()` says whether the keys are ours; `pointer()` gives where on the plane to paste;
 * `notice(text, title)` shows what went otherwise than expected, `calm()` takes that away. */
export function bindClipboard({ editor, environment, onCanvas, pointer, notice, calm }) {
  const text = () => copyText(editor.document, editor.selection, environment);
  const ours = (event) => !event.defaultPrevented && onCanvas() && !getSelection()?.toString();

  document.addEventListener("copy", (event) => {
    if (!ours(event) || editor.selection.empty) return;
    const copied = text();
    if (!copied) return;
    event.clipboardData.setData("text/plain", copied);
    event.preventDefault();
    announce(`Copied ${counted()}.`);
  });
  document.addEventListener("cut", (event) => {
    if (!ours(event) || editor.selection.empty || editor.readOnly) return;
    const copied = text();
    if (!copied) return;
    event.clipboardData.setData("text/plain", copied);
    event.preventDefault();
    const said = counted();
    const { nodes, edges, notes } = editor.selection;
    editor.perform({ ...removeCells(editor.document, nodes, edges, notes), label: `cut ${said}` });
    announce(`Cut ${said}.`);
  });
  document.addEventListener("paste", (event) => {
    if (event.defaultPrevented || !onCanvas() || editor.readOnly) return;
    event.preventDefault();
    take(event.clipboardData.getData("text/plain"));
  });

  function counted() {
    const { nodes, notes } = editor.selection;
    const count = nodes.size + notes.size;
    if (nodes.size === 1 && !notes.size) return editor.document.nodes.get([...nodes][0]).label;
    return notes.size && nodes.size ? `${count} things` : nodes.size ? `${nodes.size} nodes` : `${notes.size} note${notes.size === 1 ? "" : "s"}`;
  }

  /** Paste a text. */
  function take(given) {
    if (editor.readOnly) return;
    const { clip, error } = readClip(given);
    if (!clip) {
      if (error) notice(error);
      return;
    }
    put(clip, pointer(), "Pasted");
  }

  function put(clip, at, word) {
    const { command, nodes, notes, dropped } = pasteClip(editor.document, editor.catalog, clip, { at, environment });
    editor.perform(word === "Pasted" ? command : { ...command, label: command.label.replace("paste", "duplicate") });
    editor.select({ nodes, notes });
    announce(`${word} ${counted()}.`);
    calm();
    if (dropped.length) {
      const names = dropped.slice(0, 3).join(", ") + (dropped.length > 3 ? ` and ${dropped.length - 3} more` : "");
      const from = clip.environment ? `from the environment ${clip.environment}` : "from elsewhere";
      notice(`The nodes came ${from}, so their secrets were left out. Choose a secret in ${names}.`, `${word} without secrets`);
    }
  }

  return {
    take,
    text,
    duplicate() {
      const copied = editor.readOnly ? "" : text();
      if (copied) put(readClip(copied).clip, null, "Duplicated");
      return Boolean(copied);
    },
    async copy() {
      const copied = text();
      if (copied) await navigator.clipboard.writeText(copied).then(() => announce(`Copied ${counted()}.`), () => notice("The browser doesn't let this page write the clipboard. Use Ctrl C.", "Nothing was copied"));
    },
    async paste() {
      await navigator.clipboard.readText().then(take, () => notice("The browser doesn't let this page read the clipboard. Use Ctrl V."));
    },
  };
}
