// Run: save first, start, follow the events, cancel. Draws nothing itself but the clock of a run.

import { ancestors } from "../state/document.js";
import { RunState } from "../state/run.js";
import { announce } from "./announce.js";
import { followRun } from "./run_feed.js";
import { askInputs, declaredInputs } from "./run_form.js";
import { runOne } from "./run_one.js";

const TICK = 120;
const NOT_ALLOWED = "Your role here doesn't let you start runs.";

export class Running {
  constructor({ api, editor, autosave, drawer, view, flow, button, allowed = true, onRefused, onBegan = () => {} }) {
    Object.assign(this, { api, editor, autosave, drawer, view, flow, button, allowed, onRefused, onBegan });
    this.feed = null;
    this.starting = false;
    button.addEventListener("click", () => this.start());
    if (!allowed) {
      button.setAttribute("aria-disabled", "true");
      button.title = NOT_ALLOWED;
    }
  }

  /** Save, then run the draft as it is drawn. */
  start() {
    return this.#saved(async () => {
      const inputs = declaredInputs(this.editor.document.nodes.values());
      if (inputs.length) return askInputs(document.body, inputs, (values) => this.#post(values));
      return this.#post(undefined);
    });
  }

  /** Save, then run the draft up to a node: it, and everything before it. */
  startTo(id) {
    return this.#saved(async () => {
      const { document: drawn } = this.editor;
      const part = ancestors(drawn, id).add(id);
      const post = (values) => this.#post(values, { to: id });
      const inputs = declaredInputs([...drawn.nodes.values()].filter((node) => part.has(node.id)));
      return inputs.length ? askInputs(document.body, inputs, post) : post(undefined);
    });
  }

  /** Save, then run one node of the draft; `ask` for its inputs, or take those of the last run. */
  startOne(id, { ask = false } = {}) {
    return this.#saved(() => runOne({ editor: this.editor, id, ask, post: (values) => this.#post(values, { node: id }) }));
  }

  async #saved(go) {
    if (!this.allowed) return announce(NOT_ALLOWED);
    if (this.starting) return;
    this.#setStarting(true);
    try {
      if (!(await this.autosave.flush())) {
        return announce("The flow isn't saved yet, so it can't run.");
      }
      await go();
    } catch (error) {
      if (error.code === "flow_has_problems") this.editor.setProblems(error.problems);
      this.onRefused(error);
    } finally {
      this.#setStarting(false);
    }
  }

  async #post(inputs, more = {}) {
    const graph = this.editor.serialize();
    const { body } = await this.api.post(`/flows/${this.flow.id}/runs`, { version: "draft", ...more, ...(inputs ? { inputs } : {}) });
    this.follow(body, graph);
  }

  #setStarting(on) {
    this.starting = on;
    this.button.setAttribute("aria-busy", String(on));
    this.button.setAttribute("aria-disabled", String(on));
  }

  /** Show a run from its start; `graph` is what it runs. */
  follow(run, graph) {
    this.feed?.close();
    clearInterval(this.clock);
    const labels = new Map([...this.editor.document.nodes.values()].map((node) => [node.id, node.label]));
    const state = new RunState(run.id, labels);
    state.merge(run);
    this.editor.run = state;
    this.drawer.begin();
    this.editor.setRun(state);
    this.onBegan(graph);
    this.feed = followRun({
      api: this.api,
      runId: run.id,
      onEvents: (events) => {
        for (const event of events) state.reduce(event);
        this.#drawSoon(state);
      },
      onRun: (next) => {
        state.merge(next);
        this.#drawSoon(state);
      },
      onTrouble: (error) => this.drawer.setTrouble(error),
    });
    this.clock = setInterval(() => this.#tick(state), TICK);
  }

  /** Events come faster than they can be seen: what they did is drawn once a frame. */
  #drawSoon(state) {
    if (this.drawing) return;
    this.drawing = true;
    const draw = () => {
      this.drawing = false;
      if (this.editor.run === state) this.editor.setRun(state);
    };
    if (document.hidden) setTimeout(draw, TICK);
    else requestAnimationFrame(draw);
  }

  #tick(state) {
    this.drawer.drawTime();
    for (const node of state.nodes.values()) if (node.state === "running") this.view.drawOne(node.id);
    if (state.final) clearInterval(this.clock);
  }

  /** Ask the run to stop; it does so between nodes. */
  async cancel() {
    const { run } = this.editor;
    if (!run || run.final) return;
    run.cancelling = true;
    this.editor.setRun(run);
    announce("Cancelling. It takes effect between nodes.");
    try {
      const { body } = await this.api.post(`/runs/${run.id}/cancel`);
      if (body?.state) run.merge(body);
    } catch (error) {
      run.cancelling = false;
      announce(error.message);
    }
    this.editor.setRun(run);
  }
}
