// "Test connection": a worker asks the external secret manager of one node, as the check before a
// run does; nothing else runs, and no value leaves the worker.
//
// Hooks: [data-testid="connection"] with data-tone "busy", "ok" or "bad";
// button[data-testid="test-connection"].

import { FINAL } from "../state/run.js";
import { announce } from "./announce.js";
import { h, icon, replace } from "./dom.js";

const EVERY = 400;
const PATIENCE = 120_000;
const SLOW = 6_000;

/** The button and its answer. `ask(say)` resolves to {tone, text}; `say(text)` is what it waits for. */
export function connectionTest(ask) {
  const answer = h("p", { class: "field__help", role: "status", dataset: { testid: "connection" } });
  const say = (tone, text) => {
    answer.dataset.tone = tone;
    answer.className = { ok: "field__ok", bad: "field__error" }[tone] ?? "field__help";
    const symbol = { ok: "circle-check", bad: "octagon-alert" }[tone];
    replace(answer, symbol ? icon(symbol, "s") : "", text);
  };
  const button = h("button", { type: "button", class: "btn btn--s", dataset: { testid: "test-connection" } }, icon("plug", "s"), "Test connection");
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    say("busy", "Asking…");
    const { tone, text } = await ask((words) => say("busy", words), () => answer.isConnected).catch((error) => ({ tone: "bad", text: error.problems?.[0]?.message ?? error.message }));
    button.removeAttribute("aria-busy");
    if (!answer.isConnected) return;
    say(tone, text);
    answer.scrollIntoView({ block: "nearest" });
    announce(text);
  });
  const element = h("section", { class: "field" }, h("div", { class: "row" }, button), answer);
  // What was answered was about other settings.
  const forget = () => {
    if (button.getAttribute("aria-busy") !== "true") say("", "");
  };
  return { element, forget };
}

/** Save, have a worker ask, and wait for what it found. */
export async function askManager({ api, autosave, flow, node, waiting, watched }) {
  if (!(await autosave.flush())) return { tone: "bad", text: "The flow isn't saved yet, so nothing was asked." };
  let { body: run } = await api.post(`/flows/${flow.id}/check-node`, { node });
  const began = performance.now();
  while (!FINAL.has(run.state)) {
    const passed = performance.now() - began;
    if (!watched()) return { tone: "busy", text: "" };
    if (passed > PATIENCE) return { tone: "bad", text: "No answer in two minutes. Look at the run, and at the workers." };
    if (passed > SLOW && run.state === "queued") waiting("Waiting for a worker…");
    await new Promise((done) => setTimeout(done, EVERY));
    ({ body: run } = await api.get(`/runs/${run.id}`));
  }
  if (run.state === "succeeded") return { tone: "ok", text: "It answers: the secret is there and may be read." };
  const problem = run.problems?.find((one) => one.node === node) ?? run.problems?.[0];
  return { tone: "bad", text: problem?.message ?? `The check ended as ${run.state}.` };
}
