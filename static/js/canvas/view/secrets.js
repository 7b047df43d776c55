// The secrets of the environment as the canvas may know them: names and metadata, never values.

const FRESH = 10_000;
const PAGES = 20;

export class Secrets {
  constructor(api) {
    this.api = api;
    this.items = null;
    this.error = null;
    this.at = 0;
    this.waiting = null;
    this.listeners = new Set();
    /** Ask for a new secret; resolves to its name or null. Bound by the page that has the dialog. */
    this.create = async () => null;
  }

  /** All secrets, from memory when they are fresh. `error` says why there are none. */
  async load({ force = false } = {}) {
    if (!force && this.items && Date.now() - this.at < FRESH) return this.items;
    this.waiting ??= this.#fetch().finally(() => (this.waiting = null));
    return this.waiting;
  }

  async #fetch() {
    try {
      const items = [];
      let cursor = null;
      for (let page = 0; page < PAGES; page += 1) {
        const query = cursor ? `?limit=200&cursor=${encodeURIComponent(cursor)}` : "?limit=200";
        const { body } = await this.api.get(`/secrets${query}`);
        items.push(...body.items);
        cursor = body.next_cursor;
        if (!cursor) break;
      }
      this.items = items;
      this.error = null;
      this.at = Date.now();
    } catch (error) {
      this.error = error;
      this.items ??= [];
    }
    for (const listener of this.listeners) listener();
    return this.items;
  }

  find(name) {
    return this.items?.find((secret) => secret.name === name) ?? null;
  }
}
