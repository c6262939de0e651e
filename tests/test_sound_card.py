"""The sound card: what is played and counted, what is recorded, and what goes wrong."""

import asyncio
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers_sound_card import FakeCard, PortAudioError
from test_convert import sine
from test_speaker import counting, numbers

from voice_kit.audio.convert import convert
from voice_kit.audio.microphone import Microphone, devices
from voice_kit.audio.protocols import Playback, Speaker
from voice_kit.audio.speaker import SoundCardSpeaker
from voice_kit.errors import AudioError
from voice_kit.types import FRAME, RATE, Audio

CARD = 48_000
BLOCK = 480


@pytest.fixture
def card(monkeypatch):
    return FakeCard(CARD).plug_in(monkeypatch)


class Scene:
    """A `SoundCardSpeaker` and one playback on the fake card."""

    def __init__(self, card) -> None:
        self.loop = asyncio.get_running_loop()
        self.card = SoundCardSpeaker(fade=0.0)
        self.speaker: Speaker = self.card
        self.stream = card.streams[-1]
        self.starts: list[float] = []
        self.begun = asyncio.Event()
        self.playback: Playback = self.speaker.open(self.started)

    def started(self, at: float) -> None:
        self.starts.append(at)
        self.begun.set()

    def pull(self, blocks: int = 1) -> np.ndarray:
        return np.concatenate([self.stream.pull(BLOCK) for _ in range(blocks)])


def test_the_card_plays_what_it_is_given_and_silence_before_and_after(card):
    async def play():
        here = Scene(card)
        assert not here.pull(2).any()
        here.playback.play(counting(0.025, CARD))
        here.playback.play(counting(0.025, CARD, first=1201))
        sound = here.pull(6)
        assert numbers(sound[:2400]) == list(range(1, 2401))
        assert not sound[2400:].any()
        await here.playback.finished()
        assert here.playback.heard == pytest.approx(0.05)

    asyncio.run(play())


def test_another_rate_is_converted_on_the_way_to_the_card(card):
    async def play():
        here = Scene(card)
        here.playback.play(sine(22_050, seconds=0.5))
        sound = here.pull(51)
        whole = convert(sine(22_050, seconds=0.5), CARD).samples
        assert np.abs(sound[: len(whole)] - whole).max() < 1e-5
        await here.playback.finished()
        assert here.playback.heard == pytest.approx(0.5)

    asyncio.run(play())


def test_the_start_is_told_for_the_moment_in_which_it_can_be_heard(card):
    async def play():
        card.latency = 0.03
        here = Scene(card)
        here.pull(3)
        here.playback.play(counting(1.0, CARD))
        before = here.loop.time()
        here.pull(2)
        after = here.loop.time()
        assert here.starts == []
        await here.begun.wait()
        assert here.loop.time() >= here.starts[0] - 1e-3
        assert before + 0.03 <= here.starts[0] <= after + 0.03
        assert len(here.starts) == 1

    asyncio.run(play())


def test_what_is_still_in_the_card_is_not_yet_heard(card, monkeypatch):
    async def play():
        now = 1000.0
        card.latency = 0.1
        here = Scene(card)
        monkeypatch.setattr(here.loop, "time", lambda: now)
        here.playback.play(counting(1.0, CARD))
        here.pull(20)  # 0.2 s at once; the last of it is audible 0.1 s and a block later
        assert here.playback.heard == pytest.approx(0.2 - 0.1 - 0.01)
        now += 0.05
        assert here.playback.heard == pytest.approx(0.2 - 0.05 - 0.01)
        now += 0.2
        assert here.playback.heard == pytest.approx(0.2)

    asyncio.run(play())


def test_after_a_stop_what_was_in_the_card_is_settled_as_heard(card):
    async def play():
        card.latency = 0.02
        here = Scene(card)
        here.playback.play(counting(1.0, CARD))
        here.pull(10)
        here.playback.stop()
        assert here.playback.heard < 0.1
        await here.playback.finished()
        assert await here.playback.settled() == pytest.approx(0.1)

    asyncio.run(play())


def test_a_stop_is_silence_from_the_next_block_on(card):
    async def play():
        here = Scene(card)
        here.playback.play(counting(1.0, CARD))
        assert here.pull(3).all()
        here.playback.stop()
        assert not here.pull(3).any()
        here.playback.play(counting(1.0, CARD))
        here.playback.go_on()
        assert not here.pull(3).any()
        await here.playback.finished()
        assert await here.playback.settled() == pytest.approx(0.03)

    asyncio.run(play())


def test_a_stop_before_the_first_sound_is_audible_never_started(card):
    async def play():
        card.latency = 0.02
        here = Scene(card)
        here.playback.play(counting(1.0, CARD))
        here.pull()
        here.playback.stop()
        await here.playback.settled()
        later = here.loop.create_future()
        here.loop.call_at(here.loop.time() + 0.05, later.set_result, None)
        await later
        assert here.starts == []

    asyncio.run(play())


def test_a_pause_keeps_the_very_sample(card):
    async def play():
        here = Scene(card)
        here.playback.play(counting(0.03, CARD))
        first = here.pull(1)
        here.playback.pause()
        assert not here.pull(5).any()
        here.playback.go_on()
        rest = here.pull(2)
        assert numbers(np.concatenate([first, rest])) == list(range(1, 1441))

    asyncio.run(play())


def test_ducking_is_soft_and_a_pause_fades(card):
    async def play():
        with SoundCardSpeaker() as speaker:
            stream = card.streams[-1]
            playback = speaker.open(lambda at: None)
            playback.play(Audio(np.ones(CARD, np.float32), CARD))
            before = stream.pull(BLOCK)
            playback.duck(0.5)
            ducked = np.concatenate([stream.pull(BLOCK), stream.pull(BLOCK)])
            playback.pause()
            paused = np.concatenate([stream.pull(BLOCK), stream.pull(BLOCK)])
            sound = np.concatenate([before, ducked, paused])
            assert ducked[-1] == pytest.approx(0.5)
            assert not paused[BLOCK // 2 :].any()
            assert np.abs(np.diff(sound)).max() < 0.01
            assert await playback.settled() == pytest.approx(0.03)

    asyncio.run(play())


def test_finished_waits_through_a_pause_until_the_last_sample_has_left(card):
    async def play():
        here = Scene(card)
        here.playback.play(counting(0.03, CARD))
        here.playback.pause()
        waiting = asyncio.ensure_future(here.playback.finished())
        here.pull(10)
        here.loop.call_soon(here.playback.go_on)
        here.loop.call_later(0.01, here.pull, 2)
        here.loop.call_later(0.02, here.pull, 2)
        await waiting
        assert here.playback.heard == pytest.approx(0.03)

    asyncio.run(play())


def test_two_playbacks_are_mixed_and_never_louder_than_the_card_can(card):
    async def play():
        here = Scene(card)
        other = here.speaker.open(lambda at: None)
        here.playback.play(Audio(np.full(CARD, 0.75, np.float32), CARD))
        assert np.allclose(here.pull(), 0.75)
        other.play(Audio(np.full(CARD, 0.75, np.float32), CARD))
        assert np.allclose(here.pull(), 1.0)
        other.stop()
        assert np.allclose(here.pull(), 0.75)

    asyncio.run(play())


def test_a_card_that_is_gone_ends_the_waiting_with_an_error_and_the_next_answer_tries_again(card):
    async def play():
        here = Scene(card)
        here.playback.play(counting(0.01, CARD))
        here.stream.unplug()
        with pytest.raises(AudioError, match="loudspeaker is gone"):
            await here.playback.finished()
        playback = here.speaker.open(here.started)
        playback.play(counting(0.01, CARD))
        assert len(card.streams) == 2
        assert card.streams[1].pull(BLOCK).all()
        await playback.finished()

    asyncio.run(play())


def test_a_closed_speaker_leaves_no_stream_and_nobody_waiting(card):
    async def play():
        here = Scene(card)
        here.playback.play(counting(0.01, CARD))
        waiting = asyncio.ensure_future(here.playback.finished())
        here.card.close()
        await waiting
        assert here.stream.closed
        with pytest.raises(AudioError, match="was closed"):
            here.speaker.open(here.started)

    asyncio.run(play())


def test_a_card_that_cannot_play_mono_gets_the_same_on_both_sides(card):
    async def play():
        card.mono = False
        here = Scene(card)
        assert here.stream.options["channels"] == 2
        here.playback.play(counting(0.01, CARD))
        assert numbers(here.pull()) == list(range(1, 481))  # pull compares the channels

    asyncio.run(play())


# The microphone


async def heard(microphone, frames: int) -> np.ndarray:
    got = []
    async for frame in microphone:
        got.append(frame)
        if len(got) == frames:
            break
    return np.concatenate(got)


def test_a_microphone_that_can_do_16_khz_gives_its_samples_as_frames(card):
    card.works_at = {RATE, CARD}

    async def listen():
        async with Microphone() as microphone:
            stream = card.streams[-1]
            assert stream.options["samplerate"] == RATE
            sound = counting(0.32, RATE).samples
            for block in np.split(sound, [300, 700, 3000]):
                stream.push(block)
            assert np.array_equal(await heard(microphone, 10), sound)
            assert microphone.lost == 0
        assert stream.closed

    asyncio.run(listen())


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_microphone_of_another_rate_is_converted_without_a_click(monkeypatch, rate):
    card = FakeCard(rate).plug_in(monkeypatch)

    async def listen():
        async with Microphone() as microphone:
            stream = card.streams[-1]
            assert stream.options["samplerate"] == rate
            tone = sine(rate, seconds=1.0)
            for start in range(0, rate, stream.options["blocksize"]):
                stream.push(tone.samples[start : start + stream.options["blocksize"]])
            sound = await heard(microphone, 25)
            assert np.abs(sound - convert(tone, RATE).samples[: len(sound)]).max() < 1e-5

    asyncio.run(listen())


def test_a_stereo_microphone_is_averaged(monkeypatch):
    card = FakeCard(RATE, inputs=2).plug_in(monkeypatch)
    card.mono = False

    async def listen():
        async with Microphone() as microphone:
            assert card.streams[-1].options["channels"] == 2
            card.streams[-1].push(counting(0.032, RATE).samples)
            assert numbers(await heard(microphone, 1)) == list(range(1, FRAME + 1))

    asyncio.run(listen())


def test_frames_come_from_the_thread_of_the_card(card):
    card.works_at = {RATE, CARD}

    async def listen():
        async with Microphone() as microphone:
            push = card.streams[-1].push
            waiting = asyncio.ensure_future(heard(microphone, 2))
            await asyncio.to_thread(push, counting(0.064, RATE).samples)
            assert numbers(await waiting) == list(range(1, 2 * FRAME + 1))

    asyncio.run(listen())


def test_sound_for_which_the_listener_is_too_late_becomes_silence_of_the_same_length(card):
    card.works_at = {RATE, CARD}

    async def listen():
        async with Microphone() as microphone:
            for index in range(400):
                card.streams[-1].push(np.full(FRAME, (index + 1) / 1024, np.float32))
            sound = (await heard(microphone, 400)).reshape(400, FRAME) * 1024
            assert microphone.lost == pytest.approx(88 * FRAME / RATE)
            assert not sound[:88].any()
            assert sound[88:, 0].tolist() == list(range(89, 401))

    asyncio.run(listen())


def test_sound_that_the_card_lost_becomes_silence_of_the_same_length(card):
    card.works_at = {RATE, CARD}

    async def listen():
        async with Microphone() as microphone:
            block = np.full(FRAME, 0.5, np.float32)
            card.streams[-1].push(block, at=100.0)
            card.streams[-1].push(block, at=100.0 + 3 * FRAME / RATE, overflow=True)
            sound = await heard(microphone, 4)
            assert sound.reshape(4, FRAME)[:, 0].tolist() == [0.5, 0, 0, 0.5]
            assert microphone.lost == pytest.approx(2 * FRAME / RATE)

    asyncio.run(listen())


def test_a_microphone_unplugged_in_mid_stream_is_an_error_after_what_it_still_gave(card):
    card.works_at = {RATE, CARD}

    async def listen():
        got = 0
        async with Microphone() as microphone:
            card.streams[-1].push(np.zeros(FRAME, np.float32))
            card.streams[-1].unplug()
            with pytest.raises(AudioError, match="microphone is gone"):
                async for _ in microphone:
                    got += 1
        assert got == 1

    asyncio.run(listen())


def test_a_microphone_that_goes_dumb_is_an_error_and_no_endless_wait(card, monkeypatch):
    monkeypatch.setattr("voice_kit.audio.card_microphone.PATIENCE", 0.01)

    async def listen():
        async with Microphone() as microphone:
            with pytest.raises(AudioError, match="microphone is gone"):
                await heard(microphone, 1)

    asyncio.run(listen())


def test_values_that_are_not_numbers_are_silence_in_a_live_stream(card):
    card.works_at = {RATE, CARD}

    async def listen():
        async with Microphone() as microphone:
            card.streams[-1].push(np.full(FRAME, np.nan, np.float32))
            assert not (await heard(microphone, 1)).any()

    asyncio.run(listen())


# What goes wrong when it is opened


def opening() -> list:
    async def listen():
        async with Microphone():
            pass

    return [("microphone", lambda: asyncio.run(listen())), ("loudspeaker", SoundCardSpeaker)]


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (PortAudioError("Device unavailable", -9985), "used by another program. Close that one"),
        (PortAudioError("Unanticipated host error: Permission denied", -9999), "privacy settings"),
        (PortAudioError("Something else", -9986), r"Something else\. Choose another"),
    ],
)
def test_a_card_that_refuses_says_why_and_what_to_do(card, refusal, message):
    card.refuses = refusal
    for name, go in opening():
        with pytest.raises(AudioError, match=rf"{name}.*{message}"):
            go()


def test_without_a_sound_card_each_says_so(card):
    def none(device=None, kind=None):
        if kind is None:
            return []
        raise PortAudioError("Error querying device -1", -9996)

    card.query_devices = none
    assert devices() == []
    for name, go in opening():
        with pytest.raises(AudioError, match=f"There is no {name} here. Plug one in"):
            go()


def test_a_name_that_no_device_has_is_told_with_the_way_to_the_names(card):
    with pytest.raises(AudioError, match=r"no loudspeaker “Nonesuch”.*voice-kit devices"):
        SoundCardSpeaker("Nonesuch")


def test_a_microphone_is_no_loudspeaker(monkeypatch):
    FakeCard(outputs=0).plug_in(monkeypatch)
    with pytest.raises(AudioError, match="“Test card” is no loudspeaker"):
        SoundCardSpeaker("Test")


def test_without_portaudio_the_way_to_install_it_is_told(monkeypatch):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(AudioError, match="apt install libportaudio2"):
        devices()


def test_devices_are_listed_with_what_they_can_do(card):
    (device,) = devices()
    assert (device.index, device.name, device.inputs, device.outputs) == (0, "Test card", 1, 2)
    assert device.rate == CARD
    assert device.default_input
    assert device.default_output


# With the real PortAudio, on ALSA devices that are files

ALSA = """
pcm.!default { type asym playback.pcm "played" capture.pcm "said" }
pcm.played { type file slave.pcm "null" file "played.raw" format "raw" }
pcm.said { type file slave.pcm "null" file "/dev/null" infile "said.raw" format "raw" }
pcm.null { type null }
ctl.!default { type null }
"""


def with_portaudio(code: str, cwd) -> str:
    (cwd / "asound.conf").write_text(ALSA)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd,
        env={"ALSA_CONFIG_PATH": str(cwd / "asound.conf"), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


only_alsa = pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux's sound system")


@only_alsa
@pytest.mark.needs("portaudio")
def test_portaudio_itself_plays_every_sample_once(tmp_path):
    code = """
        import asyncio
        import numpy as np
        from voice_kit.audio.speaker import SoundCardSpeaker
        from voice_kit.types import Audio

        async def play():
            starts = []
            with SoundCardSpeaker() as speaker:
                playback = speaker.open(starts.append)
                sound = np.arange(1, 8001, dtype=np.float32) / 2**20
                playback.play(Audio(sound[:3000], speaker.rate))
                playback.play(Audio(sound[3000:], speaker.rate))
                await playback.finished()
                assert abs(playback.heard - 8000 / speaker.rate) < 1e-6, playback.heard
            assert len(starts) == 1, starts

        asyncio.run(play())
    """
    with_portaudio(code, tmp_path)
    played = np.fromfile(tmp_path / "played.raw", np.float32)
    assert numbers(played[np.flatnonzero(played)]) == list(range(1, 8001))


@only_alsa
@pytest.mark.needs("portaudio")
def test_portaudio_itself_records_every_sample_once(tmp_path):
    (np.arange(1, 40_001, dtype=np.float32) / 2**20).tofile(tmp_path / "said.raw")
    code = """
        import asyncio
        import numpy as np
        from voice_kit.audio.microphone import Microphone

        async def listen():
            frames = []
            async with Microphone() as microphone:
                async for frame in microphone:
                    frames.append(frame)
                    if len(frames) == 50:
                        break
                assert microphone.lost == 0, microphone.lost
            np.concatenate(frames).tofile("heard.raw")

        asyncio.run(listen())
    """
    with_portaudio(code, tmp_path)
    heard = np.fromfile(tmp_path / "heard.raw", np.float32)
    assert numbers(heard) == list(range(1, 50 * FRAME + 1))


@pytest.mark.needs("portaudio")
def test_portaudio_itself_says_that_there_is_no_card():
    if devices():
        pytest.skip("this machine has a sound card")
    for name, go in opening():
        with pytest.raises(AudioError, match=f"There is no {name} here"):
            go()
