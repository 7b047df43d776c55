// What Run asks for: a dialog with a field for each input that the flow's Manual Triggers declare.
// The server decides what is taken; its problems come back to the fields.
//
// Hooks: dialog[data-testid="run-form"], #in-NAME, button[data-testid="run-form-start"].

import { h, icon, replace } from "./dom.js";

/** The declared inputs of a drawing, each name once, in the order of the nodes. */
export function declaredInputs(nodes) {
  const found = new Map();
  for (const node of nodes) {
    if (node.component !== "trigger.manual" || node.disabled) continue;
    for (const one of node.config?.inputs ?? []) if (one?.name && !found.has(one.name)) found.set(one.name, one);
  }
  return [...found.values()];
}

/** What was typed, as the declared type; undefined for nothing, an Error's message if it can't be. */
export function readValue(input, text) {
  if (input.type === "boolean") return { value: text === true };
  if (text === "") return { value: undefined };
  if (input.type === "number") {
    const number = Number(text);
    return Number.isFinite(number) ? { value: number } : { problem: `${input.label || input.name} has to be a number.` };
  }
  if (input.type !== "json") return { value: text };
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { problem: `${input.label || input.name} has to be JSON.` };
  }
}

const WORDS = { title: "Run with", help: "Inputs are stored with the run and shown on its page. No passwords or keys here." };

/** Ask for a run's inputs. `start(values)` resolves when the run was accepted and throws the
 *  refusal otherwise; the dialog stays open with problems at their fields. Resolves to whether it
 *  was started. */
export function askInputs(root, inputs, start, words = WORDS) {
  const fields = inputs.map(field);
  const trouble = h("div", { role: "alert" });
  const go = h("button", { type: "submit", class: "btn btn--primary", dataset: { testid: "run-form-start" } }, icon("play", "s"), "Run");
  const form = h(
    "form",
    { novalidate: true, class: "run-form" },
    h("div", { class: "dialog__head" }, h("div", { class: "grow" }, h("h2", { id: "run-form-title" }, words.title), h("p", {}, words.help))),
    h("div", { class: "dialog__body stack" }, trouble, fields.map((one) => one.element)),
    h("div", { class: "dialog__foot" }, h("button", { type: "button", class: "btn", on: { click: () => dialog.close() } }, "Cancel"), go),
  );
  const dialog = h("dialog", { class: "dialog dialog--modal", "aria-labelledby": "run-form-title", dataset: { testid: "run-form" } }, form);

  return new Promise((resolve) => {
    let started = false;
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(started);
    });
    // The canvas has keys of its own; none of them is meant for this dialog.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const values = {};
      let wrong = null;
      for (const one of fields) {
        const { value, problem } = readValue(one.input, one.read());
        one.say(problem);
        if (problem) wrong ??= one;
        else if (value !== undefined) values[one.input.name] = value;
      }
      if (wrong) return wrong.focus();
      go.setAttribute("aria-busy", "true");
      try {
        await start(values);
        started = true;
        dialog.close();
      } catch (error) {
        show(error, fields, trouble);
      } finally {
        go.removeAttribute("aria-busy");
      }
    });
    root.append(dialog);
    dialog.showModal();
    fields[0]?.focus();
  });
}

function show(error, fields, trouble) {
  const left = [];
  for (const problem of error.problems ?? []) {
    const one = fields.find((field) => `inputs.${field.input.name}` === problem.field);
    if (one) one.say(problem.message);
    else left.push(problem.message);
  }
  const some = fields.find((one) => one.bad());
  const words = left.length || !some ? [error.message] : [];
  trouble.className = words.length ? "banner banner--bad" : "";
  replace(trouble, words.length ? [icon("octagon-alert"), h("div", {}, words.map((text) => h("p", {}, text)))] : []);
  some?.focus();
}

function field(input) {
  const id = `in-${input.name}`;
  const label = input.label || input.name;
  const error = h("p", { class: "field__error", id: `${id}-error`, hidden: true });
  const control = controlOf(input, id, input.help ? `${id}-error ${id}-help` : `${id}-error`);
  const help = input.help ? h("p", { class: "field__help", id: `${id}-help` }, input.help) : null;
  const name = h("label", { class: input.type === "boolean" ? "" : "field__label", for: id }, label, input.required ? null : h("span", { class: "field__opt" }, "optional"));
  const box = input.type === "boolean" ? h("div", { class: "field" }, h("label", { class: "check", for: id }, control, h("span", {}, label))) : h("div", { class: "field" }, name, wrapped(control));
  box.append(error, ...(help ? [help] : []));
  return {
    input,
    element: box,
    read: () => (input.type === "boolean" ? control.checked : control.value),
    focus: () => control.focus(),
    bad: () => control.getAttribute("aria-invalid") === "true",
    say(text) {
      error.hidden = !text;
      control.setAttribute("aria-invalid", String(Boolean(text)));
      replace(error, text ? [icon("octagon-alert", "s"), h("span", {}, text)] : []);
    },
  };
}

function controlOf(input, id, describedby) {
  const common = { id, "aria-describedby": describedby, "aria-required": String(Boolean(input.required)), autocomplete: "off", spellcheck: "false" };
  const start = input.default ?? "";
  if (input.type === "boolean") return h("input", { ...common, type: "checkbox", checked: input.default === true });
  if (input.type === "choice") {
    const none = h("option", { value: "" }, input.required ? "Choose…" : "None");
    const options = (input.choices ?? []).map((choice) => h("option", { value: choice, selected: choice === start }, choice));
    return h("select", { ...common, class: "select" }, none, options);
  }
  if (input.type === "json") {
    const area = h("textarea", { ...common, class: "textarea input-mono", rows: 4 });
    area.value = input.default === null || input.default === undefined ? "" : JSON.stringify(input.default, null, 2);
    return area;
  }
  const control = h("input", { ...common, class: input.type === "number" ? "input num" : "input", type: "text", inputmode: input.type === "number" ? "decimal" : null });
  control.value = String(start);
  return control;
}

function wrapped(control) {
  return control.tagName === "SELECT" ? h("span", { class: "select-wrap" }, control, icon("chevron-down", "s")) : control;
}
