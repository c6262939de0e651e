// The browser's loudspeaker: sound comes in ahead, is played without gaps, and every 50 ms the
// page says how much of it was heard. As a widget and for any page.

const MOST = 5; // reports of 50 ms in a row that may be left out
const REST = 4;
const RATE = 24000; // of the sound that comes in; the browser converts it to what the card wants

// Runs in the audio thread. What fades out after a pause is not counted, and comes again.
const WORKLET = `
const RAMP = Math.round(0.01 * sampleRate), FADE = Math.round(0.005 * sampleRate), LATE = 0.5 * sampleRate;
class Track {
  constructor() {
    Object.assign(this, { pieces: [], offset: 0, place: 0, ghost: 0, gain: 1, level: 1 });
    Object.assign(this, { held: false, stopped: false, last: -Infinity, fresh: true });
  }
  at(index) { // the sample so many after the place; undefined where there is none yet
    for (const piece of this.pieces) {
      if (index < piece.length) return piece[index] / 32768;
      index -= piece.length;
    }
  }
  play(out, from) {
    for (let i = 0; i < out.length; i++) {
      let piece = this.pieces[0];
      if (!piece) return;
      const step = Math.sign(this.level - this.gain) / RAMP;
      this.gain = step * (this.level - this.gain - step) > 0 ? this.gain + step : this.level;
      out[i] += (piece[this.offset++] / 32768) * this.gain;
      this.place += 1;
      this.last = from + i + 1;
      if (this.offset === piece.length) {
        this.pieces.shift();
        this.offset = 0;
      }
    }
  }
  fade(out) {
    for (let i = 0; i < out.length && this.gain > 0; i++) {
      const sample = this.at(this.offset + this.ghost++);
      this.gain = sample === undefined ? 0 : this.gain - 1 / FADE;
      if (this.gain > 0) out[i] += sample * this.gain;
    }
    this.gain = Math.max(0, this.gain);
  }
  hold() {
    if (this.held) return;
    this.held = true;
    this.ghost = 0;
    if (this.last < currentFrame) this.gain = 0; // it was not sounding
  }
}
class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.tracks = new Map();
    this.ended = new Set();
    this.due = this.power = this.since = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }
  take({ kind, id, sound, level }) {
    if (kind === "over") return void (this.over = true);
    if (this.ended.has(id)) return;
    if (!this.tracks.has(id)) this.tracks.set(id, new Track());
    const track = this.tracks.get(id);
    if (kind === "sound") track.pieces.push(sound);
    else if (kind === "duck") {
      track.level = level;
      if (!track.held && track.last < currentFrame) track.gain = level;
    } else if (kind === "pause") track.hold();
    else if (kind === "go_on") track.held = false;
    else if (kind === "stop") {
      track.hold();
      track.stopped = true;
      this.ended.add(id);
    }
    if (kind !== "sound") this.report([[id, track]]);
  }
  report(tracks, level) {
    const said = tracks.map(([id, { place, last, stopped }]) => ({ id, place, last, final: stopped }));
    this.port.postMessage({ frame: currentFrame, tracks: said, level });
  }
  process(_, [[out]]) {
    for (const [id, track] of this.tracks) {
      if (track.held) track.fade(out);
      else track.play(out, currentFrame);
      if (track.stopped && track.gain === 0) this.tracks.delete(id);
      if (track.fresh && track.place) {
        track.fresh = false;
        this.report([[id, track]]);
      }
    }
    if (this.tracks.size) for (const sample of out) this.power += sample * sample;
    if (currentFrame >= this.due) {
      this.due = currentFrame + 0.05 * sampleRate;
      const busy = [...this.tracks].filter(([, track]) => track.last + LATE > currentFrame);
      if (busy.length) this.report(busy, Math.sqrt(this.power / (currentFrame + out.length - this.since)));
      [this.power, this.since] = [0, currentFrame + out.length];
    }
    return !this.over;
  }
}
registerProcessor("voice-kit-player", Player);
`;

/**
 * A loudspeaker. Sound and commands wait until the page may play.
 * @param {{onheard?: (heard: {id: number, samples: number, audible: number | null, final: boolean}[]) => void,
 *   onlevel?: (level: number) => void, onstate?: (state: "off" | "ready" | "blocked") => void}} to
 *   `samples` were heard, `audible` tells once in how many seconds the first of them is; `level` is
 *   the root mean square of the last 50 ms.
 */
export function loudspeaker({ onheard = () => {}, onlevel = () => {}, onstate = () => {} } = {}) {
  let context = null, node = null, opening = null, state = "off";
  const waiting = [], begun = new Set();

  function become(now) {
    if (state === now) return;
    state = now;
    onstate(now);
  }
  async function open() {
    const mine = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    const told = () => mine === context && node && become(mine.state === "running" ? "ready" : "blocked");
    context = mine;
    mine.onstatechange = told;
    const url = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
    try {
      await mine.audioWorklet.addModule(url);
    } catch (error) {
      if (mine === context) throw error; // else it was closed meanwhile
    } finally {
      URL.revokeObjectURL(url);
    }
    if (mine !== context) return;
    node = new AudioWorkletNode(mine, "voice-kit-player", { numberOfInputs: 0, outputChannelCount: [1] });
    node.port.onmessage = ({ data }) => mine === context && heard(data);
    node.connect(mine.destination);
    for (const message of waiting.splice(0)) send(message);
    told();
  }
  /** Open the loudspeaker: in a click, or where the page may play. */
  async function unlock() {
    opening ??= open();
    await opening;
    if (context && context.state !== "running") context.resume().catch(() => {}); // may wait for a click
  }
  function heard({ frame, tracks, level }) {
    if (level !== undefined) onlevel(level);
    const delay = context.outputLatency || context.baseLatency || 0;
    const latency = Math.round(Math.min(delay, 0.4) * RATE); // reports end 0.5 s after the sound
    onheard(tracks.map(({ id, place, last, final }) => {
      const onTheWay = final ? 0 : Math.min(place, Math.max(0, last + latency - frame));
      const first = place > 0 && !begun.has(id);
      if (first) begun.add(id);
      if (final) begun.delete(id);
      return { id, samples: place - onTheWay, audible: first ? (last - place + latency - frame) / RATE : null, final };
    }));
  }
  function send(message) {
    if (!node) return void waiting.push(message);
    node.port.postMessage(message, message.sound ? [message.sound.buffer] : []);
  }
  return {
    unlock,
    /** Append sound (Int16Array, 24 kHz) to a playback. It is handed over: do not use it again. */
    sound(id, sound) {
      unlock();
      send({ kind: "sound", id, sound });
    },
    pause: (id) => send({ kind: "pause", id }),
    go_on: (id) => send({ kind: "go_on", id }),
    duck: (id, level) => send({ kind: "duck", id, level }),
    stop(id) {
      for (let i = waiting.length - 1; i >= 0; i--) if (waiting[i].id === id) waiting.splice(i, 1);
      if (node) send({ kind: "stop", id });
      else onheard([{ id, samples: 0, audible: null, final: true }]);
    },
    /** For whoever measures: both are null before it is open. */
    get node() { return node; },
    get context() { return context; },
    get state() { return state; },
    close() {
      node?.port.postMessage({ kind: "over" });
      context?.close();
      context = node = opening = null;
      waiting.length = 0;
      become("off");
    },
  };
}

const STYLE = `
.vk-speaker { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5em 0.8em; padding: 0.4em;
  color: var(--jp-ui-font-color1, CanvasText); font: var(--jp-ui-font-size1, 14px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif); }
.vk-speaker p { margin: 0; }
.vk-speaker button { font: inherit; font-weight: 600; color: inherit; padding: 0.35em 0.8em; cursor: pointer;
  background: var(--jp-layout-color1, Canvas); border: 1px solid var(--jp-ui-font-color2, GrayText); border-radius: 4px; }
.vk-speaker button:focus-visible { outline: 2px solid var(--jp-brand-color1, currentColor); outline-offset: 2px; }
`;
const WORDS = {
  off: "The loudspeaker opens with the first sound.",
  ready: "The loudspeaker is ready.",
  blocked: "The browser plays no sound before a click: press the button.",
  elsewhere: "The sound comes out of another page.",
};

/**
 * What was heard, on its way to a kernel: news at once, and how far it has come as often as the way
 * bears it. Each message costs a notebook several more, and sound must not wait behind them: a report
 * rests for REST times as long as the last one took.
 * @param {(heard: object[], done: () => void) => void} send calls `done` once the kernel has it.
 */
export function gathered(send) {
  const latest = new Map();
  let sent = 0, dealt = 0, skipped = 0, due = 0;
  function flush() {
    const heard = [...latest.values()], number = ++sent, began = performance.now();
    latest.clear();
    skipped = 0;
    send(heard, () => {
      dealt = Math.max(dealt, number);
      due = began + REST * (performance.now() - began);
    });
  }
  return (heard) => {
    for (const each of heard) latest.set(each.id, each);
    const news = heard.some(({ audible, final }) => audible !== null || final);
    if (news || !dealt || (dealt === sent && performance.now() >= due) || ++skipped >= MOST) flush();
  };
}

/** The widget: one loudspeaker a model, in the page that was opened or pressed last. */
export default () => {
  const page = Math.random().toString(36).slice(2), views = new Set();
  let speaker, alive = true, mine = () => true, claim = () => {};
  return {
    initialize({ model }) {
      const tell = (content, done) => {
        const status = ({ content: { execution_state } }) => execution_state === "idle" && done();
        try {
          model.send({ page, ...content }, done && { iopub: { status } });
        } catch { // the kernel was restarted, and this model with it
          alive = false;
          speaker.close();
        }
      };
      const report = gathered((heard, done) => tell({ kind: "heard", heard }, done));
      const refresh = () => views.forEach((show) => show());
      speaker = loudspeaker({
        onheard: report,
        onlevel: (voice) => dispatchEvent(new CustomEvent("voice-kit:loud", { detail: { voice } })),
        onstate(state) {
          tell({ kind: "state", state });
          refresh();
        },
      });
      mine = () => [page, ""].includes(model.get("page"));
      claim = () => {
        tell({ kind: "here" });
        speaker.unlock();
      };
      model.on("msg:custom", ({ kind, page: to, id, level }, buffers) => {
        if (to !== page || !alive) return;
        if (kind === "sound") {
          const { buffer, byteOffset, byteLength } = buffers[0];
          speaker.sound(id, new Int16Array(buffer.slice(byteOffset, byteOffset + byteLength)));
        } else if (["pause", "go_on", "duck", "stop"].includes(kind)) speaker[kind](id, level);
      });
      model.on("change:page", () => {
        if (!mine()) speaker.close();
        refresh();
      });
      const touched = () => alive && mine() && speaker.state !== "ready" && speaker.unlock();
      for (const event of ["pointerdown", "keydown"]) addEventListener(event, touched, true);
      const leave = () => tell({ kind: "gone" });
      addEventListener("pagehide", leave);
      tell({ kind: "here" });
      if (navigator.userActivation?.hasBeenActive) speaker.unlock(); // so that the first sound is quick
      return () => {
        for (const event of ["pointerdown", "keydown"]) removeEventListener(event, touched, true);
        removeEventListener("pagehide", leave);
        speaker.close();
      };
    },
    render({ el }) {
      const root = document.createElement("div");
      root.className = "vk-speaker";
      root.innerHTML = `<style>${STYLE}</style><p role="status" aria-live="polite"></p><button type="button"></button>`;
      const [status, button] = [root.querySelector("p"), root.querySelector("button")];
      const show = () => {
        const state = mine() ? speaker.state : "elsewhere";
        status.textContent = WORDS[state];
        button.hidden = state === "ready" || state === "off";
        button.textContent = state === "elsewhere" ? "♪ Play it here" : "♪ Let this page play sound";
      };
      button.onclick = () => claim();
      views.add(show);
      show();
      el.append(root);
      return () => {
        views.delete(show);
        root.remove();
      };
    },
  };
};
