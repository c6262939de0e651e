/** The page: what is shown where, and what a click does. The conversation itself is the gateway's. */

import { asked, conversations, past } from "/static/conversations.js";
import { settings } from "/static/settings.js";
import { realtime } from "/static/socket.js";
import { talk } from "/static/talk.js";
import { orb } from "/static/show/orb.js";
import { timeline } from "/static/show/timeline_view.js";
import { secondsOf, split, transcript } from "/static/show/transcript.js";
import { waveform } from "/static/show/waveform.js";

const $ = (id) => document.getElementById(id);
const ID = /^[0-9a-f]{16,}$/; // what a conversation is called
const ALWAYS = ["orb", "transcript"], OPENED = { timeline: $("timeline-part"), waveform: $("microphone-part") };
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };

// What is said to the user: one sentence with the fix, and perhaps a button that does it

function notice(text = "", label = "", act = null) {
  const [words, button] = [$("notice").querySelector("p"), $("notice").querySelector(".act")];
  $("notice").hidden = !text;
  say(words, text);
  button.hidden = !label;
  button.textContent = label;
  button.onclick = () => { notice(); act(); };
}
$("notice").querySelector(".small").addEventListener("click", () => notice());

let countdown = 0;
function connection(state, message, seconds = 0) {
  clearInterval(countdown);
  $("state").dataset.state = state;
  const shown = { open: "Connected", connecting: message, wait: "Not connected", signin: "Not signed in", asleep: "Resting", closed: "" };
  say($("state"), shown[state] ?? "Not connected");
  $("signin").hidden = state !== "signin";
  if (state === "open") notice();
  if (state === "signin") $("token").focus();
  if (state === "asleep") { notice(message); if (sound.live) setTimeout(woken, 2000); }
  if (state === "elsewhere") notice(message, "Go on here", () => enter(wire.conversation));
  if (state === "refused") notice(message, "New conversation", () => enter(""));
  if (state !== "wait") return;
  const ends = performance.now() + 1000 * seconds;
  notice(`${message} It is tried again by itself, and the conversation goes on.`, "Try now", () => wire.again());
  countdown = setInterval(() => {
    const left = Math.ceil((ends - performance.now()) / 1000);
    $("state").textContent = left > 0 ? `Not connected, next try in ${left} s` : "Connecting again…";
  }, 500);
}

// The conversation

let session = 0; // turns are numbered anew in each
let shown = new Map(); // every turn that was seen, so that a new session adds to it
let open = [], received = 0; // turns under way, and when that was told
let waiting = []; // lines typed while there was no connection
const wire = realtime({ onevent, onspeech: (playback, samples) => sound.play(playback, samples), onstate: connection });
const sphere = orb($("orb"));
const words = transcript($("transcript"), { online: type });
const bars = timeline($("timeline"));
const wave = waveform($("waveform"));
words.update({ entries: [], typing: true });

const sound = talk(wire, {
  onmic(state, message) {
    const on = state === "live" || state === "asking", [mark, label] = $("start").children;
    $("start").toggleAttribute("data-on", on);
    say(mark, on ? "■" : "●");
    say(label, on ? "Stop talking" : "Start talking");
    const bad = !["off", "asking", "live"].includes(state);
    $("mic").toggleAttribute("data-bad", bad);
    say($("mic"), message.replaceAll("press Start.", "press “Start talking”."));
  },
  ondevices(devices) {
    const usual = new Option("The usual one", ""), chosen = $("device").value;
    $("device").replaceChildren(usual, ...devices.filter(({ id }) => id !== "default").map(({ id, label }) => new Option(label, id)));
    $("device").value = chosen;
  },
  onlevel: (level) => sphere.update({ level }),
  onvoice: (voice) => sphere.update({ voice }),
});

const list = conversations($("list"), {
  onopen: (id) => id === wire.conversation && wire.state === "open" ? $("main").focus() : enter(id),
  onproblem: ({ message, status }) => status === 401 ? connection("signin") : notice(message),
  ondelete: (id) => id === wire.conversation && enter(""),
});
const choices = settings({ sliders: $("sliders"), persona: $("persona"), voice: $("voice"), problem: $("settings-problem") }, {
  send: (fields) => wire.send("session.update", { session: { type: "realtime", ...fields } }),
  onreset: () => wire.open(),
  onwait: (seconds) => sound.waits(seconds),
});

/** Go into a conversation; a new one without a name. */
async function enter(id) {
  [shown, open] = [new Map(), []];
  session += 1;
  words.update({ entries: [], now: { open: [], partial: "", sent: [] } });
  bars.update({ turns: [] });
  const mine = session;
  if (id) {
    const before = await past(id).catch(() => []); // the socket says what is wrong with it
    if (mine !== session) return;
    for (const entry of before) shown.set(entry.turn, entry);
    words.update({ entries: [...shown.values()] });
  }
  wire.open(id);
}

function wanted() {
  const views = [...ALWAYS, ...Object.keys(OPENED).filter((name) => OPENED[name].open)];
  wire.send("session.update", { session: { type: "realtime", voice_kit: { binary: true, views } } });
}
for (const part of Object.values(OPENED)) part.addEventListener("toggle", wanted);

const RECORDED = "This conversation is recorded: whoever runs this gateway can hear it later.";
const told = (about) => say($("recorded"), about.voice_kit.recorded ? RECORDED : "");

const numbered = (entry) => ({ ...entry, turn: `${session} ${entry.turn}` });
const views = {
  orb({ level, ...message }) { // it moves with what this page hears, which is sooner
    sphere.update(message);
    if (message.state) $("hush").hidden = message.state !== "speaking";
  },
  transcript({ entries, now }) {
    const message = {};
    if (entries) {
      for (const entry of entries.map(numbered)) shown.set(entry.turn, entry);
      message.entries = [...shown.values()];
      if (entries.length) list.soon();
    }
    if (now) message.now = { ...now, open: now.open.map(numbered) };
    if (now) [open, received] = [message.now.open, performance.now()];
    words.update(message);
  },
  timeline: (message) => bars.update(message),
  waveform(message) {
    wave.update(message);
    if (sound.heard > 20) say($("sent"), `While nobody speaks, next to nothing is sent. Of the ${Math.round(sound.heard)} s that were heard so far, ${Math.round(100 * sound.share)} % were.`);
  },
};

const events = {
  "session.created"({ session: about }) {
    session += 1;
    sound.connected();
    told(about);
    for (const entry of open.splice(0)) { // the line broke before it could be told how they ended
      const [said, missed] = split(entry.pieces, secondsOf(entry, received));
      shown.set(entry.turn, { ...entry, done: true, playing: false, said, missed });
    }
    words.update({ entries: [...shown.values()], now: { open: [], partial: "", sent: [] } });
    const id = wire.conversation;
    if (location.hash !== `#${id}`) history.replaceState(null, "", `#${id}`);
    wanted();
    choices.begun(about);
    list.at(id);
    list.soon();
    for (const line of waiting.splice(0)) ask(line);
  },
  "session.updated"({ session: about }) {
    told(about);
    choices.updated();
  },
  "voice_kit.view": ({ view, message }) => views[view]?.(message),
  "voice_kit.playback": (message) => sound.control(message),
  "rate_limits.updated"({ rate_limits: [limit] }) {
    const seconds = Math.ceil(limit?.reset_seconds ?? 0);
    const text = $("notice").querySelector("p").textContent;
    if (seconds && text) notice(`${text} Try again in ${seconds} s.`);
  },
  error({ error }) {
    if (choices.failed(error)) $("settings-part").open = true;
    else if (!/_failed$/.test(error.code)) notice(error.message); // those are in the transcript
  },
};
function onevent(event) {
  events[event.type]?.(event);
}

// What the user does

function ask(text) {
  const item = { type: "message", role: "user", content: [{ type: "input_text", text }] };
  return wire.send("conversation.item.create", { item }) && wire.send("response.create");
}
function type(text) {
  sound.unlock();
  if (ask(text)) return;
  waiting = [...waiting, text].slice(-8);
  words.update({ now: { open: [], partial: "", sent: waiting } });
  woken();
}
/** Someone is there again: a connection that rests is opened. */
function woken() {
  if (wire.state === "asleep" || wire.state === "closed") wire.open();
  else wire.again();
}

$("start").addEventListener("click", () => {
  if (sound.live) return sound.stop();
  sound.start($("device").value);
  if (wire.state !== "open") woken();
});
$("device").addEventListener("change", () => sound.live && sound.start($("device").value));
$("hush").addEventListener("click", () => wire.send("response.cancel"));
$("new").addEventListener("click", () => { enter(""); $("main").focus(); });
$("signin").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = $("token").value.trim(), help = $("signin-help");
  say(help, "Signing in…");
  try {
    await asked("/v1/conversations?limit=1", { token });
    await fetch(`/?token=${encodeURIComponent(token)}`, { cache: "no-store" }); // kept as a cookie that no script can read
    $("token").value = "";
    begin();
  } catch (problem) {
    say(help, problem.message);
    $("token").select();
  }
});
for (const part of document.querySelectorAll(".jump a")) {
  part.addEventListener("click", () => { // a closed part is opened on the way
    const target = document.querySelector(part.hash);
    if (target instanceof HTMLDetailsElement) target.open = true;
  });
}
addEventListener("hashchange", () => {
  const id = location.hash.slice(1);
  if (ID.test(id) && id !== wire.conversation) enter(id);
});
addEventListener("pagehide", () => wire.close());
addEventListener("pageshow", ({ persisted }) => persisted && wire.open());

// It begins

const small = matchMedia("(max-width: 759px)"), wide = matchMedia("(min-width: 1100px)");
const fit = () => sphere.update({ size: small.matches ? 150 : 210 });
small.addEventListener("change", fit);
fit();
if (wide.matches) for (const part of [OPENED.timeline, OPENED.waveform]) part.open = true;

async function begin() {
  const id = wire.conversation || location.hash.slice(1);
  if (await list.refresh() || $("signin").hidden) enter(ID.test(id) ? id : "");
}
begin();
