"""Records the conversation that the slides are drawn from, as `voice-kit demo --fast` holds it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import av
import numpy as np
from desk import RECORDED

from voice_kit.audio.convert import convert
from voice_kit.audio.formats import to_int16
from voice_kit.converse.loading import load_engines
from voice_kit.converse.plain import as_json
from voice_kit.converse.virtual import as_measured, run
from voice_kit.settings import Settings
from voice_kit.types import Audio, FrameHeard
from voice_kit.workshop import demo


def as_opus(audio: Audio, bits: int = 24_000) -> bytes:
    """A sound as Ogg Opus of so many bits a second."""
    sound, file = convert(audio, 48_000), io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        stream.bit_rate = bits
        samples = np.pad(to_int16(sound.samples), (0, -len(sound.samples) % 960))
        for at in range(0, len(samples), 960):
            piece = samples[at : at + 960].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def main(folder: Path = RECORDED) -> int:
    """Hold it, and write events.jsonl and conversation.ogg. 0 when all is well."""
    settings = Settings().changed({"stt": "sphinx", "llm": "handbook", "tts": "espeak"})
    engines = load_engines(settings)
    known = demo.recorded_times(engines) or as_measured
    report = run(demo.converse(engines, settings), fast=True, cost=known)
    lines = [as_json(event) for event in report.events if not isinstance(event, FrameHeard)]
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "events.jsonl").write_text(text, encoding="utf-8")
    (folder / "conversation.ogg").write_bytes(as_opus(report.sound))
    print(f"{len(lines)} events, {report.sound.seconds:.0f} s of sound in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
