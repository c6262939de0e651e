/** Where the time of each turn went: bars on one axis, aligned at the last word of the question. */

const STYLE = `
.vk-timeline { --ink: var(--jp-content-font-color1, #1c2530); --paper: var(--jp-layout-color1, #ffffff);
  --soft: var(--jp-content-font-color2, #5a6470); --line: var(--jp-border-color0, #8a94a0);
  --link: var(--jp-content-link-color, #0b57b0); --band: rgba(30, 110, 60, .2);
  color: var(--ink); background: var(--paper); font: 13px/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; min-width: 0; }
@media (prefers-color-scheme: dark) { .vk-timeline { --ink: var(--jp-content-font-color1, #e8ecf0);
  --paper: var(--jp-layout-color1, #15191e); --soft: var(--jp-content-font-color2, #b3bcc6);
  --link: var(--jp-content-link-color, #8ec2ff); } }
.vk-timeline * { box-sizing: border-box; }
.vk-timeline p { margin: 4px 0; overflow-wrap: anywhere; }
.vk-timeline .sum { font-weight: 600; }
.vk-timeline .chart { max-height: 430px; overflow-y: auto; margin: 6px 0; padding: 3px; scroll-padding: 26px; }
.vk-timeline .turn { margin: 0 0 12px; }
.vk-timeline .title { font-weight: 600; }
.vk-timeline { container-type: inline-size; }
.vk-timeline .row, .vk-timeline .axis { display: grid; grid-template: "name track ms" / minmax(6em, 13em) 1fr 5em; column-gap: 8px; align-items: center; }
.vk-timeline .name { grid-area: name; }
.vk-timeline .axis { position: sticky; bottom: -3px; background: var(--paper); }
@container (max-width: 520px) {
  .vk-timeline .row { grid-template: "name ms" "track track" / 1fr auto; }
  .vk-timeline .axis { grid-template: "track" / 1fr; }
  .vk-timeline .axis .name { display: none; } }
.vk-timeline .ms { grid-area: ms; text-align: right; font-variant-numeric: tabular-nums; }
.vk-timeline .track { grid-area: track; position: relative; height: 24px; overflow: hidden; }
.vk-timeline .band { position: absolute; inset: 0 auto; background: var(--band); }
.vk-timeline .at { position: absolute; inset: 0 auto; border-left: 2px solid var(--ink); }
.vk-timeline .at.first { border-left-style: dashed; }
.vk-timeline .at.before { border-left: 2px dotted var(--soft); }
.vk-timeline .bar { position: absolute; inset: 4px auto; min-width: 4px; padding: 0; cursor: pointer; border: 1px solid var(--ink); border-radius: 2px;
  background: var(--pattern, none), var(--colour); }
.vk-timeline .bar::before { content: ""; position: absolute; inset: -5px auto; left: 0; width: 100%; min-width: 24px; }
.vk-timeline .bar.beyond { min-width: 24px; border-right: 0; }
.vk-timeline .bar.beyond::after { content: "▸"; position: absolute; inset: -1px 0 -1px auto; background: var(--paper); color: var(--ink); line-height: 16px; }
.vk-timeline .bar:hover { outline: 2px solid var(--ink); }
.vk-timeline .bar[aria-pressed=true] { outline: 3px double var(--ink); }
.vk-timeline :focus-visible, .vk-timeline .bar:focus-visible { outline: 3px solid var(--link); outline-offset: 1px; }
.vk-timeline .ticks { grid-area: track; position: relative; height: 18px; color: var(--soft); font-size: 12px; }
.vk-timeline .ticks span { position: absolute; white-space: nowrap; }
.vk-timeline .legend, .vk-timeline .hint { color: var(--soft); font-size: 12px; }
.vk-timeline .figures { min-height: 4.2em; border-left: 4px solid var(--line); padding-left: 10px; }
.vk-timeline code { font-family: var(--jp-code-font-family, monospace); color: inherit; background: none; }
.vk-timeline .tools { display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: center; }
.vk-timeline .tools button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: 4px 10px; min-height: 28px; cursor: pointer; }
.vk-timeline .table { overflow-x: auto; }
.vk-timeline table { border-collapse: collapse; margin: 6px 0; font-variant-numeric: tabular-nums; }
.vk-timeline th, .vk-timeline td { border: 1px solid var(--line); padding: 2px 8px; text-align: right; color: var(--ink); background: var(--paper); }
.vk-timeline .words { text-align: left; min-width: 14em; max-width: 24em; overflow-wrap: anywhere; }
.vk-timeline [hidden] { display: none; }
`;
const dark = "rgba(0,0,0,.45)", light = "rgba(255,255,255,.6)";
const stripes = (angle, colour) => `repeating-linear-gradient(${angle}deg, ${colour} 0 2px, transparent 2px 7px)`;
/** A pattern for each stage, so that its colour is not the only sign. */
const PATTERNS = [null, stripes(45, dark), stripes(0, light), stripes(135, light), stripes(90, light),
  `radial-gradient(circle, ${light} 1.5px, transparent 2px) 0 0 / 7px 7px`, null,
  `${stripes(45, light)}, ${stripes(135, light)}`];
const LEFT = -0.5; // seconds before the last word that are shown

const FOCUSABLE = new Set(["button", "input", "summary"]);
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  // JupyterLab would take keys for its own, were this not on the very element that has the focus.
  if (FOCUSABLE.has(tag) || attributes.tabindex) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children); // a string is never read as markup
  return element;
}
const ms = (seconds) => `${Math.round(1000 * seconds)} ms`;
const figure = (seconds) => (Math.abs(seconds) < 1 ? ms(seconds) : `${seconds.toFixed(2)} s`);
const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const lengthOf = (turn, stage) => turn.bars.filter((bar) => bar.stage === stage).reduce((sum, bar) => sum + bar.end - bar.start, 0);
const others = (turns, turn, value) => turns.filter((each) => each.turn < turn.turn).map(value).filter((each) => each != null);

/** How a figure compares with those of the turns before. */
function compared(now, before) {
  if (!before.length) return "";
  const last = before.at(-1), less = last - now;
  const how = Math.abs(less) < 0.0005 ? "as long as" : `${ms(Math.abs(less))} ${less > 0 ? "shorter" : "longer"} than`;
  return ` That is ${how} in the turn before (${figure(last)}); median of ${before.length === 1 ? "that one" : `the ${before.length} before`} ${figure(median(before))}.`;
}

/** From where to where the axis goes, in seconds after the last word. */
export function axis(turns, whole) {
  const right = Math.max(0.6, ...turns.map((turn) => turn.first ?? 0)) + 0.6;
  const ends = turns.flatMap((turn) => turn.bars.map((bar) => bar.end)), starts = turns.flatMap((turn) => turn.bars.map((bar) => bar.start));
  return whole ? [Math.min(LEFT, ...starts) - 0.1, Math.max(right, ...ends) + 0.1] : [LEFT, right];
}

export function ticks(left, right) {
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60].find((each) => (right - left) / each <= 8) ?? 300;
  const found = [];
  for (let at = Math.ceil(left / step); at * step <= right; at++) found.push(Number((at * step).toFixed(2)));
  return found;
}

/** Shows turns in `element`. `onpick(turn, stage)` is told which bar was clicked, and may throw.
 *
 * `update({turns, stages, human})` takes what `TimelineView` in timeline_view.py tells.
 */
export function timeline(element, { onpick = null } = {}) {
  const sum = make("p", { class: "sum" });
  const whole = make("input", { type: "checkbox" });
  const png = make("button", { type: "button" }, "Save as PNG"), csv = make("button", { type: "button" }, "Save as table (CSV)");
  const chart = make("div", { class: "chart", role: "group", "aria-label": "Turns, the newest first. Arrow keys move from bar to bar, Enter says why it is that long." });
  const scale = make("div", { class: "axis", "aria-hidden": "true" });
  const legend = make("p", { class: "legend" });
  const figures = make("p", { class: "figures", role: "status", "aria-live": "polite" }, "Point at a bar for its figures; click it for the reason.");
  const table = make("div", { class: "table", role: "region", "aria-label": "The turns as a table", tabindex: "0" });
  const root = make("section", { class: "vk-timeline", "aria-label": "Timeline" }, make("style", {}, STYLE),
    sum, make("div", { class: "tools" }, make("label", {}, whole, " whole answers"), png, csv), chart, legend, figures,
    make("details", {}, make("summary", {}, "As a table"), table));
  element.append(root);
  let turns = [], stages = [], human = 0.2, bars = [], current = "", picked = "";
  const stageOf = (name) => stages.find((each) => each.name === name) ?? { name, label: name, colour: "#777777" };

  function tell(turn, bar, reason) {
    const { label } = stageOf(bar.stage), length = lengthOf(turn, bar.stage);
    const of = Math.abs(length - (bar.end - bar.start)) > 0.0005 ? ` (${figure(length)} in all)` : "";
    const place = `from ${figure(bar.start)} to ${figure(bar.end)} after ${turn.typed ? "it was typed" : "your last word"}`;
    const said = reason ? bar.why : `Turn ${turn.turn}, ${label}: ${figure(bar.end - bar.start)}${of}, ${place}.${compared(length, others(turns, turn, (each) => lengthOf(each, bar.stage) || null))}`;
    figures.replaceChildren(...said.split("`").map((part, at) => (at % 2 ? make("code", {}, part) : part)));
  }

  function barOf(turn, bar, at, [left, right]) {
    const key = `${turn.turn} ${bar.stage} ${at}`, percent = (seconds) => (100 * (seconds - left)) / (right - left);
    const from = Math.min(Math.max(percent(bar.start), 0), 100), to = Math.min(Math.max(percent(bar.end), from), 100);
    const { label, colour } = stageOf(bar.stage), pattern = PATTERNS[stages.findIndex((each) => each.name === bar.stage)];
    const button = make("button", { type: "button", class: percent(bar.end) > 100 ? "bar beyond" : "bar", "data-key": key, "data-stage": bar.stage, tabindex: "-1",
      "aria-pressed": String(picked === key), "aria-label": `Turn ${turn.turn}, ${label}: ${figure(bar.end - bar.start)}` });
    button.style.left = percent(bar.end) > 100 ? `min(${from}%, 100% - 24px)` : `${from}%`;
    button.style.width = `${to - from}%`;
    button.style.setProperty("--colour", colour);
    if (pattern) button.style.setProperty("--pattern", pattern);
    const look = () => { if (picked !== key) tell(turn, bar); };
    button.addEventListener("mouseenter", () => tell(turn, bar));
    button.addEventListener("focus", () => { current = key; rove(); look(); });
    button.addEventListener("click", () => {
      picked = key;
      for (const each of bars) each.setAttribute("aria-pressed", String(each === button));
      tell(turn, bar, true);
      try { onpick?.(turn.turn, bar.stage); } catch { /* nobody is there any more: the sentence is shown all the same */ }
    });
    return button;
  }

  const line = (name, seconds, [left, right]) => {
    const mark = make("i", { class: name });
    mark.style.left = `calc(${(100 * (seconds - left)) / (right - left)}% - 1px)`;
    return mark;
  };

  function turnOf(turn, before, span) {
    const group = make("div", { class: "turn", role: "group", "aria-label": `Turn ${turn.turn}: ${turn.title}` },
      make("p", { class: "title" }, `${turn.turn}. ${turn.title}`));
    for (const { name, label } of stages) {
      const mine = turn.bars.filter((bar) => bar.stage === name);
      if (!mine.length) continue;
      const band = line("band", 0, span);
      band.style.width = `${(100 * human) / (span[1] - span[0])}%`;
      const track = make("div", { class: "track" }, band, line("at", 0, span));
      if (turn.first != null) track.append(line("at first", turn.first, span));
      if (before?.first != null) track.append(line("at before", before.first, span));
      track.append(...mine.map((bar, at) => barOf(turn, bar, at, span)));
      group.append(make("div", { class: "row" }, make("span", { class: "name" }, label), track, make("span", { class: "ms" }, figure(lengthOf(turn, name)))));
    }
    return group;
  }

  function rove() {
    const here = bars.find((bar) => bar.dataset.key === current) ?? bars[0];
    for (const bar of bars) bar.tabIndex = bar === here ? 0 : -1;
    return here;
  }

  function draw() {
    const held = chart.contains(document.activeElement), span = axis(turns, whole.checked), newest = [...turns].reverse();
    chart.replaceChildren(...newest.map((turn, at) => turnOf(turn, newest[at + 1], span)), scale);
    bars = [...chart.querySelectorAll(".bar")];
    const here = rove();
    if (held) here?.focus({ preventScroll: true });
    const marks = ticks(...span).map((at) => {
      const mark = make("span", {}, `${at}`), percent = (100 * (at - span[0])) / (span[1] - span[0]);
      mark.style.left = `${percent}%`;
      mark.style.transform = `translateX(${percent < 3 ? 0 : percent > 97 ? -100 : -50}%)`;
      return mark;
    });
    scale.replaceChildren(make("span", { class: "name" }, "seconds"), make("div", { class: "ticks" }, ...marks));
    legend.textContent = `Line at 0: your last word, or when you sent a line. Shaded: the first ${ms(human)}, within which people usually answer. Dashed: the first sound; dotted: that of the turn before.`;
    const heard = turns.filter((turn) => turn.row.silence_ms != null), last = heard.at(-1);
    sum.textContent = last
      ? `Silence before the last answer: ${last.row.silence_ms} ms.${compared(last.row.silence_ms / 1000, others(heard, last, (each) => each.row.silence_ms / 1000))} People: about ${ms(human)}.`
      : "No spoken question was answered yet.";
    for (const each of [scale, legend, png, csv, whole.parentElement, table.parentElement]) each.hidden = !turns.length;
    table.replaceChildren(tableOf());
  }

  const columns = () => [["turn", "turn"], ["heard", "you said"], ["said_heard", "heard of the answer"], ["silence_ms", "silence, ms"],
    ...stages.filter((each) => `${each.name}_ms` in (turns[0]?.row ?? {})).map((each) => [`${each.name}_ms`, `${each.label}, ms`])];
  const words = (name) => (name === "heard" || name === "said_heard" ? { class: "words" } : {});
  const tableOf = () => make("table", {},
    make("thead", {}, make("tr", {}, ...columns().map(([name, label]) => make("th", { scope: "col", ...words(name) }, label)))),
    make("tbody", {}, ...turns.map(({ row }) => make("tr", {}, ...columns().map(([name]) => make("td", words(name), `${row[name] ?? ""}`))))));

  chart.addEventListener("keydown", (event) => {
    const at = bars.indexOf(document.activeElement), turn = (bar) => bar.closest(".turn");
    const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: bars.length - 1,
      PageDown: bars.findIndex((bar, place) => place > at && turn(bar) !== turn(bars[at])),
      PageUp: bars.findIndex((bar) => turn(bar) === turn(bars[at])?.previousElementSibling) }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    bars[next]?.focus();
  });
  whole.addEventListener("change", draw);
  png.addEventListener("click", () => picture(turns.slice(-4), stages, human, root).toBlob((blob) => download(blob, "timeline.png")));
  csv.addEventListener("click", () => {
    const cell = (value) => `"${String(value ?? "").replace(/^[=+\-@]/, "'$&").replaceAll('"', '""')}"`;
    const lines = [columns().map(([, label]) => cell(label)), ...turns.map(({ row }) => columns().map(([name]) => cell(row[name])))];
    download(new Blob([lines.map((each) => `${each.join(",")}\n`).join("")], { type: "text/csv" }), "timeline.csv");
  });

  return {
    update(message) {
      stages = message.stages ?? stages; human = message.human ?? human; turns = message.turns ?? turns;
      draw();
    },
    remove() { root.remove(); },
  };
}

function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** The turns on a canvas, in the colours of `root`. */
export function picture(turns, stages, human, root) {
  const style = getComputedStyle(root), canvas = document.createElement("canvas"), rowsOf = (turn) => stages.filter(({ name }) => turn.bars.some((bar) => bar.stage === name));
  const [left, right] = axis(turns, false), wide = 1000, from = 190, to = 920, x = (at) => from + ((Math.min(Math.max(at, left), right) - left) / (right - left)) * (to - from);
  const high = 50 + turns.reduce((sum, turn) => sum + 34 + 20 * rowsOf(turn).length, 0);
  canvas.width = 2 * wide; canvas.height = 2 * high;
  const pen = canvas.getContext("2d");
  pen.scale(2, 2);
  pen.fillStyle = style.backgroundColor; pen.fillRect(0, 0, wide, high);
  const write = (text, at, y, align = "left", font = "12px sans-serif") => { pen.font = font; pen.textAlign = align; pen.fillStyle = style.color; pen.fillText(text, at, y, align === "right" ? from : wide - at - 8); };
  const stroke = (at, y, length, dash) => { pen.setLineDash(dash); pen.strokeStyle = style.color; pen.beginPath(); pen.moveTo(x(at), y); pen.lineTo(x(at), y + length); pen.stroke(); };
  let y = 22;
  for (const turn of [...turns].reverse()) {
    const rows = rowsOf(turn), top = y + 8;
    write(`${turn.turn}. ${turn.title}`, 12, y, "left", "bold 13px sans-serif");
    pen.fillStyle = "rgba(30,110,60,.2)"; pen.fillRect(x(0), top, x(human) - x(0), 20 * rows.length);
    rows.forEach(({ name, label, colour }, row) => {
      write(label, from - 8, top + 20 * row + 14, "right");
      for (const bar of turn.bars.filter((each) => each.stage === name)) { pen.fillStyle = colour; pen.fillRect(x(bar.start), top + 20 * row + 3, Math.max(2, x(bar.end) - x(bar.start)), 14); }
      if (turn.bars.some((each) => each.stage === name && each.end > right)) write("▸", to, top + 20 * row + 14);
      write(figure(lengthOf(turn, name)), to + 12, top + 20 * row + 14);
    });
    stroke(0, top, 20 * rows.length, []);
    if (turn.first != null) stroke(turn.first, top, 20 * rows.length, [4, 3]);
    y = top + 20 * rows.length + 26;
  }
  for (const at of ticks(left, right)) write(`${at}`, x(at), y - 8, "center", "11px sans-serif");
  write(`seconds after your last word; shaded: ${ms(human)}, as people answer; dashed: first sound`, from, y + 8, "left", "11px sans-serif");
  return canvas;
}

function render({ model, el }) {
  const view = timeline(el, { onpick: (turn, stage) => model.send({ pick: [turn, stage] }) });
  const update = () => view.update({ turns: model.get("turns"), stages: model.get("stages"), human: model.get("human") });
  model.on("change:turns", update);
  update();
  return () => { model.off("change:turns", update); view.remove(); };
}

export default { render };
