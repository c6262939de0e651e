// The browser's microphone, as frames of 512 samples at 16 kHz; as a widget and for any page.

const RATE = 16000;
const MOST = 8; // frames a message, however slow the way is
const BEHIND = 625; // frames that nobody confirmed, 20 s: whoever should hear them is gone
const GRACE = 3000; // ms without a view before it is let go: a cell that moves takes its view away first

const MESSAGES = {
  off: "",
  asking: "The browser asks whether it may use the microphone: allow it.",
  live: "",
  click: "The browser wants a click before it listens: press Start.",
  denied: "The microphone is not allowed here: allow it at the icon beside the address, then press Start.",
  missing: "There is no microphone: plug one in and press Start, or type instead.",
  insecure: "Browsers give a microphone only to secure pages: open this one by https or as localhost.",
  busy: "Another program holds the microphone: close that one or choose another device, then press Start.",
  lost: "Nobody receives the sound any more: see that the kernel runs, run the cell again and press Start.",
  unseen: "Nothing showed the microphone any more: press Start to go on.",
};
const STATES = {
  off: "Off", asking: "Waiting for you", live: "Listening", denied: "Not allowed",
  missing: "No microphone", insecure: "Page not secure", busy: "In use elsewhere", lost: "Connection lost",
};

// Runs in the audio thread. A context that cannot have 16 kHz is converted here: a windowed sinc,
// one row of taps for each place that an output sample can have between two input samples.
const WORKLET = `
const divisor = (a, b) => (b ? divisor(b, a % b) : a);
class Converter {
  constructor(from, to) {
    const common = divisor(from, to), wide = Math.max(1, from / to);
    this.up = to / common;
    this.down = from / common;
    this.half = Math.ceil(32 * wide);
    this.taps = Array.from({ length: this.up }, (_, phase) => this.row(phase / this.up, 0.92 / wide));
    this.past = new Float32Array(2 * this.half + 4096);
    this.filled = this.half - 1; // silence before the first sample: the first output lies on it
    this.place = 0; // of the next output, in steps of 1 / up input samples
  }
  row(offset, cutoff) {
    const row = new Float32Array(2 * this.half);
    let sum = 0;
    for (let j = 0; j < row.length; j++) {
      const t = j - this.half + 1 - offset, x = Math.PI * cutoff * t, w = (Math.PI * t) / this.half;
      const window = Math.abs(t) > this.half ? 0 : 0.42 + 0.5 * Math.cos(w) + 0.08 * Math.cos(2 * w);
      sum += row[j] = (x ? Math.sin(x) / x : 1) * window;
    }
    return row.map((tap) => tap / sum);
  }
  feed(block, give) {
    this.past.set(block, this.filled);
    this.filled += block.length;
    let at = Math.floor(this.place / this.up);
    for (; at + 2 * this.half <= this.filled; at = Math.floor(this.place / this.up)) {
      const row = this.taps[this.place % this.up];
      let sum = 0;
      for (let j = 0; j < row.length; j++) sum += this.past[at + j] * row[j];
      give(sum);
      this.place += this.down;
    }
    this.past.copyWithin(0, at, this.filled);
    this.filled -= at;
    this.place -= at * this.up;
  }
}
class Framer extends AudioWorkletProcessor {
  constructor() {
    super();
    this.frame = new Float32Array(512);
    this.count = this.seq = 0;
    this.quiet = new Float32Array(128);
    this.converter = sampleRate === ${RATE} ? null : new Converter(sampleRate, ${RATE});
    this.port.onmessage = () => (this.over = true);
  }
  give(sample) {
    this.frame[this.count++] = Math.max(-1, Math.min(1, sample));
    if (this.count < 512) return;
    this.port.postMessage({ seq: this.seq++, frame: this.frame }, [this.frame.buffer]);
    this.frame = new Float32Array(512);
    this.count = 0;
  }
  process([input]) {
    const block = input[0] ?? this.quiet; // silence while devices change, so that time stays true
    if (this.converter) this.converter.feed(block, (sample) => this.give(sample));
    else for (const sample of block) this.give(sample);
    return !this.over;
  }
}
registerProcessor("voice-kit-framer", Framer);
`;

const PROBLEMS = {
  NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "missing",
  OverconstrainedError: "missing", NotReadableError: "busy", AbortError: "busy",
};

/**
 * A microphone. `start` again while it is live changes device or options and loses no time.
 * @param {{onframe: (seq: number, frame: Float32Array) => void,
 *   onstate?: (state: string, message: string) => void,
 *   ondevices?: (devices: {id: string, label: string}[]) => void, rate?: number}} to
 *   `rate` is what the context is opened with; its sound is converted to 16 kHz.
 */
export function microphone({ onframe, onstate = () => {}, ondevices = () => {}, rate = RATE }) {
  let state = "off", context = null, node = null, source = null, stream = null, attempt = 0;

  function become(now, message = MESSAGES[now]) {
    state = now;
    onstate(now, message);
  }
  function release(what) {
    for (const track of what?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
  }
  function stop(why = "off", message) {
    attempt += 1;
    release(stream);
    node?.port.postMessage("over");
    node?.disconnect();
    context?.close();
    context = node = source = stream = null;
    if (state !== why) become(why, message);
  }
  async function list() {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const inputs = all.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId);
    ondevices(inputs.map(({ deviceId, label }) => ({ id: deviceId, label: label || "microphone" })));
  }
  async function open(frequency) {
    context = frequency ? new AudioContext({ sampleRate: frequency, latencyHint: "interactive" }) : new AudioContext();
    const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    try {
      await context.audioWorklet.addModule(url);
    } finally {
      URL.revokeObjectURL(url);
    }
    node = new AudioWorkletNode(context, "voice-kit-framer", {
      channelCount: 1, channelCountMode: "explicit", numberOfOutputs: 1, outputChannelCount: [1],
    });
    node.port.onmessage = ({ data }) => state === "live" && onframe(data.seq, data.frame);
    node.connect(context.destination); // silent: it only keeps the worklet running
  }
  async function connect(sound) {
    if (!node) {
      await open(rate);
      try {
        source = context.createMediaStreamSource(sound);
      } catch { // Firefox does not convert between a microphone's rate and a context's
        context.close();
        await open(0);
      }
    }
    source = source?.mediaStream === sound ? source : context.createMediaStreamSource(sound);
    source.connect(node);
    const patience = new Promise((done) => setTimeout(done, 1000));
    if (context.state !== "running") await Promise.race([context.resume(), patience]);
    return context.state === "running";
  }
  async function start(device = "", { echoCancellation = true, noiseSuppression = true, autoGainControl = true } = {}) {
    const mine = ++attempt, wasLive = state === "live";
    if (!wasLive) become("asking");
    if (!navigator.mediaDevices?.getUserMedia) return stop("insecure");
    let sound = null;
    try {
      const deviceId = device ? { exact: device } : undefined;
      sound = await navigator.mediaDevices.getUserMedia({
        audio: { deviceId, channelCount: 1, echoCancellation, noiseSuppression, autoGainControl },
      });
      if (mine !== attempt) return release(sound);
      source?.disconnect();
      release(stream);
      stream = sound;
      for (const track of sound.getTracks()) track.onended = () => stop("missing");
      const running = await connect(sound);
      if (mine !== attempt) return release(sound);
      if (!running) return stop("off", MESSAGES.click);
      if (!wasLive) become("live");
      list();
    } catch (error) {
      release(sound);
      if (mine !== attempt) return;
      if (!(error.name in PROBLEMS)) console.warn(error);
      stop(PROBLEMS[error.name] ?? "busy");
    }
  }
  const changed = () => list();
  navigator.mediaDevices?.addEventListener("devicechange", changed);
  return {
    start,
    stop,
    list,
    get state() { return state; },
    close() {
      navigator.mediaDevices?.removeEventListener("devicechange", changed);
      stop();
    },
  };
}

const STYLE = `
.vk-mic { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5em 0.8em; padding: 0.4em;
  color: var(--jp-ui-font-color1, CanvasText); font: var(--jp-ui-font-size1, 14px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif); }
.vk-mic button, .vk-mic select { font: inherit; color: inherit; padding: 0.35em 0.8em; max-width: 18em;
  background: var(--jp-layout-color1, Canvas); border: 1px solid var(--jp-ui-font-color2, GrayText); border-radius: 4px; }
.vk-mic button { font-weight: 600; cursor: pointer; }
.vk-mic :is(button, select, input, summary):focus-visible { outline: 2px solid var(--jp-brand-color1, currentColor); outline-offset: 2px; }
.vk-mic [role=meter] { width: 9em; height: 0.7em; overflow: hidden; border: 1px solid var(--jp-ui-font-color2, GrayText); border-radius: 4px; }
.vk-mic [role=meter] i { display: block; height: 100%; background: var(--jp-brand-color1, #3b7dd8); transform-origin: left; transform: scaleX(0); will-change: transform; }
.vk-mic [role=status] { flex-basis: 100%; margin: 0; }
.vk-mic fieldset { border: 0; margin: 0.3em 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.2em 1em; }
`;

/** The root mean square of a frame. */
export function loudness(frame) {
  let sum = 0;
  for (const sample of frame) sum += sample * sample;
  return Math.sqrt(sum / frame.length);
}
const height = (level) => Math.max(0, Math.min(1, 1 + Math.log10(level + 1e-6) / 3)); // of −60 dB and less 0

const OPTIONS = { echo_cancellation: "Cancel echo", noise_suppression: "Suppress noise", auto_gain: "Adjust loudness" };

/** The view: a button, a level meter, the device, the state in words. */
function draw(model, el, press, seen) {
  const root = document.createElement("div");
  root.className = "vk-mic";
  root.innerHTML = `<style>${STYLE}</style><button type="button"></button>
    <div role="meter" aria-label="Loudness of the microphone" aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></div>
    <select aria-label="Which microphone"></select>
    <details><summary>Sound options</summary><fieldset aria-label="Sound options"></fieldset></details>
    <p role="status" aria-live="polite"></p>`;
  const [button, meter, select, fields, status] = ["button", "[role=meter]", "select", "fieldset", "p"].map((name) => root.querySelector(name));
  function state() {
    const now = seen("state"), on = now === "live" || now === "asking";
    button.textContent = on ? "■ Stop the microphone" : "● Start the microphone";
    status.textContent = [`${STATES[now]}.`, seen("message")].filter(Boolean).join(" ");
    if (!on) level(0);
  }
  let count = 0;
  function level(amount) {
    meter.firstChild.style.transform = `scaleX(${amount})`;
    if (count++ % 8 === 0 || !amount) meter.setAttribute("aria-valuenow", Math.round(100 * amount));
  }
  function devices() {
    const known = seen("devices"), chosen = model.get("device");
    select.replaceChildren(new Option("The usual microphone", ""), ...known.filter(({ id }) => id !== "default").map(({ id, label }) => new Option(label, id)));
    select.value = chosen;
    if (select.selectedIndex < 0) select.value = "";
    select.hidden = !known.length;
  }
  const boxes = Object.entries(OPTIONS).map(([name, text]) => {
    const label = document.createElement("label"), box = Object.assign(document.createElement("input"), { type: "checkbox", checked: model.get(name) });
    label.append(box, ` ${text}`);
    fields.append(label);
    box.onchange = () => save({ [name]: box.checked });
    return [name, box];
  });
  const save = (values) => {
    model.set(values);
    model.save_changes();
  };
  const options = () => boxes.forEach(([name, box]) => (box.checked = model.get(name)));
  button.onclick = press;
  select.onchange = () => save({ device: select.value });
  const refresh = () => [state, devices, options].forEach((part) => part());
  model.on("change", refresh);
  refresh();
  el.append(root);
  return {
    level,
    refresh,
    remove() {
      model.off("change", refresh);
      root.remove();
    },
  };
}

/**
 * Frames on their way to a kernel. Each message costs a notebook several more, and a page that sends
 * more than it can bear is late with all it does: what gathers while one is on the way goes together.
 * @param {(seq: number, frames: Float32Array[], done: () => void) => void} send calls `done` once the
 *   kernel has dealt with it. Where nobody ever does, two frames are a message.
 */
export function together(send) {
  let frames = [], first = 0, sent = 0, dealt = 0;
  function flush() {
    const [message, seq] = [frames, first], number = ++sent;
    frames = [];
    send(seq, message, () => {
      dealt = Math.max(dealt, number);
      if (dealt === sent && frames.length) flush();
    });
  }
  return (seq, frame) => {
    if (!frames.length) first = seq;
    frames.push(frame);
    if (dealt === sent || frames.length >= (dealt ? MOST : 2)) flush();
  };
}

/** The widget: one microphone a model, in the page that was asked last; every view shows its state. */
export default () => {
  const page = Math.random().toString(36).slice(2), views = new Set();
  const here = { state: "off", message: "", devices: [] };
  let mic, run = 0, confirmed = 0, gather, leaving;
  const unseen = () => views.size || mic.stop("off", MESSAGES.unseen); // no button, so nobody could
  return {
    initialize({ model }) {
      const tell = (content, buffers, done) => {
        const status = ({ content: { execution_state } }) => execution_state === "idle" && done();
        try {
          model.send({ page, run: `${page}/${run}`, ...content }, done && { iopub: { status } }, buffers);
        } catch { // the kernel was restarted
          mic.stop("lost");
        }
      };
      const show = (values) => { // here at once, even without a kernel; elsewhere when it says so
        Object.assign(here, values);
        for (const view of views) view.refresh();
      };
      mic = microphone({
        onframe(seq, frame) {
          const level = loudness(frame);
          for (const view of views) view.level(height(level));
          dispatchEvent(new CustomEvent("voice-kit:loud", { detail: { level } }));
          if (seq - confirmed > BEHIND) mic.stop("lost");
          else gather(seq, frame);
        },
        onstate(state, message) {
          if (state === "asking") {
            [run, confirmed] = [run + 1, 0];
            gather = together((seq, frames, done) => tell({ kind: "frames", seq }, frames.map(({ buffer }) => buffer), done));
          }
          show({ state, message });
          tell({ kind: "state", state, message });
        },
        ondevices(devices) {
          show({ devices });
          tell({ kind: "devices", devices });
        },
      });
      mic.begin = () => mic.start(model.get("device"), {
        echoCancellation: model.get("echo_cancellation"), noiseSuppression: model.get("noise_suppression"), autoGainControl: model.get("auto_gain"),
      });
      model.on("msg:custom", ({ kind, page: to, run: about, seq, state }) => {
        if (kind === "start" && to === page) mic.begin();
        else if (kind === "stop") mic.stop(state);
        else if (kind === "got" && about === `${page}/${run}`) confirmed = seq;
      });
      model.on("change:page", () => model.get("page") !== page && mic.stop());
      for (const name of ["device", ...Object.keys(OPTIONS)]) model.on(`change:${name}`, () => mic.state === "live" && mic.begin());
      const leave = () => mic.stop();
      addEventListener("pagehide", leave);
      tell({ kind: "here" });
      return () => {
        removeEventListener("pagehide", leave);
        clearTimeout(leaving);
        mic.close();
      };
    },
    render({ model, el }) {
      const seen = (name) => (here.state !== "off" || model.get("page") === page ? here[name] : model.get(name));
      const on = (state) => state === "live" || state === "asking";
      const press = () => {
        if (on(mic.state)) mic.stop();
        else if (on(seen("state"))) model.send({ kind: "halt" }); // it is live in another page
        else mic.begin();
      };
      const view = draw(model, el, press, seen);
      views.add(view);
      return () => {
        views.delete(view);
        view.remove();
        clearTimeout(leaving);
        leaving = setTimeout(unseen, GRACE);
      };
    },
  };
};
