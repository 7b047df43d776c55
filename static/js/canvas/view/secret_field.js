// Choosing a secret by its metadata, and a version of it. No value ever reaches this page.
//
// Hooks: button[role="combobox"][data-testid="secret-picker"], input[data-testid="secret-search"],
// [role="option"][data-secret="NAME"].

import { h, icon, replace, setAttribute } from "./dom.js";

/** The combobox of a secret_name field with the chosen secret's card below it. */
export function secretField(context) {
  const { secrets, id, describedby, field } = context;
  let value = null;
  const name = h("span", { class: "grow trunc name" });
  const trigger = h(
    "button",
    {
      type: "button", class: "combo__trigger", role: "combobox", id, dataset: { testid: "secret-picker" },
      "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": `${id}-list`,
      "aria-describedby": describedby, "aria-label": field.label,
    },
    h("span", { class: "c-secret" }, icon("key-round", "s")),
    name,
    icon("chevrons-up-down", "s"),
  );
  const card = h("div", { class: "meta-card", hidden: true });
  const pop = h("div", { class: "combo__pop", hidden: true });
  const element = h("div", { class: "combo" }, trigger, pop, card);
  const draw = () => {
    name.textContent = value || "Choose a secret";
    name.classList.toggle("muted", !value);
    setAttribute(trigger, "aria-label", `${field.label}: ${value || "none chosen"}`);
    drawCard(card, value, secrets, createNew);
  };
  const choose = (chosen) => {
    close();
    context.commit(chosen);
    context.seal();
    value = chosen;
    draw();
    trigger.focus();
  };
  const createNew = async (name) => {
    const made = await secrets.create(name);
    if (made) choose(made);
  };
  const picker = listbox({ id: `${id}-list`, secrets, choose, createNew, current: () => value });
  const close = () => {
    pop.hidden = true;
    trigger.setAttribute("aria-expanded", "false");
  };
  const open = async () => {
    pop.hidden = false;
    trigger.setAttribute("aria-expanded", "true");
    replace(pop, picker.element);
    picker.start();
    await secrets.load({ force: true });
    picker.draw();
  };
  trigger.addEventListener("click", () => (pop.hidden ? open() : close()));
  trigger.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !pop.hidden) return;
    event.preventDefault();
    open();
  });
  element.addEventListener("focusout", (event) => {
    if (!pop.hidden && event.relatedTarget && !element.contains(event.relatedTarget)) close();
  });
  // A press on bare ground moves the focus to nothing, which no focusout tells from leaving the window.
  const outside = (event) => {
    if (!element.isConnected) document.removeEventListener("pointerdown", outside, { capture: true });
    else if (!pop.hidden && !element.contains(event.target)) close();
  };
  document.addEventListener("pointerdown", outside, { capture: true });
  pop.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
    trigger.focus();
  });
  secrets.load().then(draw);
  watch(secrets, element, draw);
  return {
    element,
    control: trigger,
    set(next) {
      value = next ?? null;
      draw();
    },
  };
}

function listbox({ id, secrets, choose, createNew, current }) {
  let active = 0;
  let shown = [];
  const list = h("div", { class: "combo__list", role: "listbox", id, "aria-label": "Secrets" });
  const search = h("input", {
    class: "input", type: "search", placeholder: "Search by name, tag or owner", "aria-label": "Search secrets",
    "aria-controls": id, autocomplete: "off", spellcheck: "false", dataset: { testid: "secret-search" },
  });
  const create = h("button", { type: "button", class: "link", dataset: { act: "create-secret" }, on: { click: () => createNew(search.value.trim()) } }, "Create a secret");
  const count = h("span", {});
  const element = h(
    "div",
    {},
    h("div", { class: "combo__search" }, search),
    list,
    h("div", { class: "combo__foot" }, count, create),
  );
  const fits = (secret, words) => {
    const text = [secret.name, secret.owner, ...(secret.tags ?? [])].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const draw = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = (secrets.items ?? []).filter((secret) => fits(secret, words));
    active = Math.min(active, Math.max(0, shown.length - 1));
    replace(list, shown.length ? shown.map((secret, index) => option(secret, index)) : none(words));
    count.textContent = secrets.items ? `${shown.length} of ${secrets.items.length}` : "";
    setAttribute(search, "aria-activedescendant", shown.length ? `${id}-${active}` : null);
  };
  const none = (words) => {
    const text = secrets.error
      ? secrets.error.message
      : secrets.items === null
        ? "Reading the secrets…"
        : words.length
          ? "No secret fits these words."
          : "No secrets here yet.";
    return h("p", { class: "combo__none" }, text);
  };
  const option = (secret, index) => {
    const off = secret.state !== "enabled";
    const row = h(
      "div",
      {
        class: `option${index === active ? " is-active" : ""}`, role: "option", id: `${id}-${index}`,
        "aria-selected": String(secret.name === current()), "aria-disabled": off ? "true" : null,
        dataset: { secret: secret.name },
      },
      h("span", { class: "c-secret" }, icon(secret.name === current() ? "check" : "key-round", "s")),
      h("span", { class: "name trunc" }, secret.name),
      h("span", { class: `num ${closed(secret) ? "c-warn" : "muted"}` }, off ? secret.state : versionWords(secret)),
      h("small", { class: "trunc" }, describe(secret)),
    );
    if (!off) row.addEventListener("click", () => choose(secret.name));
    return row;
  };
  search.addEventListener("input", () => {
    active = 0;
    draw();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") active = Math.min(active + 1, shown.length - 1);
    else if (event.key === "ArrowUp") active = Math.max(active - 1, 0);
    else if (event.key === "Enter") list.querySelector(".option.is-active")?.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key.startsWith("Arrow")) {
      draw();
      list.querySelector(".is-active")?.scrollIntoView({ block: "nearest" });
    }
  });
  return {
    element,
    draw,
    start() {
      search.value = "";
      active = Math.max(0, (secrets.items ?? []).findIndex((secret) => secret.name === current()));
      draw();
      search.focus();
    },
  };
}

function describe(secret) {
  return [secret.owner, ...(secret.tags ?? []), secret.description].filter(Boolean).join(" · ") || "No description";
}

/** Whether flows that follow the active version can't have it. */
function closed(secret) {
  return secret.active_version !== null && secret.active_version_state !== "enabled";
}

function versionWords(secret) {
  return `v${secret.active_version}${closed(secret) ? `, ${secret.active_version_state}` : ""}`;
}

function drawCard(card, name, secrets, createNew) {
  card.hidden = !name || secrets.items === null || Boolean(secrets.error && !secrets.items.length);
  if (card.hidden) return;
  const secret = secrets.find(name);
  card.classList.toggle("meta-card--bad", !secret);
  if (!secret) {
    replace(
      card,
      h("p", {}, `There is no secret ${name} here. Choose another, or `, h("button", { type: "button", class: "link", dataset: { act: "create-secret" }, on: { click: () => createNew(name) } }, "create it"), "."),
    );
    return;
  }
  const rows = [
    ["Owner", secret.owner],
    ["Active version", secret.active_version === null ? "none" : versionWords(secret)],
    ["Last changed", day(secret.updated_at)],
    ["Rotation due", day(secret.due_at)],
  ].filter(([, text]) => text);
  replace(
    card,
    closed(secret)
      ? h("p", { class: "c-warn", dataset: { testid: "version-closed" } }, `Version ${secret.active_version}, the active one, is ${secret.active_version_state}. Pin another, or `, h("a", { href: `/secrets/${secret.id}`, target: "_blank", rel: "noopener" }, "put it right on its page"), ".")
      : null,
    secret.description ? h("p", {}, secret.description) : null,
    h("dl", {}, rows.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)])),
    secret.tags?.length ? h("div", { class: "tags" }, secret.tags.map((tag) => h("span", { class: "tag" }, tag))) : null,
  );
}

function day(text) {
  return text ? new Date(text).toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" }) : "";
}

/** The version of the secret chosen in `secretName`: follow the active one, or pin one. */
export function secretVersionField({ id, describedby, commit, seal, secrets, config }) {
  let value = null;
  const select = h("select", { class: "select", id, "aria-describedby": describedby });
  const draw = () => {
    const secret = secrets.find(config().secretName);
    const newest = Math.max(secret?.active_version ?? 0, secret?.versions ?? 0, Number(value) || 0);
    const now = secret?.active_version ? ` (now ${versionWords(secret)})` : "";
    const pins = Array.from({ length: newest }, (_, index) => newest - index);
    replace(
      select,
      h("option", { value: "" }, `Active version${now}`),
      pins.map((version) => h("option", { value: String(version) }, `Pin v${version}`)),
    );
    select.value = value === null || value === undefined ? "" : String(value);
  };
  select.addEventListener("change", () => {
    commit(select.value === "" ? null : Number(select.value));
    seal();
  });
  watch(secrets, select, draw);
  return {
    element: h("span", { class: "select-wrap" }, select, icon("chevron-down", "s")),
    control: select,
    set(next) {
      value = next;
      draw();
    },
  };
}

/** Draw again when the list of secrets was read anew, for as long as the element is on the page. */
function watch(secrets, element, draw) {
  const listener = () => {
    if (element.isConnected) draw();
    else secrets.listeners.delete(listener);
  };
  secrets.listeners.add(listener);
}
