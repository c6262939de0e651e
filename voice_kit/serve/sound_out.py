"""Sound as it goes out in an answer, encoded while it is made."""

from __future__ import annotations

import asyncio
import io
import struct
from typing import TYPE_CHECKING, Literal, cast

from voice_kit.audio.formats import to_int16
from voice_kit.types import Samples

if TYPE_CHECKING:
    import av
    from av.audio.stream import AudioStream

RATE_OUT = 24_000
"""Samples per second of every answer, in Hz: what OpenAI's clients take plain samples for."""

Format = Literal["wav", "pcm", "mp3", "opus", "flac", "aac"]

TYPES: dict[Format, str] = {
    "wav": "audio/wav",
    "pcm": f"audio/pcm;rate={RATE_OUT}",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "aac": "audio/aac",
}

CODECS: dict[str, tuple[str, str, dict[str, str]]] = {
    "mp3": ("mp3", "libmp3lame", {"write_xing": "0", "id3v2_version": "0"}),
    "opus": ("ogg", "libopus", {"page_duration": "60000"}),  # else a second is held back
    "flac": ("flac", "flac", {}),
    "aac": ("adts", "aac", {}),
}
UNKNOWN = 0xFFFF_FFFF
"""The length of a WAV file that is still being made; players play to its end."""


class Encoder:
    """Makes a file of sound that comes in pieces: 24 kHz, mono."""

    def __init__(self, form: Format) -> None:
        self._file: _Compressed | None = _Compressed(*CODECS[form]) if form in CODECS else None
        self._header = _wav_header() if form == "wav" else b""

    async def feed(self, samples: Samples) -> bytes:
        """The next bytes of the file; may be none yet."""
        if self._file is not None:
            return await asyncio.to_thread(self._file.feed, samples)
        header, self._header = self._header, b""
        return header + to_int16(samples).astype("<i2").tobytes()

    async def end(self) -> bytes:
        """The last bytes."""
        if self._file is not None:
            return await asyncio.to_thread(self._file.end)
        header, self._header = self._header, b""
        return header


class _Compressed:
    def __init__(self, container: str, codec: str, options: dict[str, str]) -> None:
        import av  # takes 0.1 s

        self._out = _Out()
        self._container: av.container.OutputContainer = av.open(
            self._out, "w", format=container, options=options
        )
        # Opus knows five rates, and 24 kHz is one of them.
        stream = self._container.add_stream(codec, rate=RATE_OUT, layout="mono")
        self._stream = cast("AudioStream", stream)
        self._given = 0

    def feed(self, samples: Samples) -> bytes:
        import av

        if not len(samples):
            return b""
        array = to_int16(samples)[None]
        frame = av.AudioFrame.from_ndarray(array, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_OUT, self._given
        self._given += array.shape[1]
        for packet in self._stream.encode(frame):
            self._container.mux(packet)
        return self._out.take()

    def end(self) -> bytes:
        if self._given:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()
        return self._out.take()


class _Out(io.RawIOBase):
    """A file that can only be written, and is emptied on the way."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _wav_header() -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_OUT, RATE_OUT * 2, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", UNKNOWN, b"WAVE")
        + form
        + struct.pack("<4sI", b"data", UNKNOWN)
    )
