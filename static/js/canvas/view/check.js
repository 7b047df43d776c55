// "Check": what the check before a run would say of the draft now, in the same words; no run is made.
//
// Hooks: button[data-testid="check"].

import { announce } from "./announce.js";

export function bindCheck({ api, editor, autosave, flow, button, problems, banner, allowed }) {
  if (!button) return;
  button.hidden = !allowed;
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    try {
      if (!(await autosave.flush())) return say(banner, "bad", "Not checked.", "The flow isn't saved yet.");
      const { body } = await api.post(`/flows/${flow.id}/check`, { version: "draft" });
      const warnings = editor.problems.items.filter((one) => one.severity !== "error");
      editor.setProblems([...body.problems, ...warnings]);
      if (body.problems.length) {
        problems.toggle(true);
        announce(`Checked. ${editor.problems.words}.`);
      } else {
        say(banner, "ok", "Checked.", "Every secret is there and may be used: a run would start now.");
      }
    } catch (error) {
      say(banner, "bad", "Not checked.", error.message);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

function say(banner, tone, title, text) {
  banner.show(tone, title, text, [banner.button("close", "Close", () => banner.hide("check"))], "check");
  announce(`${title} ${text}`);
}
