// The run's log: lines appended as they come, masks drawn as hatched chips that name the secret.
// Follows the end unless it was scrolled up; then "N new lines" leads back.
//
// Hooks: [role="log"][data-testid="run-log"], .log__line[data-seq][data-node][data-level],
// .redacted[data-secret="NAME"][data-version], button[data-testid="new-lines"].

import { maskLabel, offsetText } from "../state/log.js";
import { counted } from "../state/problems.js";
import { announce } from "./announce.js";
import { h, hidden } from "./dom.js";

const LEVELS = { warning: "warn", error: "error", debug: "debug", info: "info" };
/** The log shows so many lines, the last ones. */
export const KEEP = 2000;
const QUIET = 2000;

export class LogView {
  /** options: {columns: "short" | "full", announces: bool} */
  constructor(root, { columns = "short", announces = true } = {}) {
    Object.assign(this, { root, columns, announces });
    this.missed = 0;
    this.saidAt = 0;
    root.setAttribute("role", "log");
    root.setAttribute("aria-live", "off");
    root.setAttribute("tabindex", "0");
    root.dataset.testid = "run-log";
    this.more = h("button", { type: "button", class: "btn btn--s log__more", hidden: true, dataset: { testid: "new-lines" } });
    this.more.addEventListener("click", () => this.toEnd());
    root.after(this.more);
    // Whether it was scrolled up is told by scrolling: asking at each line would lay out the page.
    this.following = true;
    root.addEventListener("scroll", () => {
      this.following = this.#atEnd();
      if (this.following) this.#caughtUp();
    });
  }

  clear() {
    this.root.replaceChildren();
    this.#caughtUp();
  }

  /** Append lines of state/log.js. */
  append(lines) {
    if (!lines.length) return;
    const follow = this.following && this.root.dataset.follow !== "off";
    const fragment = document.createDocumentFragment();
    for (const line of lines.slice(-KEEP)) fragment.append(this.#line(line));
    this.root.append(fragment);
    const over = this.root.childElementCount - KEEP;
    for (let count = 0; count < over; count += 1) this.root.firstElementChild.remove();
    if (over > 0 || lines.length > KEEP) this.root.dispatchEvent(new CustomEvent("log:shortened", { bubbles: true }));
    if (follow) this.#toEndSoon();
    else this.#behind(lines.length);
    this.#say(lines);
  }

  #line(line) {
    const level = LEVELS[line.level] ?? "info";
    const time = h("span", { class: "log__t", title: line.at }, this.columns === "full" ? clock(line.at) : offsetText(line.offset));
    const message = h("span", { class: "log__m" });
    if (this.columns === "short") {
      const said = (line.segments[0]?.text ?? "").startsWith(line.label);
      if (line.label && !said) message.append(h("span", { class: "muted log__who" }, line.label), " ");
      if (level === "warn" || level === "error") message.append(h("span", { class: `lv lv--${level}` }, level), " ");
    }
    message.append(...drawSegments(line.segments));
    const columns =
      this.columns === "full"
        ? [h("span", { class: `lv lv--${level}` }, level), h("span", { class: "log__n", title: line.label }, line.label)]
        : [];
    return h(
      "div",
      {
        class: `log__line log__line--${level} log__line--${line.kind}`,
        dataset: { seq: line.seq, node: line.node, level: line.level },
      },
      time,
      columns,
      message,
    );
  }

  toEnd() {
    this.root.scrollTop = this.root.scrollHeight;
    this.following = true;
    this.#caughtUp();
  }

  /** Once a frame, however many batches come until then. */
  #toEndSoon() {
    if (this.ending) return;
    this.ending = true;
    requestAnimationFrame(() => {
      this.ending = false;
      if (this.following) this.toEnd();
    });
  }

  #atEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.root;
    return scrollHeight - scrollTop - clientHeight < 24;
  }

  #behind(count) {
    this.missed += count;
    this.more.hidden = false;
    this.more.textContent = counted(this.missed, "new line");
  }

  #caughtUp() {
    this.missed = 0;
    this.more.hidden = true;
  }

  /** Warnings and errors only, at most one every two seconds. */
  #say(lines) {
    const loud = lines.filter((line) => line.level === "warning" || line.level === "error").at(-1);
    if (!this.announces || !loud || Date.now() - this.saidAt < QUIET) return;
    this.saidAt = Date.now();
    announce(`${loud.label} ${loud.level}: ${plain(loud.segments)}`);
  }
}

/** Segments as nodes: text as text, masks as chips. */
export function drawSegments(parts) {
  return parts.map((part) => ("text" in part ? document.createTextNode(part.text) : chip(part.mask)));
}

/** The chip of a mask {name, version}; null gives the bar of a mask without a name. */
export function chip(mask) {
  if (!mask) return h("span", { class: "redacted redacted--bar", title: "masked secret" }, hidden("masked secret"));
  const label = maskLabel(mask);
  return h(
    "span",
    { class: "redacted", title: `masked secret ${label}`, dataset: { secret: mask.name, version: mask.version } },
    hidden("masked secret "),
    label,
  );
}

function plain(parts) {
  return parts.map((part) => ("text" in part ? part.text : `masked secret ${maskLabel(part.mask)}`)).join("");
}

function clock(at) {
  const date = new Date(at);
  return `${date.toLocaleTimeString([], { hour12: false })}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}
