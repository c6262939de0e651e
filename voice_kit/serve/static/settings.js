/** What one may set of one's own conversations: kept in this browser, in effect from the next turn on. */

import { form } from "/static/show/form.js";

const KEPT = "voice-kit.settings";
const USUAL = { "hear.stop": 0.5, "hear.finished": 0.2, "hear.unfinished": 1.5, "hear.start_above": 0.5, "interrupt.mode": "evidence" };
const OWN_VOICE = "alloy"; // a name of OpenAI's, by which the gateway understands its own voice
const SECONDS = { kind: "slider", unit: "seconds", low: 0.1, high: 2, step: 0.05 };
const FIELDS = [
  { ...SECONDS, name: "hear.stop", label: "Quiet that ends your turn", help: "Where it is in doubt whether you have finished." },
  { ...SECONDS, name: "hear.finished", label: "… after a finished sentence", help: "" },
  { ...SECONDS, name: "hear.unfinished", label: "… after an unfinished one", high: 5, step: 0.1, help: "" },
  { kind: "slider", name: "hear.start_above", label: "Speech begins above this chance of it", unit: "", low: 0.1, high: 0.95, step: 0.05,
    help: "Lower hears more, and more that is none." },
  { kind: "choice", name: "interrupt.mode", label: "What speech does to an answer", help: "", options: [
    { value: "evidence", label: "it pauses, then stops or goes on", here: true },
    { value: "any", label: "any sound stops it", here: true },
    { value: "never", label: "nothing: it is said to the end", here: true }] },
];

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch { return {}; }
}
function keep(values) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(values));
  } catch { /* a private window: they last as long as the page */ }
}

/**
 * The settings.
 * @param {{sliders: Element, persona: HTMLTextAreaElement, voice: HTMLInputElement, problem: Element}} elements
 * @param {{send: (session: object) => boolean, onreset: () => void, onwait: (seconds: number) => void}} to
 */
export function settings({ sliders, persona, voice, problem }, { send, onreset, onwait }) {
  let chosen = kept(), usual = { ...USUAL }, waiting = "";
  const view = form(sliders, { onset: set, onpress: reset });

  function show() {
    view.update({ title: "", fields: FIELDS, values: { ...usual, ...chosen }, busy: false, problem: "", status: "",
      buttons: [{ name: "reset", label: "As the gateway has it", pressed: null, enabled: Object.keys(chosen).length > 0, help: "Forget what was set here" }] });
    onwait(Math.max(...["hear.stop", "hear.finished", "hear.unfinished"].map((name) => chosen[name] ?? usual[name])));
  }
  function set(name, value) {
    chosen = { ...chosen, [name]: value };
    if (name === "hear.start_above") chosen["hear.stop_below"] = Number(Math.min(0.35, 0.7 * value).toFixed(3));
    keep(chosen);
    tell([name]);
    show();
  }
  /** Tell the gateway about these. */
  function tell(names) {
    const numbers = names.filter((name) => name.includes("."));
    const also = numbers.includes("hear.start_above") ? [...numbers, "hear.stop_below"] : numbers;
    if (also.length) send({ voice_kit: { settings: Object.fromEntries(also.map((name) => [name, chosen[name]])) } });
    if (names.includes("persona") && chosen.persona) send({ instructions: chosen.persona });
    if (names.includes("voice")) {
      waiting = "voice";
      send({ audio: { output: { voice: chosen.voice || OWN_VOICE } } });
    }
  }
  function reset() {
    chosen = {};
    keep(chosen);
    [persona.value, voice.value, problem.textContent] = ["", "", ""];
    show();
    onreset();
  }
  for (const [name, field] of [["persona", persona], ["voice", voice]]) {
    field.value = chosen[name] ?? "";
    field.addEventListener("change", () => {
      chosen = { ...chosen, [name]: field.value.trim() };
      keep(chosen);
      problem.textContent = "";
      if (name === "persona" && !chosen.persona) { // there is no word for “the usual one”
        delete chosen.persona;
        keep(chosen);
        onreset();
      } else tell([name]);
      show();
    });
  }
  show();
  return {
    /** A session has begun: what was chosen holds in it too. */
    begun(session) {
      usual = { ...usual, ...session.voice_kit?.settings };
      voice.placeholder = session.audio?.output?.voice ?? "";
      if (!chosen.persona) persona.placeholder = session.instructions ?? "";
      tell(Object.keys(chosen).filter((name) => name !== "voice" || chosen.voice));
      show();
    },
    updated() {
      waiting = "";
      problem.textContent = "";
    },
    /** An error that may be about these; gives whether it was. */
    failed({ code, message }) {
      if (!["invalid_value", "unsupported_value"].includes(code)) return false;
      problem.textContent = message;
      if (waiting === "voice") { // or no session would begin without this problem
        delete chosen.voice;
        keep(chosen);
      }
      waiting = "";
      return true;
    },
  };
}
