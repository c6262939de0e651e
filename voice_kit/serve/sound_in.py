"""Sound as it comes in a request: any file, or plain samples whose type says what they are."""

from __future__ import annotations

import asyncio
import re
from email.message import Message
from email.utils import collapse_rfc2231_value

import numpy as np

from voice_kit.audio.convert import HIGHEST, LOWEST, convert
from voice_kit.audio.files import read_bytes
from voice_kit.audio.formats import to_float
from voice_kit.errors import AudioError, TooLongError
from voice_kit.types import RATE, Audio

LONGEST = 120.0
"""Seconds of sound in one request."""

PLAIN = {"audio/pcm": "<i2", "audio/l16": ">i2"}
"""16-bit samples without a header. Those of RFC 2586 have their high byte first."""


async def sound_in(data: bytes, kind: str = "", longest: float = LONGEST) -> Audio:
    """The sound in `data`, at 16 kHz; `kind` is its content type. Raises `AudioError`.

    No more than `longest` seconds are decoded: if there are more, it is a `TooLongError`.
    """
    return await asyncio.to_thread(_sound, data, kind, longest)


def _sound(data: bytes, kind: str, longest: float) -> Audio:
    main, rate, channels = _parameters(kind)
    if main in PLAIN:
        return convert(_plain(data, PLAIN[main], rate, channels, longest), RATE)
    if _holds_nothing(data):
        return Audio.silence(0)
    return convert(read_bytes(data, longest), RATE)


def _parameters(kind: str) -> tuple[str, int, int]:
    message = Message()
    message["content-type"] = re.sub(r"[\r\n\x00]", "", kind)[:200]
    values = []
    for name, default in (("rate", "0"), ("channels", "1")):
        given = collapse_rfc2231_value(message.get_param(name, default) or default)
        values.append(int(given) if re.fullmatch(r"[0-9]{1,7}", given) else -1)
    return message.get_content_type(), values[0], values[1]


def _plain(data: bytes, form: str, rate: int, channels: int, longest: float) -> Audio:
    if not LOWEST <= rate <= HIGHEST or not 1 <= channels <= 8:
        raise AudioError(
            "Plain samples need their rate. Send them as audio/pcm;rate=16000 (and ;channels=2)."
        )
    whole = len(data) // (2 * channels) * 2 * channels
    if whole / 2 / channels > longest * rate:
        raise TooLongError(f"The sound is longer than {longest:g} s. Send it in parts.")
    samples = np.frombuffer(data[:whole], form).astype(np.int16)
    return Audio(to_float(samples.reshape(-1, channels)), rate)


def _holds_nothing(data: bytes) -> bool:
    """Whether it is a WAV file in which nobody said anything: no sound, but no mistake either."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return False
    sound = data.find(b"data", 12, 512)
    return sound >= 0 and len(data) - sound <= 8
