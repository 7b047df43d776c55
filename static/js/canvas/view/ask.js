// A small modal form: title, fields, one button that sends. What goes wrong stands in the dialog.

import { h, icon, replace } from "./dom.js";

/** Show it. `send()` resolves to close, throws an error to be shown; `wrong(error)` draws it. */
export function ask(dialog, { title, about, fields, label, act, send, others = [], wrong = (error) => error.problems?.[0]?.message ?? error.message }) {
  const problem = h("div", { class: "field__error", role: "alert", hidden: true });
  const buttons = [];
  const doing = (action) => async (event) => {
    event.preventDefault();
    if (buttons.some((one) => one.disabled)) return;
    for (const one of buttons) one.disabled = true;
    try {
      await action();
      dialog.close();
    } catch (error) {
      problem.hidden = false;
      replace(problem, icon("octagon-alert", "s"), wrong(error));
    } finally {
      for (const one of buttons) one.disabled = false;
    }
  };
  buttons.push(h("button", { type: "submit", class: "btn btn--primary", dataset: { act } }, label));
  for (const other of others) {
    buttons.unshift(h("button", { type: "button", class: "btn", dataset: { act: other.act }, on: { click: doing(other.send) } }, other.label));
  }
  dialog.setAttribute("aria-label", title);
  replace(dialog, h(
    "form",
    { autocomplete: "off", on: { submit: doing(send) } },
    h("div", { class: "dialog__head" }, h("h2", {}, title), h("p", {}, about)),
    h("div", { class: "dialog__body" }, fields, problem),
    h("div", { class: "dialog__foot" }, h("button", { type: "button", class: "btn", on: { click: () => dialog.close() } }, "Cancel"), buttons),
  ));
  dialog.addEventListener("close", () => replace(dialog), { once: true });
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("input, textarea, select")?.focus();
}

/** A labelled control of such a form. */
export function field(id, label, control, help = "") {
  return h(
    "div",
    { class: "field" },
    h("div", { class: "field__label" }, h("label", { for: id }, label)),
    control,
    help ? h("p", { class: "field__help", id: `${id}-help` }, help) : null,
  );
}
