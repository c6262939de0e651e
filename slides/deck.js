/** Starts the slides, and lets their sounds play: a button and a moving line for each. */

const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const html = document.documentElement;

/** Where we are: the notebook's number, and which of its slides. */
function place() {
  const { h, v } = Reveal.getIndices();
  return [String(h).padStart(2, "0"), "·", (v ?? 0) + 1];
}

/** One sound with its picture. */
function clip(figure) {
  const audio = figure.querySelector("audio"), button = figure.querySelector(".play");
  const head = figure.querySelector(".head");
  const { left, right, start, end, moments } = JSON.parse(figure.dataset.clip);
  let frame = 0;

  function state(at) {
    const orb = figure.closest("section").querySelector(".orb.live");
    if (!orb || !moments.length) return;
    const now = moments.filter(([from]) => from <= at).at(-1)?.[1] ?? "idle";
    orb.className = `orb live ${at < 0 ? "idle" : now}`;
  }
  function follow() {
    const at = Math.min(1, Math.max(0, (audio.currentTime - start) / (end - start)));
    head?.setAttribute("transform", `translate(${at * (right - left)} 0)`);
    state(audio.currentTime);
    if (!audio.paused) frame = requestAnimationFrame(follow);
  }
  function shown() {
    figure.classList.toggle("playing", !audio.paused);
    cancelAnimationFrame(frame);
    if (audio.paused) state(-1);
    else follow();
  }
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, shown);

  figure.stop = () => audio.pause();
  figure.toggle = () => {
    if (!audio.paused) return figure.stop();
    document.querySelectorAll(".clip").forEach((other) => other.stop());
    audio.load(); // from the beginning, also where a server knows no ranges
    audio.play().catch(() => {}); // stopped before it had begun
  };
  button.addEventListener("click", figure.toggle);
  button.addEventListener("keydown", (event) => { // else they would turn the page
    if (event.key === " " || event.key === "Enter") event.stopPropagation();
  });
  figure.querySelector("svg")?.addEventListener("click", figure.toggle);
}

/** Play the next sound of this slide; when one plays, stop it. */
function next() {
  const all = [...Reveal.getCurrentSlide().querySelectorAll(".clip")];
  if (!all.length) return;
  const playing = all.find((each) => each.classList.contains("playing"));
  if (playing) return playing.stop();
  const slide = Reveal.getCurrentSlide(), at = Number(slide.dataset.next ?? 0) % all.length;
  slide.dataset.next = at + 1;
  all[at].toggle();
}

function dark() {
  html.classList.toggle("dark");
}

async function start() {
  if (new URLSearchParams(location.search).has("dark")) dark();
  Reveal.on("pdf-ready", () => { html.dataset.printable = "true"; });
  await Reveal.initialize({
    width: 1920, height: 1080, margin: 0.02, minScale: 0.1, maxScale: 3, center: false, display: "flex",
    hash: true, controls: false, progress: true, navigationMode: "linear", slideNumber: place,
    transition: calm ? "none" : "fade", transitionSpeed: "fast", backgroundTransition: "none",
    pdfMaxPagesPerSlide: 1, pdfSeparateFragments: false,
    plugins: [RevealMarkdown, RevealNotes],
  });
  document.querySelectorAll(".clip").forEach(clip);
  Reveal.on("slidechanged", () => document.querySelectorAll(".clip").forEach((each) => each.stop()));
  Reveal.addKeyBinding({ keyCode: 13, key: "Enter", description: "Play the sound, or stop it" }, next);
  Reveal.addKeyBinding({ keyCode: 68, key: "D", description: "Dark or light" }, dark);
  html.dataset.ready = "true";
}

start();
