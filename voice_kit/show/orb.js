/** SPARK's sphere: calm, listening, thinking, speaking, failed or asleep. WebGL, or a plain canvas without it. */

const STYLE = `
.vk-orb { --ink: var(--jp-content-font-color1, #1c2530); --soft: var(--jp-content-font-color2, #55606c); --focus: var(--jp-brand-color1, #0b57b0);
  color: var(--ink); font: 600 15px/1.4 var(--jp-ui-font-family, system-ui, sans-serif); display: flex; flex-direction: column;
  align-items: center; text-align: center; min-width: 0; }
@media (prefers-color-scheme: dark) { .vk-orb { --ink: var(--jp-content-font-color1, #e8ecf0); --soft: var(--jp-content-font-color2, #b3bcc6);
  --focus: var(--jp-brand-color1, #8ec2ff); } }
.vk-orb button { all: unset; cursor: pointer; border-radius: 50%; display: block; max-width: 100%; }
.vk-orb button:focus-visible { outline: 3px solid var(--focus); outline-offset: -6px; }
.vk-orb canvas { display: block; width: 100%; height: 100%; pointer-events: none; }
.vk-orb [role=status] { min-height: 2.8em; width: 0; min-width: 100%; max-width: 34em; } /* words never widen it, nor push what is below */
.vk-orb p { margin: 0; overflow-wrap: break-word; }
.vk-orb .detail { font-weight: 400; font-size: 13px; color: var(--soft); }
.vk-orb .detail:empty { display: none; }
`;

/** All that paints. It runs in a worker, where the page and the pictures do not wait for each other (reading one back from
 * a WebGL in software takes a third of a frame), or in the page where that cannot be: so it uses nothing outside it. */
function painting() {
  /** How each state looks. `deep`, `bright` and `light` are its colours; `size` is its radius, `shape` how far it is from
   * round, `ripple` how fine that is, `pace` how fast it flows, `twist` how it turns; `breath` is how much it pulses,
   * `beat` times a second; `level` and `voice` are how much it moves with what is heard and said; `glow` is its halo. */
  const LOOKS = {
    idle:      { deep: [.16, .27, .47], bright: [.45, .66, .86], light: [.93, .97, 1.], size: .60, shape: .035, ripple: 1.5, pace: .35, twist: .15, breath: .015, beat: .16, level: .03, voice: 0, glow: .38 },
    listening: { deep: [.02, .16, .72], bright: [.10, .60, 1.], light: [.75, .96, 1.], size: .62, shape: .050, ripple: 1.6, pace: .80, twist: .25, breath: .030, beat: .80, level: .20, voice: 0, glow: .75 },
    thinking:  { deep: [.22, .05, .58], bright: [.64, .33, 1.], light: [1., .72, .96], size: .56, shape: .060, ripple: 2.3, pace: 1.3, twist: 1.3, breath: .012, beat: .50, level: .02, voice: 0, glow: .62 },
    speaking:  { deep: [.00, .30, .42], bright: [.08, .78, .72], light: [.93, 1., .80], size: .60, shape: .055, ripple: 2.4, pace: 1.0, twist: .35, breath: .010, beat: .50, level: 0, voice: .17, glow: .62 },
    failed:    { deep: [.42, .01, .06], bright: [.95, .20, .20], light: [1., .78, .58], size: .58, shape: .085, ripple: 3.8, pace: .45, twist: .05, breath: .010, beat: .33, level: .02, voice: .05, glow: .48 },
    asleep:    { deep: [.27, .29, .32], bright: [.47, .50, .54], light: [.66, .69, .73], size: .47, shape: .012, ripple: 1.2, pace: .12, twist: .05, breath: .012, beat: .10, level: .01, voice: 0, glow: .10 },
  };
  const NUMBERS = ["size", "shape", "ripple", "pace", "twist", "breath", "beat", "level", "voice", "glow"];
  const RINGS = 22, SPOKES = 56;

  const VERTEX = `
  attribute vec2 place; uniform vec4 now; uniform vec3 form; varying vec3 normal; varying float flow;
  // now: time, turned, radius, shape; form: ripple, halo, 0
  vec3 spin(vec3 p, float a) { float c = cos(a), s = sin(a); return vec3(c * p.x + s * p.z, p.y, c * p.z - s * p.x); }
  vec4 bumps(vec3 p, float t) { // gradient and height of some waves that cross
    vec4 sum = vec4(0.);
    vec3 k; float w;
    k = vec3(1.1, .7, -.4); w = 1.0; sum += w * vec4(k * cos(dot(p, k) + t), sin(dot(p, k) + t));
    k = vec3(-.6, 1.3, .8); w = .8; sum += w * vec4(k * cos(dot(p, k) - t * .8), sin(dot(p, k) - t * .8));
    k = vec3(.5, -.9, 1.6); w = .7; sum += w * vec4(k * cos(dot(p, k) + t * 1.3), sin(dot(p, k) + t * 1.3));
    k = vec3(-1.9, -.8, .9); w = .4; sum += w * vec4(k * cos(dot(p, k) + t * 1.7), sin(dot(p, k) + t * 1.7));
    return sum / 2.9;
  }
  void main() {
    float polar = place.x, around = place.y;
    vec3 p = vec3(sin(polar) * cos(around), sin(polar) * sin(around), cos(polar));
    vec3 q = spin(p, now.y) * form.x;
    vec4 b = bumps(q + .35 * sin(q.yzx * 1.3 + now.x * .5), now.x);
    float height = now.w * b.w;
    vec3 slope = spin(b.xyz, -now.y) * form.x * now.w;
    normal = normalize(p * (1. + height) - (slope - dot(slope, p) * p));
    vec4 fine = bumps(q * 1.15 + b.xyz * 1.2, now.x * .7 + 2.);
    flow = fine.w;
    gl_Position = vec4(p.xy * now.z * (1. + height), 0., 1.);
  }`;
  const FRAGMENT = `
  precision mediump float; varying vec3 normal; varying float flow; uniform vec3 deep, bright, light;
  void main() {
    vec3 n = normalize(normal);
    float edge = 1. - clamp(n.z, 0., 1.), fresnel = edge * edge;
    float lit = clamp(.5 + .5 * dot(n, vec3(-.43, .62, .65)), 0., 1.);
    vec3 c = mix(deep, bright, lit * lit * .85 + .35 * flow);
    c = mix(c, light, .5 * flow * flow * n.z);
    c += bright * fresnel * .75 + light * fresnel * fresnel * .45;
    float gloss = max(dot(n, vec3(-.34, .52, .78)), 0.);
    gloss *= gloss; gloss *= gloss; gloss *= gloss; gloss *= gloss; gloss *= gloss;
    c += light * gloss * .55;
    float a = smoothstep(.02, .22, n.z);
    gl_FragColor = vec4(min(c, 1.) * a, a);
  }`;
  const HALO_VERTEX = `attribute vec2 place; varying vec2 at; void main() { at = place; gl_Position = vec4(place, 0., 1.); }`;
  const HALO_FRAGMENT = `
  precision mediump float; varying vec2 at; uniform vec3 bright; uniform vec3 halo; // radius, strength, ring
  void main() {
    float far = length(at), out_ = max(far - halo.x, 0.) / (1. - halo.x), fade = clamp(1. - out_, 0., 1.);
    float ring = 1. - min(abs(far - halo.z) * 14., 1.);
    float a = (halo.y * fade * fade * fade * .62 + halo.y * ring * ring * fade * .5) * step(.2, far);
    gl_FragColor = vec4(bright * a, a);
  }`;

  function program(gl, vertex, fragment) {
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.bindAttribLocation(made, 0, "place");
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error("no shaders");
    return { made, where: new Proxy({}, { get: (known, name) => (name in known ? known[name] : (known[name] = gl.getUniformLocation(made, name))) }) };
  }

  /** Draws with WebGL; throws where it does not work. */
  function inWebGL(canvas, gl) {
    const ball = program(gl, VERTEX, FRAGMENT), halo = program(gl, HALO_VERTEX, HALO_FRAGMENT);
    const points = [], corners = [];
    for (let ring = 0; ring <= RINGS; ring++)
      for (let spoke = 0; spoke <= SPOKES; spoke++) points.push((ring / RINGS) * 1.75, (spoke / SPOKES) * 2 * Math.PI);
    for (let ring = 0; ring < RINGS; ring++)
      for (let spoke = 0; spoke < SPOKES; spoke++) {
        const a = ring * (SPOKES + 1) + spoke, b = a + SPOKES + 1;
        corners.push(a, b, a + 1, b, b + 1, a + 1);
      }
    const [sphere, square, faces] = [gl.createBuffer(), gl.createBuffer(), gl.createBuffer()];
    gl.bindBuffer(gl.ARRAY_BUFFER, sphere);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(points), gl.STATIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, square);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faces);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, new Uint16Array(corners), gl.STATIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.CULL_FACE);
    return {
      draw(look) {
        gl.viewport(0, 0, canvas.width, canvas.height);
        gl.clear(gl.COLOR_BUFFER_BIT);
        gl.useProgram(halo.made);
        gl.bindBuffer(gl.ARRAY_BUFFER, square);
        gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
        gl.uniform3fv(halo.where.bright, look.bright);
        gl.uniform3f(halo.where.halo, look.radius * .94, look.glow, look.ring);
        gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
        gl.useProgram(ball.made);
        gl.bindBuffer(gl.ARRAY_BUFFER, sphere);
        gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
        for (const colour of ["deep", "bright", "light"]) gl.uniform3fv(ball.where[colour], look[colour]);
        gl.uniform4f(ball.where.now, look.time, look.turned, look.radius, look.bend);
        gl.uniform3f(ball.where.form, look.ripple, 0, 0);
        gl.drawElements(gl.TRIANGLES, corners.length, gl.UNSIGNED_SHORT, 0);
      },
    };
  }

  const css = ([r, g, b], alpha = 1) => `rgb(${Math.min(255, 255 * r) | 0} ${Math.min(255, 255 * g) | 0} ${Math.min(255, 255 * b) | 0} / ${alpha})`;

  /** Draws the same as well as a plain canvas can. */
  function inPlane(canvas) {
    const pen = canvas.getContext("2d");
    function blob(look, radius, bend, phase) {
      pen.beginPath();
      for (let at = 0; at < 90; at++) {
        const angle = (at / 90) * 2 * Math.PI, turn = angle + look.turned * .4, t = look.time + phase;
        const wave = Math.sin(turn * 2 + t) + .7 * Math.sin(turn * Math.round(look.ripple * 1.5 + 1) - t * 1.3) + .4 * Math.sin(turn * 5 + t * 1.7);
        const far = radius * (1 + bend * wave * .42);
        pen.lineTo(far * Math.cos(angle), far * Math.sin(angle));
      }
      pen.closePath();
    }
    function fill(x, y, from, to, stops) {
      const shade = pen.createRadialGradient(x, y, from, x * .3, y * .3, to);
      stops.forEach(([at, colour]) => shade.addColorStop(at, colour));
      pen.fillStyle = shade;
      pen.fill();
    }
    return {
      draw(look) {
        const half = canvas.width / 2, { deep, bright, light, radius: r } = look;
        pen.setTransform(1, 0, 0, 1, 0, 0);
        pen.clearRect(0, 0, canvas.width, canvas.height);
        pen.setTransform(half, 0, 0, -half, half, half);
        pen.beginPath();
        pen.arc(0, 0, 1, 0, 2 * Math.PI);
        fill(0, 0, r * .8, 1, [[0, css(bright, look.glow * .62)], [.4, css(bright, look.glow * .16)], [1, css(bright, 0)]]);
        blob(look, r, look.bend, 0);
        fill(-.3 * r, .45 * r, 0, r * 1.2, [[0, css(light)], [.3, css(bright)], [.8, css(deep)], [.93, css(bright)], [1, css(light)]]);
        blob(look, r * .86, look.bend, 2);
        fill(.3 * r, -.36 * r, 0, r * .72, [[0, css(bright, .7)], [1, css(bright, 0)]]);
        blob(look, r * .8, look.bend * 1.5 + .03, 4.5);
        fill(-.34 * r, .4 * r, 0, r * .62, [[0, css(light, .75)], [.35, css(light, .25)], [1, css(light, 0)]]);
      },
    };
  }

  /** Paints on `canvas`, `size` CSS pixels wide, of `sharp` pixels each, until `remove`.
   *
   * `update` takes any of `state` (of LOOKS), `level` and `voice` (root mean squares of what is heard and said), and
   * `moves`: whether it goes on by itself, or shows its state in one picture. `lost` is called when WebGL is taken away
   * or does not work: this canvas shows nothing any more, and another one may be painted without `webgl`.
   */
  function sphere(canvas, { webgl, size, sharp }, lost) {
    const gl = webgl && canvas.getContext("webgl", { alpha: true, antialias: false, depth: false, powerPreference: "low-power" });
    let painter = null, state = "idle", frame = 0, before = 0, waits = []; // milliseconds from frame to frame
    const heard = { level: 0, voice: 0 }, moved = { level: 0, voice: 0 }, arrived = { level: 0, voice: 0 };
    const look = structuredClone(LOOKS.idle), clock = { time: 8, turned: 0, beat: 0 };
    const loud = (level) => (level > 0 ? Math.min(1, Math.max(0, (20 * Math.log10(level) + 58) / 46)) : 0); // -58 to -12 dBFS
    const fit = () => { canvas.width = canvas.height = Math.round(size * sharp); }; // which wipes it
    function gone() {
      remove();
      queueMicrotask(lost);
    }

    /** Go some seconds on towards the state, and draw. */
    function paint(seconds) {
      const want = LOOKS[state], still = !seconds, near = still ? 1 : 1 - Math.exp(-seconds / .22);
      for (const name of NUMBERS) look[name] += (want[name] - look[name]) * near;
      for (const name of ["deep", "bright", "light"]) look[name].forEach((part, at) => { look[name][at] = part + (want[name][at] - part) * near; });
      for (const name of ["level", "voice"]) {
        const goal = performance.now() - arrived[name] < 400 ? heard[name] : 0;
        moved[name] += (goal - moved[name]) * (1 - Math.exp(-seconds / (goal > moved[name] ? .05 : .22)));
      }
      const push = look.level * moved.level + look.voice * moved.voice;
      clock.time += seconds * (look.pace + 5 * look.voice * moved.voice);
      clock.turned += seconds * look.twist;
      clock.beat += seconds * look.beat;
      const wave = Math.sin(clock.beat * 2 * Math.PI);
      look.time = clock.time;
      look.turned = clock.turned;
      look.radius = Math.min(.78, look.size * (1 + look.breath * wave) + .55 * push);
      look.bend = look.shape + .25 * look.level * moved.level + look.voice * moved.voice;
      look.glow += (want.glow * (1 + .25 * wave * (look.breath > .02)) + push * 1.5 - look.glow) * near;
      look.ring = state === "listening" && !still ? look.radius + (1 - look.radius) * (clock.beat % 1) : 2;
      painter.draw(look);
    }
    function step(now) {
      frame = requestAnimationFrame(step);
      if (now - before < 11) return; // no screen needs more than some 70 a second of it
      waits.push(now - before);
      const seconds = Math.min(.1, (now - before) / 1000);
      before = now;
      if (waits.length === 60) { // without a GPU, smooth is better than sharp
        const usual = waits.sort((a, b) => a - b)[6], late = waits.filter((each) => each > 1.3 * usual).length;
        if (late > 6 && sharp > .6) { sharp *= .78; fit(); } // a screen that is slow by itself is so regularly
        waits = [];
      }
      paint(seconds);
    }
    function remove() {
      cancelAnimationFrame(frame);
      painter = null;
      if (gl) gl.getExtension("WEBGL_lose_context")?.loseContext();
    }

    fit();
    canvas.addEventListener("webglcontextlost", (event) => { // too many of them on a page, or the driver fell over
      event.preventDefault();
      if (painter) gone();
    });
    try { painter = gl ? inWebGL(canvas, gl) : inPlane(canvas); } catch { gone(); }
    return {
      update(message) {
        if (!painter) return;
        for (const name of ["level", "voice"])
          if (message[name] !== undefined) [heard[name], arrived[name]] = [loud(message[name]), performance.now()];
        if (message.state in LOOKS) state = message.state;
        if (message.moves && !frame) { before = performance.now(); frame = requestAnimationFrame(step); }
        if (message.moves === false) frame = cancelAnimationFrame(frame) ?? 0;
        if (!frame && (message.state || message.moves === false)) paint(0);
      },
      remove,
    };
  }

  return { LOOKS, sphere };
}

const WORKER = `
const { sphere } = (${painting})();
let view = null;
onmessage = ({ data }) => {
  if (view) view.update(data);
  else view = sphere(data.canvas, data, () => postMessage("lost"));
};`;
const { LOOKS, sphere } = painting();

/** `sphere`, painted in a worker. `failed` is called where a page's rules forbid it: this canvas is spent then, too. */
function elsewhere(canvas, form, lost, failed) {
  const code = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
  const worker = new Worker(code), there = canvas.transferControlToOffscreen();
  worker.onmessage = lost;
  worker.onerror = (error) => { error.preventDefault(); failed(); };
  worker.postMessage({ canvas: there, ...form }, [there]);
  return {
    update: (message) => worker.postMessage(message),
    remove() {
      worker.onmessage = worker.onerror = null; // what it still says is of the past
      worker.terminate();
      URL.revokeObjectURL(code);
    },
  };
}

/** Shows the sphere in `element`.
 *
 * `update({state, label, detail, size, level, voice})` takes any of what `Orb` in orb.py tells: a state of LOOKS, words
 * for it, what failed, CSS pixels; and how loud the microphone and the voice are now, as root mean squares.
 */
export function orb(element, { webgl = true, size = 240 } = {}) {
  const make = (tag, attributes) => Object.assign(document.createElement(tag), attributes);
  const root = make("section", { className: "vk-orb", ariaLabel: "What the assistant is doing" });
  const button = make("button", { type: "button", title: "Press to hold it still, and again to let it move" });
  const label = make("p", { className: "label" }), detail = make("p", { className: "detail" }), told = make("div", {});
  told.setAttribute("role", "status"); // polite
  root.dataset.lmSuppressShortcuts = "true";
  told.append(label, detail);
  root.append(make("style", { textContent: STYLE }), button, told);
  element.append(root);
  const calm = matchMedia("(prefers-reduced-motion: reduce)"), sharp = Math.min(devicePixelRatio || 1, 2);
  let painter = null, state = "idle", held = false, over = false, visible = false, works = "transferControlToOffscreen" in HTMLCanvasElement.prototype;

  /** Begin anew on a canvas of its own: a spent one cannot be painted in another way. */
  function begin() {
    if (over) return;
    const canvas = make("canvas", { ariaHidden: "true" }), form = { webgl, size, sharp };
    painter?.remove();
    button.replaceChildren(canvas);
    button.style.width = `${size}px`;
    button.style.aspectRatio = "1";
    const lost = () => { webgl = false; begin(); }, failed = () => { works = false; begin(); };
    if (works) try { painter = elsewhere(canvas, form, lost, failed); } catch { works = false; }
    if (!works) painter = sphere(canvas, form, lost);
    settle();
  }
  /** Move while someone can see it and wants it to; else show the state in one picture. */
  function settle() { painter.update({ state, moves: visible && !document.hidden && !held && !calm.matches }); }

  button.addEventListener("click", () => { held = !held; settle(); tell(); });
  calm.addEventListener("change", settle);
  document.addEventListener("visibilitychange", settle);
  const seen = new IntersectionObserver((all) => { visible = all.at(-1).isIntersecting; settle(); });
  seen.observe(root);
  function tell() {
    button.ariaLabel = "Hold the sphere still";
    button.ariaPressed = String(held);
  }
  tell();
  begin();

  return {
    update(message) {
      if (message.size && message.size !== size) { size = message.size; begin(); }
      if (message.state in LOOKS) state = root.dataset.state = message.state;
      painter.update({ state: message.state, level: message.level, voice: message.voice });
      const words = message.label ?? (message.state in LOOKS ? message.state : null);
      if (words !== null && words !== label.textContent) label.textContent = words;
      if (message.detail !== undefined && message.detail !== detail.textContent) detail.textContent = message.detail;
    },
    remove() {
      seen.disconnect();
      calm.removeEventListener("change", settle);
      document.removeEventListener("visibilitychange", settle);
      over = true;
      painter.remove();
      root.remove();
    },
  };
}

function render({ model, el }) {
  const view = orb(el, { size: model.get("size") });
  const update = () => view.update(Object.fromEntries(["state", "label", "detail", "size"].map((name) => [name, model.get(name)])));
  const events = "change:state change:label change:detail change:size";
  const levels = (message) => view.update(message), near = ({ detail }) => view.update(detail);
  model.on(events, update);
  model.on("msg:custom", levels);
  addEventListener("voice-kit:loud", near); // of this page's own microphone and loudspeaker
  update();
  return () => {
    model.off(events, update);
    model.off("msg:custom", levels);
    removeEventListener("voice-kit:loud", near);
    view.remove();
  };
}

export default { render };
