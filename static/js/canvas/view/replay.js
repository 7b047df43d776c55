// Past runs on the canvas: choosing one, moving through its time, and what changed since.
//
// Hooks: button[data-testid="past-runs"], [role="option"][data-run-id], input[data-testid="moment"],
// button[data-testid="play"], [data-testid="changed"].

import { changedSince, changedWords } from "../state/changed.js";
import { durationText } from "../state/log.js";
import { announce } from "./announce.js";
import { h, icon, replace } from "./dom.js";
import { Picker } from "./picker.js";
import { runName, runStatus } from "./run_words.js";

const SHORTEST = 1500;
const LONGEST = 8000;

export class Replay {
  /** `bar` holds the slider, `chip` what changed; show(run, graph) puts a run onto the canvas. */
  constructor({ api, editor, flow, picker, bar, chip, show }) {
    Object.assign(this, { api, editor, flow, bar, chip, show });
    this.picker = new Picker(picker, "runs");
    this.graph = null;
    this.slider = h("input", { type: "range", min: 0, max: 1000, value: 1000, step: 1, "aria-label": "Moment of the run", dataset: { testid: "moment" }, on: { input: () => this.#moveTo(this.slider.value / 1000) } });
    this.play = h("button", { type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-label": "Replay", title: "Replay the run", dataset: { testid: "play" }, on: { click: () => this.#play() } }, icon("play", "s"));
    this.clock = h("span", { class: "num muted" });
    replace(bar, this.play, this.slider, this.clock);
    editor.on("run", () => this.#drawBar());
    editor.on("document", () => this.#changedSoon());
    this.#drawBar();
  }

  /** A run is on the canvas, and this is the graph it runs. */
  began(graph) {
    this.graph = graph;
    this.stop();
    this.slider.value = 1000;
    this.#changedSoon();
  }

  /** Let one of the flow's last runs be chosen. */
  async choose(anchor) {
    try {
      const { body } = await this.api.get(`/runs?flow_id=${this.flow.id}&limit=50`);
      this.picker.show({
        title: "Runs of this flow", at: anchor, testid: "runs-search", placeholder: "State, trigger or id", none: "This flow has not run yet.",
        rows: (query) => body.items.filter((run) => textOf(run).includes(query.toLowerCase())).map((run) => ({ run, dataset: { runId: run.id }, content: row(run) })),
        choose: ({ run }) => {
          this.picker.close(false);
          this.#open(run);
        },
      });
    } catch (error) {
      announce(error.message);
    }
  }

  async #open(run) {
    try {
      const [whole, graph] = await Promise.all([this.api.get(`/runs/${run.id}`), this.api.get(`/runs/${run.id}/graph`)]);
      this.show(whole.body, graph.body.graph);
      announce(`Showing ${runName(run.id)}.`);
    } catch (error) {
      announce(error.message);
    }
  }

  #drawBar() {
    const { run } = this.editor;
    this.bar.hidden = !run?.final || !run.startedAt;
    if (!this.bar.hidden) this.clock.textContent = durationText((run.moment ?? run.finishedAt ?? run.startedAt) - run.startedAt);
  }

  #moveTo(part) {
    const { run } = this.editor;
    if (!run?.final) return;
    run.moment = part >= 1 ? null : run.startedAt + part * ((run.finishedAt ?? run.startedAt) - run.startedAt);
    this.editor.setRun(run);
    this.slider.setAttribute("aria-valuetext", this.clock.textContent);
  }

  #play() {
    if (this.frame) return this.stop();
    const { run } = this.editor;
    const length = Math.min(LONGEST, Math.max(SHORTEST, run.finishedAt - run.startedAt));
    const began = performance.now();
    replace(this.play, icon("pause", "s"));
    const step = (now) => {
      const part = Math.min(1, (now - began) / length);
      this.slider.value = Math.round(part * 1000);
      this.#moveTo(part);
      if (part >= 1) return this.stop();
      this.frame = requestAnimationFrame(step);
      return undefined;
    };
    this.frame = requestAnimationFrame(step);
    return undefined;
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    replace(this.play, icon("play", "s"));
  }

  #changedSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const words = this.graph && this.editor.run ? changedWords(changedSince(this.graph, this.editor.document)) : "";
      this.chip.hidden = !words;
      this.chip.textContent = words;
    }, 200);
  }
}

function textOf(run) {
  return `${run.state} ${run.id} ${JSON.stringify(run.trigger ?? "")}`.toLowerCase();
}

function row(run) {
  const at = new Date(run.created_at);
  const took = run.started_at && run.finished_at ? durationText(Date.parse(run.finished_at) - Date.parse(run.started_at)) : "";
  return [
    runStatus(run.state), h("span", { class: "trunc" }, runName(run.id)), h("span", { class: "muted" }, took),
    h("small", { class: "trunc" }, `${at.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" })}${run.flow_version ? `, v${run.flow_version}` : ""}`),
  ];
}
