"""Recording a clip in a notebook, with ipywebrtc and with our own microphone."""

import asyncio
import io
import re

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from voice_kit.audio.convert import convert
from voice_kit.audio.formats import to_int16
from voice_kit.converse.virtual import run
from voice_kit.errors import AudioError
from voice_kit.show import recorder
from voice_kit.show.recorder import ClipRecorder
from voice_kit.sounds import clip
from voice_kit.types import FRAME, RATE


def as_a_browser_records(audio) -> bytes:
    """A webm file with Opus in it."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        samples = to_int16(convert(audio, 48_000).samples)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


@pytest.fixture
def with_ipywebrtc():
    pytest.importorskip("ipywebrtc", reason="no ipywebrtc in this Python: run make test")
    made = ClipRecorder()
    assert made.mic is None
    return made


def test_a_clip_of_ipywebrtc_becomes_sound(with_ipywebrtc):
    said = clip("free_train").audio()
    with_ipywebrtc.widget.audio.value = memoryview(as_a_browser_records(said))
    heard = with_ipywebrtc.audio
    assert heard.seconds == pytest.approx(said.seconds, abs=0.1)
    heard = convert(heard, RATE).samples[: len(said.samples)]
    envelopes = [
        np.abs(samples[: len(heard)]).reshape(-1, 160).mean(axis=1)
        for samples in (np.resize(x, len(heard) // 160 * 160) for x in (heard, said.samples))
    ]
    assert np.corrcoef(*envelopes)[0, 1] > 0.9


def test_whoever_waits_gets_the_next_clip(with_ipywebrtc):
    async def scene():
        waiting = asyncio.create_task(with_ipywebrtc.recorded())
        await asyncio.sleep(0)
        with_ipywebrtc.widget.audio.value = b""  # as when a recording begins
        await asyncio.sleep(0)
        assert not waiting.done()
        with_ipywebrtc.widget.audio.value = as_a_browser_records(clip("answer_yes").audio())
        return await waiting

    assert run(scene(), fast=True).seconds == pytest.approx(
        clip("answer_yes").audio().seconds, abs=0.1
    )


def test_without_a_clip_it_says_what_to_press(with_ipywebrtc):
    with pytest.raises(AudioError, match="press the record button"):
        _ = with_ipywebrtc.audio

    async def scene():
        with pytest.raises(AudioError, match="press the record button"):
            await with_ipywebrtc.recorded(within=60)
        return asyncio.get_running_loop().time()

    assert run(scene(), fast=True) == pytest.approx(60)


def test_the_stream_is_not_shown_for_it_would_play_the_microphone(with_ipywebrtc):
    shown = with_ipywebrtc._repr_mimebundle_()
    model = shown["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert model == with_ipywebrtc.widget.model_id != with_ipywebrtc._stream.model_id


def test_where_ipywebrtc_does_not_load_our_own_microphone_records(monkeypatch):
    monkeypatch.setattr(recorder, "ipywebrtc_loads", lambda: False)

    async def scene():
        made = ClipRecorder()
        assert re.search("Mic", type(made.widget).__name__)
        page = {"page": "a", "run": "a/1"}

        def say(kind, buffers=(), **more):
            made.mic._handle_custom_msg({"kind": kind, **page, **more}, list(buffers))

        await asyncio.sleep(0)
        say("here")
        waiting = asyncio.create_task(made.recorded())
        await asyncio.sleep(0)
        for value in (0.1, 0.2):
            say("state", state="asking", message="")
            say("state", state="live", message="")
            for seq in range(10):
                say("frames", [np.full(FRAME, value, np.float32).tobytes()], seq=seq)
            say("state", state="off", message="")
            for _ in range(5):
                await asyncio.sleep(0)
        assert (await waiting).seconds == 10 * FRAME / RATE
        assert made.audio.samples == pytest.approx(0.2)
        assert made.audio.rate == RATE

    run(scene(), fast=True)


def test_without_an_event_loop_the_fallback_can_be_made():
    made = ClipRecorder(with_mic=True)
    assert made.mic is made.widget
    with pytest.raises(AudioError):
        _ = made.audio
