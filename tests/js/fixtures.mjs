// Small graphs and a component list of the shape that GET /api/v1/components answers.

export function diamond() {
  const node = (id, x, y) => ({ id, component: "test.plain", label: id.toUpperCase(), position: [x, y], config: {} });
  const edge = (id, from, to) => ({ id, source: { node: from, port: "done" }, target: { node: to, port: "start" } });
  return {
    schema: 1,
    nodes: [node("a", 0, 0), node("b", 200, 0), node("c", 200, 200), node("d", 400, 0)],
    edges: [edge("e1", "a", "b"), edge("e2", "a", "c"), edge("e3", "b", "d"), edge("e4", "c", "d")],
  };
}

const port = (name, type, more = {}) => ({ name, type, label: name, required: false, multiple: false, ...more });

export function components() {
  const rules = [];
  const accepts = {
    text: ["text", "number", "boolean"], number: ["number"], boolean: ["boolean"],
    json: ["text", "number", "boolean", "json", "list"], list: ["list"], order: ["order"], secret: ["secret"],
    any: ["text", "number", "boolean", "json", "list"],
  };
  for (const source of ["text", "number", "boolean", "json", "list", "order", "secret"]) {
    for (const target of Object.keys(accepts)) {
      const allowed = accepts[target].includes(source);
      const reason = source === "secret" ? "{target} {note}." : "{target} doesn't take what {source} carries.";
      rules.push({
        source, target, allowed, code: allowed ? "" : "type_mismatch",
        title: allowed ? "" : `${source} can't go into ${target}`, reason: allowed ? "" : reason,
      });
    }
  }
  return {
    items: [
      { name: "test.plain", title: "Plain", category: "logic", icon: "box", handles_secrets: false, fields: [], inputs: [], outputs: [], summary: "" },
      {
        name: "secret.fetch", title: "Secret Fetch", category: "secret", icon: "key-round", handles_secrets: true,
        summary: "{secretName}", inputs: [], outputs: [port("value", "secret")],
        fields: [{ name: "secretName", label: "Secret", kind: "secret_name", required: true, default: null, wirable: false }],
      },
      {
        name: "http.request", title: "HTTP Request", category: "connect", icon: "globe", handles_secrets: false,
        summary: "{method} {url}",
        fields: [
          { name: "method", label: "Method", kind: "select", default: "GET", wirable: true },
          { name: "url", label: "URL", kind: "text", required: true, default: null, wirable: true },
          { name: "body", label: "Body", kind: "multiline", default: null, wirable: true, visible_when: { field: "method", in: ["POST", "PUT"] } },
        ],
        inputs: [
          port("bearer_token", "secret"),
          port("method", "text", { field: true }), port("url", "text", { field: true, required: true }),
          port("body", "json", { field: true }),
          ...["a", "b", "c", "d", "e"].map((name) => port(`rare_${name}`, "text", { field: true })),
        ],
        outputs: [port("status", "number"), port("body", "text"), port("json", "json")],
      },
      {
        name: "output.log", title: "Log", category: "output", icon: "scroll-text", handles_secrets: false, summary: "{message}",
        fields: [{ name: "message", label: "Message", kind: "multiline", default: "", wirable: true }],
        inputs: [
          port("data", "any", { note: "is written to the run log, so it takes no secrets" }),
          port("message", "text", { field: true, note: "is written to the run log, so it takes no secrets" }),
        ],
        outputs: [],
      },
    ],
    port_rules: rules,
  };
}

export function echoFlow() {
  return {
    schema: 1,
    nodes: [
      { id: "fetch", component: "secret.fetch", label: "Secret Fetch", position: [0, 0], config: { secretName: "echo_token" } },
      { id: "http", component: "http.request", label: "HTTP Request", position: [300, 0], config: {} },
      { id: "log", component: "output.log", label: "Log", position: [600, 0], config: {} },
    ],
    edges: [{ id: "e1", source: { node: "fetch", port: "value" }, target: { node: "http", port: "bearer_token" } }],
  };
}
