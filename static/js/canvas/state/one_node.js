// What a run of one node asks for: a field for each of its plain inputs that has a wire, or that it
// can't do without, filled in with what the shown run left behind. Secrets are fetched anew.

import { wiresInto } from "./document.js";
import { isPreview } from "./masks.js";

const KINDS = new Map([["text", "text"], ["number", "number"], ["boolean", "boolean"]]);

/** The inputs as the run form takes them: {name, type, label, required, help, default}. */
export function inputsOfOne(document, catalog, run, id) {
  const node = document.nodes.get(id);
  return catalog
    .inputs(document, node)
    .filter((port) => port.type !== "secret" && port.type !== "order")
    .flatMap((port) => {
      const wires = wiresInto(document, id, port.name);
      if (!wires.length && !(port.required && !port.field)) return [];
      const several = port.multiple ? "a list, one entry for each wire" : "";
      return [{ name: port.name, label: port.label || port.name, type: port.multiple ? "json" : (KINDS.get(port.type) ?? "json"), required: true, help: several, default: left(run, wires, port.multiple) }];
    });
}

/** What the wires carried in a run, as far as it is kept whole: null where it isn't. */
function left(run, wires, multiple) {
  const values = wires.map(({ source }) => {
    const node = run?.nodes.get(source.node);
    const value = node?.outputs?.[source.port];
    return isPreview(value) || node?.outputMasks?.[source.port]?.length ? undefined : value;
  });
  if (!values.length || values.includes(undefined)) return null;
  return multiple ? values : values[0];
}
