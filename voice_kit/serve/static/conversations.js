/** The list of one's conversations: open, rename, delete, begin a new one. */

const PATH = "/v1/conversations";

/** What went wrong with a request, as a sentence with the fix; `status` is HTTP's, 0 without an answer. */
export class Problem extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** The answer to a request, as JSON. Throws `Problem`. */
export async function asked(path, { method = "GET", body, token } = {}) {
  let answer;
  try {
    const headers = { ...(body && { "Content-Type": "application/json" }), ...(token && { Authorization: `Bearer ${token}` }) };
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Problem("The gateway cannot be reached: see that it runs.");
  }
  if (answer.ok) return answer.json();
  const told = (await answer.json().catch(() => ({})))?.error?.message;
  const wait = Number(answer.headers.get("Retry-After"));
  throw new Problem([told ?? `The gateway says ${answer.status}: try again later.`, wait ? `Try again in ${wait} s.` : ""].filter(Boolean).join(" "), answer.status);
}

/** What was said in a conversation before this page was opened, as turns of the transcript. */
export async function past(conversation) {
  const { data } = await asked(`${PATH}/${conversation}/lines?limit=100`);
  const turns = [];
  for (const { role, text } of data) {
    if (role === "tool") continue;
    if (role === "user" || !turns.length || turns.at(-1).said) {
      turns.push({ turn: `past ${turns.length}`, typed: false, you: "", sure: true, route: null, tools: [], pieces: [], heard: 0,
        playing: false, said: "", missed: "", interrupted: "", remarks: [], done: true });
    }
    turns.at(-1)[role === "user" ? "you" : "said"] = text;
  }
  return turns;
}

const when = (seconds) => new Date(1000 * seconds).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children); // a string is never read as markup
  return element;
}

/**
 * The list in `element`, a <ul>.
 * @param {{onopen: (id: string) => void, onproblem: (problem: Problem) => void, ondelete: (id: string) => void}} to
 */
export function conversations(element, { onopen, onproblem, ondelete }) {
  let all = [], here = "", naming = "", stale = 0, shown = "";

  async function refresh() {
    clearTimeout(stale);
    stale = 0;
    try {
      all = (await asked(`${PATH}?limit=50`)).data;
      draw();
      return true;
    } catch (problem) {
      onproblem(problem);
      return false;
    }
  }
  async function change(id, method, body) {
    try {
      await asked(`${PATH}/${id}`, { method, body });
      if (method === "DELETE") ondelete(id);
    } catch (problem) {
      onproblem(problem);
    }
    await refresh();
  }
  function itemOf({ id, title, changed_at }) {
    const name = title || "without a title";
    if (id === naming) return editor(id, title);
    const open = make("button", { type: "button", class: "open", ...(id === here ? { "aria-current": "true" } : {}) },
      make("span", { class: "title" }, name), make("time", { datetime: new Date(1000 * changed_at).toISOString() }, when(changed_at)));
    open.addEventListener("click", () => onopen(id));
    const rename = make("button", { type: "button", class: "small", "aria-label": `Rename “${name}”`, title: "Rename", "data-of": id }, "✎");
    rename.addEventListener("click", () => { naming = id; draw(); element.querySelector("input").select(); });
    const remove = make("button", { type: "button", class: "small", "aria-label": `Delete “${name}”`, title: "Delete" }, "✕");
    remove.addEventListener("click", () => {
      if (confirm(`Delete “${name}”, with all that was said in it and remembered from it?`)) change(id, "DELETE");
    });
    return make("li", {}, open, rename, remove);
  }
  function editor(id, title) {
    const input = make("input", { type: "text", maxlength: "60", required: "", "aria-label": "New title", value: title });
    const form = make("form", {}, input, make("button", { type: "submit", class: "small" }, "Save"));
    const end = () => { naming = ""; draw(); element.querySelector(`[data-of="${id}"]`)?.focus(); };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const wanted = input.value.trim();
      naming = "";
      if (wanted) await change(id, "PATCH", { title: wanted });
      end();
    });
    input.addEventListener("keydown", ({ key }) => key === "Escape" && end());
    return make("li", {}, form);
  }
  function draw() {
    const now = JSON.stringify([all, here, naming]);
    if (now === shown) return;
    shown = now;
    const held = element.contains(document.activeElement) ? [...element.querySelectorAll("button, input")].indexOf(document.activeElement) : -1;
    const items = all.map(itemOf);
    element.replaceChildren(...(items.length ? items : [make("li", { class: "none" }, "Nothing was said yet.")]));
    if (held >= 0) [...element.querySelectorAll("button, input")].at(held)?.focus();
  }
  draw();
  return {
    refresh,
    /** Something was said: look again, once for all that happens meanwhile. */
    soon() {
      if (!naming) stale ||= setTimeout(refresh, 1500);
    },
    /** Which one is open. */
    at(id) {
      here = id;
      draw();
    },
  };
}
