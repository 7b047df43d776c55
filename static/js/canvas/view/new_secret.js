// "Create secret" without leaving the canvas. The value goes to the server once, as the page of
// secrets sends it; it is emptied after sending and on closing, and no state of the canvas holds it.
//
// Hooks: dialog[data-new-secret], #new-secret-name, #new-secret-value, button[data-act="save-secret"].

import { announce } from "./announce.js";
import { field } from "./ask.js";
import { h, icon, replace } from "./dom.js";

const SCOPES = "Letters, digits, dot, dash, underscore and slash. Flows refer to it by this name.";

export function bindNewSecret(dialog, api, secrets) {
  /** Ask for a new secret; resolves to its name, or null. */
  return (suggested = "") => new Promise((resolve) => {
    let made = null;
    const name = h("input", { class: "input input-mono", id: "new-secret-name", value: suggested, maxlength: 128, autocomplete: "off", spellcheck: "false", "aria-describedby": "new-secret-name-help" });
    const about = h("input", { class: "input", id: "new-secret-about", maxlength: 500, autocomplete: "off" });
    const value = h("textarea", {
      class: "textarea textarea--bare", id: "new-secret-value", rows: 3, autocomplete: "off", autocorrect: "off", autocapitalize: "off",
      spellcheck: "false", "aria-describedby": "new-secret-value-help", dataset: { valueField: "", "1pIgnore": "", lpignore: "true", bwignore: "" },
    });
    const weak = h("input", { type: "checkbox" });
    const weakly = h("label", { class: "check", hidden: true }, weak, h("span", {}, "Save it all the same. So short or uniform a value is masked only where it stands as a whole word."));
    const wrong = h("p", { class: "field__error", role: "alert", hidden: true });
    const send = h("button", { type: "submit", class: "btn btn--primary", dataset: { act: "save-secret" } }, "Save secret");
    const submit = async (event) => {
      event.preventDefault();
      if (send.disabled) return;
      send.disabled = true;
      try {
        const body = { name: name.value.trim(), value: value.value, description: about.value.trim(), allow_weak: weak.checked };
        const answer = await api.post("/secrets", body);
        made = answer.body.name;
        await secrets.load({ force: true });
        announce(`Created secret ${made}.`);
        dialog.close();
      } catch (error) {
        weakly.hidden = error.code !== "secret_too_weak" && weakly.hidden;
        wrong.hidden = false;
        replace(wrong, icon("octagon-alert", "s"), error.problems[0]?.message ?? error.message);
        send.disabled = false;
      }
    };
    const form = h(
      "form",
      { autocomplete: "off", on: { submit } },
      h("div", { class: "dialog__head" }, h("h2", {}, "Create a secret"), h("p", {}, "It is sealed on the server; this flow will know its name only.")),
      h(
        "div",
        { class: "dialog__body" },
        field("new-secret-name", "Name", name, SCOPES),
        field("new-secret-about", "Description", about),
        h(
          "div",
          { class: "field" },
          h("div", { class: "field__label" }, h("label", { for: "new-secret-value" }, "Value")),
          h("div", { class: "sealed sealed--input", dataset: { valueBox: "" } }, h("div", { class: "sealed__band" }), value),
          h("p", { class: "field__help", id: "new-secret-value-help" }, "Write-only. Once saved, no page shows it again."),
          weakly, wrong,
        ),
      ),
      h("div", { class: "dialog__foot" }, h("button", { type: "button", class: "btn", on: { click: () => dialog.close() } }, "Cancel"), send),
    );
    dialog.setAttribute("aria-label", "Create a secret");
    replace(dialog, form);
    dialog.addEventListener("close", () => {
      value.value = "";
      replace(dialog);
      resolve(made);
    }, { once: true });
    dialog.showModal();
    (suggested ? value : name).focus();
  });
}
