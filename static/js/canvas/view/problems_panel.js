// The problems button and its list; choosing one pans to the node, selects it, focuses the field.
//
// Hooks: button[data-testid="problems"], #problems-list, button[data-problem="CODE"][data-node].

import { announce } from "./announce.js";
import { h, icon, replace } from "./dom.js";

export class ProblemsPanel {
  constructor(button, panel, editor, { jump, remedy }) {
    Object.assign(this, { button, panel, editor, jump, remedy });
    editor.on("problems", () => this.draw());
    button.addEventListener("click", () => this.toggle());
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault();
      this.toggle(false);
    });
    document.addEventListener("pointerdown", (event) => {
      if (!panel.hidden && !panel.contains(event.target) && !button.contains(event.target)) this.toggle(false);
    });
    this.next = 0;
    this.draw();
  }

  toggle(open = this.panel.hidden) {
    const within = this.panel.contains(document.activeElement);
    this.panel.hidden = !open;
    this.#drawList();
    this.button.setAttribute("aria-expanded", String(open));
    if (open) this.panel.querySelector("button")?.focus();
    else if (within) this.button.focus();
  }

  /** Open the list at a node's problems. */
  openAt(nodeId) {
    this.toggle(true);
    this.panel.querySelector(`[data-node="${CSS.escape(nodeId)}"]`)?.focus();
  }

  /** Jump to the next problem (the `P` key). */
  step() {
    const { items } = this.editor.problems;
    if (!items.length) return announce("No problems.");
    const problem = items[this.next % items.length];
    this.next += 1;
    this.jump(problem);
    announce(problem.message);
  }

  draw() {
    const { problems } = this.editor;
    const count = (number, severity) =>
      h("span", { class: severity === "error" ? "c-bad" : "c-warn" }, icon(severity === "error" ? "octagon-alert" : "triangle-alert", "s"), String(number));
    replace(
      this.button,
      problems.errors ? count(problems.errors, "error") : null,
      problems.warnings ? count(problems.warnings, "warning") : null,
      problems.items.length ? null : h("span", { class: "c-ok" }, icon("circle-check", "s"), h("span", { class: "hide-n" }, "No problems")),
    );
    this.button.setAttribute("aria-label", `Problems: ${problems.words}`);
    this.#drawList();
  }

  /** The list is drawn while it is open: a large draft has hundreds of rows. */
  #drawList() {
    if (this.panel.hidden) this.panel.replaceChildren();
    else replace(this.panel, h("h2", {}, "Problems"), this.#list());
  }

  #list() {
    const { items } = this.editor.problems;
    if (!items.length) return h("p", { class: "field__help" }, "Nothing stands in the way of a run.");
    return h("ul", {}, items.map((problem) => this.#row(problem)));
  }

  #row(problem) {
    const bad = problem.severity === "error";
    const label = this.editor.document.nodes.get(problem.node)?.label;
    const go = () => {
      this.toggle(false);
      this.jump(problem);
    };
    return h(
      "li",
      { class: "problem" },
      h(
        "button",
        { type: "button", class: "problem__go", dataset: { problem: problem.code, node: problem.node ?? "" }, on: { click: go } },
        h("span", { class: bad ? "c-bad" : "c-warn" }, icon(bad ? "octagon-alert" : "triangle-alert", "s")),
        h("span", {}, label ? h("b", {}, label, problem.field || problem.port ? `.${problem.field ?? problem.port}` : "", " ") : null, problem.message, " ", h("code", { class: "muted" }, problem.code)),
      ),
      problem.remedy
        ? h("button", { type: "button", class: "btn btn--s", dataset: { remedy: problem.remedy.action }, on: { click: () => (this.toggle(false), this.remedy(problem)) } }, problem.remedy.label)
        : null,
    );
  }
}
