// Relative times: the server writes <time datetime> with an absolute text; this makes it relative up
// to a day and keeps it fresh. The exact time stays in the attribute and on hover.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** "just now", "4 min ago", "3 hours ago", "in 2 min", or null when it is over a day away. */
export function relative(then, now) {
  const seconds = Math.round((now - then) / 1000);
  const gap = Math.abs(seconds);
  if (gap >= DAY) return null;
  if (gap < 5) return "just now";
  const [count, unit] = gap < MINUTE ? [gap, "s"]
    : gap < HOUR ? [Math.floor(gap / MINUTE), "min"]
      : [Math.floor(gap / HOUR), Math.floor(gap / HOUR) === 1 ? "hour" : "hours"];
  return seconds >= 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

function refresh(document) {
  const now = Date.now();
  for (const element of document.querySelectorAll("time[datetime][data-relative]")) {
    const text = relative(Date.parse(element.dateTime), now);
    if (text && element.textContent !== text) element.textContent = text;
  }
}

/** Keep every relative time of the page fresh. */
export function bindTimes(document) {
  setInterval(() => refresh(document), 30000);
}
