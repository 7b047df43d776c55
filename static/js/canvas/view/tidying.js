// Tidy: asks the layout worker and makes one step of its answer.

import { moveNodes } from "../state/commands.js";
import { tidyMoves, tidyRequest } from "../state/tidy.js";
import { announce } from "./announce.js";

const PATIENCE = 20_000;
const SCRIPT = new URL("../state/tidy_worker.js", import.meta.url);

/** Lay out the selected nodes, or all. Resolves to true when something moved. */
export async function tidy(editor) {
  const request = tidyRequest(editor, [...editor.selection.nodes]);
  if (editor.readOnly || !request.nodes.length) return false;
  try {
    const places = await layout(request);
    const moved = editor.perform(moveNodes(editor.document, tidyMoves(editor, request, places), { label: "tidy" }));
    announce(moved ? `Tidied ${request.nodes.length} nodes.` : "It is tidy already.");
    return moved;
  } catch (error) {
    announce(`The layout failed: ${error.message}`);
    return false;
  }
}

function layout(request) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(SCRIPT);
    const end = (settle, value) => {
      clearTimeout(timer);
      worker.terminate();
      settle(value);
    };
    const timer = setTimeout(() => end(reject, new Error("it took too long.")), PATIENCE);
    worker.addEventListener("message", ({ data }) => (data.error ? end(reject, new Error(data.error)) : end(resolve, data.places)));
    worker.addEventListener("error", (event) => end(reject, new Error(event.message || "the worker didn't start.")));
    worker.postMessage(request);
  });
}
