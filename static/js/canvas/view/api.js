// The JSON API as the page uses it: same origin, session cookie, CSRF and environment headers.

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? "";
    this.title = body?.title ?? "";
    this.problems = body?.problems ?? [];
    this.requestId = body?.request_id ?? null;
  }
}

export class Api {
  constructor({ csrf, environment, base = "/api/v1" }) {
    Object.assign(this, { csrf, environment, base });
  }

  /** The client for this page, from its meta tags. */
  static ofPage() {
    const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
    return new Api({ csrf: meta("csrf-token"), environment: meta("tacit-environment") });
  }

  get(path, options) {
    return this.#send("GET", path, undefined, options);
  }

  post(path, body = {}, options) {
    return this.#send("POST", path, body, options);
  }

  put(path, body, options) {
    return this.#send("PUT", path, body, options);
  }

  /** After a new login the page's token is another one: read it. False while there is no session. */
  async refresh() {
    try {
      const answer = await fetch("/flows", { credentials: "same-origin", cache: "no-store", redirect: "manual", headers: { Accept: "text/html" } });
      if (!answer.ok) return false;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const token = page.querySelector('meta[name="csrf-token"]')?.content;
      if (token) this.csrf = token;
      return Boolean(token);
    } catch {
      return false;
    }
  }

  /** Resolve to {status, etag, body}; throw ApiError. `status` 0 means nobody answered. */
  async #send(method, path, body, { ifMatch, signal } = {}) {
    const headers = { Accept: "application/json", "X-Tacit-Environment": this.environment };
    if (method !== "GET") headers["X-CSRF-Token"] = this.csrf;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (ifMatch) headers["If-Match"] = ifMatch;
    const answer = await this.#fetch(path, {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    const parsed = parse(text);
    if (!answer.ok) throw new ApiError(answer.status, parsed);
    return { status: answer.status, etag: answer.headers.get("ETag"), body: parsed };
  }

  async #fetch(path, options) {
    try {
      return await fetch(this.base + path, { credentials: "same-origin", cache: "no-store", ...options });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, { detail: "The server can't be reached." });
    }
  }
}

function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
