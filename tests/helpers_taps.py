"""Listens, inside a page, to what its microphone hears and to what it plays."""

TAPS = """
(() => {
  if (window.taps) return;
  const taps = window.taps = { heard: [], played: [], frames: [] };
  taps.syncs = { heard: [], played: [] };
  const clock = () => (performance.timeOrigin + performance.now()) / 1000;
  // A change is told once: when sound begins, and when it has been quiet for 40 ms, the end of it.
  const CODE = `
    class Tap extends AudioWorkletProcessor {
      constructor() { super(); Object.assign(this, { loud: false, last: 0, due: 0 }); }
      process([[sound]]) {
        let most = 0;
        if (sound) for (const sample of sound) most = Math.max(most, Math.abs(sample));
        if (most > 0.004) {
          if (!this.loud) this.port.postMessage({ at: currentTime, loud: true });
          this.loud = true;
          this.last = currentTime + 128 / sampleRate;
        } else if (this.loud && currentTime > this.last + 0.04) {
          this.loud = false;
          this.port.postMessage({ at: this.last, loud: false });
        }
        if (currentTime >= this.due) {
          this.due = currentTime + 0.25;
          this.port.postMessage({ at: currentTime });
        }
        return true;
      }
    }
    registerProcessor("tap", Tap);`;
  async function tap(context, source, name) {
    const url = URL.createObjectURL(new Blob([CODE], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    const node = new AudioWorkletNode(context, "tap", {
      numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit",
    });
    const id = Math.random();
    node.port.onmessage = ({ data }) => {
      if ("loud" in data) taps[name].push([id, data.at, data.loud]);
      else taps.syncs[name].push([id, data.at, clock()]);
    };
    connect.call(source, node);
  }
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    const sounds = to instanceof AudioDestinationNode && this instanceof Counted && !this.silent;
    if (sounds) tap(this.context, this, "played");
    return connect.call(this, to, ...more);
  };
  const Real = window.AudioWorkletNode;
  class Counted extends Real {
    constructor(context, name, ...more) {
      super(context, name, ...more);
      this.silent = name === "voice-kit-framer";
      if (!this.silent) return;
      const frames = taps.frames = [];
      this.port.addEventListener("message", ({ data }) => { frames[data.seq] = clock(); });
    }
  }
  window.AudioWorkletNode = Counted;
  if (navigator.mediaDevices) {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      const context = new AudioContext();
      tap(context, context.createMediaStreamSource(stream), "heard");
      for (const track of stream.getTracks()) {
        const stop = track.stop.bind(track);
        track.stop = () => { stop(); if (context.state !== "closed") context.close(); };
      }
      return stream;
    };
  }
})();
"""
"""An init script. Its times are seconds since 1970, as `time.time()` of this machine has them."""


SOON = 2.0
"""Seconds for which an audio clock and the page's go alike."""


def sounds(page, name):
    """When sound began and ended in the page: `heard` from the microphone, or `played`.

    Pairs in seconds since 1970; the end is None while it lasts.
    """
    taps = page.evaluate("() => taps")
    found = []
    for tap, at, loud in taps[name]:
        # A message about the audio clock is never early: the least delayed one tells the time. That
        # clock stands still where its thread gets no core, and never makes up for it: so what it
        # said before would tell a time that is too early, by up to a quarter of a second.
        syncs = [(then, now - then) for each, then, now in taps["syncs"][name] if each == tap]
        after = [(then, offset) for then, offset in syncs if then >= at] or syncs[-1:]
        offset = min(offset for then, offset in after if then <= after[0][0] + SOON)
        if loud:
            found.append((at + offset, None))
        elif found:
            found[-1] = (found[-1][0], at + offset)
    return found


def joined(sounds, gap=0.3):
    """Those sounds, with what lies less than `gap` seconds apart taken as one."""
    found = []
    for began, ended in sounds:
        if found and found[-1][1] is not None and began - found[-1][1] < gap:
            found[-1] = (found[-1][0], ended)
        else:
            found.append((began, ended))
    return found
