"""The browser's microphone: what the kernel makes of its messages, and what a real page sends."""

import asyncio
import contextlib
import threading

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from helpers_page import Page, browser, in_the_browser, the_browser_is_closed  # noqa: F401

from voice_kit.audio import files
from voice_kit.audio.convert import convert
from voice_kit.converse.virtual import run
from voice_kit.show.mic import KEPT, Mic
from voice_kit.sounds import clip
from voice_kit.types import FRAME, RATE, Audio


def numbered(number) -> np.ndarray:
    return np.full(FRAME, number / 1024, np.float32)


class FarMic:
    """A `Mic`, the messages that its page would send, and those that it got."""

    def __init__(self, page="a") -> None:
        self.mic, self.page, self.sent = Mic(), page, []
        self.mic.send = lambda content, buffers=None: self.sent.append(content)
        self.say("here")

    def say(self, kind, page="", run=1, buffers=(), **more) -> None:
        page = page or self.page
        content = {"kind": kind, "page": page, "run": f"{page}/{run}", **more}
        self.mic._handle_custom_msg(content, list(buffers))

    def press(self, page="", run=1) -> None:
        self.say("state", page, run, state="asking", message="Allow it.")
        self.say("state", page, run, state="live", message="")

    def release(self, page="", run=1) -> None:
        self.say("state", page, run, state="off", message="")

    def frames(self, *numbers, page="", run=1) -> None:
        for number in numbers:
            self.say("frames", page, run, [numbered(number).tobytes()], seq=number)


async def heard(mic) -> list[int]:
    """Iterate to the end: the frames' numbers, −1 for silence."""
    return [round(float(frame[0]) * 1024) if frame.any() else -1 async for frame in mic]


async def begun(listening) -> asyncio.Task:
    task = asyncio.create_task(listening)
    await asyncio.sleep(0)
    return task


def test_without_a_page_it_can_be_made_started_and_stopped():
    mic = Mic()
    mic.start()
    mic.stop()
    assert (mic.state, mic.lost, mic.devices) == ("off", 0, [])
    assert mic.echo_cancellation and mic.noise_suppression and mic.auto_gain


def test_whoever_listens_waits_for_the_button_and_is_done_when_it_is_pressed_again():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.frames(0, 1, 2)
        far.release()
        assert await listening == [-1, 1, 2]  # the frame 0 is silence itself
        listening = await begun(heard(far.mic))
        assert not listening.done()
        far.press(run=2)
        far.frames(0, 1, run=2)
        far.release(run=2)
        return await listening

    assert run(scene(), fast=True) == [-1, 1]


def test_a_frame_is_not_copied_on_its_way():
    async def scene():
        far = FarMic()
        sounds = aiter(far.mic)
        first = await begun(anext(sounds))
        far.press()
        data = numbered(7).tobytes()
        far.say("frames", buffers=[data], seq=0)
        frame = await first
        assert np.shares_memory(frame, np.frombuffer(data, np.float32))
        assert (frame.dtype, frame.shape) == (np.float32, (FRAME,))

    run(scene(), fast=True)


def test_frames_of_one_message_are_heard_in_their_order():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.say("frames", buffers=[numbered(n).tobytes() for n in (1, 2, 3)], seq=1)
        far.frames(4)
        far.release()
        assert await listening == [-1, 1, 2, 3, 4]
        return far.mic.lost

    assert run(scene(), fast=True) == 1  # the first never came


def test_what_was_lost_on_the_way_becomes_silence_of_the_same_length():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.frames(0, 1, 5, 6)
        far.release()
        assert await listening == [-1, 1, -1, -1, -1, 5, 6]
        return far.mic.lost

    assert run(scene(), fast=True) == 3


def test_what_comes_too_late_or_twice_or_from_an_earlier_press_is_not_heard():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press(run=2)
        far.frames(1, 2, run=2)
        far.frames(2, 1, run=2)
        far.frames(3, 4, run=1)
        far.release(run=2)
        return await listening

    assert run(scene(), fast=True) == [-1, 1, 2]


def test_a_frame_that_is_none_is_not_heard():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.say("frames", buffers=[b"1234"], seq=0)
        far.say("frames", buffers=[np.full(FRAME, np.nan, np.float32).tobytes()], seq=0)
        far.say("frames", seq=1)
        far.release()
        return await listening

    assert run(scene(), fast=True) == [-1]


def test_a_listener_who_is_ten_seconds_late_hears_silence_for_what_had_to_go():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.frames(*range(KEPT + 8))
        far.release()
        numbers = await listening
        assert len(numbers) == KEPT + 8
        assert numbers == [-1] * 8 + list(range(8, KEPT + 8))
        return far.mic.lost

    assert run(scene(), fast=True) == 8


def test_two_listeners_hear_the_same():
    async def scene():
        far = FarMic()
        both = [await begun(heard(far.mic)), await begun(heard(far.mic))]
        far.press()
        far.frames(1, 2)
        far.release()
        return await asyncio.gather(*both)

    assert run(scene(), fast=True) == [[-1, 1, 2]] * 2


def test_messages_may_come_on_another_thread():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))

        def page():
            far.press()
            far.frames(*range(100))
            far.release()

        thread = threading.Thread(target=page)
        thread.start()
        numbers = await listening
        thread.join()
        return numbers

    assert run(scene()) == [-1, *range(1, 100)]


def test_a_page_that_falls_silent_is_given_up_and_told_so():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.frames(0, 1)
        assert await listening == [-1, 1]
        assert far.mic.state == "lost"
        assert "press Start" in far.mic.message
        assert far.sent[-1] == {"kind": "stop", "state": "lost"}
        return asyncio.get_running_loop().time()

    assert run(scene(), fast=True) == pytest.approx(20, abs=0.1)


def test_nobody_is_given_up_while_the_button_was_not_pressed():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        await asyncio.sleep(3600)
        assert not listening.done()
        far.say("state", state="asking", message="Allow it.")
        far.say("state", state="denied", message="It is not allowed.")
        await asyncio.sleep(3600)
        assert not listening.done()
        assert (far.mic.state, far.mic.message) == ("denied", "It is not allowed.")
        far.press(run=2)
        far.release(run=2)
        return await listening

    assert run(scene(), fast=True) == []


def test_stopping_it_from_python_ends_listening_and_lets_the_page_know():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.mic.start()
        assert far.sent[-1] == {"kind": "start", "page": "a"}
        far.press()
        far.frames(0, 1)
        far.mic.stop()
        assert far.sent[-1] == {"kind": "stop", "state": "off"}
        far.frames(2)
        assert far.mic.state == "off"
        return await listening

    assert run(scene(), fast=True) == [-1, 1]


def test_what_was_started_before_there_is_a_page_starts_with_the_page():
    mic, sent = Mic(), []
    mic.send = lambda content, buffers=None: sent.append(content)
    mic.start()
    assert sent == []
    for _ in range(2):
        mic._handle_custom_msg({"kind": "here", "page": "a"}, [])
    assert sent == [{"kind": "start", "page": "a"}]


def test_another_page_takes_the_microphone_over_and_the_listener_goes_on():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        far.press()
        far.frames(0, 1)
        far.say("here", "b")
        assert far.mic.page == "a"  # only a click takes it
        far.press("b")
        far.release("a")
        assert (far.mic.page, far.mic.state) == ("b", "live")
        far.frames(2, 3, page="a")
        far.frames(0, 4, page="b")
        far.say("halt", "a")
        return await listening

    assert run(scene(), fast=True) == [-1, 1, -1, -1, -1, -1, 4]


def test_the_page_is_told_every_half_second_that_its_frames_come():
    async def scene():
        far = FarMic()
        far.press()
        far.frames(*range(33))
        return [message["seq"] for message in far.sent if message["kind"] == "got"]

    assert run(scene(), fast=True) == [0, 16, 32]


def test_a_listener_that_goes_away_leaves_nothing_behind():
    async def scene():
        far = FarMic()
        listening = await begun(heard(far.mic))
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        return far.mic._listeners

    assert run(scene(), fast=True) == []


# In a real page


chromium = pytest.mark.needs("chromium")


@contextlib.asynccontextmanager
async def page_with(wav=None, *, allowed=True, **more):
    mic = Mic(echo_cancellation=False, noise_suppression=False, auto_gain=False)
    async with (
        browser(wav, allowed=allowed) as chrome,
        Page.open(mic, chrome, "mic.js", **more) as page,
    ):
        yield mic, page


async def becomes(widget, **wanted) -> None:
    """Return once the widget's traits have these values."""
    changed = asyncio.Event()
    widget.observe(lambda _: changed.set(), list(wanted))
    async with asyncio.timeout(20):
        while any(getattr(widget, name) != value for name, value in wanted.items()):
            await changed.wait()
            changed.clear()


async def take(mic, count) -> np.ndarray:
    frames = []
    async for frame in mic:
        frames.append(frame)
        if len(frames) == count:
            return np.concatenate(frames)
    raise AssertionError(f"the microphone ended after {len(frames)} frames: {mic.message}")


def likeness(heard, said) -> float:
    """The greatest correlation of each half second of speech with what was heard: the median.

    One alone says little: where the machine is busy, the pretended microphone stumbles.
    """
    found = []
    for begin in range(0, len(said) - RATE // 2, RATE // 2):
        part = said[begin : begin + RATE // 2]
        size = len(heard) + len(part) - 1
        products = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(part[::-1], size), size)
        sums = np.cumsum(np.pad(heard**2, len(part)))
        powers = (sums[len(part) :] - sums[: -len(part)])[:size]
        found.append(np.max(products / np.sqrt(powers * np.sum(part**2) + 1e-9)))
    return float(np.median(found))


@pytest.fixture
def speech(tmp_path):
    """A recording of some 4 s, and the WAV file of it that Chromium plays into its microphone."""
    sound = clip("free_train").audio()
    path = tmp_path / "speech.wav"
    files.write(path, convert(sound, 48_000))
    return path, convert(sound, RATE).samples


@chromium
def test_what_is_said_into_the_browser_comes_out_and_no_frame_is_lost(speech):
    path, said = speech

    async def scene():
        async with page_with(path) as (mic, page):
            taking = await begun(take(mic, 110))
            await page.page.click("text=Start the microphone")
            sound = await taking
            assert (mic.state, mic.lost) == ("live", 0)
            assert [each["label"] for each in mic.devices][-1].startswith("Fake Audio Input")
            await page.page.click("text=Stop the microphone")
            await becomes(mic, state="off")
            assert not page.errors
            return sound

    sound = in_the_browser(scene())
    assert likeness(sound, said) > 0.95


def tone(hertz, seconds=3.0, rate=48_000):
    return Audio(
        (0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(
            np.float32
        ),
        rate,
    )


@chromium
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_browser_that_cannot_have_16_khz_is_converted_without_mirrored_tones(rate, tmp_path):
    low, high = tone(1000).samples, tone(11_000).samples  # 11 kHz would come back as 5 kHz
    files.write(tmp_path / "tones.wav", Audio(low + high, 48_000))

    async def scene():
        async with page_with(tmp_path / "tones.wav") as (_, page):
            return await page.page.evaluate(
                """(rate) => new Promise((done) => {
                  const all = [];
                  const mic = module.microphone({ rate, onframe: (seq, frame) => {
                    all.push(...frame);
                    if (seq === 62) { mic.close(); done(all); }
                  }});
                  const as_it_is = { echoCancellation: false, noiseSuppression: false };
                  mic.start("", { ...as_it_is, autoGainControl: false });
                })""",
                rate,
            )

    sound = np.array(in_the_browser(scene()))
    assert len(sound) == 63 * FRAME
    spectrum = np.abs(np.fft.rfft(sound[-RATE:] * np.hanning(RATE)))
    assert np.argmax(spectrum) == 1000  # Hz: a second has as many lines as the rate has hertz
    assert spectrum[4900:5100].max() < spectrum[1000] / 300


@chromium
def test_frames_wait_for_the_message_before_and_then_go_together():
    async def scene():
        async with page_with() as (_, page):
            return await page.page.evaluate(
                """() => {
                  const sent = [], dones = [];
                  const give = module.together((seq, frames, done) => {
                    sent.push([seq, frames.length]);
                    dones.push(done);
                  });
                  let seq = 0;
                  const frames = (count) => { while (count--) give(seq++, new Float32Array(1)); };
                  frames(2);            // nobody answers yet: one alone, one kept
                  dones.shift()();      // the first message is dealt with: the one kept goes
                  frames(5);            // kept, for the second is on its way
                  dones.shift()();      // ... and go together
                  frames(9);            // a way that is too slow gets eight at once
                  return sent;
                }"""
            )

    assert in_the_browser(scene()) == [[0, 1], [1, 1], [2, 5], [7, 8]]


@chromium
def test_where_no_message_is_ever_answered_two_frames_go_together():
    async def scene():
        async with page_with() as (_, page):
            return await page.page.evaluate(
                """() => {
                  const sent = [];
                  const give = module.together((seq, frames) => sent.push([seq, frames.length]));
                  for (let seq = 0; seq < 7; seq++) give(seq, new Float32Array(1));
                  return sent;
                }"""
            )

    assert in_the_browser(scene()) == [[0, 1], [1, 2], [3, 2], [5, 2]]


PROBLEMS = {
    "NotAllowedError": ("denied", "allow it"),
    "NotFoundError": ("missing", "plug one in"),
    "NotReadableError": ("busy", "close that one"),
}


@chromium
def test_each_problem_is_told_in_one_sentence_with_what_to_do():
    async def scene():
        async with page_with() as (mic, page):
            for name, (state, fix) in PROBLEMS.items():
                await page.page.evaluate(
                    "(name) => { navigator.mediaDevices.getUserMedia = () => "
                    "Promise.reject(new DOMException('', name)); }",
                    name,
                )
                await page.page.click("text=Start the microphone")
                await becomes(mic, state=state)
                assert fix in mic.message
                assert mic.message.count(".") == 1
                assert fix in await page.page.inner_text("[role=status]")
            assert not page.errors

    in_the_browser(scene())


@chromium
def test_a_browser_that_refuses_says_that_it_is_not_allowed():
    async def scene():
        async with page_with(allowed=False, permissions=[]) as (mic, page):
            await page.page.click("text=Start the microphone")
            await becomes(mic, state="denied")

    in_the_browser(scene())


@chromium
def test_an_insecure_page_says_so():
    async def scene():
        async with page_with(site="http://far.example") as (mic, page):
            await page.page.click("text=Start the microphone")
            await becomes(mic, state="insecure")
            assert "https" in mic.message

    in_the_browser(scene())


@chromium
def test_a_second_view_shows_the_same_and_closing_it_changes_nothing():
    async def scene():
        async with page_with() as (mic, page):
            await page.page.evaluate("void (window.hideSecond = look())")
            buttons = page.page.locator("button")
            assert await buttons.count() == 2
            await buttons.nth(1).click()
            await becomes(mic, state="live")
            assert await buttons.all_inner_texts() == ["■ Stop the microphone"] * 2
            await take(mic, 3)
            await page.page.evaluate("hideSecond()")
            await take(mic, 3)
            assert await buttons.count() == 1
            await page.page.evaluate("leave()")
            await becomes(mic, state="off")

    in_the_browser(scene())


@chromium
def test_when_the_kernel_is_restarted_the_microphone_is_let_go_and_the_view_says_so():
    async def scene():
        async with page_with() as (mic, page):
            await page.page.evaluate(
                "const media = navigator.mediaDevices, real = media.getUserMedia.bind(media);"
                "media.getUserMedia = async (wish) => (window.stream = await real(wish)); 0"
            )
            await page.page.click("text=Start the microphone")
            await take(mic, 3)
            await page.page.evaluate("window.dead = true")
            await page.page.wait_for_selector("text=Connection lost")
            tracks = "stream.getTracks().map((track) => track.readyState)"
            assert await page.page.evaluate(tracks) == ["ended"]
            assert await page.page.inner_text("button") == "● Start the microphone"
            assert not page.errors

    in_the_browser(scene())


@chromium
def test_another_device_while_it_is_live_goes_on_counting():
    async def scene():
        async with page_with() as (mic, page):
            mic.start()
            await take(mic, 3)
            taking = await begun(take(mic, 40))
            await page.page.wait_for_selector("option:nth-child(2)", state="attached")
            await page.page.select_option("select", index=1)
            await taking
            assert mic.device == mic.devices[1]["id"]
            assert (mic.state, mic.lost) == ("live", 0)
            mic.stop()
            await page.page.wait_for_selector("text=Start the microphone")
            assert not page.errors

    in_the_browser(scene())
