// The side panels: their widths by drag or arrow keys, folded away and back. The browser
// remembers both.
//
// Hooks: [role="separator"][data-panel="palette|inspector"], button[data-fold="palette|inspector"].

import { icon, replace } from "./dom.js";

const KEY = "tacit.canvas.panels";
const LIMITS = { palette: [180, 360, 216], inspector: [280, 480, 320] };

export function bindPanels(root) {
  const state = read();
  const draw = () => {
    for (const name of Object.keys(LIMITS)) {
      root.style.setProperty(`--w-${name}`, `${state[name].width}px`);
      root.classList.toggle(`no-${name}`, state[name].folded);
      const separator = root.querySelector(`[data-panel="${name}"]`);
      separator.setAttribute("aria-valuenow", String(state[name].width));
      const button = root.querySelector(`[data-fold="${name}"]`);
      button.setAttribute("aria-expanded", String(!state[name].folded));
      const side = name === "palette" ? "left" : "right";
      replace(button, icon(state[name].folded ? `panel-${side}` : `panel-${side}-close`, "s"));
      button.setAttribute("aria-label", `${state[name].folded ? "Show" : "Hide"} the ${name}`);
      button.title = button.getAttribute("aria-label");
    }
  };
  const set = (name, width) => {
    const [least, most] = LIMITS[name];
    state[name].width = Math.round(Math.min(most, Math.max(least, width)));
    draw();
  };
  for (const separator of root.querySelectorAll("[data-panel]")) bindSeparator(separator, { state, set, save: () => write(state) });
  for (const button of root.querySelectorAll("[data-fold]")) {
    button.addEventListener("click", () => {
      const name = button.dataset.fold;
      state[name].folded = !state[name].folded;
      draw();
      write(state);
    });
  }
  draw();
  return {
    /** Bring a folded panel back. */
    show(name) {
      if (!state[name].folded) return;
      state[name].folded = false;
      draw();
    },
  };
}

function bindSeparator(separator, { state, set, save }) {
  const name = separator.dataset.panel;
  const outward = name === "palette" ? 1 : -1;
  const [least, most] = LIMITS[name];
  separator.setAttribute("aria-valuemin", String(least));
  separator.setAttribute("aria-valuemax", String(most));
  separator.addEventListener("pointerdown", (event) => {
    separator.setPointerCapture(event.pointerId);
    const begin = state[name].width;
    const move = (next) => set(name, begin + outward * (next.clientX - event.clientX));
    separator.addEventListener("pointermove", move);
    separator.addEventListener("lostpointercapture", () => {
      separator.removeEventListener("pointermove", move);
      save();
    }, { once: true });
  });
  separator.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 20, ArrowLeft: -20 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    set(name, state[name].width + outward * step);
    save();
  });
}

function read() {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    // Whatever stands there, the panels have widths of their own.
  }
  const one = (name) => {
    const [least, most, usual] = LIMITS[name];
    const width = Number(kept[name]?.width);
    return { width: width >= least && width <= most ? width : usual, folded: kept[name]?.folded === true };
  };
  return { palette: one("palette"), inspector: one("inspector") };
}

function write(state) {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // A browser that keeps nothing shows the usual widths next time.
  }
}
