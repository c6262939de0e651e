"""How every widget looks on a plain page: drawn, legible, and nothing on top of anything else.

The pictures go into tests/artefacts, in light and dark, to be looked at.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers_browser import PAGE, browser, opened, picture, pixels, served
from scenes import Scene

from voice_kit.audio.formats import to_float
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import RATE, Failed, FrameHeard, PlaybackStarted, TurnStarted
from voice_kit.workshop.fakes import Script

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from voice_kit.show import (
    BrowserSpeaker,
    ClipRecorder,
    Mic,
    Orb,
    TimelineView,
    Transcript,
    Waveform,
)
from voice_kit.show.form import Button, Choice, Form, Option
from voice_kit.show.panel_fields import NUMBERS, values
from voice_kit.show.panel_layout import AGAIN, buttons
from voice_kit.show.sound import as_html

ROOT = Path(__file__).parents[1]
SHOW = ROOT / "voice_kit" / "show"
AXE = next(iter(sorted((ROOT / ".envs").glob("axe-core-*/axe.min.js"))), None)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

pytestmark = pytest.mark.needs("chromium")

RENDERED = """async ([views, module]) => {
  const make = (await import(`./${module}`)).default;
  views.forEach(({ state, sent }) => {
    const heard = [], el = document.createElement("div");
    document.querySelector("main").append(el);
    el.style.marginBottom = "16px";
    const model = {
      get: (name) => state[name], set() {}, save_changes() {}, send() {},
      on: (name, call) => heard.push([name, call]), off() {},
    };
    const widget = typeof make === "function" ? make() : make;
    widget.initialize?.({ model });
    widget.render({ model, el });
    for (const content of sent)
      for (const [name, call] of heard) if (name === "msg:custom") call(content, []);
  });
}"""

SETTLED = """() => new Promise((done) => {
  const painted = (pen) => pen.getImageData(0, 0, 9, 9).data.some((part) => part > 0);
  const sphere = document.querySelector(".vk-orb canvas"), copy = document.createElement("canvas");
  const pen = Object.assign(copy, { width: 9, height: 9 }).getContext("2d");
  const look = () => { // what a worker paints comes when it comes
    if (sphere) pen.drawImage(sphere, 0, 0, 9, 9);
    requestAnimationFrame(sphere && !painted(pen) ? look : done);
  };
  requestAnimationFrame(look);
})"""

LYING_ON_EACH_OTHER = """() => {
  const words = (element) => [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const own = "button, input, select, canvas, audio, img, [role=meter], svg text";
  const shown = [...document.querySelectorAll("main *")].filter((element) => {
    const { width, height } = element.getBoundingClientRect(), style = getComputedStyle(element);
    return width > 2 && height > 2 && style.visibility === "visible" && style.opacity > 0
      && !element.matches("option, style, title, desc") && (element.matches(own) || words(element));
  });
  const common = (a, b) => ({
    left: Math.max(a.left, b.left), right: Math.min(a.right, b.right),
    top: Math.max(a.top, b.top), bottom: Math.min(a.bottom, b.bottom),
  });
  const seen = (element) => { // its lines, as far as nothing around it scrolls them away
    let lines = [...element.getClientRects()];
    for (let around = element.parentElement; around; around = around.parentElement) {
      if (getComputedStyle(around).overflow === "visible") continue;
      lines = lines.map((line) => common(line, around.getBoundingClientRect()));
    }
    return lines;
  };
  const covers = (element) => { // what scrolls away under it, on purpose
    for (let each = element; each; each = each.parentElement)
      if (getComputedStyle(each).position === "sticky") return true;
    return false;
  };
  const lines = shown.map((element) => (covers(element) ? [] : seen(element))), found = [];
  const lie = (one, other) => one.some((a) => other.some((b) => {
    const both = common(a, b);
    return both.right - both.left > 1 && both.bottom - both.top > 3; // lines of text are close
  }));
  const name = (e) => [e.tagName, e.className, e.textContent.slice(0, 30)].join(" ");
  shown.forEach((one, i) => shown.slice(i + 1).forEach((other, j) => {
    if (one.contains(other) || other.contains(one)) return;
    if (lie(lines[i], lines[i + 1 + j])) found.push(`${name(one)} and ${name(other)}`);
  }));
  return { found, shown: shown.length };
}"""


# What they show


def conversation(*observers):
    """A question that is answered, an answer that is interrupted, and what was typed."""
    script = Script()
    story = {
        "what is a voice assistant": "It hears you, thinks of an answer, and says it aloud.",
        "tell me a story": "Once upon a time there was a sphere. It listened all day long. "
        "One day somebody asked it for a story, and it began to tell one.",
        "stop please": "I am quiet.",
    }
    parts = (0.6, ("what is a voice assistant", 1.4), 6.0, ("tell me a story", 1.0), 3.2)
    parts += (("stop please", 0.9), 4.0)
    scene = Scene(script, *parts, answers=story)
    for event in scene.events:
        for observer in observers:
            observer(event)
    return scene


def mics():
    usual = {"page": "another", "devices": [{"id": "a", "label": "Microphone of the headset"}]}
    denied = "The microphone is not allowed here: allow it at the icon beside the address."
    return [
        Mic(),
        Mic(state="live", **usual),
        Mic(state="denied", message=denied, page="another"),
        ClipRecorder(with_mic=True).widget,
    ]


def speakers():
    return [BrowserSpeaker(), BrowserSpeaker(page="another", state="ready")]


def orbs():
    idle, speaking, failed = Orb(), Orb(), Orb()
    for event in (TurnStarted(1, 1.0, False), PlaybackStarted(1, 1.5)):
        speaking(event)
    problem = "There is no microphone. Try: plug one in, or type."
    failed(Failed(0, 1.0, "microphone", "microphone", problem))
    return [idle, speaking, failed]


def waveforms():
    return [Waveform(), seen(Waveform())]


def seen(waveform):
    waveform.sent = []
    waveform.send = lambda content, buffers=None: waveform.sent.append(content)
    asked = to_float(clip("question_vad").audio().samples)
    sound = np.zeros(512 * 280, np.float32)
    for second in (0.6, 5.0):
        sound[round(second * RATE) :][: len(asked)] += asked
    told = [event for event in conversation().events if not isinstance(event, FrameHeard)]
    frames = sound.reshape(-1, 512)
    for number, frame in enumerate(frames):
        at = (number + 1) * 512 / RATE
        waveform.frame(frame)
        level = float(np.sqrt(np.mean(frame**2)))
        waveform(FrameHeard(at, min(1.0, 8 * level), level))
        while told and told[0].at <= at:
            waveform(told.pop(0))
    waveform._tell()
    return waveform


def timelines():
    view = TimelineView(settings=Settings())
    conversation(view)
    return [view]


def transcripts():
    empty, view = Transcript(), Transcript(lambda line: None)
    conversation(view)
    view(Failed(0, 20.0, "llm", "ollama", "Ollama does not answer. Try: ollama serve"))
    return [empty, view]


def forms():
    engines = tuple(Option(name, name) for name in ("sphinx", "whisper:base.en"))
    missing = Option("parakeet", "parakeet is not here: pip install parakeet", here=False)
    choice = Choice("stt", "Writes down what was said (stt)", (*engines, missing))
    problem = "hear.stop cannot be 100. Try: a number from 0.1 to 10."
    return [
        Form(buttons=buttons(running=True, recording=True), status="Loading whisper:base.en …"),
        Form([choice], title="Engines", values={"stt": "sphinx"}),
        Form(NUMBERS, title="Whose turn it is", values=values(Settings()), problem=problem),
        Form(buttons=AGAIN, title="The last question again"),
        Form(buttons=[Button("hush", "Be quiet", enabled=False)]),
    ]


WIDGETS = {
    "mic": mics,
    "speaker": speakers,
    "orb": orbs,
    "waveform": waveforms,
    "timeline_view": timelines,
    "transcript": transcripts,
    "form": forms,
}


# How they look


DARK = "@media (prefers-color-scheme: dark) { body { background: #121212; color: #eee } }"


@pytest.fixture(scope="module")
def site():
    views = {name: make() for name, make in WIDGETS.items()}  # before the browser takes the loop
    page = PAGE.replace("HTML", "").replace("</style>", f"{DARK}</style>")
    with browser() as chromium, served(SHOW, page) as address:
        yield SimpleNamespace(chromium=chromium, address=address, views=views)


def rendered(widgets, page, module):
    """Show widgets with what they know and what they told their page, all of them unfolded."""
    views = []
    for widget in widgets:
        names = [name for name in widget.keys if not name.startswith("_")]
        state = {name: getattr(widget, name) for name in names if name not in ("layout", "tooltip")}
        views.append({"state": state, "sent": getattr(widget, "sent", [])})
    page.evaluate(RENDERED, [json.loads(json.dumps(views)), module])
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => each.open = true)")
    page.evaluate(SETTLED)


def looked_at(page, name):
    """Pictures in both themes, and whatever is wrong in them."""
    problems = []
    for width, themes in ((360, ("light",)), (900, ("light", "dark"))):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(SETTLED)
        told = page.evaluate(LYING_ON_EACH_OTHER)
        assert told["shown"] >= 2, "there is nothing to be seen"
        problems += [f"{width} wide: {each}" for each in told["found"]]
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            problems.append(f"{width} wide: it is wider than the page")
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            page.evaluate(SETTLED)
            png = picture(page.locator("main"), f"widget_{name}_{width}_{theme}", least=0.01)
            colours = len(np.unique((pixels(png) * 255).astype(int).reshape(-1, 3), axis=0))
            if colours < 20:
                problems.append(f"{width} wide, {theme}: only {colours} colours")
    everything = {"runOnly": {"type": "tag", "values": WCAG}}
    problems += [f"dark: {each}" for each in hard_to_use(page, everything)]
    page.emulate_media(color_scheme="light")
    contrast = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    return problems + [f"light: {each}" for each in hard_to_use(page, contrast)]


def hard_to_use(page, only):
    """What axe-core finds against the guidelines."""
    if AXE is None:
        return []
    if not page.evaluate("!!window.axe"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "async (only) => (await axe.run(document, { ...only, resultTypes: ['violations'] }))"
        ".violations",
        only,
    )
    return [
        f"{each['id']}: {each['help']} at {node['target']}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("name", WIDGETS)
def test_it_is_drawn_legible_and_nothing_lies_on_anything_else(name, site):
    with opened(site.chromium, site.address, reduced_motion="reduce") as page:
        rendered(site.views[name], page, f"{name}.js")
        problems = looked_at(page, name)
    assert not problems, "\n".join(problems)
    if AXE is None:
        pytest.skip("no axe-core in .envs: it was only looked at (run make test)")


def test_a_sound_that_shows_itself_is_drawn_and_legible(site):
    html = as_html(clip("question_vad").audio())
    with opened(site.chromium, site.address) as page:
        page.evaluate("(html) => { document.querySelector('main').innerHTML = html; }", html)
        page.wait_for_function("document.querySelector('img').complete")
        problems = looked_at(page, "sound")
    assert not problems, "\n".join(problems)
    if AXE is None:
        pytest.skip("no axe-core in .envs: it was only looked at (run make test)")


def test_a_wave_at_rest_takes_on_a_new_theme_at_once(site):
    with opened(site.chromium, site.address) as page:
        rendered(site.views["waveform"][:1], page, "waveform.js")
        page.emulate_media(color_scheme="dark")
        page.evaluate(SETTLED)
        canvas = page.locator(".vk-wave canvas").screenshot()
    assert pixels(canvas).mean() < 0.2
    assert pixels(canvas).max() > 0.8, "its words are dark on dark"
