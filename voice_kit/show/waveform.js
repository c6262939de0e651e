/** The microphone live: its wave, the chance of speech under it, and what was made of it, scrolling by. */

const STYLE = `
.vk-wave { --ink: var(--jp-content-font-color1, #1c2530); --soft: var(--jp-content-font-color2, #55606c); --paper: var(--jp-layout-color1, #ffffff);
  --line: var(--jp-border-color1, #8a94a0); --speech: #1668d6; --quiet: #76818d; --mark: #a5480a; --focus: var(--jp-brand-color1, #0b57b0);
  color: var(--ink); background: var(--paper); font: 13px/1.4 var(--jp-ui-font-family, system-ui, sans-serif); min-width: 0;
  border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
@media (prefers-color-scheme: dark) { .vk-wave { --ink: var(--jp-content-font-color1, #e8ecf0); --soft: var(--jp-content-font-color2, #b3bcc6);
  --paper: var(--jp-layout-color1, #15191e); --focus: var(--jp-brand-color1, #8ec2ff); } }
.vk-wave[data-dark] { --speech: #62a8ff; --quiet: #8b96a3; --mark: #ffb070; }
.vk-wave * { box-sizing: border-box; }
.vk-wave .stage { height: 190px; cursor: crosshair; touch-action: pan-y; }
.vk-wave canvas { display: block; width: 100%; height: 100%; }
.vk-wave :focus-visible { outline: 3px solid var(--focus); outline-offset: -3px; }
.vk-wave .foot { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: center; padding: 6px 10px; border-top: 1px solid var(--line); }
.vk-wave output { font-variant-numeric: tabular-nums; flex: 1 1 16em; }
.vk-wave .legend { color: var(--soft); flex: 1 1 100%; margin: 0; }
.vk-wave .legend:empty { display: none; }
.vk-wave button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 6px;
  padding: 4px 12px; min-height: 30px; cursor: pointer; }
`;
const FRAME = 0.032; // seconds
const KEEP = 1.3; // times what is shown is kept

/** What was heard lately; `add` takes messages of `Waveform` in waveform.py. Several views may show one. */
export function memory() {
  const kept = { frames: [], events: [], last: 0, arrived: 0 };
  kept.add = (message, seconds = 10) => {
    if (!message.frames) return;
    const newest = message.frames.at(-1)?.[0] ?? kept.last;
    if (newest < kept.last - 1) kept.frames = kept.events = []; // another conversation
    kept.frames = [...kept.frames, ...message.frames].filter(([at]) => at > newest - seconds * KEEP);
    kept.events = [...kept.events, ...message.events].filter(([at]) => at > newest - seconds * KEEP);
    if (message.frames.length) [kept.last, kept.arrived] = [newest, performance.now()];
  };
  return kept;
}

const decibels = (level) => (level > 0 ? `${Math.max(-99, Math.round(20 * Math.log10(level)))} dBFS` : "silent");
/** As the ear hears it rather than in proportion, or all but shouts would be a flat line. */
const height = (amplitude) => Math.sign(amplitude) * Math.min(1, Math.abs(amplitude)) ** 0.55;

/** Draws a mark of an event, as matplotlib names its shape. */
function drawShape(pen, shape, x, y, r) {
  const corners = {
    ">": [[-r, -r], [r, 0], [-r, r]], "^": [[-r, r], [0, -r], [r, r]], v: [[-r, -r], [r, -r], [0, r]],
    D: [[0, -r], [r, 0], [0, r], [-r, 0]], s: [[-r, -r], [r, -r], [r, r], [-r, r]],
  }[shape];
  pen.beginPath();
  if (corners) corners.forEach(([dx, dy]) => pen.lineTo(x + dx, y + dy));
  if (shape === "o") pen.arc(x, y, r, 0, 2 * Math.PI);
  if (shape === "X") {
    for (const [dx, dy] of [[r, r], [r, -r]]) { pen.moveTo(x - dx, y - dy); pen.lineTo(x + dx, y + dy); }
    pen.lineWidth = 2.5;
    pen.stroke();
  } else pen.fill();
}

/** Shows in `element` what `past`, a memory(), keeps.
 *
 * `update({rules, marks, seconds, frames, events})` takes any of what `Waveform` in waveform.py tells; frames are
 * [when it ended, root mean square, chance of speech, lowest and highest sample if known], events [when, letter].
 */
export function waveform(element, { past = memory() } = {}) {
  const make = (tag, attributes = {}) => Object.assign(document.createElement(tag), attributes);
  const root = make("section", { className: "vk-wave", ariaLabel: "What the microphone hears" });
  const stage = make("div", { className: "stage", tabIndex: 0 }), canvas = make("canvas"), foot = make("div", { className: "foot" });
  const button = make("button", { type: "button", textContent: "Freeze" }), reading = make("output"), legend = make("p", { className: "legend" });
  stage.setAttribute("role", "slider");
  Object.assign(stage, { ariaLabel: "The last seconds. Space freezes, arrows read, page up and down go from mark to mark", ariaValueMin: "0" });
  reading.setAttribute("aria-live", "off"); // the slider says the same when it is asked
  root.dataset.lmSuppressShortcuts = "true";
  stage.append(canvas);
  foot.append(button, reading, legend);
  root.append(make("style", { textContent: STYLE }), stage, foot);
  element.append(root);
  const pen = canvas.getContext("2d"), calm = matchMedia("(prefers-reduced-motion: reduce)");
  let rules = { start_above: 0.5, stop_below: 0.35 }, marks = {}, seconds = 10;
  let frozen = null, cursor = 0, head = past.last, before = 0, frame = 0, rests = 0, visible = true, colours = {}, dressed = -1e9, told = -1e9;
  let wide = 600, tall = 190;

  const shown = () => frozen ?? past;
  const at = (time) => { // the frame that was heard then
    const { frames } = shown();
    return frames.find(([end]) => end > time + 1e-3) ?? frames.at(-1);
  };
  const ofWave = () => (tall - 20) * 0.62, ofChance = () => (tall - 20) * 0.3;

  function dress(now) { // a page may change its theme at any time, and may say so to nobody
    if (now - dressed < 700) return;
    dressed = now;
    let style = getComputedStyle(root);
    const parts = style.backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255];
    const dark = 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2] < 110;
    if (dark !== "dark" in root.dataset) { root.toggleAttribute("data-dark", dark); style = getComputedStyle(root); }
    for (const name of ["ink", "paper", "soft", "line", "speech", "quiet", "mark"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
  }

  function draw(now) {
    dress(now);
    const { frames, events } = shown(), start = head - seconds, x = (time) => ((time - start) / seconds) * wide;
    const middle = 20 + ofWave() / 2, half = ofWave() / 2 - 4, floor = tall - 18, room = ofChance();
    const scale = canvas.width / wide;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, wide, tall);
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "center";
    pen.lineWidth = 1;
    for (let second = Math.ceil(start); second <= head; second++) { // the axis
      pen.fillStyle = colours.soft;
      if (second >= 0 && second % 2 === 0) pen.fillText(`${second} s`, x(second), tall - 5);
      pen.globalAlpha = 0.35;
      pen.fillRect(Math.round(x(second)), floor, 1, 4);
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = colours.line;
    pen.globalAlpha = 0.5;
    pen.beginPath();
    pen.moveTo(0, middle); pen.lineTo(wide, middle);
    pen.moveTo(0, floor); pen.lineTo(wide, floor);
    pen.stroke();
    pen.globalAlpha = 1;
    const inView = frames.filter(([end]) => end >= start - FRAME && end <= head + FRAME);
    // The wave: stretches of speech filled and outlined, the rest only filled.
    for (let from = 0; from < inView.length;) {
      const loud = inView[from][2] >= rules.start_above;
      let to = from + 1;
      while (to < inView.length && inView[to][2] >= rules.start_above === loud && inView[to][0] - inView[to - 1][0] < 3 * FRAME) to++;
      const joined = inView[to] && inView[to][0] - inView[to - 1][0] < 3 * FRAME ? inView.slice(from, to + 1) : inView.slice(from, to);
      pen.fillStyle = pen.strokeStyle = loud ? colours.speech : colours.quiet;
      pen.beginPath();
      for (const [end, level, , , high = 2.2 * level] of joined) pen.lineTo(x(end), middle - Math.max(0.7, half * height(high)));
      for (const [end, level, , low = -2.2 * level] of joined.reverse()) pen.lineTo(x(end), middle - Math.min(-0.7, half * height(low)));
      pen.closePath();
      pen.fill();
      from = to;
    }
    // The chance of speech, and the thresholds.
    pen.fillStyle = pen.strokeStyle = colours.speech;
    pen.beginPath();
    inView.forEach(([end, , chance], index) => (index ? pen.lineTo : pen.moveTo).call(pen, x(end), floor - chance * room));
    pen.lineWidth = 1.5;
    pen.stroke();
    if (inView.length) {
      pen.lineTo(x(inView.at(-1)[0]), floor);
      pen.lineTo(x(inView[0][0]), floor);
      pen.globalAlpha = 0.18;
      pen.fill();
      pen.globalAlpha = 1;
    }
    pen.strokeStyle = pen.fillStyle = colours.ink;
    pen.textAlign = "left";
    pen.lineWidth = 1;
    for (const [name, level, up] of [["starts", rules.start_above, -3], ["stops", rules.stop_below, 10]]) {
      pen.setLineDash([4, 4]);
      pen.globalAlpha = 0.55;
      pen.beginPath();
      pen.moveTo(0, floor - level * room); pen.lineTo(wide, floor - level * room);
      pen.stroke();
      pen.globalAlpha = 1;
      const label = [`${name} ${level}`, 4, floor - level * room + up];
      pen.setLineDash([]);
      Object.assign(pen, { lineWidth: 3, lineJoin: "round", strokeStyle: colours.paper });
      pen.strokeText(...label); // or it cannot be read where the curve passes
      pen.fillText(...label);
      Object.assign(pen, { lineWidth: 1, lineJoin: "miter", strokeStyle: colours.ink });
    }
    pen.setLineDash([]);
    pen.textAlign = "center";
    let right = -100, row = 0; // marks that are close to each other go down a row
    for (const [time, letter] of events) {
      if (time < start || time > head + FRAME) continue;
      const [shape] = marks[letter] ?? ["o"], place = x(time);
      row = place - right < 24 ? (row + 1) % 3 : 0;
      right = place;
      pen.fillStyle = pen.strokeStyle = colours.mark;
      pen.globalAlpha = 0.6;
      pen.fillRect(place - 0.5, 12 + 14 * row, 1, floor - 12 - 14 * row);
      pen.globalAlpha = 1;
      drawShape(pen, shape, place - 5, 9 + 14 * row, 4);
      pen.fillStyle = colours.ink;
      pen.font = "bold 11px system-ui, sans-serif";
      pen.fillText(letter, place + 6, 13 + 14 * row);
    }
    if (frozen) {
      pen.fillStyle = colours.ink;
      pen.fillRect(x(cursor) - 1, 0, 2, floor);
    }
    if (!inView.length) {
      pen.fillStyle = colours.soft;
      pen.font = "13px system-ui, sans-serif";
      pen.fillText("Nothing is heard yet.", wide / 2, middle - 8);
    }
    if (now - told > 250 || frozen) { told = now; tell(); }
  }

  /** Write what is under the cursor, or what is heard now. */
  function tell() {
    const heard = at(frozen ? cursor : past.last), { events } = shown();
    const near = frozen ? events.filter(([time]) => Math.abs(time - cursor) <= FRAME) : events.slice(-1);
    const said = near.map(([time, letter]) => `${marks[letter]?.[1] ?? letter} at ${time.toFixed(1)} s`).join(", ");
    const text = heard ? `${heard[0].toFixed(2)} s: ${decibels(heard[1])}, speech ${Math.round(100 * heard[2])} %${said ? `, ${frozen ? "" : "last: "}${said}` : ""}` : "";
    if (reading.textContent !== text) reading.textContent = text;
    Object.assign(stage, { ariaValueNow: String(frozen ? cursor : past.last), ariaValueMax: String(past.last), ariaValueText: text || "nothing is heard yet" });
    const kinds = Object.entries(marks).filter(([letter]) => events.some((event) => event[1] === letter));
    const named = kinds.map(([letter, [, words]]) => `${letter} ${words}`).join(" · ");
    if (legend.textContent !== named) legend.textContent = named;
  }

  function step() {
    frame = 0;
    if (frozen) return;
    const now = performance.now(); // a frame that was not waited for has the time of the one before
    const passed = Math.min(0.2, (now - before) / 1000), ahead = past.last - head;
    before = now;
    head = calm.matches || Math.abs(ahead) > 1 ? past.last : Math.min(past.last, head + passed + (ahead - 0.06) * Math.min(1, 3 * passed));
    draw(now);
    settle();
  }
  /** Go on while there is something new and someone can see it, thirty times a second: to ask for more frames than are
   * drawn is not free, for a page works on each. */
  function settle() {
    const moves = visible && !frozen && (performance.now() - past.arrived < 700 || past.last - head > 1e-3);
    if (!moves || frame || rests) return;
    const rest = (calm.matches ? 500 : 28) - (performance.now() - before);
    rests = setTimeout(() => { rests = 0; frame = requestAnimationFrame(step); }, Math.max(0, rest));
  }
  function freeze(on) {
    frozen = on ? { frames: past.frames, events: past.events } : null;
    if (on) cursor = head;
    button.textContent = on ? "Go on" : "Freeze";
    button.ariaPressed = String(on);
    draw(performance.now());
    settle();
  }
  function read(time) {
    if (!frozen) freeze(true);
    cursor = Math.min(head, Math.max(head - seconds, frozen.frames[0]?.[0] ?? 0, time));
    draw(performance.now());
  }
  const pointed = (event) => head - seconds + ((event.clientX - stage.getBoundingClientRect().left) / wide) * seconds;
  const keys = {
    " ": () => freeze(!frozen), Escape: () => freeze(false),
    ArrowLeft: () => read(cursor - FRAME), ArrowRight: () => read(cursor + FRAME),
    Home: () => read(-Infinity), End: () => read(Infinity),
    PageUp: () => read(shown().events.findLast(([time]) => time < cursor - 1e-3)?.[0] ?? cursor),
    PageDown: () => read(shown().events.find(([time]) => time > cursor + 1e-3)?.[0] ?? cursor),
  };
  stage.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!frozen && event.key !== "Escape") { freeze(true); if (event.key === " ") return; }
    keys[event.key]();
  });
  stage.addEventListener("pointerdown", (event) => read(pointed(event)));
  stage.addEventListener("pointermove", (event) => { if (frozen) read(pointed(event)); });
  button.addEventListener("click", () => freeze(!frozen));
  button.ariaPressed = "false";
  const seen = new IntersectionObserver((all) => { visible = all.at(-1).isIntersecting; settle(); });
  seen.observe(root);
  const sized = new ResizeObserver(() => {
    [wide, tall] = [stage.clientWidth || wide, stage.clientHeight || tall];
    const sharp = Math.min(devicePixelRatio || 1, 2);
    [canvas.width, canvas.height] = [Math.round(wide * sharp), Math.round(tall * sharp)];
    draw(performance.now());
  });
  sized.observe(stage);
  // Nothing is drawn while nothing is heard: without these, a new theme leaves dark words on dark.
  const redress = () => { dressed = -1e9; draw(performance.now()); };
  const scheme = matchMedia("(prefers-color-scheme: dark)"), theme = new MutationObserver(redress);
  scheme.addEventListener("change", redress);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });

  return {
    update(message) {
      if (message.rules) rules = message.rules;
      if (message.marks) marks = message.marks;
      if (message.seconds) seconds = message.seconds;
      past.add(message, seconds);
      if (!frame && (message.rules || message.marks)) draw(performance.now());
      settle();
    },
    remove() {
      cancelAnimationFrame(frame);
      clearTimeout(rests);
      visible = false;
      seen.disconnect();
      sized.disconnect();
      theme.disconnect();
      scheme.removeEventListener("change", redress);
      root.remove();
    },
  };
}

/** The widget. What was heard is one for all views; anywidget gives each of them its own `model`. */
export default () => {
  const past = memory();
  return {
    initialize({ model }) {
      const hear = (message) => past.add(message, model.get("seconds"));
      model.on("msg:custom", hear);
      return () => model.off("msg:custom", hear);
    },
    render({ model, el }) {
      const view = waveform(el, { past });
      const update = () => view.update(Object.fromEntries(["rules", "marks", "seconds"].map((name) => [name, model.get(name)])));
      const wake = () => view.update({});
      const events = "change:rules change:marks change:seconds";
      model.on(events, update);
      model.on("msg:custom", wake);
      update();
      return () => { model.off(events, update); model.off("msg:custom", wake); view.remove(); };
    },
  };
};
