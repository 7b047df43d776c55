// A node's masked outputs as segments: the stored text has `***`, and the event says which secret
// stood there: {path, offset, secret, version}, `key` where the path's last key holds it.

import { segments } from "./log.js";

const LONGEST = 4000;

/** The text of a value with its masks named, as segments of state/log.js. */
export function outputSegments(value, masks = []) {
  if (typeof value === "string") return cut(segments(value, masks.filter((mask) => !mask.path?.length)));
  if (isPreview(value)) {
    const begun = segments(value.preview, masks.filter((mask) => mask.path?.[0] === "preview"));
    return [...cut(begun), { text: `… (${value.characters} characters)` }];
  }
  return cut(inJson(value, masks));
}

/** Whether a stored output is only the beginning of one. */
export function isPreview(value) {
  return Boolean(value) && typeof value === "object" && value.truncated === true && typeof value.preview === "string";
}

/** JSON is written with a sign that it doesn't hold in each mask's place, then taken apart there. */
function inJson(value, masks) {
  const plain = JSON.stringify(value, null, 2) ?? "";
  let sign = "\uE000";
  while (plain.includes(sign)) sign += "\uE001";
  const named = [];
  const marked = masks.reduceRight((copy, mask) => replaceAt(copy, mask, `${sign}${named.push(mask) - 1}${sign}`), structuredClone(value));
  if (!named.length) return segments(plain);
  const pieces = JSON.stringify(marked, null, 2).split(sign);
  return pieces.flatMap((piece, index) => {
    if (index % 2 === 0) return segments(piece);
    return [{ mask: { name: named[piece].secret, version: named[piece].version } }];
  });
}

/** Put a text in the place of the stars that a mask names; what doesn't fit is left as it is. */
function replaceAt(root, { path, offset, key }, text) {
  const steps = path ?? [];
  const last = steps.at(-1);
  const holder = steps.slice(0, -1).reduce((inner, step) => inner?.[step], root);
  if (last === undefined || !holder || typeof holder !== "object" || !Object.hasOwn(holder, last)) return root;
  const put = (old) => {
    const points = [...old];
    return points.slice(offset, offset + 3).join("") === "***" ? [...points.slice(0, offset), text, ...points.slice(offset + 3)].join("") : old;
  };
  if (!key) {
    if (typeof holder[last] === "string") holder[last] = put(holder[last]);
    return root;
  }
  const entries = Object.entries(holder).map(([name, inner]) => [name === last ? put(name) : name, inner]);
  for (const name of Object.keys(holder)) delete holder[name];
  Object.assign(holder, Object.fromEntries(entries));
  return root;
}

function cut(parts) {
  let left = LONGEST;
  const kept = [];
  for (const part of parts) {
    if (left <= 0) return [...kept, { text: "…" }];
    const text = part.text ?? "***";
    kept.push("text" in part && text.length > left ? { text: text.slice(0, left) } : part);
    left -= text.length;
  }
  return left < 0 ? [...kept, { text: "…" }] : kept;
}
