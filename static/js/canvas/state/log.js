// The run's log as lines of segments, ready to draw.
//
// The stored text of a line has `***` where a value stood; `masks` says at which offset, counted in
// whole characters, and which secret it was. A segment is {text} or {mask: {name, version}}.

const STARS = "***";

/** Split a masked text: chips where a mask is named, bars for stars that no mask names. */
export function segments(text, masks = []) {
  const out = [];
  let at = 0;
  let offset = 0;
  const named = new Map(masks.map((mask) => [mask.offset, mask]));
  const push = (piece) => {
    if (piece) out.push({ text: piece });
  };
  for (let star = text.indexOf(STARS); star !== -1; star = text.indexOf(STARS, at)) {
    const before = text.slice(at, star);
    push(before);
    offset += [...before].length;
    const mask = named.get(offset);
    out.push({ mask: mask ? { name: mask.secret, version: mask.version } : null });
    at = star + STARS.length;
    offset += STARS.length;
  }
  push(text.slice(at));
  return out;
}

/** What a chip says: "name@v3". */
export function maskLabel(mask) {
  if (!mask) return "";
  return mask.version === null || mask.version === undefined ? mask.name : `${mask.name}@v${mask.version}`;
}

/** The line of an event, or null when the event has nothing to read. */
export function lineOf(event, startedAt, labels) {
  if (event.type === "span" || !event.text) return null;
  return {
    seq: event.seq,
    at: event.at,
    offset: startedAt ? Math.max(0, Date.parse(event.at) - startedAt) : null,
    level: event.level ?? "info",
    node: event.node ?? null,
    label: event.node ? (labels.get(event.node) ?? event.node) : "",
    kind: event.type,
    segments: segments(event.text, event.masks ?? []),
  };
}

/** "+0.044": seconds since the run started. */
export function offsetText(milliseconds) {
  return milliseconds === null ? "" : `+${(milliseconds / 1000).toFixed(3)}`;
}

/** "12 ms", "1.8 s", "2 min 5 s". */
export function durationText(milliseconds) {
  if (milliseconds === null || milliseconds === undefined || Number.isNaN(milliseconds)) return "";
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60000)} min ${Math.round((milliseconds % 60000) / 1000)} s`;
}

/** Lines that a filter lets through: "all", "warnings" (and worse) or "errors". */
export function filterLines(lines, level) {
  if (level === "errors") return lines.filter((line) => line.level === "error");
  if (level === "warnings") return lines.filter((line) => line.level === "error" || line.level === "warning");
  return lines;
}
