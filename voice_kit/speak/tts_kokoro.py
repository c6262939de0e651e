"""Kokoro in this process: the best voice that runs on a laptop, 82 million weights."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError, SettingsError
from voice_kit.speak.kokoro_files import (
    INSTALL,
    LANGUAGES,
    REPO,
    VOICES,
    files_of,
    first_voice,
    folder,
    refuse_without_package,
    voice_files,
    weights_in,
)
from voice_kit.speak.kokoro_words import kokoro_quiet, phonemizer
from voice_kit.speak.voice import Voice
from voice_kit.speak.words import pieces
from voice_kit.types import Audio, Speech, Stops, Word

RATE = 24_000
_LONGEST = 510  # phonemes in one call; the network has no places for more
_LONGEST_STEP = 200  # characters, 13 s of sound: one step of work cannot be stopped


class Kokoro:
    """Speaks with Kokoro: natural, 8 languages, a third of real time on two free cores.

    `model` is a voice, or several with commas for their mean; `path` a folder with config.json,
    the .pth file and voices/NAME.pt or .bin, for rooms without a network. Without it, what the
    Hugging Face cache lacks is downloaded. On shared cores set OMP_WAIT_POLICY=PASSIVE before
    Python starts, or torch's threads wait by spinning and everything takes ten times as long.
    """

    name = "kokoro"
    stops: Stops = "steps"
    languages = frozenset(LANGUAGES)

    def __init__(
        self,
        model: str = "",
        *,
        language: str = "en",
        device: str = "auto",
        speed: float = 1.0,
        path: str = "",
    ) -> None:
        if language not in LANGUAGES:
            raise LanguageError("kokoro", language, fix=f"one of {', '.join(sorted(LANGUAGES))}")
        if not 0.1 <= speed <= 10:
            raise SettingsError(f"kokoro cannot speak at speed {speed}. Use 0.1 to 10.")
        refuse_without_package()
        voices = (model or first_voice(language, voice_files(path))).split(",")
        letters = LANGUAGES[language]
        code = voices[0][0] if voices[0][:1] in letters else letters[0]
        config, weights, packs = files_of(path, voices)

        kokoro, torch = _libraries()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, about how kokoro was written
            try:
                network = kokoro.KModel(repo_id=REPO, config=str(config), model=str(weights)).eval()
                packs = [_read_voice(pack) for pack in packs]
            except Exception as error:  # torch raises a dozen kinds on a file that is cut
                fix = f"remove {weights.parent} and load it again"
                raise EngineFailedError("kokoro", "its files are damaged", fix=fix) from error
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            try:
                network.to(device)
            except (RuntimeError, AssertionError) as error:
                raise MissingEngineError(f"kokoro on {device}", fix='device = "cpu"') from error
            self._g2p = _g2p(code, frozenset(network.vocab), language)
            # "e" needs neither downloads nor packages; only its `generate_from_tokens` is used
            self._pipeline = kokoro.KPipeline("e", repo_id=REPO, model=network)
        self._voice = torch.stack(packs).mean(dim=0)
        self.speed = speed
        """Times the ordinary pace, for whatever is spoken from now on."""
        self._lock = threading.Lock()
        self.name = f"kokoro:{','.join(voices)}"

    def speak(self, text: str) -> Iterator[Speech]:
        """The sound of `text`, in parts of 200 characters at most, with word times where known."""
        waiting = pieces(text, _LONGEST_STEP)
        while waiting:
            part = waiting.pop(0)
            with self._lock:
                phonemes, tokens = self._g2p(" ".join(part.split()))
                if len(phonemes) > _LONGEST and len(part) > 1:
                    waiting = pieces(part, (len(part) + 1) // 2) + waiting
                    continue
                speech = self._said(part, phonemes[:_LONGEST], tokens)
            yield speech

    def _said(self, text: str, phonemes: str, tokens: list[Any]) -> Speech:
        if not any(sign.isalpha() for sign in phonemes):
            return Speech(text, Audio.silence(0.01, RATE))
        results = self._pipeline.generate_from_tokens(
            tokens or phonemes, voice=self._voice, speed=self.speed
        )
        samples = [result.audio.numpy() for result in results]
        audio = Audio(np.concatenate(samples).astype(np.float32, copy=False), RATE)
        return Speech(text, audio, tuple(_words(tokens, audio.seconds)))

    @classmethod
    def here(cls, model: str = "", *, language: str = "en", path: str = "") -> str:
        """The best voice of this language whose files are here, with the weights."""
        refuse_without_package()
        spec = f"kokoro:{model or first_voice(language, {})}"
        once = f"voice-kit say Hello --tts {spec}, once with a network (it fetches 330 MB)"
        if not weights_in(folder(path)):
            raise MissingEngineError("kokoro", fix=once)
        files = voice_files(path)
        voice = model or first_voice(language, files)
        if not files.keys() >= set(voice.split(",")):
            raise MissingEngineError(f"The kokoro voice {voice}", fix=once)
        return voice

    @classmethod
    def voices(cls, *, path: str = "") -> list[Voice]:
        """Every published voice, and what else lies in the folder."""
        files = voice_files(path)
        here = bool(weights_in(folder(path))) and importlib.util.find_spec("kokoro") is not None
        languages = {letter: code for code, letters in LANGUAGES.items() for letter in letters}
        genders = {"f": "female", "m": "male"}
        return [
            Voice(
                "kokoro",
                name,
                languages.get(name[:1], ""),
                genders.get(name[1:2], ""),
                here=here and name in files,
            )
            for name in [*VOICES, *sorted(files.keys() - set(VOICES))]
        ]


def _g2p(
    code: str, vocabulary: frozenset[str], language: str
) -> Callable[[str], tuple[str, list[Any]]]:
    try:
        return phonemizer(code, vocabulary)
    except (ImportError, RuntimeError, OSError) as error:
        fix = f"pip install 'misaki[{language}]'" if language in ("ja", "zh") else INSTALL
        raise MissingEngineError(f"kokoro for “{language}”", fix=fix) from error


def _words(tokens: list[Any], seconds: float) -> Iterator[Word]:
    text, start, end = "", 0.0, 0.0
    for index, token in enumerate(tokens):
        start = start if text else end
        text += token.text
        end = min(seconds, token.end_ts if token.end_ts is not None else end)
        if token.whitespace or index == len(tokens) - 1:
            yield Word(text, start, end)
            text = ""


def _libraries() -> tuple[Any, Any]:
    with kokoro_quiet():
        import kokoro  # type: ignore[import-untyped]
    import torch

    return kokoro, torch


def _read_voice(file: Path) -> Any:
    """A voice's styles, shape (510, 1, 256): one for each number of phonemes."""
    import torch

    if file.suffix == ".pt":
        return torch.load(file, map_location="cpu", weights_only=True)
    return torch.from_numpy(np.fromfile(file, np.float32).reshape(-1, 1, 256))
