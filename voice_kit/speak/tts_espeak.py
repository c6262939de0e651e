"""espeak-ng in this process: always there, speaks 100 languages, sounds like a robot. GPL."""

from __future__ import annotations

import atexit
import ctypes
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError, SettingsError
from voice_kit.speak.voice import Voice
from voice_kit.speak.words import pieces, placed
from voice_kit.types import Audio, Speech, Stops

FIX = "pip install espeakng-loader"

VOICES = {"en": "en-us", "no": "nb", "zh": "cmn", "pt": "pt-br", "fa": "fa-latn", "yue": "yue"}
"""Languages whose best voice is not called as the language is. Persian's other voice wants
a script tag of its own."""

_CODES = {"cmn": "zh", "nb": "no"}
_PIECE = 400  # characters in one call of the library: 25 s of sound, about 50 ms of work
_LONGEST_PATH = 150  # bytes; the library keeps its data path in a buffer of 160
_SYNCHRONOUS, _DO_NOT_EXIT, _RATE = 2, 1 << 15, 1
_UTF8, _BY_CHARACTER = 1, 1
_WORD, _NO_MORE = 1, 0
_WORDS_A_MINUTE = 175  # the library's ordinary speed
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""NUL ends the library's text, ^A begins a command, and lone surrogates have no UTF-8."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("uid", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_int64),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


class _Library:
    """The one copy of the library in this process. It keeps its state in globals."""

    def __init__(self) -> None:
        try:
            import espeakng_loader  # type: ignore[import-untyped]

            self._c = ctypes.CDLL(espeakng_loader.get_library_path())
            data = _short_enough(Path(espeakng_loader.get_data_path()))
        except (ImportError, OSError, RuntimeError) as error:
            raise MissingEngineError("espeak", fix=FIX) from error
        self._c.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._c.espeak_Synth.argtypes = [
            *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
            *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
        ]
        whole = (data / "phontab").is_file()  # or the library prints a line of its own
        start = self._c.espeak_Initialize
        self.rate: int = start(_SYNCHRONOUS, 0, os.fsencode(data), _DO_NOT_EXIT) if whole else 0
        if self.rate <= 0:
            raise MissingEngineError("espeak", fix=f"{FIX} --force-reinstall (its data is broken)")
        self._sound: list[bytes] = []
        self._words: list[tuple[int, float]] = []
        self._callback = _Callback(self._collect)  # kept: C holds only a pointer to it
        self._c.espeak_SetSynthCallback(self._callback)

    def has(self, voice: str) -> bool:
        """Whether there is a voice of that name."""
        return bool(self._c.espeak_SetVoiceByName(voice.encode()) == 0)

    def say(
        self, text: str, voice: str, words_a_minute: int
    ) -> tuple[bytes, list[tuple[int, float]]]:
        """16-bit sound, and the character and second at which each word begins."""
        self._sound, self._words = [], []
        utf8 = text.encode()
        if not self.has(voice):
            raise EngineFailedError("espeak", f"lost its voice {voice}", fix=FIX)
        self._c.espeak_SetParameter(_RATE, words_a_minute, 0)
        code = self._c.espeak_Synth(utf8, len(utf8) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
        if code != 0:
            raise EngineFailedError(
                "espeak", f"code {code}", fix="another voice, or a shorter text"
            )
        return b"".join(self._sound), self._words

    def _collect(self, samples: int | None, count: int, events: Any) -> int:
        if samples and count:
            self._sound.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _NO_MORE:
            event = events[index]
            if event.type == _WORD:
                self._words.append((event.text_position - 1, event.sample / self.rate))
            index += 1
        return 0


_lock = threading.Lock()
_library: _Library | None = None


def _loaded() -> _Library:
    """The library, loaded at the first call. The caller holds the lock."""
    global _library
    if _library is None:
        _library = _Library()
    return _library


class Espeak:
    """Speaks with espeak-ng: 500 times faster than real time, with exact word times.

    Two readings of a text differ by a few samples: the library's flutter runs on between calls.
    """

    name = "espeak"
    stops: Stops = "steps"

    def __init__(self, model: str = "", *, language: str = "en", speed: float = 1.0) -> None:
        if not 0.2 <= speed <= 5:
            raise SettingsError(f"espeak cannot speak at speed {speed}. Use 0.2 to 5.")
        self._voice = model or VOICES.get(language, language)
        self.speed = speed
        """Times the ordinary pace, for whatever is spoken from now on."""
        with _lock:
            there = _loaded().has(self._voice)
        if not there and model:
            raise MissingEngineError(f"The espeak voice “{model}”", fix="voice-kit voices")
        if not there:
            raise LanguageError("espeak", language, fix="one that `voice-kit voices` lists")
        self.name = f"espeak:{self._voice}"

    def speak(self, text: str) -> Iterator[Speech]:
        """The sound of `text`, in parts of 400 characters at most, with the times of its words."""
        for piece in pieces(text, _PIECE):
            with _lock:
                speakable = _UNSPEAKABLE.sub(" ", piece)
                pace = round(_WORDS_A_MINUTE * self.speed)
                sound, starts = _loaded().say(speakable, self._voice, pace)
                rate = _loaded().rate
            samples = np.frombuffer(sound, np.int16).astype(np.float32) / np.float32(32768)
            audio = Audio(samples, rate)
            yield Speech(piece, audio, placed(piece, starts, audio.seconds))

    @classmethod
    def voices(cls) -> list[Voice]:
        """Every voice, read from the data files: nothing is loaded."""
        try:
            import espeakng_loader

            folder = Path(espeakng_loader.get_data_path(), "lang")
        except (ImportError, RuntimeError) as error:
            raise MissingEngineError("espeak", fix=FIX) from error
        files = sorted(folder.glob("*/*"), key=lambda file: file.name.lower())
        return [_voice(file) for file in files]


def _voice(file: Path) -> Voice:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    said = {key: value for key, _, value in (line.partition(" ") for line in reversed(lines))}
    tag = file.name.lower()
    code = tag.partition("-")[0]
    gender = said.get("gender", "").split(" ")[0]
    return Voice("espeak", tag, _CODES.get(code, code), gender)


def _short_enough(data: Path) -> Path:
    """The data folder, behind a link when its own path is longer than the library can keep."""
    if len(os.fsencode(data)) <= _LONGEST_PATH:
        return data
    folder = Path(tempfile.mkdtemp(prefix="espeak-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    link = folder / data.name
    with suppress(OSError):  # Windows may forbid links; then the library says what it cannot read
        link.symlink_to(data, target_is_directory=True)
        return link
    return data
