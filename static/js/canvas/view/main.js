// The flow editor's page: reads the flow and the components, builds the state, binds the views.
// Nothing is put on `window`.

import { Catalog } from "../state/catalog.js";
import { Editor } from "../state/editor.js";
import { GRID, freePlace } from "../state/geometry.js";
import { announce, announceIn } from "./announce.js";
import { Api } from "./api.js";
import { ConnectList } from "./connect_list.js";
import { fillIcons, h, icon, replace } from "./dom.js";
import { Drawer } from "./drawer.js";
import { Connecting } from "./graph_connect.js";
import { bindPointer } from "./graph_pointer.js";
import { GraphView } from "./graph.js";
import { Inspector } from "./inspector.js";
import { bindKeys, showTable } from "./keys.js";
import { bindMinimap } from "./minimap.js";
import { bindPalette } from "./palette.js";
import { ProblemsPanel } from "./problems_panel.js";
import { bindRemedies } from "./remedies.js";
import { Running } from "./running.js";
import { bindSaving } from "./saving.js";
import { Secrets } from "./secrets.js";
import { bindToolbar, drawEmpty } from "./toolbar.js";

const NEW = { width: 204, height: 130 };
const root = document.getElementById("editor");
const find = (selector) => root.querySelector(selector);
const hook = (name) => find(`[data-testid="${name}"]`);

async function open() {
  fillIcons(root);
  announceIn(hook("announce"));
  const api = Api.ofPage();
  try {
    const [components, flow] = await Promise.all([api.get("/components"), api.get(`/flows/${root.dataset.flowId}`)]);
    build(api, new Catalog(components.body), flow);
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  const banner = find("[data-banner]");
  banner.className = "ed-banner banner banner--bad";
  const again = h("button", { type: "button", class: "btn btn--s", on: { click: () => location.reload() } }, "Load again");
  replace(banner, icon("octagon-alert"), h("div", { class: "grow" }, h("strong", {}, "The flow couldn't be opened."), h("p", {}, error.message)), again);
  banner.hidden = false;
}

function build(api, catalog, { body: flow, etag }) {
  const stage = hook("canvas");
  const readOnly = root.dataset.editable === "false";
  const editor = new Editor({ graph: flow.graph, problems: flow.problems, catalog, readOnly });
  const secrets = new Secrets(api);
  const view = new GraphView(stage, editor);
  const connecting = new Connecting(view, editor);
  const connectList = new ConnectList(hook("connect-list"), editor);

  const panels = {
    open: () => root.classList.add("shows-inspector"),
    close: () => {
      root.classList.remove("shows-inspector");
      editor.select({});
    },
  };
  const goTo = (id) => {
    editor.select({ nodes: [id] });
    view.reveal(id);
    view.focusNode(id);
  };
  const inspector = new Inspector(hook("inspector"), editor, {
    secrets,
    actions: {
      connectFrom: (end, anchor) => connectList.fromOutput(end, anchor),
      connectInto: (end, anchor) => connectList.intoInput(end, anchor),
      select: goTo,
      close: panels.close,
    },
  });
  const jump = (problem) => {
    if (!problem.node || !editor.document.nodes.has(problem.node)) return;
    goTo(problem.node);
    panels.open();
    inspector.focusField(problem.field ?? problem.port);
  };
  const openSecrets = () => hook("inspector").querySelector('[data-testid="secret-picker"]')?.click();
  const remedy = bindRemedies({ editor, jump, openSecrets });
  const problems = new ProblemsPanel(hook("problems"), find("#problems-list"), editor, { jump, remedy });
  const pointer = bindPointer(view, editor, connecting, { onOpen: panels.open });
  stage.addEventListener("click", (event) => {
    const flag = event.target.closest(".flag");
    const fold = event.target.closest("[data-unfold]");
    if (flag) problems.openAt(flag.dataset.flag);
    if (fold) editor.setExpanded(fold.dataset.unfold, !editor.expanded.has(fold.dataset.unfold));
  });
  stage.addEventListener("focusin", (event) => {
    const id = event.target.closest?.(".node")?.dataset.nodeId;
    if (id && event.target.matches(".node:focus-visible") && !editor.selection.nodes.has(id)) editor.select({ nodes: [id] });
  });

  const place = (component, client) => placeNode({ editor, view, component, client });
  const palette = bindPalette(find(".palette"), editor, {
    stage,
    place: (component, client) => {
      place(component, client);
      palette.clear();
      root.classList.remove("shows-palette");
    },
  });
  const showPalette = () => {
    root.classList.add("shows-palette");
    palette.focus();
  };
  drawEmpty(find("[data-empty]"), editor, place);

  const autosave = bindSaving({ api, editor, flow, etag, label: hook("saved"), banner: find("[data-banner]") });
  const drawer = new Drawer(find(".run"), editor, { cancel: () => running.cancel(), jump, remedy });
  const running = new Running({
    api, editor, autosave, drawer, view, flow, button: hook("run"),
    allowed: root.dataset.runnable !== "false",
    onRefused: (error) => {
      announce(`The run didn't start. ${error.message}`);
      if (error.problems?.length) problems.toggle(true);
      else failedToStart(error);
    },
  });
  bindToolbar(root, { editor, view, flow, keys: () => showTable(find("[data-keys-dialog]")), showPalette, panels });
  bindMinimap(hook("minimap"), view, editor);
  bindKeys({
    editor, view, stage, pointer, connectList, problems, running,
    palette: { focus: showPalette },
    inspector: {
      open: () => (panels.open(), inspector.focusField()),
      rename(id) {
        if (!id) return false;
        editor.select({ nodes: [id] });
        panels.open();
        hook("node-label").select();
        return true;
      },
      close: panels.close,
    },
    save: () => autosave.flush().then((done) => announce(done ? "Saved." : "Not saved yet.")),
    dialog: find("[data-keys-dialog]"),
  });
  view.fit();
  secrets.load();
  const asked = new URLSearchParams(location.search);
  if (asked.has("node")) jump({ node: asked.get("node"), field: asked.get("field") });
  root.dataset.ready = "true";
}

function failedToStart(error) {
  const banner = find("[data-banner]");
  banner.className = "ed-banner banner banner--bad";
  const close = h("button", { type: "button", class: "btn btn--s", on: { click: () => (banner.hidden = true) } }, "Close");
  replace(banner, icon("octagon-alert"), h("div", { class: "grow" }, h("strong", {}, "The run didn't start."), h("p", {}, error.message)), close);
  banner.hidden = false;
}

/** Add a node where it was dropped; else to the right of the selected one, or at the centre. */
function placeNode({ editor, view, component, client }) {
  if (editor.readOnly) return null;
  const id = editor.add(component, client ? dropped(view.toGraph(client)) : beside(editor, view));
  if (!client) view.reveal(id);
  view.focusNode(id);
  announce(`Added ${editor.document.nodes.get(id).label}.`);
  return id;
}

function dropped({ x, y }) {
  return [x - NEW.width / 2, y - 24].map((value) => Math.round(value / GRID) * GRID);
}

function beside(editor, view) {
  const after = editor.selection.single ?? (editor.document.nodes.size === 1 ? [...editor.document.nodes.keys()][0] : null);
  if (after) {
    const box = editor.box(after);
    return freePlace(editor.boxes(), { x: box.x + box.width + 5 * GRID, y: box.y }, NEW);
  }
  const seen = view.visible();
  const corner = { x: seen.x + (seen.width - NEW.width) / 2, y: seen.y + (seen.height - NEW.height) / 2 };
  return freePlace(editor.boxes(), corner, NEW);
}

open();
