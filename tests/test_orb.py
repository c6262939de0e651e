"""What the sphere shows of a conversation: its state from the events, and that it can be seen."""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from helpers_browser import browser, drawn, page_for, pixels, screenshot
from helpers_frames import COUNTED, FRAMES, fastest
from scenes import Faulty, Scene, after

from voice_kit.settings import Settings
from voice_kit.show.mood import LABELS, Mood
from voice_kit.types import (
    Abandoned,
    Audio,
    Failed,
    FellAsleep,
    FrameHeard,
    GateOpened,
    Interrupted,
    Misfire,
    Paused,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    Resumed,
    SpeechStarted,
    TurnEnded,
    TurnFinished,
    TurnStarted,
    Woke,
)
from voice_kit.workshop.fakes import Script, ScriptedTranscriber, scripted

ROOT = Path(__file__).parents[1]
STORY = {"tell a story": "One two three four. Five six seven eight nine ten."}


def states(*events, mood=None):
    """The state after each event, repetitions left out."""
    mood = mood or Mood()
    seen = []
    for event in events:
        mood(event)
        seen.append(mood.state)
    return [state for state, _ in groupby(seen)]


def seen_in(*parts, **more):
    """The states that a conversation goes through."""
    mood, seen = Mood(), []

    def watch(event):
        mood(event)
        seen.append(mood.state)

    during = more.pop("during", lambda talk, events: None)

    def arrange(talk, events):
        talk.observers.append(watch)
        during(talk, events)

    Scene(Script(), *parts, answers=STORY, during=arrange, **more)
    return [state for state, _ in groupby(seen)]


def ended(at=2.0):
    return TurnEnded(at, 0.5, at - 0.5, Audio.silence(1.0))


def finished(turn, at=9.0, interrupted=False):
    return TurnFinished(turn, at, "hello", "Hello.", "Hello.", interrupted)


def failed(turn, stage="stt"):
    return Failed(turn, 3.0, stage, "whisper", "whisper is not available. Try: another one")


# What it is doing


def test_a_question_is_listened_to_thought_about_and_answered():
    seen = seen_in(0.5, ("tell a story", 1.0), 6.0)
    assert seen == ["idle", "listening", "thinking", "speaking", "idle"]


def test_an_interruption_is_listened_to_and_answered():
    seen = seen_in(0.5, ("tell a story", 1.0), 1.2, ("stop it", 1.0), 5.0)
    assert seen[:5] == ["idle", "listening", "thinking", "speaking", "listening"]
    assert seen[5:] == ["thinking", "speaking", "idle"]


def test_a_yes_while_we_speak_is_listened_to_and_the_answer_goes_on():
    seen = seen_in(0.5, ("tell a story", 1.0), 1.5, ("mhm", 0.3), 6.0)
    assert seen[:5] == ["idle", "listening", "thinking", "speaking", "listening"]
    assert seen[-2:] == ["speaking", "idle"]
    assert "failed" not in seen


def test_a_breath_in_the_middle_of_a_question_is_still_listening():
    seen = seen_in(0.5, ("tell a", 0.7), 0.2, ("story", 0.7), 5.0)
    assert seen[:3] == ["idle", "listening", "thinking"]
    assert seen.count("listening") == 1


def test_a_typed_line_is_thought_about_at_once_and_answered():
    seen = seen_in(9.0, during=after((1.0, lambda talk: talk.type("tell a story"))))
    assert seen in (["idle", "thinking", "speaking", "idle"], ["idle", "speaking", "idle"])
    assert states(TurnStarted(1, 1.0, False, True)) == ["thinking"]


def test_a_failure_is_shown_until_the_next_turn_does_better():
    mood, seen, details = Mood(), [], []

    def watch(event):
        mood(event)
        seen.append(mood.state)
        details.append(mood.detail)

    script = Script()
    stt = Faulty(ScriptedTranscriber(script), ["raises"])
    broken = Scene(
        script,
        *(0.5, ("tell a story", 1.0), 6.0, ("tell a story", 1.0), 6.0),
        during=lambda talk, _: talk.observers.append(watch),
        engines=scripted(script, STORY, stt=stt),
    )
    assert broken.all(Failed), "nothing failed in this scene"
    order = [state for state, _ in groupby(seen)]
    assert order == ["idle", "listening", "failed", "listening", "thinking", "speaking", "idle"]
    assert any(details)
    assert not details[-1]


def test_an_early_start_that_is_abandoned_is_still_listening():
    events = [
        SpeechStarted(0.5),
        Paused(1.0, 0.9),
        TurnStarted(1, 1.0, True),
        Resumed(1.2),
        Abandoned(1, 1.3, "its speaker went on"),
        Paused(1.6, 1.5),
        TurnStarted(2, 1.6, True),
    ]
    assert states(*events) == ["listening"]
    assert states(*events, ended(), GateOpened(2, 2.0)) == ["listening", "thinking"]


def test_sound_without_words_comes_to_nothing():
    events = [SpeechStarted(0.5), ended(), TurnStarted(1, 2.0, False)]
    assert states(*events, Abandoned(1, 2.5, "no words in it"))[-1] == "idle"
    assert states(SpeechStarted(0.5), Misfire(0.8, 0.5)) == ["listening", "idle"]


def test_an_early_start_is_thought_about_once_its_speaker_has_finished():
    assert states(SpeechStarted(0.5), TurnStarted(1, 1.0, True), ended()) == [
        "listening",
        "thinking",
    ]


def test_no_moment_between_the_end_of_a_question_and_its_turn_looks_idle():
    assert states(SpeechStarted(0.5), ended()) == ["listening", "thinking"]
    assert states(SpeechStarted(0.5), ended(), FrameHeard(2.1, 0.0, 0.0))[-1] == "idle"


def test_an_answer_that_stops_at_the_first_sound_is_not_shown_as_heard_any_more():
    first = [TurnStarted(1, 1.0, False), GateOpened(1, 1.0), PlaybackStarted(1, 2.0)]
    stopped = [*first, SpeechStarted(3.0), Interrupted(1, 3.0, "any sound interrupts")]
    assert states(*stopped)[-1] == "listening"


def test_of_turns_that_overlap_the_one_that_is_heard_is_shown():
    first = [TurnStarted(1, 1.0, False), GateOpened(1, 1.0), PlaybackStarted(1, 2.0)]
    assert states(*first, TurnStarted(2, 3.0, True), Abandoned(2, 3.5, "no words"))[-1] == (
        "speaking"
    )
    doubt = [*first, SpeechStarted(3.0), PlaybackPaused(1, 3.0)]
    assert states(*doubt) == ["thinking", "speaking", "listening"]
    assert states(*doubt, ended(4.0), TurnStarted(2, 4.0, False))[-1] == "thinking"
    weighed = [*doubt, ended(4.0), TurnStarted(2, 4.0, False), Abandoned(2, 4.1, "mhm")]
    assert states(*weighed, PlaybackResumed(1, 4.1))[-1] == "speaking"
    taken = [*doubt, Interrupted(1, 3.5, "speech lasted 0.5 s")]
    assert states(*taken)[-1] == "listening"
    late = [*taken, ended(4.0), TurnStarted(2, 4.0, False), GateOpened(2, 4.0)]
    assert states(*late, PlaybackStarted(2, 5.0), finished(1, 5.1))[-1] == "speaking"
    assert states(*late, PlaybackStarted(2, 5.0), finished(1), finished(2))[-1] == "idle"


def test_who_speaks_over_an_answer_that_nothing_interrupts_is_not_shown_as_listened_to():
    first = [TurnStarted(1, 1.0, False), GateOpened(1, 1.0), PlaybackStarted(1, 2.0)]
    assert states(*first, SpeechStarted(3.0))[-1] == "speaking"


def test_the_apology_of_a_failed_turn_is_still_red_and_speech_is_heard_above_it():
    mood = Mood()
    turn = [TurnStarted(1, 1.0, False), GateOpened(1, 1.0), failed(1), PlaybackStarted(1, 4.0)]
    assert states(*turn, mood=mood)[-1] == "failed"
    assert mood.detail == "stt: whisper is not available. Try: another one"
    assert states(finished(1), mood=mood) == ["failed"]
    assert states(SpeechStarted(10.0), mood=mood) == ["listening"]
    assert states(Misfire(10.3, 10.0), mood=mood) == ["failed"]
    assert states(TurnStarted(2, 12.0, False), GateOpened(2, 12.0), mood=mood)[-1] == "thinking"
    assert mood.detail == ""


def test_a_microphone_that_is_back_has_not_failed_any_more():
    mood = Mood()
    assert states(failed(0, "microphone"), mood=mood) == ["failed"]
    assert states(FrameHeard(5.0, 0.0, 0.01), mood=mood) == ["idle"]
    assert states(failed(0, "vad"), FrameHeard(5.0, 0.0, 0.01), mood=mood) == ["failed"]
    assert states(FellAsleep(40.0), mood=mood) == ["asleep"]


def test_it_sleeps_until_it_is_called_and_then_listens():
    mood = Mood(phrase="hey computer")
    assert mood.state == "asleep"
    assert mood.label == "Asleep: say “hey computer”"
    assert states(FrameHeard(1.0, 0.9, 0.1), mood=mood) == ["asleep"]
    assert states(Woke(2.0, 1.8), FrameHeard(2.1, 0.9, 0.1), mood=mood) == ["listening"]
    assert states(ended(4.0), TurnStarted(1, 4.0, False), mood=mood)[-1] == "thinking"
    assert states(finished(1), FellAsleep(40.0), mood=mood) == ["idle", "asleep"]


def test_a_call_after_which_nothing_is_said_is_not_listened_to_for_ever():
    mood = Mood(phrase="hey computer")
    mood(Woke(2.0, 1.8))
    assert states(FrameHeard(4.9, 0.0, 0.0), FrameHeard(5.1, 0.0, 0.0), mood=mood) == [
        "listening",
        "idle",
    ]


def test_a_line_typed_to_a_sleeper_is_answered_and_it_sleeps_on():
    mood = Mood(phrase="hey computer")
    line = [TurnStarted(1, 1.0, False, True), GateOpened(1, 1.0), PlaybackStarted(1, 2.0)]
    assert states(*line, finished(1), mood=mood) == ["thinking", "speaking", "asleep"]


def test_after_every_scene_nothing_is_left_of_its_turns():
    mood = Mood()
    Scene(
        Script(),
        *(0.5, ("tell a story", 1.0), 1.2, ("stop it", 1.0), 1.0, ("mhm", 0.3), 6.0),
        answers=STORY,
        during=lambda talk, _: talk.observers.append(mood),
    )
    assert mood.state == "idle"
    assert not mood._turns


# The widget


@pytest.fixture
def orb():
    pytest.importorskip("anywidget")
    from voice_kit.show.orb import Orb

    widget = Orb()
    yield widget
    widget.close()


def test_the_widget_holds_the_state_in_its_traits_and_says_it_in_words(orb):
    assert (orb.state, orb.label, orb.text()) == ("idle", "Ready", "Ready")
    orb(SpeechStarted(0.5))
    assert (orb.state, orb.label) == ("listening", "Listening")
    orb(failed(0))
    orb(Misfire(1.0, 0.5))
    assert orb.text() == "Something failed. stt: whisper is not available. Try: another one"


def test_the_widget_sleeps_from_the_beginning_when_there_is_a_wake_phrase():
    pytest.importorskip("anywidget")
    from voice_kit.show.orb import Orb

    settings = Settings(wake={"phrase": "hey computer"})
    assert Orb(settings).text() == "Asleep: say “hey computer”"


def test_levels_are_told_but_never_more_than_32_a_second(orb):
    told = []
    orb.send = lambda content, buffers=None: told.append(content)
    for number in range(1000):
        orb(FrameHeard(number * 0.032, 0.9, 0.25))
    orb.voice(0.5)
    assert told[0] == {"level": 0.25, "voice": 0.0}
    assert len(told) < 32, "a thousand frames in a moment are not a thousand messages"


def test_a_page_that_listens_itself_is_not_told_how_loud_it_is():
    pytest.importorskip("anywidget")
    from voice_kit.show.orb import Orb

    live, told = True, []
    orb = Orb(near=lambda: live)
    orb.send = lambda content, buffers=None: told.append(content)
    orb(FrameHeard(0.032, 0.9, 0.25))
    assert not told
    live = False
    orb(FrameHeard(0.064, 0.9, 0.5))
    assert told == [{"level": 0.5, "voice": 0.0}]


# In a real browser


WIDGET = """(state) => {
  const now = { state, label: state, detail: "", size: 240 };
  const model = { get: (name) => now[name], on() {}, off() {} };
  window.shown = window.module.default.render({ model, el: document.querySelector("main") });
}"""
SHOWN = """([state, more]) => {
  window.shown?.remove();
  window.shown = window.module.orb(document.querySelector("main"), more);
  window.shown.update({ state, label: state, detail: "" });
}"""
MODULE = ROOT / "voice_kit/show/orb.js"
NO_WORKERS = "delete HTMLCanvasElement.prototype.transferControlToOffscreen;"
FORBIDDEN = "window.Worker = class { constructor() { throw new Error('not here'); } };"
REFUSED = "window.beforeWorkers = 'throw new Error(`not here`);';"
HELD = """
window.beforeWorkers = `
  const real = OffscreenCanvas.prototype.getContext;
  const hold = function (...kind) { return (self.held = real.apply(this, kind)); };
  OffscreenCanvas.prototype.getContext = hold;`;
"""
"""From here on each worker's `held` is what it paints with."""
SEEN = """
new BroadcastChannel("seen").onmessage = ({ data }) => { window.seen = data; };
window.beforeWorkers = `
  const seen = new BroadcastChannel("seen"), next = requestAnimationFrame.bind(self);
  const tell = (state) => setTimeout(() => next(() => next(() => seen.postMessage(state))));
  addEventListener("message", ({ data }) => { if (data.state) tell(data.state); });`;
"""
"""From here on the page's `seen` is the last state that a worker has painted."""
SPEAKS = "() => { setInterval(() => shown.update({ voice: 0.15 }), 32); }"
LATER = "new Promise((done) => setTimeout(done, 200))"


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


def page_with(chromium, *, before="", **more):
    return page_for(MODULE, chromium=chromium, before=COUNTED + before, **more)


def picture(page):
    """What is seen of the sphere, 0 to 255."""
    return 255.0 * pixels(page.locator(".vk-orb canvas").screenshot())


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("before", ["", NO_WORKERS], ids=["worker", "page"])
@pytest.mark.parametrize("webgl", [True, False])
def test_every_state_is_seen_and_no_two_look_the_same(chromium, webgl, before, dark):
    more = {"dark": dark, "reduced_motion": "reduce"}
    with page_with(chromium, before=before or SEEN, **more) as page:
        seen = {}
        for state in LABELS:
            page.evaluate(SHOWN, [state, {"webgl": webgl}])
            if not before:
                page.wait_for_function("(state) => window.seen === state", arg=state)
            seen[state] = picture(page)
        assert len(page.workers) == (not before)
        assert drawn(page.locator(".vk-orb canvas").screenshot()) > 0.1
    for state, image in seen.items():
        assert np.ptp(image, axis=(0, 1)).max() > 60, f"{state} is blank"
        others = [np.abs(image - other).mean() for name, other in seen.items() if name != state]
        assert min(others) > 2, f"{state} looks like another state"
    red, _, blue = seen["failed"][120, 120]
    assert red > blue + 60
    red, _, blue = seen["listening"][120, 120]
    assert blue > red + 60
    assert np.ptp(seen["asleep"][120, 120]) < 25, "asleep is grey"


@pytest.mark.needs("chromium")
def test_all_states_are_pictured_for_those_who_look(chromium):
    side_by_side = """(states) => {
      const main = document.querySelector("main");
      main.style = "display: grid; grid-template-columns: repeat(3, 300px)";
      for (const [state, label] of states) {
        const detail = state === "failed" ? "stt: whisper is not available. Try: another one" : "";
        const view = window.module.orb(main.appendChild(document.createElement("div")));
        view.update({ state, label, detail });
        setInterval(() => view.update({ level: 0.06, voice: 0.1 }), 32);
      }
    }"""
    with page_with(chromium) as page:
        page.evaluate(side_by_side, list(LABELS.items()))
        page.evaluate(FRAMES, 30 * len(LABELS))
        screenshot(page, "orb", least=0.05)


@pytest.mark.needs("chromium")
def test_the_widget_moves_with_what_its_page_plays_until_it_is_gone(chromium):
    with page_with(chromium) as page:
        page.evaluate(WIDGET, "speaking")
        page.evaluate(FRAMES, 15)
        quiet = (picture(page).sum(axis=2) < 700).sum()
        page.evaluate(
            """() => setInterval(() => dispatchEvent(
              new CustomEvent("voice-kit:loud", { detail: { voice: 0.3 } })), 30)"""
        )
        page.evaluate(FRAMES, 25)
        assert (picture(page).sum(axis=2) < 700).sum() > 1.1 * quiet
        page.evaluate("shown()")
        assert page.evaluate("document.querySelectorAll('.vk-orb').length") == 0


@pytest.mark.needs("chromium")
def test_it_grows_with_the_voice_and_rests_when_it_is_held(chromium):
    with page_with(chromium) as page:
        page.evaluate(SHOWN, ["speaking", {}])
        page.evaluate(FRAMES, 15)
        quiet = (picture(page).sum(axis=2) < 700).sum()
        page.evaluate(SPEAKS)
        page.evaluate(FRAMES, 25)
        assert (picture(page).sum(axis=2) < 700).sum() > 1.1 * quiet
        button = page.get_by_role("button", name="Hold the sphere still")
        button.press("Enter")
        assert button.get_attribute("aria-pressed") == "true"
        count = page.evaluate("spent.length")
        page.evaluate(LATER)
        assert page.evaluate("spent.length") == count
        button.press("Enter")
        page.evaluate(FRAMES, 3)


@pytest.mark.needs("chromium")
def test_it_rests_where_motion_is_unwanted_and_still_shows_each_state(chromium):
    with page_with(chromium, before=SEEN, reduced_motion="reduce") as page:
        page.evaluate(SHOWN, ["speaking", {}])
        page.evaluate(SPEAKS)
        page.wait_for_function("window.seen === 'speaking'", polling=20)  # else by frames
        page.evaluate(LATER)
        speaking = picture(page)
        page.evaluate(LATER)
        assert (picture(page) == speaking).all()
        assert page.evaluate("spent.length") == 0
        page.evaluate("shown.update({ state: 'failed' })")
        page.wait_for_function("seen === 'failed'")
        assert np.abs(picture(page) - speaking).max() > 60


@pytest.mark.needs("chromium")
def test_it_rests_while_it_is_not_on_the_screen(chromium):
    away = "() => new Promise((done) => { new IntersectionObserver(([now], self) => { if (!now.isIntersecting) { self.disconnect(); setTimeout(done, 100); } }).observe(document.querySelector('.vk-orb')); document.body.style.paddingTop = '4000px'; })"  # noqa: E501
    with page_with(chromium) as page:
        page.evaluate(SHOWN, ["idle", {}])
        page.evaluate(FRAMES, 3)
        page.evaluate(away)
        count = page.evaluate("spent.length")
        page.evaluate(LATER)
        assert page.evaluate("spent.length") == count
        page.evaluate("document.body.style.paddingTop = '0'")
        page.evaluate(FRAMES, 3)


@pytest.mark.needs("chromium")
def test_the_state_is_written_and_announced_politely_and_nothing_stays(chromium):
    words = {"state": "failed", "label": "Something failed", "detail": "the fix"}
    with page_with(chromium) as page:
        page.evaluate(SHOWN, ["idle", {}])
        page.evaluate("(words) => shown.update(words)", words)
        assert page.get_by_role("status").inner_text().split() == [
            "Something",
            "failed",
            "the",
            "fix",
        ]
        page.evaluate("shown.remove()")
        assert page.evaluate("document.querySelector('main').childElementCount") == 0


@pytest.mark.needs("chromium")
def test_it_moves_while_its_page_is_busy(chromium):
    busy = "() => { const until = performance.now() + 500; while (performance.now() < until); }"
    with page_with(chromium) as page:
        page.evaluate(SHOWN, ["speaking", {}])
        page.evaluate(FRAMES, 5)
        before = page.evaluate("drawn.length")
        page.evaluate(busy)
        page.wait_for_function(f"drawn.length > {before} + 15")
        times = np.diff([now for now, _ in page.evaluate("drawn")])
    assert np.max(times) < 400, "it stood still until the page had time"


@pytest.mark.needs("chromium")
def test_a_widget_of_any_size_begins_with_one_worker_and_leaves_none(chromium):
    began = "window.began = 0; const Real = Worker; window.Worker = class extends Real { constructor(...all) { super(...all); began += 1; } };"  # noqa: E501
    with page_for(MODULE, chromium=chromium, before=began) as page:
        page.evaluate(WIDGET.replace("240", "200"), "speaking")
        worker = page.workers[0] if page.workers else page.wait_for_event("worker")
        assert page.evaluate("began") == 1
        with worker.expect_event("close"):
            page.evaluate("shown()")
        assert not page.workers


@pytest.mark.needs("chromium")
def test_it_rests_while_its_tab_is_hidden(chromium):
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page_with(chromium, before=SEEN) as page:
        page.evaluate(SHOWN, ["speaking", {}])
        page.evaluate(FRAMES, 3)
        page.evaluate(hide, True)
        page.evaluate("seen = null; shown.update({ state: 'failed' })")
        page.wait_for_function("seen === 'failed'", polling=20)
        count = page.evaluate("drawn.length")
        page.evaluate(LATER)
        assert page.evaluate("drawn.length") == count
        page.evaluate(hide, False)
        page.evaluate(FRAMES, 3)


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("before", [NO_WORKERS, FORBIDDEN, REFUSED])
def test_where_no_worker_may_paint_the_page_does(chromium, before):
    with page_with(chromium, before=before) as page:
        page.evaluate(SHOWN, ["listening", {}])
        page.evaluate(FRAMES, 3)
        assert picture(page).std() > 10
        assert page.evaluate("drawn.length") == 0
        page.evaluate("shown.remove()")
        count = page.evaluate("spent.length")
        page.evaluate(LATER)
        assert page.evaluate("spent.length") == count, "nobody sees it any more"


@pytest.mark.needs("chromium")
def test_a_browser_that_takes_webgl_away_shows_it_on_a_plain_canvas(chromium):
    with page_with(chromium, before=HELD) as page:
        page.evaluate(SHOWN, ["listening", {}])
        page.evaluate(FRAMES, 3)
        with page.expect_worker() as again:
            page.workers[0].evaluate("held.getExtension('WEBGL_lose_context').loseContext()")
        page.evaluate(FRAMES, 3)
        assert again.value.evaluate("held.constructor.name").endswith("2D")
        assert picture(page).std() > 10


@pytest.mark.needs("chromium")
def test_where_webgl_is_taken_from_the_page_it_shows_it_on_a_plain_canvas_too(chromium):
    with page_with(chromium, before=NO_WORKERS) as page:
        page.evaluate(SHOWN, ["listening", {}])
        page.evaluate(
            """() => new Promise((done) => {
              const lost = document.querySelector(".vk-orb canvas");
              lost.addEventListener("webglcontextlost", () => setTimeout(done, 0));
              lost.getContext("webgl").getExtension("WEBGL_lose_context").loseContext();
            })"""
        )
        page.evaluate(FRAMES, 3)
        assert page.evaluate("!!document.querySelector('.vk-orb canvas').getContext('2d')")
        assert picture(page).std() > 10


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("webgl", [True, False])
def test_it_is_smooth_without_a_gpu(chromium, webgl):
    with page_with(chromium) as page:
        page.evaluate(SHOWN, ["speaking", {"webgl": webgl}])
        page.evaluate(SPEAKS)
        page.evaluate(FRAMES, 20)
        best = fastest(page)
    kind = "WebGL in software" if webgl else "plain canvas"
    print(f"\norb, {kind}: {best['fps']:.1f} frames/s, {best['script']:.2f} ms of script a frame")
    assert best["script"] <= 2
    assert best["fps"] >= 50
