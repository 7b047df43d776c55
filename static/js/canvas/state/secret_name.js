// The name to suggest for the secret that takes a credential typed into a node's field.

const MOST = 128;

/** "Call API", "headers.Authorization" → "call_api_authorization": letters that a name may have. */
export function secretName(label, field, taken = new Set()) {
  const last = String(field ?? "").split(".").pop();
  const words = `${label ?? ""} ${last}`.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const name = words.replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, MOST - 4) || "secret";
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}_${number}`)) number += 1;
  return `${name}_${number}`;
}
