// What is said to screen readers: one role="status" region, [data-testid="announce"].

let region = null;
let last = 0;

/** Use this element as the region. */
export function announceIn(element) {
  region = element;
}

/** Say something politely. The same words twice are said twice. */
export function announce(text) {
  if (!region) return;
  last += 1;
  region.textContent = last % 2 ? text : `${text}\u00a0`;
}
