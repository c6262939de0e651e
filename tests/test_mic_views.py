"""The browser's microphone, its views, its meter and its options, in a real page."""

import asyncio
import contextlib

import pytest

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from helpers_page import Page, browser, in_the_browser, the_browser_is_closed  # noqa: F401

from voice_kit.show.mic import Mic

pytestmark = pytest.mark.needs("chromium")

KEEP_THE_STREAM = """
const media = navigator.mediaDevices, real = media.getUserMedia.bind(media);
window.wishes = [];
media.getUserMedia = async (wish) => {
  wishes.push(wish.audio);
  return (window.stream = await real(wish));
};
"""
TRACKS = "stream.getTracks().map((track) => track.readyState)"


@contextlib.asynccontextmanager
async def page_with():
    """A microphone's page, whose clock goes on when it is told to and as time does."""
    mic = Mic()
    async with browser() as chrome, Page.open(mic, chrome, "mic.js", before=KEEP_THE_STREAM) as far:
        await far.page.clock.install()
        yield mic, far
        assert not far.errors


async def becomes(mic, state) -> None:
    changed = asyncio.Event()
    mic.observe(lambda _: changed.set(), "state")
    async with asyncio.timeout(20):
        while mic.state != state:
            await changed.wait()
            changed.clear()


async def hears(mic, count=3) -> None:
    """Return once so many frames have come."""
    async with asyncio.timeout(20):
        async for _ in mic:
            count -= 1
            if not count:
                return
    raise AssertionError(f"the microphone ended: {mic.message}")


def test_a_microphone_that_no_view_shows_is_let_go_and_listening_ends():
    async def scene():
        async with page_with() as (mic, far):
            listening = asyncio.create_task(hears(mic, 10_000))
            await far.page.click("text=Start the microphone")
            await hears(mic)
            await far.page.evaluate("hide()")  # the output was cleared
            await hears(mic)  # a view may come yet
            await far.page.clock.run_for(3000)
            await becomes(mic, "off")
            assert await far.page.evaluate(TRACKS) == ["ended"]
            assert "Nothing showed" in mic.message
            with pytest.raises(AssertionError, match="the microphone ended"):
                await listening
            await far.page.evaluate("void look()")  # shown again: it says why, and can go on
            assert "Nothing showed" in await far.page.inner_text("[role=status]")
            await far.page.click("text=Start the microphone")
            await hears(mic)

    in_the_browser(scene())


def test_a_microphone_whose_view_was_only_moved_goes_on():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.click("text=Start the microphone")
            await hears(mic)
            await far.page.evaluate("hide()")
            await far.page.clock.run_for(2000)
            await far.page.evaluate("void (window.hide = look())")
            await far.page.clock.run_for(2000)
            await hears(mic)
            await far.page.evaluate("hide()")  # and again: the wait begins anew
            await far.page.clock.run_for(2000)
            await far.page.evaluate("void (window.hide = look())")
            await far.page.clock.run_for(10_000)
            await hears(mic)
            assert (mic.state, mic.lost) == ("live", 0)
            assert await far.page.inner_text("button") == "■ Stop the microphone"

    in_the_browser(scene())


def test_one_view_of_two_is_enough():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.evaluate("void (window.hideSecond = look())")
            await far.page.locator("button").nth(1).click()
            await hears(mic)
            await far.page.evaluate("hide()")
            await far.page.clock.run_for(10_000)
            await hears(mic)
            await far.page.evaluate("hideSecond()")
            await far.page.clock.run_for(10_000)
            await becomes(mic, "off")

    in_the_browser(scene())


def test_a_tab_that_closes_its_view_leaves_the_microphone_of_another_tab():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.click("text=Start the microphone")
            await hears(mic)
            here = mic.page
            elsewhere = {"page": "another", "run": "another/1", "message": ""}
            for state in ("asking", "live"):
                mic._handle_custom_msg({"kind": "state", "state": state, **elsewhere}, [])
            await far.page.wait_for_function("stream.getTracks()[0].readyState === 'ended'")
            await far.page.evaluate("hide()")
            await far.page.clock.run_for(10_000)
            await far.page.evaluate("0")  # what it said has come
            assert (mic.page, mic.state) == ("another", "live") != (here, "off")

    in_the_browser(scene())


OPTIONS = {
    "echo_cancellation": ("echoCancellation", "Cancel echo"),
    "noise_suppression": ("noiseSuppression", "Suppress noise"),
    "auto_gain": ("autoGainControl", "Adjust loudness"),
}


def wish(**more):
    return {each: True for each, _ in OPTIONS.values()} | more


def without_others(asked):
    return {name: asked[name] for name, _ in OPTIONS.values()}


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_is_what_the_browser_is_asked_for_and_may_change_while_it_is_live(option):
    name, label = OPTIONS[option]

    async def scene():
        async with page_with() as (mic, far):
            await far.page.click("text=Start the microphone")
            await hears(mic)
            await far.page.click("summary")
            await far.page.get_by_label(label).uncheck()
            await far.page.wait_for_function("wishes.length === 2")
            await hears(mic)
            assert getattr(mic, option) is False
            setattr(mic, option, True)  # and from the notebook
            await far.page.wait_for_function("wishes.length === 3")
            await hears(mic)
            assert await far.page.get_by_label(label).is_checked()
            assert (mic.state, mic.lost) == ("live", 0)
            asked = await far.page.evaluate("wishes")
            assert all(each["channelCount"] == 1 for each in asked)
            return [without_others(each) for each in asked]

    assert in_the_browser(scene()) == [wish(), wish(**{name: False}), wish()]


METER = """() => ({
  drawn: new DOMMatrix(getComputedStyle(document.querySelector("[role=meter] i")).transform).a,
  said: Number(document.querySelector("[role=meter]").getAttribute("aria-valuenow")),
})"""
LOUDNESS = """
const media = navigator.mediaDevices;
media.getUserMedia = async () => {
  const context = new AudioContext(), hum = context.createOscillator();
  const to = context.createMediaStreamDestination();
  window.gain = context.createGain();
  gain.gain.value = 0;
  hum.connect(gain).connect(to);
  hum.start();
  return to.stream;
};
"""
WITHIN = """([low, high]) => {
  const { drawn, said } = (%s)();
  return low <= drawn && drawn <= high && low <= said / 100 && said / 100 <= high;
}"""


def test_the_meter_shows_how_loud_it_is_in_figures_too_and_nothing_when_it_is_off():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.evaluate(LOUDNESS)
            await far.page.click("text=Start the microphone")
            await hears(mic)
            levels = []
            for gain in (0, 0.01, 0.5):  # a sine: −∞, −43 and −9 dB of full scale
                await far.page.evaluate("(value) => void (gain.gain.value = value)", gain)
                low, high = {0: (0, 0), 0.01: (0.25, 0.32), 0.5: (0.82, 0.88)}[gain]
                await far.page.wait_for_function(WITHIN % METER, arg=[low, high], timeout=10_000)
                levels.append(await far.page.evaluate(METER))
            await far.page.click("text=Stop the microphone")
            await becomes(mic, "off")
            assert await far.page.evaluate(METER) == {"drawn": 0, "said": 0}
            return levels

    quiet, soft, loud = in_the_browser(scene())
    assert quiet["drawn"] < soft["drawn"] < loud["drawn"]


HOLD_THE_WORKLET = """
const Real = window.AudioWorkletNode;
window.AudioWorkletNode = class extends Real {
  constructor(...all) { super(...all); window.worklet = this; }
};
0
"""
FRAMES = """(last) => {
  for (const seq of [last - 1, last]) {
    worklet.port.onmessage({ data: { seq, frame: new Float32Array(512) } });
  }
}"""


def test_the_connection_is_lost_once_twenty_seconds_of_frames_were_confirmed_by_nobody():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.evaluate(HOLD_THE_WORKLET)
            far.widget.send = lambda *about: None  # the kernel says nothing any more
            await far.page.click("text=Start the microphone")
            await hears(mic)
            await far.page.evaluate(FRAMES, 625)
            assert await far.page.evaluate(TRACKS) == ["live"]
            assert "Stop" in await far.page.inner_text("button")
            await far.page.evaluate(FRAMES, 626)
            assert await far.page.evaluate(TRACKS) == ["ended"]
            said = await far.page.inner_text("[role=status]")
            assert "Connection lost" in said and "press Start" in said

    in_the_browser(scene())


def test_frames_that_are_confirmed_keep_the_connection():
    async def scene():
        async with page_with() as (mic, far):
            await far.page.evaluate(HOLD_THE_WORKLET)
            far.widget.send = lambda *about: None
            await far.page.click("text=Start the microphone")
            await hears(mic)
            run = mic._run
            confirmed = {"kind": "got", "run": run, "seq": 600}
            await far.page.evaluate("(content) => fromKernel(content, [])", confirmed)
            await far.page.evaluate(FRAMES, 1225)
            assert await far.page.evaluate(TRACKS) == ["live"]
            of_another = confirmed | {"run": "another", "seq": 10_000}
            await far.page.evaluate("(content) => fromKernel(content, [])", of_another)
            await far.page.evaluate(FRAMES, 1226)
            assert await far.page.evaluate(TRACKS) == ["ended"]

    in_the_browser(scene())
