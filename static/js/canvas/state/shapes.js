// Ports and choices that follow from a node's settings. The component's own function says which, on
// the server; what it said is kept by settings, and until it has answered a node looks as it did.

/** Milliseconds to wait for more typing before the server is asked. */
const PAUSE = 120;

export class Shapes {
  constructor({ timers = globalThis } = {}) {
    this.timers = timers;
    this.wanted = new Map();
    this.known = new Map();
    this.asking = new Set();
    this.last = new Map();
    /** Injected: ask(item, config) resolves to {inputs, outputs, choices}. */
    this.ask = null;
    /** Told the ids of nodes that look different now. */
    this.onChange = () => {};
  }

  /** The item as a node with these settings has it. */
  of(item, node) {
    const key = keyOf(item, node.config ?? {});
    this.wanted.set(node.id, key);
    const found = this.known.get(key);
    if (found) {
      this.last.set(node.id, { name: item.name, found });
      return found;
    }
    if (this.ask && !this.asking.has(key)) this.#fetch(key, item, node);
    const last = this.last.get(node.id);
    return last?.name === item.name ? last.found : item;
  }

  async #fetch(key, item, node) {
    this.asking.add(key);
    await new Promise((resolve) => this.timers.setTimeout(resolve, PAUSE));
    if (this.wanted.get(node.id) !== key) return void this.asking.delete(key);
    try {
      this.known.set(key, merged(item, await this.ask(item, node.config ?? {})));
      this.onChange(item.name);
    } catch {
      // Asked again with the first look at the node after a while.
      this.timers.setTimeout(() => this.asking.delete(key), 2000);
      return;
    }
    this.asking.delete(key);
  }
}

/** What ports depend on: the component, its version, and the fields that shape it. */
function keyOf(item, config) {
  const shaping = (item.fields ?? []).filter(({ shapes }) => shapes).map(({ name }) => [name, config[name] ?? null]);
  return JSON.stringify([item.name, item.version, shaping]);
}

function merged(item, { inputs, outputs, choices }) {
  const fields = item.fields.map((field) => (choices[field.name] ? { ...field, choices: choices[field.name] } : field));
  return { ...item, inputs, outputs, fields };
}
