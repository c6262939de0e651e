"""The browser's loudspeaker: what the kernel sends and counts, and what a real page renders."""

import asyncio
import contextlib

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from helpers_page import Page, browser, in_the_browser, the_browser_is_closed  # noqa: F401

from voice_kit.audio.convert import convert
from voice_kit.audio.protocols import Playback, Speaker
from voice_kit.converse.virtual import run
from voice_kit.show.speaker import AHEAD, RATE, BrowserSpeaker
from voice_kit.types import Audio

MOST = round(AHEAD * RATE)


def sound(seconds, rate=RATE):
    t = np.arange(round(seconds * rate)) / rate
    return Audio((0.3 * np.sin(2 * np.pi * 220 * t)).astype(np.float32), rate)


class FarSpeaker:
    """A `BrowserSpeaker` with one playback, and the page that would play it."""

    def __init__(self, page="a") -> None:
        self.widget = BrowserSpeaker()
        self.speaker: Speaker = self.widget
        self.widget.send = self._sent
        self.pieces: list[np.ndarray] = []
        self.told: list[str] = []
        self.starts: list[float] = []
        self.loop = asyncio.get_running_loop()
        if page:
            self.say("here", page)
        self.playback: Playback = self.speaker.open(self.starts.append)

    def _sent(self, content, buffers=None) -> None:
        if buffers:
            self.pieces.append(np.frombuffer(buffers[0], "<i2"))
        elif "kind" in content:
            self.told.append(content["kind"])

    @property
    def samples(self) -> int:
        return sum(map(len, self.pieces))

    def say(self, kind, page="a", **more) -> None:
        self.widget._handle_custom_msg({"kind": kind, "page": page, **more}, [])

    async def heard(self, samples, audible=None, final=False, page="a") -> None:
        """The page says how many samples of the playback were heard."""
        each = {"id": 1, "samples": samples, "audible": audible, "final": final}
        self.say("heard", page, heard=[each])
        await asyncio.sleep(0)


def scene(test):
    """Run a coroutine function on the virtual clock."""

    def in_virtual_time():
        run(test(), fast=True)

    in_virtual_time.__name__ = test.__name__
    return in_virtual_time


@scene
async def test_sound_is_sent_as_it_is_at_first_in_small_messages_and_then_in_few():
    far = FarSpeaker()
    far.playback.play(sound(4))
    assert [len(piece) / RATE for piece in far.pieces] == [0.1, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    sent = np.concatenate(far.pieces) / 32768
    assert np.abs(sent - sound(4).samples[: len(sent)]).max() < 1e-4


@scene
async def test_sound_of_any_rate_is_converted():
    far = FarSpeaker()
    far.playback.play(sound(1, 22_050))
    sent = np.concatenate(far.pieces) / 32768
    whole = convert(sound(1, 22_050), RATE).samples
    assert len(sent) == len(whole)
    assert np.abs(sent - whole).max() < 1e-3


@scene
async def test_only_three_seconds_are_sent_ahead_and_what_was_heard_makes_room():
    far = FarSpeaker()
    far.playback.play(sound(60))
    assert MOST <= far.samples < MOST + RATE
    for _ in range(1000):
        before = far.samples
        await far.heard(far.samples - 2 * RATE)
        assert far.samples <= before + 2 * RATE
    assert far.samples == 60 * RATE


@scene
async def test_heard_is_what_the_page_says_and_never_more_than_was_sent():
    far = FarSpeaker()
    far.playback.play(sound(1))
    assert far.playback.heard == 0
    await far.heard(12_000)
    assert far.playback.heard == 0.5
    await far.heard(6_000)
    assert far.playback.heard == 0.5
    await far.heard(10**9)
    assert far.playback.heard == 1.0


@scene
async def test_all_of_it_is_heard_to_the_last_word_whatever_its_rate():
    far = FarSpeaker()
    audio = Audio(np.full(22_051, 0.1, np.float32), 22_050)
    far.playback.play(audio)
    await far.heard(far.samples)
    await far.playback.finished()
    far.playback.stop()
    assert await far.playback.settled() == audio.seconds


@scene
async def test_it_is_finished_when_all_was_heard():
    far = FarSpeaker()
    far.playback.play(sound(1))
    waiting = asyncio.create_task(far.playback.finished())
    for part in range(1, 20):
        await asyncio.sleep(0.05)
        await far.heard(part * 1200)
    assert not waiting.done()
    await far.heard(RATE)
    await waiting
    assert far.loop.time() == pytest.approx(0.95)


@scene
async def test_it_begins_when_the_first_sample_is_audible():
    far = FarSpeaker()
    far.playback.play(sound(1))
    await asyncio.sleep(0.03)
    await far.heard(0, audible=0.04)
    await far.heard(600, audible=0.01)
    await asyncio.sleep(0.5)
    assert far.starts == [pytest.approx(0.07)]


@scene
async def test_what_was_stopped_before_it_was_audible_never_began():
    far = FarSpeaker()
    far.playback.play(sound(1))
    await far.heard(0, audible=0.04)
    far.playback.stop()
    await asyncio.sleep(0.5)
    assert far.starts == []


@scene
async def test_a_paused_answer_waits_as_long_as_it_takes_and_goes_on():
    far = FarSpeaker()
    far.playback.play(sound(10))
    await far.heard(RATE)
    far.playback.pause()
    sent = far.samples
    waiting = asyncio.create_task(far.playback.finished())
    await far.heard(RATE + 100)
    await asyncio.sleep(60)
    assert far.samples == sent
    assert not waiting.done()
    far.playback.go_on()
    assert far.samples > sent - 1
    while far.samples < 10 * RATE:
        await far.heard(far.samples)
    await far.heard(10 * RATE)
    await waiting
    assert far.told == ["pause", "go_on"]
    assert far.playback.heard == 10


@scene
async def test_after_a_stop_the_last_word_of_the_page_counts_and_nothing_later():
    far = FarSpeaker()
    far.playback.play(sound(5))
    await far.heard(RATE)
    far.playback.stop()
    assert far.told == ["stop"]
    waiting = asyncio.create_task(far.playback.settled())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await far.heard(RATE + 2400, final=True)
    assert await waiting == 1.1
    await far.heard(2 * RATE)
    assert far.playback.heard == 1.1
    assert far.loop.time() == pytest.approx(0.1)


@scene
async def test_a_page_that_says_nothing_after_a_stop_is_waited_for_150_ms():
    far = FarSpeaker()
    far.playback.play(sound(5))
    await far.heard(RATE)
    far.playback.stop()
    assert await far.playback.settled() == 1.0
    assert far.loop.time() == pytest.approx(0.15)
    await far.heard(2 * RATE)
    assert far.playback.heard == 1.0


@scene
async def test_what_was_never_sent_is_settled_at_once():
    far = FarSpeaker(page="")
    far.playback.play(sound(5))
    far.playback.stop()
    assert await far.playback.settled() == 0.0
    assert far.loop.time() == 0
    assert far.told == []


@scene
async def test_without_a_page_an_answer_is_over_after_five_seconds_and_was_not_heard():
    far = FarSpeaker(page="")
    far.playback.play(sound(60))
    await far.playback.finished()
    assert far.loop.time() == pytest.approx(5)
    assert far.playback.heard == 0
    assert far.pieces == []


@scene
async def test_sound_waits_for_the_page_that_opens_soon():
    far = FarSpeaker(page="")
    far.playback.duck(0.3)
    far.playback.play(sound(1))
    await asyncio.sleep(2)
    far.say("here", "b")
    await asyncio.sleep(0)
    assert far.samples == RATE
    assert far.told == ["duck"]
    await far.heard(RATE, page="b")
    await far.playback.finished()
    assert far.playback.heard == 1


@scene
async def test_a_page_that_falls_silent_freezes_the_count_and_is_told_to_stop():
    far = FarSpeaker()
    far.playback.play(sound(60))
    await far.heard(RATE)
    await far.playback.finished()
    assert far.loop.time() == pytest.approx(5, abs=1)
    assert far.told == ["stop"]
    await far.heard(3 * RATE)
    assert far.playback.heard == await far.playback.settled() == 1.0


@scene
async def test_another_page_ends_what_the_first_one_had_in_store():
    far = FarSpeaker()
    far.playback.play(sound(60))
    await far.heard(RATE)
    far.say("here", "b")
    await far.playback.finished()
    assert far.loop.time() == 0
    await far.heard(2 * RATE, page="a")
    assert far.playback.heard == 1.0
    assert far.widget.page == "b"


@scene
async def test_a_page_that_closes_leaves_none():
    far = FarSpeaker()
    far.say("state", state="ready")
    assert far.widget.state == "ready"
    far.say("gone", "b")
    assert far.widget.page == "a"
    far.say("gone", "a")
    assert (far.widget.page, far.widget.state) == ("", "off")


@scene
async def test_playbacks_that_nobody_has_any_more_are_forgotten():
    far = FarSpeaker()
    for _ in range(10):
        far.speaker.open(lambda at: None).play(sound(0.1))
        await asyncio.sleep(10)
    assert len(far.widget._playbacks) <= 2


# In a real page


chromium = pytest.mark.needs("chromium")


async def heard_at_least(playback, seconds) -> None:
    """Return once so much of it was heard."""
    async with asyncio.timeout(20):
        while playback.heard < seconds:
            await playback._changed.wait()


@contextlib.asynccontextmanager
async def page_with(**more):
    speaker = BrowserSpeaker()
    async with browser() as chrome, Page.open(speaker, chrome, "speaker.js", **more) as page:
        yield speaker, page


NO_SOUND_BEFORE_A_CLICK = """
addEventListener("click", () => (window.clicked = true), true);
window.AudioContext = class extends AudioContext {
  constructor(wishes) { super(wishes); this.suspend(); }
  resume() { return window.clicked ? super.resume() : new Promise(() => {}); }
};
"""
"""As browsers are with people. Playwright counts as a click."""


LOUDSPEAKER = """
window.rendered = [];
window.said = [];
window.told = {};
window.levels = [];
window.speaker = module.loudspeaker({
  onheard: (heard) => said.push(...heard), onlevel: (level) => levels.push(level),
});
window.counting = (from, count) => Int16Array.from({ length: count }, (_, i) => from + i);
window.open = async () => {
  await speaker.unlock();
  const code = `registerProcessor("recorder", class extends AudioWorkletProcessor {
    process([[block]]) {
      if (block) this.port.postMessage([currentTime, block.slice()]);
      return true;
    } })`;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  await speaker.context.audioWorklet.addModule(url);
  const recorder = new AudioWorkletNode(speaker.context, "recorder");
  recorder.port.onmessage = ({ data: [at, data] }) => {
    const loud = data.some((sample) => sample);
    if (loud !== window.loud) told[loud ? "sound" : "silence"] = at;
    window.loud = loud;
    rendered.push(...data);
  };
  speaker.node.connect(recorder).connect(speaker.context.destination);
};
window.until = (wanted) => new Promise((done, fail) => {
  const late = performance.now() + 20000;
  const look = () => {
    if (wanted()) done(performance.now());
    else if (performance.now() > late) fail(new Error(`never: ${wanted}`));
    else setTimeout(look, 1);
  };
  look();
});
"""


async def rendered(commands):
    """Run commands on a loudspeaker in a real page: what it rendered, said, and gave back."""
    async with page_with() as (_, page):
        await page.page.evaluate(LOUDSPEAKER + "; 0")
        result = await page.page.evaluate(f"async () => {{ await open(); {commands} }}")
        samples = np.array(await page.page.evaluate("rendered")) * 32768
        said = await page.page.evaluate("said")
        assert not page.errors
        return samples, said, result


@chromium
def test_pieces_are_rendered_one_after_the_other_without_a_gap_and_counted():
    samples, said, _ = in_the_browser(
        rendered(
            """for (let at = 1; at <= 24000; at += 2400) speaker.sound(1, counting(at, 2400));
            await until(() => said.at(-1)?.samples === 24000);"""
        )
    )
    heard = samples[np.flatnonzero(samples)]
    assert heard.tolist() == list(range(1, 24_001))
    counts = [each["samples"] for each in said]
    assert counts == sorted(counts)
    assert len(counts) >= 15  # each 50 ms
    assert [each["audible"] is not None for each in said] == [True] + [False] * (len(said) - 1)


@chromium
def test_it_tells_how_loud_what_it_plays_is():
    _, _, levels = in_the_browser(
        rendered(
            """speaker.sound(1, new Int16Array(24000).fill(8192));
            await until(() => said.at(-1)?.samples === 24000);
            await until(() => levels.at(-1) === 0);
            return levels;"""
        )
    )
    assert np.median(levels[2:15]) == pytest.approx(0.25, abs=0.01)
    assert max(levels) < 0.26


@chromium
def test_a_pause_keeps_the_place_to_the_sample():
    samples, _, place = in_the_browser(
        rendered(
            """speaker.sound(1, counting(1, 12000));
            speaker.sound(1, counting(12001, 12000));
            await until(() => said.at(-1)?.samples > 6000);
            speaker.pause(1);
            await until(() => window.loud === false);
            await until(() => said.length > 8 && said.at(-1).samples === said.at(-5).samples);
            const place = said.at(-1).samples;
            speaker.go_on(1);
            await until(() => said.at(-1).samples === 24000);
            return place;"""
        )
    )
    loud = np.flatnonzero(samples)
    gap = int(np.argmax(np.diff(loud)))
    last, again = loud[gap], loud[gap + 1]  # of the fading sound, and of what goes on
    assert again - last > 100
    before, after = samples[loud[0] : last + 1], samples[again:]
    whole = int(np.flatnonzero(before == np.arange(1, len(before) + 1))[-1]) + 1
    assert whole == place
    assert 0 < len(before) - whole <= 0.005 * RATE  # it fades out within 5 ms
    ramp = round(0.01 * RATE)
    assert after[ramp : 24_000 - place].tolist() == list(range(place + 1 + ramp, 24_001))
    assert after[0] == pytest.approx((place + 1) / ramp, rel=0.02)


@chromium
def test_a_stop_is_silence_and_the_last_word():
    samples, said, (began, stopped) = in_the_browser(
        rendered(
            """const now = () => speaker.context.currentTime;
            const given = now();
            speaker.sound(1, counting(1, 30000));
            await until(() => said.at(-1)?.samples > 3000);
            const asked = now();
            speaker.stop(1);
            await until(() => said.at(-1).final && window.loud === false);
            const times = [told.sound - given, told.silence - asked];
            speaker.go_on(1);
            speaker.sound(1, counting(1, 24000));
            speaker.sound(2, counting(1, 2400));
            await until(() => said.at(-1).id === 2 && said.at(-1).samples === 2400);
            return times;"""
        )
    )
    final = next(each for each in said if each["final"])
    end = np.flatnonzero(samples == final["samples"])[0]
    rest = samples[end + 1 :]
    assert np.argmin(rest) <= 0.005 * RATE  # it fades out within 5 ms
    assert rest[np.argmin(rest) :].nonzero()[0].size == 2400  # and nothing of it comes again
    print(f"sound to first sample {began * 1000:.0f} ms, stop to silence {stopped * 1000:.0f} ms")
    assert max(began, stopped) < 0.1


@chromium
def test_two_playbacks_are_heard_at_once_and_one_can_be_quieter():
    samples, _, _ = in_the_browser(
        rendered(
            """speaker.duck(1, 0.5);
            speaker.sound(1, new Int16Array(4800).fill(1000));
            speaker.sound(2, new Int16Array(4800).fill(3000));
            await until(() => said.filter((each) => each.samples === 4800).length >= 2);"""
        )
    )
    assert set(np.unique(samples.round())) <= {0, 500, 3000, 3500}
    assert np.count_nonzero(samples.round() == 3500) > 4000


@chromium
def test_reports_rest_as_the_way_is_slow_but_news_does_not():
    async def scene():
        async with page_with() as (_, page):
            return await page.page.evaluate(
                """() => {
                  const sent = [], dones = [];
                  let now = 0;
                  performance.now = () => now;
                  const report = module.gathered((heard, done) => {
                    sent.push(heard.map(({ samples }) => samples));
                    dones.push(done);
                  });
                  const say = (samples, more) =>
                    report([{ id: 1, samples, audible: null, final: false, ...more }]);
                  say(1);
                  say(2);                      // whether anybody answers is not known yet
                  for (const done of dones.splice(0)) done();
                  say(3);
                  now = 20;
                  say(4);                      // kept, for the third is on its way
                  dones.shift()();             // which took 20 ms
                  say(5);                      // it rests, and this is newer
                  now = 80;
                  say(6);                      // now it goes
                  say(7, { final: true });     // at once
                  for (const done of dones.splice(0)) done();
                  say(8);
                  for (let n = 9; n < 14; n++) say(n);  // a slow way: one in five goes all the same
                  return sent;
                }"""
            )

    assert in_the_browser(scene()) == [[1], [2], [3], [6], [7], [8], [13]]


@chromium
def test_an_answer_is_played_paused_and_interrupted_from_python():
    async def talk():
        async with page_with() as (speaker, page):
            loop, starts = asyncio.get_running_loop(), []
            playback = speaker.open(starts.append)
            began = loop.time()
            playback.play(sound(0.5))
            playback.play(sound(0.5))
            await playback.finished()
            assert playback.heard == 1.0
            assert loop.time() - began >= 1.0
            assert began < starts[0] < loop.time() - 0.9
            assert speaker.state == "ready"
            await page.page.wait_for_selector("text=The loudspeaker is ready")

            playback = speaker.open(starts.append)
            playback.play(sound(10))
            await heard_at_least(playback, 0.3)
            playback.pause()
            waiting = asyncio.create_task(playback.finished())
            playback.go_on()
            await heard_at_least(playback, 0.6)
            playback.stop()
            heard = await playback.settled()
            await waiting
            assert 0.6 <= heard < 3
            assert len(starts) == 2
            assert not page.errors

    in_the_browser(talk())


@chromium
def test_a_page_that_nobody_has_clicked_says_so_and_plays_after_a_click():
    async def talk():
        async with page_with(before=NO_SOUND_BEFORE_A_CLICK) as (speaker, page):
            playback = speaker.open(lambda at: None)
            playback.play(sound(0.3))
            button = page.page.locator("text=Let this page play sound")
            await button.wait_for()
            assert speaker.state == "blocked"
            assert playback.heard == 0
            await button.click()
            await playback.finished()
            assert playback.heard == 0.3
            assert speaker.state == "ready"

    in_the_browser(talk())


@chromium
def test_when_the_kernel_is_restarted_the_page_falls_silent():
    async def talk():
        async with page_with() as (speaker, page):
            playback = speaker.open(lambda at: None)
            playback.play(sound(10))
            await heard_at_least(playback, 0.1)
            await page.page.evaluate("window.dead = true")
            await page.page.wait_for_selector("text=opens with the first sound")
            await playback.finished()
            assert playback.heard < 10
            assert not page.errors

    in_the_browser(talk())
