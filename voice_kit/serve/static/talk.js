/** The microphone behind its gate, and the loudspeaker, at one end of a conversation's wire. */

import { gate } from "/static/gate.js";
import { loudness, microphone } from "/static/show/mic.js";
import { loudspeaker } from "/static/show/speaker.js";

const MARGIN = 0.5; // seconds that the gate stays open after the longest wait for the end of a turn
const MANY = 1 << 20; // playbacks of one connection

/**
 * Ears and a mouth for the wire.
 * @param {{sound: Function, silence: Function, send: Function}} wire
 * @param {{onmic?: (state: string, message: string) => void, ondevices?: Function,
 *   onlevel?: (level: number) => void, onvoice?: (level: number) => void}} to levels are root mean squares
 */
export function talk(wire, { onmic = () => {}, ondevices = () => {}, onlevel = () => {}, onvoice = () => {} }) {
  let first = 0, next = 0; // numbers go on when the microphone is opened again
  let connection = 0;
  const playing = new Set(); // what this connection has begun to say
  const doors = gate({ onsound: (number, frames) => wire.sound(number, frames), onsilence: (number, count) => wire.silence(number, count) });
  const mic = microphone({
    onframe(seq, frame) {
      next = first + seq + 1;
      doors.frame(first + seq, frame);
      onlevel(loudness(frame));
    },
    onstate(state, message) {
      if (state === "asking") first = next;
      if (state !== "live") { doors.flush(); onlevel(0); }
      awake(state === "live");
      onmic(state, message);
    },
    ondevices,
  });
  // The gateway counts playbacks anew for every connection; the loudspeaker never does.
  const speaker = loudspeaker({
    onheard(heard) {
      const mine = heard.filter(({ id }) => Math.floor(id / MANY) === connection);
      for (const { id, final } of heard) if (final) playing.delete(id);
      if (mine.length) wire.send("voice_kit.heard", { heard: mine.map((each) => ({ ...each, id: each.id % MANY })) });
    },
    onlevel: onvoice,
  });
  let lock = null;
  async function awake(wanted) { // a phone's screen, while it is listened to
    try {
      if (wanted) lock ??= await navigator.wakeLock?.request("screen");
      else { await lock?.release(); lock = null; }
    } catch { lock = null; }
  }

  return {
    /** In a click: listen, and be allowed to play. */
    start(device) {
      speaker.unlock();
      return mic.start(device);
    },
    stop: () => mic.stop(),
    /** In a click or at a key: be allowed to play. */
    unlock: () => speaker.unlock(),
    get live() { return mic.state === "live" || mic.state === "asking"; },
    /** More of a playback. */
    play(playback, samples) {
      const id = connection * MANY + playback;
      playing.add(id);
      speaker.sound(id, samples);
    },
    /** What the gateway wants done with a playback. */
    control({ kind, id, level }) {
      if (["pause", "go_on", "duck", "stop"].includes(kind)) speaker[kind](connection * MANY + id, level);
    },
    /** Another connection: what the one before had to say is said no more. */
    connected() {
      for (const id of playing) speaker.stop(id);
      playing.clear();
      connection += 1;
    },
    /** The longest wait for the end of a turn, in seconds, has changed. */
    waits: (seconds) => doors.stay(seconds + MARGIN),
    /** The share of what was heard that was sent as sound. */
    get share() { return doors.share; },
    /** Seconds that were heard. */
    get heard() { return doors.heard; },
  };
}
