/** A small form: sliders, choices and buttons, each with its words and its unit. */

const STYLE = `
.vk-form { --ink: var(--jp-content-font-color1, #1c2530); --paper: var(--jp-layout-color1, #ffffff);
  --soft: var(--jp-content-font-color2, #5a6470); --line: var(--jp-border-color0, #8a94a0);
  --link: var(--jp-content-link-color, #0b57b0); --bad: var(--jp-error-color1, #b3261e);
  color: var(--ink); font: 14px/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  box-sizing: border-box; min-width: 0; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { .vk-form { --ink: var(--jp-content-font-color1, #e8ecf0);
  --paper: var(--jp-layout-color1, #15191e); --soft: var(--jp-content-font-color2, #b3bcc6);
  --link: var(--jp-content-link-color, #8ec2ff); --bad: var(--jp-error-color1, #ffa198); } }
.vk-form * { box-sizing: border-box; }
.vk-form details { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 0 14px; }
.vk-form summary { cursor: pointer; font-weight: 600; padding: 8px 0; }
.vk-form .inside { display: flex; flex-direction: column; gap: 10px; }
.vk-form details .inside { padding-bottom: 12px; }
.vk-form .field { display: grid; grid-template-columns: 1fr auto; gap: 2px 10px; align-items: center; }
.vk-form .field > :is(input, select, .help) { grid-column: 1 / -1; }
.vk-form .help { color: var(--soft); font-size: 12px; }
.vk-form output { font-variant-numeric: tabular-nums; white-space: nowrap; }
.vk-form input[type=range] { width: 100%; margin: 0; height: 24px; accent-color: var(--link); }
.vk-form select, .vk-form button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; padding: 5px 10px; min-height: 32px; max-width: 100%; }
.vk-form select { width: 100%; }
.vk-form .buttons { display: flex; flex-wrap: wrap; gap: 8px; }
.vk-form button { cursor: pointer; }
.vk-form button[aria-pressed=true] { border: 2px solid var(--link); font-weight: 600; }
.vk-form button[aria-disabled=true] { cursor: default; color: var(--soft); border-style: dashed; }
.vk-form :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.vk-form p { margin: 0; white-space: pre-line; }
.vk-form :is(p, .buttons, .inside):empty { display: none; }
.vk-form .problem { color: var(--bad); font-weight: 600; }
`;
const FOCUSABLE = new Set(["button", "input", "select", "summary"]);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  // JupyterLab would take keys for its own, were this not on the very element that has the focus.
  if (FOCUSABLE.has(tag)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children); // a string is never read as markup
  return element;
}

const set = (element, name, value) => element.getAttribute(name) === `${value}` || element.setAttribute(name, value);
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };

/** How a number reads: as exact as its steps. */
export function reading(value, { step = 1, unit = "" }) {
  const places = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return `${Number(value).toFixed(places)} ${unit}`.trim();
}

/**
 * A form in `element`.
 * @param {{onset: (name: string, value: string | number) => void, onpress: (name: string) => void}} options
 * @returns `update({title, fields, values, buttons, busy, status, problem})` shows that; `remove()`.
 */
export function form(element, { onset, onpress }) {
  const id = `vk-form-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`; // each widget has a module of its own
  const root = make("div", { class: "vk-form" }, make("style", {}, STYLE));
  const inside = make("div", { class: "inside" });
  const buttons = make("div", { class: "buttons" });
  const fields = make("div", { class: "inside" });
  const status = make("p", { role: "status", "aria-live": "polite" });
  const problem = make("p", { class: "problem", role: "alert" });
  inside.append(buttons, fields, status, problem);
  const heading = make("summary"), details = make("details", {}, heading);
  element.append(root);
  let drawn = "";

  function draw(wanted) {
    const rows = wanted.map((field, number) => {
      const name = `${id}-${number}`;
      const about = field.help ? { "aria-describedby": `${name}-help` } : {};
      const label = make("label", { for: name }, field.label);
      const control = field.kind === "slider"
        ? make("input", { id: name, type: "range", min: field.low, max: field.high, step: field.step, ...about })
        : make("select", { id: name, ...about });
      const out = field.kind === "slider" ? make("output", { for: name }) : make("span");
      for (const option of field.options ?? []) {
        const choice = make("option", { value: option.value }, option.label);
        choice.disabled = !option.here;
        control.append(choice);
      }
      const read = () => {
        if (field.kind !== "slider") return;
        say(out, reading(control.value, field));
        set(control, "aria-valuetext", out.textContent);
      };
      control.addEventListener("input", read);
      control.addEventListener("change", () => onset(field.name, field.kind === "slider" ? Number(control.value) : control.value));
      const row = make("div", { class: "field" }, label, out, control);
      if (field.help) row.append(make("span", { class: "help", id: `${name}-help` }, field.help));
      return { row, control, read, name: field.name };
    });
    fields.replaceChildren(...rows.map(({ row }) => row));
    fields.rows = rows;
  }

  function press(wanted) {
    const old = new Map([...buttons.children].map((button) => [button.dataset.name, button]));
    const shown = wanted.map(({ name, label, pressed, enabled, help }) => {
      const button = old.get(name) ?? make("button", { type: "button", "data-name": name });
      if (!old.has(name)) {
        button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || onpress(name));
      }
      say(button, label);
      button.title = help;
      set(button, "aria-disabled", !enabled); // it keeps the focus
      if (pressed === null) button.removeAttribute("aria-pressed");
      else set(button, "aria-pressed", pressed);
      return button;
    });
    const same = shown.length === buttons.children.length && shown.every((button, i) => button === buttons.children[i]);
    if (!same) buttons.replaceChildren(...shown);
  }

  return {
    update(state) {
      say(heading, state.title);
      if (!inside.parentNode) root.append(state.title ? details : inside);
      if (state.title && inside.parentNode !== details) details.append(inside);
      const wanted = JSON.stringify(state.fields);
      if (wanted !== drawn) draw(state.fields);
      drawn = wanted;
      for (const { control, read, name } of fields.rows ?? []) {
        if (name in state.values) control.value = state.values[name];
        read();
      }
      press(state.buttons);
      set(root, "aria-busy", state.busy);
      say(status, state.status);
      say(problem, state.problem);
    },
    remove: () => root.remove(),
  };
}

const TRAITS = ["title", "fields", "values", "buttons", "busy", "status", "problem", "refusals"];

function render({ model, el }) {
  const send = (content) => {
    try {
      model.send(content);
    } catch { // the kernel was restarted
      view.update({ ...state(), problem: "The notebook's kernel was restarted: run the cell again." });
    }
  };
  const state = () => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));
  const view = form(el, { onset: (name, value) => send({ set: name, value }), onpress: (name) => send({ press: name }) });
  let waiting = false; // several traits change at once
  const show = () => {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => { waiting = false; view.update(state()); });
  };
  for (const name of TRAITS) model.on(`change:${name}`, show);
  view.update(state());
  return () => {
    for (const name of TRAITS) model.off(`change:${name}`, show);
    view.remove();
  };
}

export default { render };
