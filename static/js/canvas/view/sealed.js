// What stands under the settings of a node that handles secrets.

import { h } from "./dom.js";

export function sealed() {
  return h(
    "div",
    { class: "sealed" },
    h("div", { class: "sealed__band" }),
    h("div", { class: "sealed__body" }, h("p", {}, "The value stays on the server. It is never sent to this page.")),
  );
}
