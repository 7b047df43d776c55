// What is wrong with a flow can change though the flow doesn't: a secret that it names was made or
// disabled, here or elsewhere. Then its problems are asked for again.

/** Look at the secrets again when one comes back to this page, and at the problems when they differ. */
export function bindRechecking({ api, editor, flow, autosave, secrets }) {
  let known = null;
  secrets.listeners.add(() => {
    if (secrets.error) return;
    const now = JSON.stringify(secrets.items.map(({ name, state, active_version: version, active_version_state: open }) => [name, state, version, open]));
    if (known !== null && known !== now) recheck();
    known = now;
  });
  document.addEventListener("visibilitychange", () => document.hidden || secrets.load({ force: true }));

  /** A save on its way tells the problems itself; those of another revision aren't ours. */
  async function recheck() {
    if (autosave.dirty || autosave.state !== "saved") return;
    const answer = await api.get(`/flows/${flow.id}`).catch(() => null);
    if (!answer || autosave.dirty || autosave.state !== "saved") return;
    if ((answer.etag ?? `"${answer.body.revision}"`) === autosave.etag) editor.setProblems(answer.body.problems ?? []);
  }
}
