// The flow editor's page: reads the flow and the components, builds the state, binds the views.
// Nothing is put on `window`.

import { Catalog } from "../state/catalog.js";
import { Editor } from "../state/editor.js";
import { noteBox } from "../state/marks.js";
import { bindActivating } from "./activating.js";
import { bindActs, menuItems } from "./acts.js";
import { announce, announceIn } from "./announce.js";
import { Api } from "./api.js";
import { bindBanner } from "./banner.js";
import { bindCheck } from "./check.js";
import { bindClipboard } from "./clip.js";
import { askManager } from "./connection.js";
import { ConnectList } from "./connect_list.js";
import { dialogOpen, fillIcons } from "./dom.js";
import { Drawer } from "./drawer.js";
import { GraphView } from "./graph.js";
import { Connecting } from "./graph_connect.js";
import { bindPointer } from "./graph_pointer.js";
import { Ground } from "./ground.js";
import { Inspector } from "./inspector.js";
import { bindKeys, pointerOr } from "./keys.js";
import { showTable } from "./keys_table.js";
import { Menu } from "./menu.js";
import { bindMinimap } from "./minimap.js";
import { bindNewSecret } from "./new_secret.js";
import { bindPalette } from "./palette.js";
import { bindPanels } from "./panels.js";
import { bindPlacing } from "./placing.js";
import { ProblemsPanel } from "./problems_panel.js";
import { QuickAdd } from "./quick_add.js";
import { bindRechecking } from "./rechecking.js";
import { bindRemedies } from "./remedies.js";
import { Replay } from "./replay.js";
import { Running } from "./running.js";
import { bindSaving, takeTyped } from "./saving.js";
import { Secrets } from "./secrets.js";
import { bindToolbar, drawBadges, drawEmpty } from "./toolbar.js";
import { bindTypedCredential } from "./typed_credential.js";
import { bindUpgrading } from "./upgrading.js";

const SMALL = "(max-width: 760px)";
const root = document.getElementById("editor");
const find = (selector) => root.querySelector(selector);
const hook = (name) => find(`[data-testid="${name}"]`);

async function open() {
  fillIcons(root);
  announceIn(hook("announce"));
  const api = Api.ofPage();
  const banner = bindBanner(find("[data-banner]"));
  try {
    const [components, flow] = await Promise.all([api.get("/components"), api.get(`/flows/${root.dataset.flowId}`)]);
    build(api, banner, new Catalog(components.body), flow);
  } catch (error) {
    banner.show("bad", "The flow couldn't be opened.", error.message, [banner.button("again", "Load again", () => location.reload())]);
  }
}

function build(api, banner, catalog, { body: flow, etag }) {
  const stage = hook("canvas");
  const mayEdit = root.dataset.editable !== "false";
  const small = matchMedia(SMALL);
  const editor = new Editor({ graph: flow.graph, problems: flow.problems, catalog, readOnly: !mayEdit || small.matches });
  const secrets = new Secrets(api);
  secrets.create = bindNewSecret(find("[data-new-secret]"), api, secrets);
  const view = new GraphView(stage, editor);
  const ground = new Ground(view, editor);
  const connecting = new Connecting(view, editor, { onDropped: (end, client) => quick.forWire(end, client) });
  const connectList = new ConnectList(hook("connect-list"), editor);
  const menu = new Menu(hook("menu"));
  const sides = bindPanels(root);

  const panels = {
    open: () => {
      sides.show("inspector");
      root.classList.add("shows-inspector");
    },
    close: () => {
      root.classList.remove("shows-inspector");
      editor.select({});
    },
  };
  const goTo = (id) => {
    editor.select({ nodes: [id] });
    view.reveal(id, { readable: true });
    view.focusNode(id);
  };
  const rename = (id) => {
    if (!id) return false;
    editor.select({ nodes: [id] });
    panels.open();
    hook("node-label").select();
    return true;
  };
  const place = bindPlacing(editor, view);
  let clip = null;
  const pages = {
    view, ground, stage, connectList, rename,
    clip: () => clip,
    duplicateFlow: async () => {
      if (await autosave.flush()) find("[data-duplicate]")?.submit();
      else announce("The flow isn't saved yet, so it can't be duplicated.");
    },
    runsOne: () => running.allowed,
    runOne: (id, options) => running.startOne(id, options),
    runTo: (id) => running.startTo(id),
    open: (id) => {
      editor.select({ nodes: [id] });
      panels.open();
      inspector.focusField();
    },
  };
  const acts = bindActs(editor, pages);
  const quick = new QuickAdd(hook("quick-add"), editor, { place, goTo, reveal: (id) => view.reveal(id), replace: acts.replace });
  pages.quick = quick;
  const showMenu = (node, at) => {
    if (node && !editor.selection.nodes.has(node)) editor.select({ nodes: [node] });
    const name = node ? editor.document.nodes.get(node).label : editor.selection.empty ? "Canvas" : "Selection";
    menu.show(menuItems(editor, acts, { pages, at, node }), at, name);
    return true;
  };
  const menuAt = (id, element) => {
    const rect = element?.getBoundingClientRect();
    return showMenu(id, rect ? { x: rect.left, y: rect.bottom + 4 } : pointerOr(stage));
  };
  const onCanvas = () => !dialogOpen() && (stage.contains(document.activeElement) || document.activeElement === document.body || Boolean(document.activeElement?.closest?.(".outline")));
  clip = bindClipboard({
    editor, onCanvas,
    environment: api.environment,
    pointer: () => {
      const { x, y } = view.toGraph(pointerOr(stage));
      return [x, y];
    },
    calm: () => banner.hide("notice"),
    notice: (text, title = "Nothing was pasted") => {
      announce(text);
      banner.show("warn", title, text, [banner.button("close", "Close", () => banner.hide("notice"))], "notice");
    },
  });

  catalog.shapes.ask = async (item, config) => (await api.post(`/components/${encodeURIComponent(item.name)}/shape`, { config, version: item.version })).body;
  catalog.shapes.onChange = (name) => editor.reshape(name);
  const upgrading = bindUpgrading({ api, editor, banner });
  const inspector = new Inspector(hook("inspector"), editor, {
    secrets,
    actions: {
      connectFrom: (end, anchor) => connectList.fromOutput(end, anchor),
      connectInto: (end, anchor) => connectList.intoInput(end, anchor),
      connectNode: (id, anchor) => connectList.fromNode(id, anchor),
      select: goTo, back: (id) => (id ? view.focusNode(id) : stage.focus({ preventScroll: true })), close: panels.close, menu: menuAt, runOne: (id, options) => running.startOne(id, options),
      testConnection: root.dataset.runnable === "false" ? null : (node, waiting, watched) => askManager({ api, autosave, flow, node, waiting, watched }),
      quickAdd: (anchor) => quick.add(anchor), acts: () => acts,
    },
  });
  const jump = (problem) => {
    const note = editor.document.notes.get(/^notes\.(.+)$/.exec(problem.field ?? "")?.[1]);
    if (!problem.node && note) {
      editor.select({ notes: [note.id] });
      view.revealBox(noteBox(note));
      return;
    }
    if (!problem.node || !editor.document.nodes.has(problem.node)) return;
    goTo(problem.node);
    panels.open();
    inspector.focusField(problem.field ?? problem.port);
  };
  const openSecrets = () => hook("inspector").querySelector('[data-testid="secret-picker"]')?.click();
  const close = () => banner.button("close", "Close", () => banner.hide("mark"));
  const mark = (problem) => typed.mark(problem).catch((error) => banner.show("bad", "The note isn't marked.", error.message, [close()], "mark"));
  const remedy = bindRemedies({ editor, jump, openSecrets, replace: (id) => quick.replace(id, view.elements.get(id)), store: (problem) => typed.store(problem), mark, upgrade: (id) => upgrading.node(id) });
  const problems = new ProblemsPanel(hook("problems"), find("#problems-list"), editor, { jump, remedy });
  const pointer = bindPointer(view, editor, connecting, {
    ground,
    onOpen: () => root.classList.add("shows-inspector"),
    onDouble: ({ node, note, group, edge }, client) => {
      if (node) rename(node);
      else if (note) ground.editNote(note);
      else if (group) ground.renameGroup(group);
      else if (!edge) quick.add(client);
    },
  });
  bindStage({ stage, editor, problems, showMenu, pointer });

  const palette = bindPalette(find(".palette"), editor, {
    stage,
    place: (component, client) => {
      place(component, client);
      palette.clear();
      root.classList.remove("shows-palette");
    },
  });
  const showPalette = () => {
    sides.show("palette");
    root.classList.add("shows-palette");
    palette.focus();
  };
  drawEmpty(find("[data-empty]"), editor, place);

  const autosave = bindSaving({ api, editor, flow, etag, label: hook("saved"), banner, mayEdit });
  bindRechecking({ api, editor, flow, autosave, secrets });
  const dialog = find("[data-ask]");
  const typed = bindTypedCredential({ api, editor, flow, autosave, secrets, dialog });
  bindActivating({ api, editor, autosave, flow, link: hook("activate"), dialog, banner, jump, drawn: () => drawBadges(find("[data-badges]"), flow) });
  const drawer = new Drawer(find(".run"), editor, { cancel: () => running.cancel(), jump, remedy, pastRuns: (anchor) => replay.choose(anchor) });
  const replay = new Replay({
    api, editor, flow, picker: hook("runs-list"), bar: find("[data-replay]"), chip: hook("changed"),
    show: (run, graph) => running.follow(run, graph),
  });
  const running = new Running({
    api, editor, autosave, drawer, view, flow, button: hook("run"),
    allowed: root.dataset.runnable !== "false",
    onBegan: (graph) => replay.began(graph),
    onRefused: (error) => {
      announce(`The run didn't start. ${error.message}`);
      if (error.problems?.length) problems.toggle(true);
      else banner.show("bad", "The run didn't start.", error.message, [banner.button("close", "Close", () => banner.hide())]);
    },
  });
  bindCheck({ api, editor, autosave, flow, problems, button: hook("check"), banner, allowed: root.dataset.runnable !== "false" });
  bindToolbar(root, { editor, view, flow, keys: () => showTable(find("[data-keys-dialog]")), showPalette, panels });
  bindMinimap(hook("minimap"), view, editor);
  bindKeys({
    editor, view, ground, stage, pointer, acts, quick, menu, connectList, problems, running,
    palette: { focus: showPalette },
    inspector: { open: () => (panels.open(), inspector.focusField()), rename, menu: menuAt, close: panels.close, leave: () => inspector.leave() },
    outline: () => {
      editor.select({});
      panels.open();
      inspector.focusOutline();
    },
    save: () => {
      takeTyped();
      return autosave.flush().then((done) => announce(done ? "Saved." : "Not saved yet."));
    },
    dialog: find("[data-keys-dialog]"),
  });
  small.addEventListener("change", () => {
    editor.readOnly = !mayEdit || small.matches;
    editor.emit("selection");
    editor.emit("mode");
  });
  view.fit();
  secrets.load();
  upgrading.onOpen();
  const asked = new URLSearchParams(location.search);
  if (asked.has("run")) api.get(`/runs/${asked.get("run")}/graph`).then(async ({ body }) => running.follow((await api.get(`/runs/${asked.get("run")}`)).body, body.graph), (error) => announce(error.message));
  const linked = [...editor.document.nodes.keys()].find((id) => location.hash === `#${id}` || location.hash === `#${encodeURIComponent(id)}`);
  if (linked) jump({ node: linked });
  if (asked.has("node")) jump({ node: asked.get("node"), field: asked.get("field") });
  root.dataset.ready = "true";
  requestAnimationFrame(() => requestAnimationFrame(() => performance.mark("tacit-ready")));
}

/** What the stage itself is told: flags, folds, focus, and the menu. */
function bindStage({ stage, editor, problems, showMenu, pointer }) {
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
  stage.addEventListener("contextmenu", (event) => {
    if (event.target.closest(".stage__float, input, textarea")) return;
    event.preventDefault();
    if (!pointer.yields()) return;
    const node = event.target.closest(".node")?.dataset.nodeId ?? null;
    const edge = event.target.closest("[data-edge-id]")?.dataset.edgeId;
    const note = event.target.closest(".note")?.dataset.noteId;
    if (edge) editor.select({ edges: [edge] });
    else if (note) editor.select({ notes: [note] });
    else if (!node) editor.select({});
    showMenu(node, { x: event.clientX, y: event.clientY });
  });
}

open();
