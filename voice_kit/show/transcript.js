/** The conversation as text: word by word as it is heard, and a box to type in.
 *
 * Everything shown was written by others, strangers among them: it is only ever set as text,
 * and a link leads nowhere but to a web page.
 */

const STYLE = `
.vk-transcript { --ink: var(--jp-content-font-color1, #1c2530); --paper: var(--jp-layout-color1, #ffffff);
  --soft: var(--jp-content-font-color2, #5a6470); --line: var(--jp-border-color0, #8a94a0);
  --link: var(--jp-content-link-color, #0b57b0); --bad: var(--jp-error-color1, #b3261e);
  color: var(--ink); background: var(--paper); font: 14px/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  border: 1px solid var(--line); border-radius: 8px; display: flex; flex-direction: column; min-width: 0; }
@media (prefers-color-scheme: dark) { .vk-transcript { --ink: var(--jp-content-font-color1, #e8ecf0);
  --paper: var(--jp-layout-color1, #15191e); --soft: var(--jp-content-font-color2, #b3bcc6);
  --link: var(--jp-content-link-color, #8ec2ff); --bad: var(--jp-error-color1, #ffa198); } }
.vk-transcript * { box-sizing: border-box; }
.vk-transcript ol { list-style: none; margin: 0; padding: 0; }
.vk-transcript .log { padding: 10px 14px; height: 320px; overflow-y: auto; flex: 1 1 auto;
  overflow-wrap: anywhere; }
.vk-transcript li { margin: 0 0 10px; }
.vk-transcript p { margin: 2px 0; }
.vk-transcript .says { padding-left: 40px; text-indent: -40px; }
.vk-transcript .who { display: inline-block; width: 36px; text-indent: 0; font-weight: 700; }
.vk-transcript .mark { display: inline-block; text-indent: 0; }
.vk-transcript .unsure, .vk-transcript .more { color: var(--soft); }
.vk-transcript .unsure { font-style: italic; }
.vk-transcript .more { margin-left: 40px; font-size: 13px; }
.vk-transcript s { color: var(--soft); }
.vk-transcript .mark { color: var(--soft); font-size: 12px; border: 1px solid var(--line); border-radius: 4px; padding: 0 4px; }
.vk-transcript .failed { color: var(--bad); font-weight: 600; }
.vk-transcript a { color: var(--link); text-decoration: underline; }
.vk-transcript :focus-visible { outline: 3px solid var(--link); outline-offset: -2px; }
.vk-transcript form { display: flex; gap: 8px; padding: 10px 14px; border-top: 1px solid var(--line); align-items: center;
  flex-wrap: wrap; }
.vk-transcript form[hidden], .vk-transcript .problem:empty { display: none; }
.vk-transcript .problem { color: var(--bad); padding: 0 14px 8px; }
.vk-transcript label { flex: 1 1 12em; display: flex; gap: 8px; align-items: center; }
.vk-transcript input { flex: 1 1 8em; min-width: 0; }
.vk-transcript input, .vk-transcript button { font: inherit; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; padding: 5px 10px; min-height: 32px; }
.vk-transcript button { cursor: pointer; }
.vk-transcript .foot { display: flex; justify-content: flex-end; padding: 0 14px 10px; }
.vk-transcript .only-read { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;
const UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff";
const SIGN = new RegExp(`[${UNSPACED}][^\\s\\p{L}\\p{N}]*|[^\\s${UNSPACED}]+`, "gu");

/** The words of a text that were heard once this share of its sound was: more than half of each. */
export function heardOf(text, share) {
  if (share >= 1) return text;
  let end = 0;
  for (const sign of text.matchAll(SIGN)) {
    if (sign.index + sign[0].length / 2 < text.length * share) end = sign.index + sign[0].length;
  }
  return text.slice(0, end);
}

/** What of these pieces was heard after so many seconds, and what was not. */
export function split(pieces, seconds) {
  const heard = [], missed = [];
  for (const { text, seconds: length } of pieces) {
    const part = heardOf(text, length > 0 ? Math.max(0, seconds) / length : seconds > 0 ? 1 : 0);
    if (part) heard.push(part);
    if (part !== text) missed.push(text.slice(part.length).trim());
    seconds -= length;
  }
  return [heard.join(" "), missed.join(" ")];
}

/** The address if it leads to a web page, else null. */
export function webAddress(url) {
  try {
    const found = new URL(url);
    return found.protocol === "https:" || found.protocol === "http:" ? found : null;
  } catch { return null; }
}

const FOCUSABLE = new Set(["a", "button", "input", "summary"]);

/** An element with text or children in it; a string is never read as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  // JupyterLab would take keys for its own, were this not on the very element that has the focus.
  if (FOCUSABLE.has(tag) || attributes.tabindex) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children);
  return element;
}

const line = (who, ...words) => make("p", { class: "says" }, make("span", { class: "who" }, who), " ", ...words);

function sourceOf({ title, url }) {
  const found = webAddress(url);
  if (!found) return make("p", { class: "more" }, `source: ${title}`);
  const link = make("a", { href: found.href, target: "_blank", rel: "noopener noreferrer nofollow" }, title || found.hostname);
  return make("p", { class: "more" }, "source: ", link, ` (${found.hostname}, opens a new tab)`);
}

function entryOf(entry, seconds) {
  const item = make("li");
  if (entry.you) {
    const mark = entry.typed ? [" ", make("span", { class: "mark" }, "typed")] : [];
    item.append(line("you", make("span", { class: entry.sure ? "" : "unsure" }, entry.you + (entry.sure ? "" : " …")), ...mark));
  }
  if (entry.route) item.append(make("p", { class: "more" }, `route: ${entry.route.kind}, ${Math.round(100 * entry.route.confidence)} % sure: ${entry.route.reason}`));
  for (const tool of entry.tools) {
    const what = `tool: ${tool.tool}(${tool.arguments}) → `;
    item.append(make("p", { class: "more" }, what, make("span", { class: tool.worked ? "" : "failed" }, (tool.worked ? "" : "failed: ") + tool.result)));
    item.append(...tool.sources.map(sourceOf));
  }
  const [said, rest] = entry.done ? [entry.said, entry.missed] : split(entry.pieces, seconds);
  const missed = entry.done || entry.interrupted ? rest.trim() : "";
  if (said || missed) {
    const struck = missed ? [" ", make("s", {}, missed), " ", make("span", { class: "mark" }, "not heard")] : [];
    item.append(line("kit", said, ...struck));
  }
  for (const { text, failed } of entry.remarks) item.append(make("p", { class: failed ? "more failed" : "more" }, failed ? `failed: ${text}` : text));
  if (entry.interrupted) item.append(make("p", { class: "more" }, `you interrupt: ${entry.interrupted}`));
  return item;
}

/** Its key, what it is made of, and how. */
const itemOf = (entry, seconds) => [entry.turn, JSON.stringify([entry, entry.done ? 0 : split(entry.pieces, seconds)[0]]), () => entryOf(entry, seconds)];
/** How much of it was heard by now, in seconds, if that was told at `received`. */
export const secondsOf = (entry, received) => entry.heard + (entry.playing ? (performance.now() - received) / 1000 : 0);
const spoken = (entry) => [
  entry.you && `You: ${entry.you}`,
  entry.said && `Kit: ${entry.said}`,
  entry.missed && `Not heard: ${entry.missed.trim()}`,
  ...entry.remarks.map(({ text, failed }) => (failed ? `Failed: ${text}` : text)),
].filter(Boolean).join(". ");

/** Shows a conversation in `element`. `online(text)` gets what is typed, and may throw.
 *
 * `update({entries, now, typing, received})` takes what `Transcript` in transcript.py tells;
 * `received` is when `now` came, by performance.now().
 */
export function transcript(element, { online = null } = {}) {
  const items = make("ol");
  const log = make("div", { class: "log", role: "log", "aria-live": "off", "aria-label": "Conversation", tabindex: "0" }, items);
  const told = make("p", { class: "only-read", role: "status", "aria-live": "polite" });
  const input = make("input", { type: "text", maxlength: "2000", autocomplete: "off", enterkeyhint: "send" });
  const form = make("form", {}, make("label", {}, "Type a line", input), make("button", { type: "submit" }, "Send"));
  const problem = make("p", { class: "problem", role: "alert" });
  const save = make("button", { type: "button" }, "Save as text");
  const root = make("section", { class: "vk-transcript", "aria-label": "Transcript" },
    make("style", {}, STYLE), log, told, form, problem, make("div", { class: "foot" }, save));
  element.append(root);
  let entries = [], over = []; // the turns that are over, and an item for each: drawn ten times a second, made once
  let now = { open: [], partial: "", sent: [] }, received = performance.now(), ending = null, timer = 0;
  const shown = new Map(); // each item's element and what it was made of, by key

  function draw() {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const wanted = [...over, ...now.open.map((entry) => itemOf(entry, secondsOf(entry, received)))];
    if (now.partial) wanted.push(["partial", now.partial, () => make("li", {}, line("you", make("span", { class: "unsure" }, `${now.partial} …`)))]);
    now.sent.forEach((text, at) => wanted.push([`sent ${at}`, text, () => make("li", {}, line("you", text, " ", make("span", { class: "mark" }, "sent, not answered yet")))]));
    if (!wanted.length) wanted.push(["nothing", "", () => make("li", { class: "unsure" }, "Nothing was said yet.")]);
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, { item }] of shown) if (!keys.has(key)) { item.remove(); shown.delete(key); }
    wanted.forEach(([key, made, build], at) => {
      let here = shown.get(key);
      if (here?.made !== made) {
        const item = build();
        here?.item.replaceWith(item);
        shown.set(key, (here = { made, item }));
      }
      if (items.children[at] !== here.item) items.insertBefore(here.item, items.children[at] ?? null);
    });
    if (atEnd) log.scrollTop = log.scrollHeight;
    const plays = now.open.some((entry) => entry.playing);
    if (plays && !timer) timer = setInterval(draw, 100);
    if (!plays && timer) timer = clearInterval(timer) ?? 0;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    try {
      online(text);
      input.value = problem.textContent = "";
    } catch {
      problem.textContent = "Nobody is there to read this: run the cell again.";
    }
  });
  input.addEventListener("keydown", (event) => { // JupyterLab stops the line break that would send the form
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  save.addEventListener("click", () => {
    const lines = [...items.children].map((item) => [...item.children].map((each) => each.textContent).join("\n") || item.textContent);
    const link = make("a", { href: URL.createObjectURL(new Blob([`${lines.join("\n\n")}\n`], { type: "text/plain" })), download: "conversation.txt" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });

  return {
    update(message) {
      if (message.entries && message.entries !== entries) {
        entries = message.entries;
        over = entries.map((entry) => itemOf(entry, 0));
        const last = entries.at(-1), text = last ? spoken(last) : "";
        if (ending !== null && text && ending !== text) told.textContent = text;
        ending = text;
      }
      if (message.now?.open) { now = message.now; received = message.received ?? performance.now(); }
      form.hidden = !(message.typing ?? !form.hidden) || !online;
      draw();
    },
    remove() { clearInterval(timer); root.remove(); },
  };
}

/** The widget. All its views share when `now` came; anywidget gives each of them its own `model`. */
export default () => {
  let received = performance.now();
  return {
    initialize({ model }) {
      model.on("change:now", () => { received = performance.now(); });
    },
    render({ model, el }) {
      const view = transcript(el, { online: (text) => model.send({ line: text }) });
      const update = () => view.update({ entries: model.get("entries"), now: model.get("now"), typing: model.get("typing"), received });
      const events = "change:entries change:now change:typing";
      model.on(events, update);
      update();
      return () => { model.off(events, update); view.remove(); };
    },
  };
};
