"""Counts what a page draws, and how long its script takes for it."""

COUNTED = """
{
  const real = window.requestAnimationFrame.bind(window);
  window.spent = [];
  window.requestAnimationFrame = (draw) => real((now) => {
    const began = performance.now();
    draw(now);
    window.spent.push(performance.now() - began);
  });
}
"""
"""From here on `spent` holds the milliseconds of script that each frame took."""

FRAMES = """(count) => new Promise((done) => {
  const from = spent.length;
  const look = () => (spent.length - from >= count ? done() : setTimeout(look, 5));
  look();
})"""
"""Waits for so many frames."""

NO_GL = """
{
  const real = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
    return kind.startsWith("webgl") ? null : real.call(this, kind, ...more);
  };
}
"""
"""From here on this browser has no WebGL."""

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
