// The run drawer: state, log, timeline, cancel, and what stopped a run with the way out.
//
// Hooks: section[data-testid="run-drawer"][data-run][data-state], button[data-testid="cancel-run"],
// a[data-testid="open-run"], .run__problem[data-code][data-node], button[data-remedy="ACTION"].

import { durationText, segments } from "../state/log.js";
import { announce } from "./announce.js";
import { h, icon, replace } from "./dom.js";
import { KEEP, LogView, drawSegments } from "./log_view.js";
import { RUN_STATES, runName, runStatus } from "./run_words.js";
import { drawTimeline } from "./timeline_view.js";

/** Lines of the log that are drawn in one frame. */
const A_FRAME = 100;

export class Drawer {
  /** actions: {cancel(), jump(problem), remedy(problem), pastRuns(anchor)} */
  constructor(root, editor, actions) {
    Object.assign(this, { root, editor, actions });
    this.head = root.querySelector("[data-run-head]");
    this.problems = root.querySelector("[data-run-problems]");
    this.bars = root.querySelector("[data-run-timeline]");
    this.log = new LogView(root.querySelector("[data-run-log]"));
    this.shown = 0;
    this.said = null;
    this.folded = false;
    this.trouble = null;
    editor.on("run", () => this.draw());
    bindGrip(root.querySelector(".run__grip"), root);
    this.draw();
  }

  /** Start showing a new run: empty log, drawer open. */
  begin() {
    this.log.clear();
    this.shown = 0;
    this.said = null;
    this.folded = matchMedia("(max-width: 1080px)").matches;
    this.trouble = null;
    this.draw();
  }

  /** The link to the server is lost (error) or back (null). */
  setTrouble(error) {
    this.trouble = error;
    this.draw();
  }

  draw() {
    const { run } = this.editor;
    this.root.classList.toggle("is-folded", this.folded || !run);
    this.root.dataset.run = run?.id ?? "";
    this.root.dataset.state = run?.state ?? "none";
    this.#drawHead(run);
    if (!run) return;
    this.#drawLines(run);
    this.#drawProblems(run);
    this.drawTime();
    this.#say(run);
  }

  /** So many lines a frame as leave time for all else; of very many only the last. */
  #drawLines(run) {
    if (this.editor.run !== run) return;
    this.shown = Math.max(this.shown, run.lines.length - KEEP);
    const lines = run.lines.slice(this.shown, this.shown + A_FRAME);
    this.log.append(lines);
    this.shown += lines.length;
    if (this.lining || this.shown >= run.lines.length) return;
    this.lining = requestAnimationFrame(() => {
      this.lining = null;
      this.#drawLines(run);
    });
  }

  /** What moves with the clock: the timeline and the elapsed time. */
  drawTime() {
    const { run, document } = this.editor;
    if (!run || this.root.classList.contains("is-folded")) return;
    const label = (id) => document.nodes.get(id)?.label ?? id;
    drawTimeline(this.bars, run, this.editor.order(), label);
    const time = this.head.querySelector("[data-elapsed]");
    if (time) time.textContent = elapsedText(run);
  }

  #drawHead(run) {
    const signature = [run?.id, run?.state, run?.version, this.folded, this.trouble?.message, run?.cancelling].join("|");
    if (this.head.signature === signature) return;
    this.head.signature = signature;
    if (!run) {
      replace(this.head, h("span", { class: "status muted" }, icon("circle-dashed"), "No run yet"), h("span", { class: "muted grow" }, "Run saves the flow and starts it."), this.#pastButton());
      return;
    }
    replace(
      this.head,
      runStatus(run.state),
      h("h2", {}, h("a", { href: `/runs/${run.id}`, dataset: { testid: "open-run" } }, runName(run.id))),
      h("span", { class: "muted nowrap", dataset: { elapsed: "" } }, elapsedText(run)),
      this.trouble ? h("span", { class: "c-warn trunc", role: "alert" }, `${this.trouble.message} Trying again.`) : null,
      h("span", { class: "grow" }),
      this.#pastButton(),
      run.final ? null : this.#cancelButton(run),
      this.#foldButton(),
    );
  }

  #pastButton() {
    return h(
      "button",
      {
        type: "button", class: "btn btn--ghost btn--s", dataset: { testid: "past-runs" }, "aria-haspopup": "dialog",
        on: { click: (event) => this.actions.pastRuns(event.currentTarget) },
      },
      icon("history", "s"),
      "Past runs",
    );
  }

  #cancelButton(run) {
    return h(
      "button",
      {
        type: "button", class: "btn btn--s", "aria-disabled": run.cancelling ? "true" : null, dataset: { testid: "cancel-run" },
        title: "Takes effect between nodes", on: { click: () => run.cancelling || this.actions.cancel() },
      },
      icon("circle-stop", "s"),
      run.cancelling ? "Cancelling…" : "Cancel run",
    );
  }

  #foldButton() {
    const toggle = () => {
      this.folded = !this.folded;
      this.draw();
      this.log.toEnd();
    };
    return h(
      "button",
      {
        type: "button", class: "btn btn--ghost btn--icon btn--s", "aria-expanded": String(!this.folded),
        "aria-label": this.folded ? "Open run panel" : "Fold run panel", on: { click: toggle },
      },
      icon(this.folded ? "chevron-up" : "chevron-down", "s"),
    );
  }

  #drawProblems(run) {
    const stopping = run.final ? run.problems : [];
    const signature = stopping.map((item) => item.code + item.message).join("|");
    if (this.problems.signature === signature) return;
    this.problems.signature = signature;
    replace(this.problems, stopping.map((problem) => this.#problem(problem)));
  }

  #problem(problem) {
    const label = this.editor.document.nodes.get(problem.node)?.label;
    return h(
      "div",
      { class: "run__problem", dataset: { code: problem.code, node: problem.node } },
      icon("octagon-alert"),
      h("p", { class: "grow" }, label ? h("b", {}, `${label}: `) : null, drawSegments(segments(problem.message, problem.masks ?? [])), " ", h("code", { class: "muted" }, problem.code)),
      problem.node ? h("button", { type: "button", class: "btn btn--s", on: { click: () => this.actions.jump(problem) } }, "Show the node") : null,
      problem.remedy
        ? h("button", { type: "button", class: "btn btn--s btn--primary", dataset: { remedy: problem.remedy.action }, on: { click: () => this.actions.remedy(problem) } }, problem.remedy.label)
        : null,
    );
  }

  #say(run) {
    if (this.said === run.state) return;
    this.said = run.state;
    announce(`Run ${(RUN_STATES[run.state]?.[1] ?? run.state).toLowerCase()}.`);
  }
}

function elapsedText(run) {
  const parts = [];
  if (run.version !== null && run.version !== undefined) parts.push(typeof run.version === "number" ? `v${run.version}` : String(run.version));
  const time = durationText(run.elapsed(Date.now()));
  if (time) parts.push(time);
  return parts.join(", ");
}

/** The drawer's height by drag and by arrow keys on its separator: 120 px to 60 %. */
function bindGrip(grip, root) {
  const set = (height) => {
    const most = window.innerHeight * 0.6;
    const value = Math.round(Math.min(most, Math.max(120, height)));
    root.style.height = `${value}px`;
    grip.setAttribute("aria-valuenow", String(value));
  };
  grip.addEventListener("pointerdown", (event) => {
    grip.setPointerCapture(event.pointerId);
    const bottom = root.getBoundingClientRect().bottom;
    const move = (next) => set(bottom - next.clientY);
    grip.addEventListener("pointermove", move);
    grip.addEventListener("lostpointercapture", () => grip.removeEventListener("pointermove", move), { once: true });
  });
  grip.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 20, ArrowDown: -20 }[event.key];
    if (!step) return;
    event.preventDefault();
    set(root.getBoundingClientRect().height + step);
  });
}
