/** The wire to the gateway: it connects, connects again, and goes on in the same conversation. */

const SOUND = 1, SILENCE = 2, SPEECH = 3; // kinds of binary messages, see protocol.py
const HEADER = 8, FRAME = 512;
const FIRST = 0.5, LONGEST = 15; // seconds between two tries
const LIVED = 5; // seconds after which a session counts as one that went well
const MUCH = 300_000; // bytes on their way out: a line that is so slow loses sound, and time stays true

/** What its closing means, by the code: what is done about it, and the sentence that tells so. */
const CLOSED = {
  4401: ["signin", "Sign in to go on: paste the token that you were given."],
  4403: ["refused", "This conversation is not here any more, or not yours: begin a new one."],
  4408: ["asleep", "The connection was closed because it was not used: speak or type to go on."],
  4409: ["elsewhere", "This conversation goes on in another window."],
  4429: ["wait", "The gateway has no room for you right now."],
  1001: ["again", "The gateway restarts."],
};

/** A binary message: frames of sound as int16, or so many of silence. */
export function packed(number, frames, silent = 0) {
  const bytes = new ArrayBuffer(HEADER + 2 * FRAME * frames.length), head = new DataView(bytes);
  head.setUint8(0, silent ? SILENCE : SOUND);
  head.setUint16(2, silent || frames.length, true);
  head.setUint32(4, number >>> 0, true);
  const samples = new Int16Array(bytes, HEADER);
  frames.forEach((frame, at) => frame.forEach((sample, i) => {
    samples[at * FRAME + i] = Math.round(Math.max(-1, Math.min(1, sample)) * 32767);
  }));
  return bytes;
}

/** How long to wait before the next try, in seconds: longer each time, and not all at once. */
export const patience = (tries, chance = Math.random()) => Math.min(LONGEST, FIRST * 2 ** tries) * (0.8 + 0.4 * chance);

/**
 * A conversation with the gateway.
 * @param {{onevent: (event: object) => void, onspeech: (playback: number, samples: Int16Array) => void,
 *   onstate: (state: string, message: string, seconds?: number) => void}} to
 *   States: connecting, open, wait (it tries again in `seconds`), and without another try: signin,
 *   refused, asleep, elsewhere, closed.
 */
export function realtime({ onevent, onspeech, onstate }) {
  let socket = null, conversation = "", tries = 0, timer = 0, since = 0, limit = null, refill = 0, state = "closed";

  function become(now, message = "", seconds) {
    state = now;
    onstate(now, message, seconds);
  }
  const ready = () => state === "open" && socket?.readyState === WebSocket.OPEN; // it may be closing, unannounced
  const roomy = () => ready() && socket.bufferedAmount < MUCH;
  function drop() {
    clearTimeout(timer);
    timer = 0;
    const old = socket;
    socket = null;
    if (!old) return;
    old.onopen = old.onmessage = old.onclose = null;
    old.close();
  }
  function open() {
    drop();
    [limit, refill] = [null, 0];
    become("connecting", tries ? "Connecting again…" : "Connecting…");
    const url = new URL("/v1/realtime", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("model", "voice-kit");
    if (conversation) url.searchParams.set("conversation", conversation);
    socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => (typeof data === "string" ? heard(JSON.parse(data)) : sounded(data));
    socket.onclose = closed;
  }
  function heard(event) {
    if (event.type === "session.created") {
      conversation = event.session.voice_kit.conversation;
      since = performance.now();
      become("open");
    } else if (event.type === "error" && event.error.code === "rate_limit_exceeded") limit = event.error.message;
    else if (event.type === "rate_limits.updated") refill = event.rate_limits[0]?.reset_seconds ?? 0;
    onevent(event);
  }
  function sounded(data) {
    const head = new DataView(data);
    if (data.byteLength > HEADER && head.getUint8(0) === SPEECH) onspeech(head.getUint32(4, true), new Int16Array(data.slice(HEADER)));
  }
  function closed({ code }) {
    socket = null;
    if (since && performance.now() - since > 1000 * LIVED) tries = 0;
    since = 0;
    const [what, message] = CLOSED[code] ?? ["again", "The gateway cannot be reached."];
    if (["signin", "refused", "asleep", "elsewhere"].includes(what)) return become(what, message);
    const seconds = Math.max(what === "wait" ? refill || 5 : 0, patience(tries++));
    timer = setTimeout(open, 1000 * seconds);
    become("wait", limit ?? message, seconds);
  }
  function again() {
    if (timer) open();
  }
  addEventListener("online", again);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && again());

  return {
    /** Connect to a conversation, a new one if it has no name. */
    open(name = conversation) {
      conversation = name;
      tries = 0;
      open();
    },
    /** Do not wait for the next try. */
    again,
    close() {
      drop();
      become("closed");
    },
    /** Send an event; gives whether it could be sent. */
    send(type, fields = {}) {
      if (!ready()) return false;
      socket.send(JSON.stringify({ type, ...fields }));
      return true;
    },
    sound(number, frames) {
      if (roomy()) socket.send(packed(number, frames));
    },
    silence(number, count) {
      if (roomy()) socket.send(packed(number, [], count));
    },
    get state() { return state; },
    get conversation() { return conversation; },
  };
}
