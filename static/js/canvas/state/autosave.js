// Saving by itself: `delay` ms after the last change, one save at a time, with the revision.
//
// States: "saved", "waiting", "saving", "retrying" (with `error`), "stale" (412: somebody else
// saved), "refused" (422: the document is impossible, with its problems). Only a further change
// or `retry` leaves "refused"; only `resume` leaves "stale". `save(etag)` is injected and
// resolves to {etag, …} or throws an error with a `status`.

const BACKOFF = [1000, 2000, 4000, 8000, 15000];

export class Autosave {
  constructor({ save, etag, delay = 800, timers = globalThis, onState = () => {} }) {
    Object.assign(this, { save, etag, delay, timers, onState });
    this.state = "saved";
    this.error = null;
    this.dirty = false;
    this.failures = 0;
    this.timer = null;
    this.running = null;
  }

  /** Something changed: save later. */
  touch() {
    this.dirty = true;
    if (this.state === "stale") return;
    this.#set("waiting");
    this.#schedule(this.delay);
  }

  /** What is drawn is what was saved last (undo). False where one is on its way or stands in doubt. */
  settle() {
    if (this.running || !["waiting", "saved", "refused"].includes(this.state)) return false;
    this.#clear();
    this.dirty = false;
    this.#set("saved");
    return true;
  }

  /** Save now if there is something to save. Resolves to true when nothing is left unsaved. */
  async flush() {
    this.#clear();
    while (this.running) await this.running;
    if (this.dirty && this.state !== "stale") await this.#attempt();
    return !this.dirty;
  }

  /** Take over a revision (after a reload) and save again what is dirty. */
  resume(etag, { dirty = false } = {}) {
    this.etag = etag;
    this.dirty = dirty;
    this.failures = 0;
    this.#set(dirty ? "waiting" : "saved");
    if (dirty) this.#schedule(0);
  }

  #schedule(milliseconds) {
    this.#clear();
    this.timer = this.timers.setTimeout(() => this.flush(), milliseconds);
  }

  #clear() {
    if (this.timer !== null) this.timers.clearTimeout(this.timer);
    this.timer = null;
  }

  #attempt() {
    this.running = this.#run().finally(() => {
      this.running = null;
    });
    return this.running;
  }

  async #run() {
    this.dirty = false;
    this.#set("saving");
    try {
      const answer = await this.save(this.etag);
      this.etag = answer.etag;
      this.failures = 0;
      this.#set(this.dirty ? "waiting" : "saved", null, answer);
    } catch (error) {
      this.dirty = true;
      this.#failed(error);
    }
  }

  #failed(error) {
    if (error.status === 412) return this.#set("stale", error);
    if (error.status === 422 || error.status === 413) return this.#set("refused", error);
    const wait = BACKOFF[Math.min(this.failures, BACKOFF.length - 1)];
    this.failures += 1;
    this.#set("retrying", error);
    this.#schedule(wait);
  }

  #set(state, error = null, answer = null) {
    this.state = state;
    this.error = error;
    this.onState(state, { error, answer });
  }
}
