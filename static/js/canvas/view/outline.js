// What the inspector shows while no single node is selected: the flow's nodes in run order with
// their wires, and everything that the canvas can do to them; or what can be done to many.
//
// Hooks: button[data-outline="NODE"] goes to a node, [data-outline-connect="NODE"],
// [data-outline-wire="EDGE"] removes a wire, button[data-act] an act on the selection.

import { ALIGNMENTS } from "../state/arrange.js";
import { wiresFrom } from "../state/document.js";
import { counted } from "../state/problems.js";
import { h, icon, replace } from "./dom.js";
import { tile } from "./node_element.js";
import { pinGlyph } from "./pins.js";

/** More rows than these wait behind a button: nobody reads them, and each costs. */
const MOST = 150;
/** So many are drawn at once, the others of the first page when nothing else is to be done. */
const AT_ONCE = 30;

export function drawOutline(root, editor, actions) {
  const { document, selection } = editor;
  root.setAttribute("aria-label", "Inspector: the flow");
  const place = focusedIn(root);
  const near = place ? globalThis.document.activeElement.closest(".outline > li")?.querySelector("[data-outline]").dataset.outline : null;
  const many = selection.size;
  const head = h(
    "div",
    { class: "insp__head" },
    h("span", { class: "tile" }, icon(many ? "square-check" : "workflow", "s")),
    h("div", { class: "grow" }, h("h2", {}, many ? `${many} selected` : "This flow"), h("small", {}, `${counted(document.nodes.size, "node")}, ${counted(document.edges.size, "wire")}`)),
  );
  const body = h("div", { class: "insp__body" });
  if (many && !editor.readOnly) body.append(selectionBar(editor, actions));
  if (!many && !editor.readOnly) {
    body.append(h("div", { class: "row" },
      button("add", "plus", "Add a node", (event) => actions.quickAdd(event.currentTarget)),
      button("note", "sticky-note", "Note", () => actions.acts().note())));
  }
  body.append(list(editor, actions, selection.nodes.size ? [...selection.nodes] : editor.order(), place?.outline ?? place?.outlineConnect));
  replace(root, head, body);
  for (const [name, value] of Object.entries(place ?? {})) {
    const attribute = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    root.querySelector(`[data-${attribute}="${CSS.escape(value)}"]`)?.focus({ preventScroll: true });
  }
  // What had the focus is gone, a wire that was removed: its node's row is next to it.
  if (near && !root.contains(globalThis.document.activeElement)) root.querySelector(`[data-outline="${CSS.escape(near)}"]`)?.focus({ preventScroll: true });
}

/** The mark of the button that has the focus, by which it is found again: {outline: "call"}. */
function focusedIn(root) {
  const at = globalThis.document.activeElement;
  if (!root.contains(at)) return null;
  const name = ["outline", "outlineConnect", "outlineWire", "act"].find((one) => one in at.dataset);
  return name ? { [name]: at.dataset[name] } : null;
}

function button(act, symbol, label, run) {
  return h("button", { type: "button", class: "btn btn--s", dataset: { act }, on: { click: run } }, icon(symbol, "s"), label);
}

function selectionBar(editor, actions) {
  const acts = actions.acts();
  const { nodes } = editor.selection;
  const disabled = nodes.size && [...nodes].every((id) => editor.document.nodes.get(id)?.disabled);
  const ways = ALIGNMENTS.map(([way, label, symbol]) =>
    h("button", { type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": label, title: label, dataset: { act: way }, on: { click: () => acts.arrange(way) } }, icon(symbol, "s")));
  return h(
    "div",
    { class: "bulk" },
    nodes.size > 1 ? h("div", { class: "bulk__align", role: "group", "aria-label": "Align and distribute" }, ways) : null,
    h(
      "div",
      { class: "row row--wrap" },
      nodes.size > 1 ? button("tidy", "wand-sparkles", "Tidy", acts.tidy) : null,
      nodes.size ? (acts.grouped() ? button("ungroup", "ungroup", "Ungroup", acts.ungroup) : button("group", "group", "Group", acts.group)) : null,
      nodes.size ? button("disable", "power", disabled ? "Enable" : "Disable", acts.disable) : null,
      button("duplicate", "blocks", "Duplicate", acts.duplicate),
      button("remove", "trash", "Delete", acts.remove),
    ),
  );
}

function list(editor, actions, order, kept) {
  if (!order.length) return h("p", { class: "field__help" }, "Nothing is drawn yet. Press N, double-click the canvas, or drag a node from the left.");
  const items = h("ol", { class: "outline", "aria-label": "Nodes in run order" });
  const more = h("button", { type: "button", class: "btn btn--s" });
  let shown = 0;
  const show = (to) => {
    items.append(...order.slice(shown, to).map((id) => row(editor, actions, id)));
    shown = Math.min(to, order.length);
    const left = order.length - shown;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, MOST)} more of ${left}`;
    more.onclick = () => show(shown + MOST);
  };
  show(Math.max(AT_ONCE, order.indexOf(kept) + 1));
  const fill = () => {
    if (!items.isConnected || shown >= Math.min(MOST, order.length)) return;
    show(shown + AT_ONCE);
    requestIdleCallback(fill);
  };
  if (shown < MOST) requestIdleCallback(fill);
  return h("div", {}, items, more);
}

function row(editor, actions, id) {
  const { document, catalog, selection } = editor;
  const node = document.nodes.get(id);
  const flag = editor.flag(id);
  const state = editor.run ? editor.run.shown(id) : null;
  const notes = [node.disabled ? "disabled" : null, state, flag ? counted(flag.count, flag.severity) : null].filter(Boolean).join(", ");
  const main = h(
    "button",
    {
      type: "button", class: `outline__row${node.disabled ? " is-disabled" : ""}`, dataset: { outline: id },
      "aria-current": selection.nodes.has(id) ? "true" : null, on: { click: () => actions.select(id) },
    },
    tile(catalog.of(node)),
    h("span", { class: "outline__name" }, h("strong", { class: "trunc" }, node.label), h("small", { class: "trunc" }, notes || node.component)),
    flag ? h("span", { class: flag.severity === "error" ? "c-bad" : "c-warn" }, icon(flag.severity === "error" ? "octagon-alert" : "triangle-alert", "s")) : null,
  );
  const connect = editor.readOnly ? null : h(
    "button",
    {
      type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": `Connect ${node.label}`, title: "Connect…",
      dataset: { outlineConnect: id }, on: { click: (event) => actions.connectNode(id, event.currentTarget) },
    },
    icon("plug", "s"),
  );
  const wires = wiresFrom(document, id);
  return h("li", {}, h("div", { class: "outline__line" }, main, connect), wires.length ? h("ul", { class: "outline__wires", "aria-label": `Wires of ${node.label}` }, wires.map((edge) => wire(editor, actions, edge))) : null);
}

function wire(editor, actions, edge) {
  const { document, catalog } = editor;
  const type = catalog.port(document, edge.source.node, edge.source.port, "out")?.type ?? "any";
  const to = document.nodes.get(edge.target.node)?.label ?? edge.target.node;
  const words = type === "order" ? `then ${to}` : `${edge.source.port} to ${to}.${edge.target.port}`;
  const cut = editor.readOnly ? null : h(
    "button",
    {
      type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": `Remove the wire: ${words}`, title: "Remove this wire",
      dataset: { outlineWire: edge.id }, on: { click: () => editor.disconnect(edge.id) },
    },
    icon("unlink", "xs"),
  );
  return h("li", {}, pinGlyph(type), h("button", { type: "button", class: "link grow trunc", on: { click: () => actions.select(edge.target.node) } }, words), cut);
}
