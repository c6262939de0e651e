/** A gate for silence: what is certainly no speech is counted, and not sent. */

const RATE = 16000, FRAME = 512 / RATE; // seconds
const LOWEST = -84; // dBFS of a band: below it is nothing that a microphone hears
const BANDS = [200, 400, 750, 1300, 2200, 3600]; // Hz: voices stand out of a noise in some of them
const WIDTH = 1.6; // the centre of a band in proportion to how wide it is

/** Gives the loudness of a frame in each band, in dBFS. Its filters remember the frame before. */
export function ear() {
  const filters = BANDS.map((centre) => {
    const turn = (2 * Math.PI * centre) / RATE, alpha = Math.sin(turn) / (2 * WIDTH);
    return { gain: alpha / (1 + alpha), a1: (-2 * Math.cos(turn)) / (1 + alpha), a2: (1 - alpha) / (1 + alpha), x1: 0, x2: 0, y1: 0, y2: 0 };
  });
  return (frame) => filters.map((f) => {
    let { x1, x2, y1, y2 } = f, sum = 0;
    for (const x of frame) {
      const y = f.gain * (x - x2) - f.a1 * y1 - f.a2 * y2;
      x2 = x1; x1 = x; y2 = y1; y1 = y;
      sum += y * y;
    }
    Object.assign(f, { x1, x2, y1: y1 + 1e-20, y2 }); // a filter that dies away must not count in tiny numbers
    return Math.max(LOWEST, 10 * Math.log10(sum / frame.length + 1e-20));
  });
}

/** The noise in a band, by the quietest stretch of the last seconds: no speech is without one. */
function floorOf({ window = 4, parts = 8 } = {}) {
  const long = Math.round(window / parts / FRAME), lows = [];
  let smooth = null, low = Infinity, count = 0;
  return (loud) => {
    smooth = smooth === null ? loud : smooth + 0.3 * (loud - smooth);
    low = Math.min(low, smooth);
    if (++count >= long) {
      lows.push(low);
      if (lows.length > parts) lows.shift();
      [low, count] = [smooth, 0];
    }
    return Math.min(low, ...lows);
  };
}

/**
 * Decides frame by frame. It opens at whatever stands out of the room's noise, and then stays open.
 * @param {{onsound: (number: number, frames: Float32Array[]) => void, onsilence: (number: number, count: number) => void,
 *   hold?: number, before?: number, every?: number, margin?: number}} options in seconds, `margin` in dB
 *   Frames reach `onsound` or `onsilence` in their order, each once: sound at once, silence at least
 *   `every` seconds, and `before` seconds late, for these are sent when the gate opens. `hold` is how
 *   long it stays open: longer than anyone who listens waits for the end of a turn.
 */
export function gate({ onsound, onsilence, hold = 2, before = 0.4, every = 0.25, margin = 7, window = 4 }) {
  const kept = Math.round(before / FRAME), often = Math.max(1, Math.floor(every / FRAME));
  const listen = ear(), floors = BANDS.map(() => floorOf({ window }));
  let left = 0, number = 0, waiting = [], opened = 0, passed = 0;

  function quiet(count) {
    if (count) onsilence(number - waiting.length, count);
    waiting = waiting.slice(count);
  }
  return {
    /** The next frame: 512 samples, 16 kHz; `at` is its number. */
    frame(at, frame) {
      if (at !== number) { // some were lost before it
        quiet(waiting.length);
        number = at;
      }
      const loud = listen(frame), floor = loud.map((each, band) => floors[band](each));
      const stands = loud.some((each, band) => each > floor[band] + margin);
      if (stands || passed * FRAME < 1) left = Math.ceil(hold / FRAME); // of the room nothing is known at first
      passed += 1;
      number += 1;
      if (left > 0) {
        left -= 1;
        opened += 1 + waiting.length;
        const frames = [...waiting, frame];
        waiting = [];
        onsound(number - frames.length, frames);
        return;
      }
      waiting.push(frame);
      if (waiting.length >= kept + often) quiet(waiting.length - kept);
    },
    /** Send what is held back: nothing more comes for now. */
    flush() { quiet(waiting.length); },
    /** How long it stays open, in seconds. */
    stay(seconds) { hold = seconds; },
    get open() { return left > 0; },
    /** Seconds of all frames so far. */
    get heard() { return passed * FRAME; },
    /** The share of all frames so far that were sent as sound. */
    get share() { return passed ? opened / passed : 0; },
  };
}
