// A run as its events tell it. `reduce` folds events, `merge` folds the run itself; both may
// come in any order and more than once.

import { lineOf } from "./log.js";

export const FINAL = new Set(["succeeded", "failed", "cancelled", "rejected", "skipped"]);

export class RunState {
  constructor(id, labels = new Map()) {
    this.id = id;
    this.labels = labels;
    this.state = "queued";
    this.version = null;
    this.createdAt = null;
    this.startedAt = null;
    this.finishedAt = null;
    this.problems = [];
    this.nodes = new Map();
    /** Ids of what runs, where one node runs alone; null for the whole flow. */
    this.part = null;
    this.lines = [];
    this.seq = 0;
    /** While a finished run is replayed: the moment (ms) that is shown; null for its end. */
    this.moment = null;
  }

  get final() {
    return FINAL.has(this.state);
  }

  /** Milliseconds the run took, or has taken at `now`. */
  elapsed(now) {
    if (!this.startedAt) return null;
    return (this.finishedAt ?? now) - this.startedAt;
  }

  node(id) {
    if (!this.nodes.has(id)) {
      this.nodes.set(id, {
        id, state: "queued", attempt: 1, startedAt: null, finishedAt: null, outputs: null, outputMasks: null, problem: null,
      });
    }
    return this.nodes.get(id);
  }

  /** Fold one event. Returns the log line it made, or null. Old sequence numbers do nothing. */
  reduce(event) {
    if (event.seq <= this.seq) return null;
    this.seq = event.seq;
    const at = Date.parse(event.at);
    this.startedAt ??= event.type === "span" ? null : at;
    if (event.type === "node" && event.node) this.#nodeEvent(event, at);
    if (event.type === "run" && event.data?.state) this.#runState(event.data, at);
    const line = lineOf(event, this.startedAt, this.labels);
    if (line) this.lines.push(line);
    return line;
  }

  #nodeEvent(event, at) {
    const node = this.node(event.node);
    const { state, outputs, output_masks: outputMasks, problem, prevented_leaks: leaks } = event.data ?? {};
    if (state) node.state = state;
    node.attempt = event.attempt ?? node.attempt;
    if (state === "running") {
      node.startedAt = at;
      node.finishedAt = null;
    } else if (FINAL.has(state)) {
      node.finishedAt = at;
    }
    if (outputs) Object.assign(node, { outputs, outputMasks: outputMasks ?? {} });
    if (problem) node.problem = problem;
    if (leaks) node.leaks = leaks;
  }

  #runState(data, at) {
    if (this.final) return;
    this.state = data.state;
    if (data.state === "running") this.startedAt ??= at;
    if (this.final) this.finishedAt ??= at;
    for (const problem of data.problems ?? (data.problem ? [data.problem] : [])) this.#addProblem(problem);
  }

  /** Fold the run as GET /runs/{id} answers it. */
  merge(run) {
    const newer = FINAL.has(run.state) || !this.final;
    if (newer) this.state = run.state;
    this.version = run.flow_version ?? this.version;
    this.trigger = run.trigger ?? this.trigger;
    this.part = this.trigger?.part ?? null;
    this.createdAt = time(run.created_at) ?? this.createdAt;
    this.startedAt = time(run.started_at) ?? this.startedAt;
    this.finishedAt = time(run.finished_at) ?? this.finishedAt;
    for (const problem of run.problems ?? []) this.#addProblem(problem);
    for (const given of run.nodes ?? []) this.#mergeNode(given);
  }

  #mergeNode(given) {
    const node = this.node(given.id);
    if (FINAL.has(given.state) || !FINAL.has(node.state)) node.state = given.state;
    node.attempt = given.attempt ?? node.attempt;
    node.startedAt = time(given.started_at) ?? node.startedAt;
    node.finishedAt = time(given.finished_at) ?? node.finishedAt;
    if (given.outputs) Object.assign(node, { outputs: given.outputs, outputMasks: given.output_masks ?? {} });
    node.problem = given.problem ?? node.problem;
  }

  #addProblem(problem) {
    const same = (other) =>
      other.code === problem.code && other.node === problem.node && other.message === problem.message;
    if (!this.problems.some(same)) this.problems.push(problem);
    if (problem.node && this.state === "rejected") this.node(problem.node).problem = problem;
  }

  /** The state a node is drawn in: in a rejected run the node that caused it is marked. */
  shown(id) {
    const node = this.nodes.get(id);
    if (this.moment !== null && node?.startedAt) {
      if (node.startedAt > this.moment) return "queued";
      if ((node.finishedAt ?? Infinity) > this.moment) return "running";
    }
    if (this.part && !this.part.includes(id)) return "idle";
    const blamed = this.problems.some((problem) => problem.node === id);
    if (this.state === "rejected") return blamed ? "rejected" : "skipped";
    if (!node) return this.final ? "skipped" : "queued";
    if (this.final && (node.state === "queued" || node.state === "running")) {
      return this.state === "cancelled" ? "cancelled" : "skipped";
    }
    return node.state;
  }

  /** Milliseconds a node took, or has taken at `now`. */
  nodeElapsed(id, now) {
    const node = this.nodes.get(id);
    if (!node?.startedAt) return null;
    if (this.moment !== null) {
      const till = Math.min(this.moment, node.finishedAt ?? this.moment);
      return till < node.startedAt ? null : till - node.startedAt;
    }
    if (node.finishedAt) return node.finishedAt - node.startedAt;
    return this.final ? null : Math.max(0, now - node.startedAt);
  }

  /** True when a wire carried a value: its source has succeeded. */
  carried(edge) {
    return this.shown(edge.source.node) === "succeeded" && this.shown(edge.target.node) !== "skipped";
  }
}

/** Bars of the timeline: one row a node in the given order, with start and length in percent. */
export function timeline(run, order, now) {
  const rows = order.map((id) => {
    const node = run.nodes.get(id);
    return { id, state: run.shown(id), from: node?.startedAt ?? null, to: node?.finishedAt ?? null };
  });
  const begin = Math.min(...rows.map((row) => row.from ?? Infinity), run.startedAt ?? Infinity);
  const start = Number.isFinite(begin) ? begin : now;
  const ends = rows.map((row) => row.to ?? row.from ?? 0);
  const end = run.final ? Math.max(run.finishedAt ?? 0, ...ends) : now;
  const span = Math.max(1, end - start);
  const percent = (at) => Math.min(100, Math.max(0, ((at - start) / span) * 100));
  return {
    span,
    now: run.final ? null : 100,
    rows: rows.map((row) => {
      if (row.from === null) return { ...row, x: null, width: null, elapsed: null };
      const till = row.to ?? (run.final ? row.from : now);
      const x = Math.min(99, percent(row.from));
      return { ...row, x, width: Math.max(0.8, percent(till) - x), elapsed: till - row.from };
    }),
  };
}

function time(text) {
  return text ? Date.parse(text) : null;
}
