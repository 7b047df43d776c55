// Autosave on the page: what the bar says, the conflict with its choice, what the server refused.
//
// Hooks: [data-testid="saved"][data-state], [data-banner] with button[data-choice="reload|keep"].

import { Autosave } from "../state/autosave.js";
import { announce } from "./announce.js";
import { clockText, h, icon, replace } from "./dom.js";

export function bindSaving({ api, editor, flow, etag, label, banner }) {
  const autosave = new Autosave({
    etag,
    save: async (ifMatch) => {
      const answer = await api.put(`/flows/${flow.id}`, { graph: editor.serialize() }, { ifMatch });
      return { etag: answer.etag ?? `"${answer.body.revision}"`, body: answer.body };
    },
    onState(state, { error, answer }) {
      label.dataset.state = state;
      label.classList.toggle("c-warn", state === "retrying" || state === "stale" || state === "refused");
      label.textContent = WORDS[state](error) ?? label.textContent;
      if (answer) editor.setProblems(answer.body.problems ?? []);
      if (state === "refused") refused(error);
      else if (state === "stale") stale(error);
      else if (state === "retrying" && error.status === 401) loggedOut();
      else if (state === "saved" || (state === "waiting" && !error)) hide();
    },
  });

  editor.on("document", ({ changed }) => changed && autosave.touch());
  window.addEventListener("beforeunload", (event) => {
    if (autosave.dirty || autosave.state === "saving") event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => document.hidden && autosave.dirty && autosave.flush());
  window.addEventListener("online", () => autosave.state === "retrying" && autosave.flush());
  label.dataset.state = "saved";
  label.textContent = editor.readOnly ? "View only" : `Saved ${clockText(new Date(flow.updated_at ?? Date.now()))}`;

  function hide() {
    banner.hidden = true;
  }

  function show(tone, title, text, buttons = []) {
    banner.className = `ed-banner banner banner--${tone}`;
    replace(banner, icon(tone === "bad" ? "octagon-alert" : "triangle-alert"), h("div", { class: "grow" }, h("strong", {}, title), h("p", {}, text)), buttons);
    banner.hidden = false;
  }

  function refused(error) {
    editor.setProblems(error.problems.length ? error.problems : editor.problems.items);
    const first = error.problems[0]?.message ?? error.message;
    show("bad", "The server refused this change, so it isn't saved.", `${first} Undo it or change it.`, [
      h("button", { type: "button", class: "btn btn--s", dataset: { choice: "undo" }, on: { click: () => announce(`Undone: ${editor.undo() ?? "nothing"}`) } }, "Undo"),
    ]);
  }

  function stale(error) {
    const choose = (name, text, act) =>
      h("button", { type: "button", class: "btn btn--s", dataset: { choice: name }, on: { click: act } }, text);
    show("warn", "This flow was changed elsewhere.", `${error.message} Your changes since then are only on this page.`, [
      choose("reload", "Load the other version", reload),
      choose("keep", "Keep mine", keep),
    ]);
  }

  async function reload() {
    const answer = await api.get(`/flows/${flow.id}`);
    editor.load(answer.body.graph, answer.body.problems ?? []);
    autosave.resume(answer.etag ?? `"${answer.body.revision}"`);
    announce("Loaded the other version.");
  }

  async function keep() {
    const answer = await api.get(`/flows/${flow.id}`);
    autosave.resume(answer.etag ?? `"${answer.body.revision}"`, { dirty: true });
    announce("Your version is saved over the other one.");
  }

  function loggedOut() {
    show("warn", "Your session has ended.", "Your changes are kept on this page. Log in in another tab; saving goes on by itself.", [
      h("a", { class: "btn btn--s", href: "/login", target: "_blank", rel: "noopener" }, "Log in"),
    ]);
  }

  return autosave;
}

const WORDS = {
  saved: () => `Saved ${clockText(new Date())}`,
  waiting: () => null,
  saving: () => "Saving…",
  retrying: () => "Not saved, retrying",
  stale: () => "Not saved: changed elsewhere",
  refused: () => "Not saved: refused",
};
