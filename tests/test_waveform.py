"""The microphone's wave: what is sent to draw it, how it is seen, and a recording's picture."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from helpers_browser import browser, drawn, overlaps, page_for, pixels, screenshot
from helpers_frames import COUNTED, FRAMES, fastest

from voice_kit.hear.ears import Ears
from voice_kit.settings import Settings
from voice_kit.show.picture import MARKS, alt_text, figure, speech
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    FrameHeard,
    PlaybackStarted,
    SpeechStarted,
)

ROOT = Path(__file__).parents[1]
QUIET = 0.001


def recording():
    """Two seconds of hum between quiet, and everything that was heard of it."""
    noise = np.random.default_rng(1).standard_normal(5 * RATE).astype(np.float32)
    loudness = np.full(len(noise), QUIET, np.float32)
    loudness[RATE : 3 * RATE] = 0.2
    samples = (noise * loudness)[: len(noise) // FRAME * FRAME]
    ears, events = Ears(), []
    for frame in samples.reshape(-1, FRAME):
        level = float(np.sqrt(np.mean(frame**2)))
        chance = 0.9 if level > 0.05 else 0.1
        found = ears.feed(frame, chance)
        events += [FrameHeard(ears.now, chance, level), *found]
    return Audio(samples, RATE), events


SOUND, EVENTS = recording()


# A recording's picture


def test_a_picture_has_its_wave_its_chances_its_thresholds_and_its_marks():
    drawn = figure(SOUND, events=EVENTS, title="A hum")
    wave, below = drawn.axes
    assert wave.get_title(loc="left") == "S speech starts · P pause · E turn ends"
    assert {text.get_text().strip() for text in wave.texts} == {"S", "P", "E"}
    assert {text.get_text().strip() for text in below.texts} == {"starts 0.5", "stops 0.35"}
    assert below.get_xlim() == (0, SOUND.seconds)
    _, chances = below.lines[0].get_data()
    assert len(chances) == len(SOUND.samples) // FRAME


def test_a_picture_never_touches_pyplot():
    import subprocess
    import sys

    code = (
        "import sys, numpy as np; from voice_kit.show.picture import figure;"
        "from voice_kit.types import Audio;"
        "figure(Audio(np.zeros(9000, 'f4'), 16000)).canvas.draw();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("count", [0, 1, 700, 1600, 1601, 90_000])
def test_a_sound_of_any_length_has_a_picture_and_words(count):
    sound = Audio(np.full(count, 0.5, np.float32), RATE)
    figure(sound).canvas.draw()
    assert f"{count / RATE:.1f} s of sound" in alt_text(sound)


def test_the_words_say_what_the_picture_shows():
    said = alt_text(SOUND, events=EVENTS)
    assert said.startswith("5.0 s of sound, loudest at ")
    assert "; speech 1.0–3.0 s. Speech starts at 1.0 s; pause at 3.1 s; turn ends at" in said
    assert alt_text(Audio.silence(2.0)) == "2.0 s of sound, silent."
    assert alt_text(Audio.silence(0.064), probabilities=[0, 0.1]).endswith("silent; no speech.")


def test_a_clip_out_of_a_conversation_keeps_its_times():
    clip = Audio(SOUND.samples[15 * FRAME * 2 : 31 * FRAME * 2], RATE)
    begun = 30 * FRAME / RATE
    said = alt_text(clip, probabilities=[0.1, *[0.9] * 31], events=EVENTS, start=begun)
    assert said.endswith("; speech 1.0–2.0 s. Speech starts at 1.0 s.")
    axes = figure(clip, probabilities=[0.9] * 32, events=EVENTS, start=begun).axes
    assert axes[0].get_xlim() == pytest.approx((begun, begun + clip.seconds))


def test_the_thresholds_are_those_of_the_settings():
    strict = Settings(hear={"start_above": 0.95})
    times = [0.032 * (1 + number) for number in range(30)]
    assert speech(times, [0.9] * 30) == [(0.0, pytest.approx(0.96))]
    assert speech(times, [0.9] * 30, strict) == []
    assert "no speech" in alt_text(SOUND, events=EVENTS, settings=strict)
    texts = figure(SOUND, events=EVENTS, settings=strict).axes[1].texts
    assert "starts 0.95" in {text.get_text().strip() for text in texts}


def test_every_mark_has_a_letter_of_its_own():
    assert len({mark.letter for mark in MARKS.values()}) == len(MARKS)


# The widget


@pytest.fixture
def waveform():
    pytest.importorskip("anywidget")
    from voice_kit.show.waveform import Waveform

    widget = Waveform(seconds=4.0)
    widget.told = []
    widget.send = lambda content, buffers=None: widget.told.append(content)
    yield widget
    widget.close()


def test_the_widget_tells_each_frame_once_but_sends_no_more_than_32_times_a_second(waveform):
    for number in range(100):
        waveform(FrameHeard(0.032 * (1 + number), 0.5, 0.1))
    assert len(waveform.told) < 5, "a hundred frames in a moment are not a hundred messages"
    waveform._tell()
    frames = [frame for message in waveform.told for frame in message["frames"]]
    assert [round(at / 0.032) for at, *_ in frames] == list(range(1, 101))


def test_a_frame_that_is_given_is_drawn_with_its_samples(waveform):
    samples = np.linspace(-0.5, 0.25, FRAME, dtype=np.float32)
    waveform.frame(samples)
    waveform(FrameHeard(0.032, 0.5, 0.1))
    waveform(FrameHeard(0.064, 0.5, 0.1))
    waveform._tell()
    frames = [frame for message in waveform.told for frame in message["frames"]]
    assert frames == [[0.032, 0.1, 0.5, -0.5, 0.25], [0.064, 0.1, 0.5]]


def test_the_widget_marks_events_by_letter_and_says_them_in_words(waveform):
    assert waveform.text() == "Nothing was heard yet."
    for event in EVENTS:
        waveform(event)
    waveform(PlaybackStarted(1, 4.5))
    waveform._tell()
    letters = [letter for message in waveform.told for _, letter in message["events"]]
    assert letters == ["S", "P", "E", "A"]
    assert set(letters) <= waveform.marks.keys()
    said = waveform.text()
    assert said.startswith("From 1.0 to 5.0 s; speech 1.0–3.0 s. Speech starts at 1.0 s;")
    assert said.endswith("answer is heard at 4.5 s.")


def test_new_settings_draw_new_thresholds(waveform):
    assert waveform.rules == {"start_above": 0.5, "stop_below": 0.35}
    waveform.settings = Settings(hear={"start_above": 0.7})
    assert waveform.rules == {"start_above": 0.7, "stop_below": 0.35}


def test_without_anyone_who_looks_little_is_kept(waveform):
    for number in range(10_000):
        waveform(FrameHeard(0.032 * number, 0.5, 0.1))
        if number % 10 == 0:
            waveform(SpeechStarted(0.032 * number))
    assert len(waveform._frames) == 125
    assert len(waveform._new) <= 125
    assert len(waveform._new_marks) <= 200


# In a real browser


SHOWN = """([marks, messages]) => {
  const past = window.module.memory();
  window.shown = window.module.waveform(document.querySelector("main"), { past });
  window.shown.update({ marks, rules: { start_above: 0.5, stop_below: 0.35 }, seconds: 10 });
  for (const message of messages) window.shown.update(message);
}"""
STREAM = """() => {
  let at = 5;
  setInterval(() => {
    at += 0.032;
    const level = 0.1 + 0.1 * Math.sin(5 * at);
    shown.update({ frames: [[at, level, 0.5 + 0.4 * Math.sin(at)]], events: [] });
  }, 32);
}"""


def messages():
    """What the widget would have sent of the recording."""
    return [
        {"frames": [[event.at, event.level, event.probability]], "events": []}
        if isinstance(event, FrameHeard)
        else {"frames": [], "events": [[event.at, MARKS[type(event)].letter]]}
        for event in EVENTS
    ]


MARKED = {mark.letter: [mark.shape, mark.words] for mark in MARKS.values()}


@pytest.fixture(scope="module")
def chromium():
    with browser() as chromium:
        yield chromium


@contextmanager
def page_with(chromium, *what, **more):
    module = ROOT / "voice_kit/show/waveform.js"
    with page_for(module, chromium=chromium, before=COUNTED, **more) as page:
        page.evaluate(SHOWN, [MARKED, list(what)])
        yield page


@pytest.mark.needs("chromium")
def test_the_wave_its_marks_and_their_legend_are_seen(chromium):
    with page_with(chromium) as page:
        page.evaluate(FRAMES, 0)
        empty = drawn(page.locator(".vk-wave canvas").screenshot())
    with page_with(chromium, *messages()) as page:
        page.evaluate(FRAMES, 10)
        assert drawn(page.locator(".vk-wave canvas").screenshot()) > empty + 0.05
        legend = page.locator(".vk-wave .legend").inner_text()
        assert legend == "S speech starts · P pause · E turn ends"
        assert not overlaps(page, ".vk-wave .foot > *")
        light, dark = screenshot(page, "waveform", page.locator(".vk-wave"), least=0.05)
        assert pixels(light).mean() > pixels(dark).mean() + 0.4


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("dark", [False, True])
def test_frozen_it_is_read_from_mark_to_mark_with_the_keys(chromium, dark):
    with page_with(chromium, *messages(), dark=dark) as page:
        page.evaluate(FRAMES, 5)
        stage = page.get_by_role("slider")
        stage.press("Space")
        assert page.get_by_role("button", name="Go on").get_attribute("aria-pressed") == "true"
        told = []
        for _ in range(3):
            stage.press("PageUp")
            told.append(stage.get_attribute("aria-valuetext"))
        assert [text.rpartition(", ")[2].rpartition(" at ")[0] for text in told] == [
            "turn ends",
            "pause",
            "speech starts",
        ]
        assert told[-1] == page.locator(".vk-wave output").inner_text()
        assert "speech 90 %" in told[-1]
        stage.press("ArrowLeft")
        assert "speech 10 %" in stage.get_attribute("aria-valuetext")
        count = page.evaluate("spent.length")
        page.evaluate(STREAM)
        page.evaluate("new Promise((done) => setTimeout(done, 200))")
        assert page.evaluate("spent.length") == count, "frozen, it does not move"
        stage.press("Escape")
        page.evaluate(FRAMES, 5)


@pytest.mark.needs("chromium")
def test_a_second_view_shows_what_the_first_one_heard(chromium):
    look = """([marks, messages]) => {
      const calls = [];
      const state = { marks, rules: { start_above: 0.5, stop_below: 0.35 }, seconds: 10 };
      const model = {
        get: (name) => state[name],
        on: (names, call) => calls.push([names, call]),
        off: () => {},
      };
      const { initialize, render } = window.module.default();
      initialize({ model: { ...model } }); // anywidget gives each its own
      const told = () => calls.filter(([names]) => names === "msg:custom");
      const hear = (message) => told().forEach(([, call]) => call(message));
      const el = () => document.querySelector("main").appendChild(document.createElement("div"));
      const close = render({ model: { ...model }, el: el() });
      messages.forEach(hear);
      close();
      render({ model: { ...model }, el: el() });
    }"""
    with page_for(ROOT / "voice_kit/show/waveform.js", chromium=chromium) as page:
        page.evaluate(look, [MARKED, messages()])
        assert page.locator(".vk-wave").count() == 1
        assert page.locator(".vk-wave .legend").inner_text().startswith("S speech starts")


@pytest.mark.needs("chromium")
def test_it_rests_once_nothing_is_heard_any_more_and_nothing_stays(chromium):
    rested = "() => new Promise((done) => { let before = -1; const look = setInterval(() => { if (spent.length === before) { clearInterval(look); done(); } before = spent.length; }, 300); })"  # noqa: E501
    with page_with(chromium, *messages()) as page:
        page.evaluate(rested)
        page.evaluate(STREAM)
        page.evaluate(FRAMES, 10)
        page.evaluate("shown.remove()")
        assert page.evaluate("document.querySelector('main').childElementCount") == 0


@pytest.mark.needs("chromium")
def test_where_motion_is_unwanted_it_turns_over_twice_a_second(chromium):
    with page_with(chromium, *messages(), reduced_motion="reduce") as page:
        page.evaluate(
            """() => {
              window.drawings = 0;
              const real = CanvasRenderingContext2D.prototype.clearRect;
              CanvasRenderingContext2D.prototype.clearRect = function (...all) {
                window.drawings += 1;
                return real.apply(this, all);
              };
            }"""
        )
        page.evaluate(STREAM)
        page.evaluate("new Promise((done) => setTimeout(done, 1200))")
        assert 1 <= page.evaluate("drawings") <= 4


@pytest.mark.needs("chromium")
def test_frozen_it_stands_still_whatever_was_about_to_be_drawn(chromium):
    with page_with(chromium, *messages(), reduced_motion="reduce") as page:
        page.evaluate(STREAM)
        page.evaluate(FRAMES, 2)
        page.evaluate("new Promise((done) => setTimeout(done, 200))")  # a drawing is due
        page.get_by_role("button", name="Freeze").click()
        frozen = pixels(page.locator(".vk-wave canvas").screenshot())
        page.evaluate("new Promise((done) => setTimeout(done, 600))")
        assert (pixels(page.locator(".vk-wave canvas").screenshot()) == frozen).all()


@pytest.mark.needs("chromium")
def test_it_is_smooth_without_a_gpu(chromium):
    with page_with(chromium, *messages()) as page:
        page.evaluate(STREAM)
        page.evaluate(FRAMES, 20)
        best = fastest(page, enough=25)
    print(f"\nwave: {best['fps']:.1f} frames/s, {best['script']:.2f} ms of script a frame")
    assert best["script"] <= 2
    assert 25 <= best["fps"] <= 35, "more would cost the page's time and show nothing new"
