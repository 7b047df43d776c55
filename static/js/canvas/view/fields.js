// One editor per kind of field. Each returns {element, set(value), focusable}: `element` goes into
// the inspector, `set` shows a value that changed elsewhere (undo), and `commit(value)` is called
// on every change, `seal()` when the field is left, so that typing is one undo step.
//
// Hooks: the inspector wraps each in .field[data-field="NAME"]; the control inside is an input,
// textarea or select with id "f-NAME", or the secret's combobox (secret_field.js).

import { h, icon, replace, setAttribute } from "./dom.js";
import { inputsField } from "./inputs_field.js";
import { secretField, secretVersionField } from "./secret_field.js";

/** The editor of a field. context: {field, id, describedby, commit, seal, secrets, config} */
export function fieldEditor(context) {
  return (EDITORS[context.field.kind] ?? textField)(context);
}

const EDITORS = {
  text: textField,
  multiline: (context) => textField(context, "textarea"),
  number: numberField,
  boolean: booleanField,
  select: selectField,
  json: jsonField,
  run_inputs: inputsField,
  key_value: pairsField,
  secret_name: secretField,
  secret_version: secretVersionField,
};

function common({ id, describedby, field, seal }, properties = {}) {
  return {
    id,
    "aria-describedby": describedby,
    "aria-required": field.required ? "true" : null,
    placeholder: field.placeholder ?? null,
    spellcheck: "false",
    autocomplete: "off",
    ...properties,
    on: { blur: seal, ...properties.on },
  };
}

function textField(context, tag = "input") {
  const empty = (text) => (text === "" && !context.field.default ? undefined : text);
  const input = h(tag, common(context, {
    class: tag === "input" ? "input" : "textarea",
    type: tag === "input" ? "text" : null,
    rows: tag === "input" ? null : 4,
    on: { input: () => context.commit(empty(input.value)) },
  }));
  return { element: input, control: input, set: (value) => keep(input, value ?? "") };
}

function numberField(context) {
  const input = h("input", common(context, {
    class: "input num",
    type: "text",
    inputmode: "decimal",
    on: { input: () => commit() },
  }));
  const commit = () => {
    const text = input.value.trim();
    const value = Number(text);
    const wrong = text !== "" && !Number.isFinite(value);
    setAttribute(input, "aria-invalid", wrong ? "true" : null);
    if (!wrong) context.commit(text === "" ? undefined : value);
  };
  return { element: input, control: input, set: (value) => keep(input, value ?? "") };
}

function booleanField(context) {
  const input = h("input", {
    ...common(context), class: "switch", type: "checkbox", role: "switch", placeholder: null,
  });
  input.addEventListener("change", () => {
    context.commit(input.checked);
    context.seal();
  });
  return { element: input, control: input, set: (value) => (input.checked = Boolean(value)), inline: true };
}

function selectField(context) {
  const { choices = [], label } = context.field;
  return choices.length <= 3 && choices.every((choice) => choice.label.length < 12)
    ? segments(context, choices, label)
    : dropDown(context, choices);
}

function segments({ id, commit, seal }, choices, label) {
  const inputs = choices.map((choice) => {
    const input = h("input", { type: "radio", name: id, value: String(choice.value) });
    input.addEventListener("change", () => {
      commit(choice.value);
      seal();
    });
    return input;
  });
  const element = h(
    "div",
    { class: "seg seg--full", role: "radiogroup", "aria-label": label, id },
    choices.map((choice, index) => h("label", {}, inputs[index], choice.label)),
  );
  const set = (value) => inputs.forEach((input, index) => (input.checked = choices[index].value === value));
  return { element, control: inputs[0], set };
}

function dropDown(context, choices) {
  const select = h(
    "select",
    { ...common(context), class: "select", placeholder: null },
    choices.map((choice, index) => h("option", { value: String(index) }, choice.label)),
  );
  select.addEventListener("change", () => {
    context.commit(choices[Number(select.value)].value);
    context.seal();
  });
  const set = (value) => (select.value = String(choices.findIndex((choice) => choice.value === value)));
  return { element: wrapSelect(select), control: select, set };
}

/** A select with its chevron. */
export function wrapSelect(select) {
  return h("span", { class: "select-wrap" }, select, icon("chevron-down", "s"));
}

function jsonField(context) {
  const note = h("p", { class: "field__error", hidden: true });
  const area = h("textarea", common(context, {
    class: "textarea input-mono", rows: 5, on: { input: () => commit() },
  }));
  const commit = () => {
    const text = area.value.trim();
    try {
      const value = text === "" ? undefined : JSON.parse(text);
      note.hidden = true;
      area.removeAttribute("aria-invalid");
      context.commit(value);
    } catch (error) {
      note.hidden = false;
      area.setAttribute("aria-invalid", "true");
      replace(note, icon("octagon-alert", "s"), `Not JSON yet, so it isn't saved: ${error.message}.`);
    }
  };
  const set = (value) => {
    if (note.hidden) keep(area, value === null || value === undefined ? "" : JSON.stringify(value, null, 2));
  };
  return { element: h("div", {}, area, note), control: area, set };
}

/** Names and values in rows; the value is an object, so a name that comes twice keeps the last. */
function pairsField(context) {
  const rows = h("div", { class: "pairs__rows" });
  const read = () => {
    const pairs = [...rows.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value));
    const named = pairs.filter(([name]) => name.trim() !== "");
    context.commit(named.length ? Object.fromEntries(named.map(([name, value]) => [name.trim(), value])) : undefined);
  };
  const row = (name, value) => {
    const cell = (content, label) =>
      h("input", {
        class: "input input-mono", type: "text", value: content, "aria-label": label, placeholder: label,
        spellcheck: "false", autocomplete: "off", on: { input: read, blur: context.seal },
      });
    const remove = () => {
      line.remove();
      read();
      context.seal();
    };
    const line = h(
      "div",
      { class: "pairs__row" },
      cell(name, "Name"),
      cell(value, "Value"),
      h("button", { type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": `Remove ${name || "row"}`, on: { click: remove } }, icon("x", "s")),
    );
    return line;
  };
  const add = h("button", { type: "button", class: "btn btn--s", id: context.id }, icon("plus", "s"), "Add");
  add.addEventListener("click", () => {
    rows.append(row("", ""));
    rows.lastElementChild.querySelector("input").focus();
  });
  const set = (value) => {
    if (rows.contains(document.activeElement)) return;
    const text = (item) => (typeof item === "string" ? item : JSON.stringify(item));
    replace(rows, Object.entries(value ?? {}).map(([name, item]) => row(name, text(item))));
  };
  return { element: h("div", { class: "pairs" }, rows, add), control: add, set };
}

/** Write a value into a control unless somebody is typing in it. */
function keep(control, value) {
  const text = String(value);
  if (document.activeElement !== control && control.value !== text) control.value = text;
}
