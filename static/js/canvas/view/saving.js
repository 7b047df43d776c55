// Autosave on the page: what the bar says, the conflict with its choice, what the server refused,
// and the draft that outlives a session.
//
// Hooks: [data-testid="saved"][data-state], [data-banner] with
// button[data-choice="view|copy|reload|keep|undo"].

import { Autosave } from "../state/autosave.js";
import { announce } from "./announce.js";
import { clockText, h } from "./dom.js";

const RETRY = 3000;

/** `mayEdit`: whether the person may, on a page that is wide enough. */
export function bindSaving({ api, editor, flow, etag, label, banner, mayEdit }) {
  let said = `Saved ${clockText(new Date(flow.updated_at ?? Date.now()))}`;
  const autosave = new Autosave({
    etag,
    save: async (ifMatch) => {
      const mark = editor.history.mark();
      const answer = await api.put(`/flows/${flow.id}`, { graph: editor.serialize() }, { ifMatch });
      editor.history.markSaved(mark);
      return { etag: answer.etag ?? `"${answer.body.revision}"`, body: answer.body };
    },
    onState(state, { error, answer }) {
      label.dataset.state = state;
      label.classList.toggle("c-warn", state === "retrying" || state === "stale" || state === "refused");
      said = WORDS[state](error) ?? said;
      say();
      if (answer) editor.setProblems(answer.body.problems ?? []);
      if (state === "refused") refused(error);
      else if (state === "stale") stale(error);
      else if (state === "retrying" && error.status === 401) loggedOut();
      else if (state === "retrying" && error.status === 0) banner.show("warn", "The server can't be reached.", "Your changes are kept on this page and saved as soon as it answers. Don't close the page.", [], "saving");
      else if (state === "saved" || (state === "waiting" && !error)) banner.hide("saving");
    },
  });
  editor.history.markSaved();

  editor.on("document", ({ changed }) => {
    if (!changed) return;
    if (!editor.history.atSaved || !autosave.settle()) autosave.touch();
  });
  window.addEventListener("beforeunload", (event) => {
    takeTyped();
    if (autosave.dirty || autosave.state === "saving") event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (autosave.dirty && (document.hidden || autosave.state === "retrying")) autosave.flush();
  });
  window.addEventListener("online", () => autosave.state === "retrying" && autosave.flush());
  label.dataset.state = "saved";
  say();
  editor.on("mode", say);

  function say() {
    const looks = editor.readOnly && !label.classList.contains("c-warn");
    label.textContent = looks ? viewOnlyWords(mayEdit) : said;
    label.classList.toggle("is-view", looks);
  }

  function refused(error) {
    editor.setProblems(error.problems.length ? error.problems : editor.problems.items);
    const first = error.problems[0]?.message ?? error.message;
    banner.show("bad", "The server refused this change, so it isn't saved.", `${first} Undo it or change it.`, [
      banner.button("undo", "Undo", () => announce(`Undone: ${editor.undo() ?? "nothing"}`)),
    ], "saving");
  }

  function stale(error) {
    banner.show("warn", "This flow was changed elsewhere.", `${error.message} Your changes since then are only on this page.`, [
      h("a", { class: "btn btn--s", href: `/flows/${flow.id}`, target: "_blank", rel: "noopener", dataset: { choice: "view" } }, "View it"),
      banner.button("copy", "Keep mine as a copy", copy),
      banner.button("reload", "Take the other version", reload),
      banner.button("keep", "Save mine over it", keep),
    ], "saving");
  }

  async function read() {
    const answer = await api.get(`/flows/${flow.id}`);
    return { body: answer.body, etag: answer.etag ?? `"${answer.body.revision}"` };
  }

  async function reload() {
    const found = await read();
    editor.load(found.body.graph, found.body.problems ?? []);
    editor.history.markSaved();
    autosave.resume(found.etag);
    announce("Took the other version.");
  }

  async function keep() {
    autosave.resume((await read()).etag, { dirty: true });
    announce("Your version is saved over the other one.");
  }

  /** Mine becomes a flow of its own; here the other version is taken. */
  async function copy() {
    try {
      const { body } = await api.post("/flows", { name: copyName(flow.name), graph: editor.serialize() });
      await reload();
      banner.show("info", "Your version is kept as a copy.", body.name, [
        h("a", { class: "btn btn--s", href: `/flows/${body.id}`, dataset: { choice: "open-copy" } }, "Open the copy"),
        banner.button("close", "Close", () => banner.hide("copy")),
      ], "copy");
    } catch (error) {
      announce(`The copy couldn't be made. ${error.message}`);
    }
  }

  /** Log in in another tab; this page asks again until the session is there. */
  function loggedOut() {
    banner.show("warn", "Your session has ended.", "Your changes are kept on this page. Log in in another tab; saving goes on by itself.", [
      h("a", { class: "btn btn--s btn--primary", href: "/login", target: "_blank", rel: "noopener", dataset: { choice: "login" } }, "Log in"),
    ], "saving");
    const timer = setInterval(async () => {
      if (autosave.state !== "retrying") return clearInterval(timer);
      if (await api.refresh()) {
        clearInterval(timer);
        autosave.flush();
      }
      return undefined;
    }, RETRY);
  }

  return autosave;
}

/** A name that is being typed is taken when its field is left, or when the flow is to be saved. */
export function takeTyped() {
  const field = document.activeElement;
  if (field?.matches(".insp__label")) field.dispatchEvent(new Event("change"));
}

function viewOnlyWords(mayEdit) {
  return mayEdit ? "View only at this width" : "View only";
}

function copyName(name) {
  return `${name.slice(0, 180)} (copy ${clockText(new Date())})`;
}

const WORDS = {
  saved: () => `Saved ${clockText(new Date())}`,
  waiting: () => null,
  saving: () => "Saving…",
  retrying: () => "Not saved, retrying",
  stale: () => "Not saved: changed elsewhere",
  refused: () => "Not saved: refused",
};
