"""Counts what a page and its workers draw, and how long their script takes for it."""

COUNTED = """
(() => {
  if (window.spent) return;
  const spent = (window.spent = []), drawn = (window.drawn = []);
  const count = (where, told) => {
    const real = where.requestAnimationFrame.bind(where);
    where.requestAnimationFrame = (draw) => real((now) => {
      const began = performance.now();
      draw(now);
      told(now, performance.now() - began);
    });
  };
  count(window, (now, script) => spent.push(script));
  const Real = window.Worker;
  window.Worker = class extends Real {
    constructor(url, options) {
      const name = `drawn ${Math.random()}`;
      const first = `${window.beforeWorkers ?? ""};
        const told = new BroadcastChannel("${name}");
        (${count})(self, (...frame) => told.postMessage(frame));
        importScripts("${url}");`;
      const ours = String(url).startsWith("blob:");
      super(ours ? URL.createObjectURL(new Blob([first])) : url, options);
      new BroadcastChannel(name).onmessage = ({ data }) => {
        spent.push(data[1]);
        drawn.push(data);
        if (drawn.length > 60_000) drawn.splice(0, 10_000);
      };
    }
  };
})();
"""
"""From here on `spent` holds the milliseconds of script that each frame took, in the page and in
its workers; and `drawn` of each of the workers' the time in milliseconds, and those.
What `beforeWorkers` holds runs first in each worker."""

FRAMES = """(count) => new Promise((done) => {
  const from = spent.length;
  const look = () => (spent.length - from >= count ? done() : setTimeout(look, 5));
  look();
})"""
"""Waits for so many frames."""

RATE = """async (seconds) => {
  const from = spent.length, began = performance.now();
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  const all = spent.slice(from), total = all.reduce((sum, each) => sum + each, 0);
  return { fps: 1000 * all.length / (performance.now() - began), script: total / all.length };
}"""


def fastest(page, enough=50.0):
    """The best of some measurements, for other work on the machine only ever makes it slower:
    `fps`, and `script` in milliseconds a frame."""
    best = {"fps": 0.0}
    for _ in range(8):
        best = max(best, page.evaluate(RATE, 1.0), key=lambda rate: rate["fps"])
        if best["fps"] >= enough:
            break
    return best
