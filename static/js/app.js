// Behaviour that every page shares. Each module binds itself to data- attributes and does nothing
// where they are absent, so that a page works the same when a partial was swapped in by htmx.
import { bindTheme } from "./pages/theme.js";
import { bindToasts } from "./pages/toasts.js";
import { bindForms } from "./pages/forms.js";
import { bindValueFields } from "./pages/value_field.js";
import { bindTimes } from "./pages/times.js";
import { bindKeys } from "./pages/keys.js";
import { bindPolling } from "./pages/polling.js";
import { bindLog } from "./pages/log.js";
import { bindCopy } from "./pages/copy.js";
import { bindFill } from "./pages/fill.js";

const binders = [
  bindTheme, bindToasts, bindValueFields, bindForms, bindTimes, bindKeys, bindPolling, bindLog, bindCopy,
  bindFill,
];

for (const bind of binders) {
  bind(document);
}
