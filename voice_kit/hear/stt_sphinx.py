"""PocketSphinx, embedded: it knows the assistant's commands by heart and guesses the rest."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.errors import EngineFailedError, LanguageError, MissingEngineError
from voice_kit.hear.detection import at_16k
from voice_kit.hear.sphinx_commands import grammar_of, words_of
from voice_kit.hear.sphinx_process import GoneError, Pair
from voice_kit.hear.sphinx_rule import Guess, decide
from voice_kit.hear.sphinx_worker import GRAMMAR, OPEN
from voice_kit.types import RATE, Audio, Samples, Stops, Transcript

INAUDIBLE = 1e-3
"""A sound whose loudest sample is below this, −60 dBFS, is silence."""
QUIETER = 40.0
"""Sound this many dB below the loudest 10 ms is cut off at both ends. Quiet there moves the means
that PocketSphinx subtracts: 0.2 s of it on both sides of 28 short clips of the kit made 5.7 % of
words wrong instead of 1.9 %. Chosen on these and 23 others, among three settings."""
MARGIN = 0.03
"""Seconds of it that stay, for the soft beginning of an “h” or an “f”."""
PATIENCE = 0.5
"""Seconds in which a call that was aborted has to end before its process is killed."""
TUNING = {"maxhmmpf": 5000, "maxwpf": 20}
"""A narrower search than the library's, which takes a fifth less and hears as well. Half of this
again, and words are lost in noise."""


class PocketSphinx:
    """PocketSphinx with its American English model, in two processes of its own.

    The commands and questions of `commands.jsgf` are known by heart. Anything else is guessed by
    the open model, which gets one word in three or more wrong, and is never `confident`.
    `commands` adds phrases of yours, or names a JSGF file to use in place of the kit's.
    `pronunciations` gives words that its dictionary lacks, in ARPABET: {"jitter": "JH IH T ER"}.
    `thorough` goes over open speech twice: three words in a hundred better, a fifth slower.

    May be called from several threads; calls wait in line. The same sound gives the same words,
    whatever was heard before. Its processes end with `close`, with this object, or with us.
    """

    name = "sphinx"
    stops: Stops = "never"
    languages = frozenset({"en"})

    def __init__(
        self,
        *,
        language: str = "en",
        commands: Sequence[str] | str | Path = (),
        pronunciations: Mapping[str, str] | None = None,
        thorough: bool = False,
    ) -> None:
        if language not in self.languages:
            raise LanguageError(self.name, language, fix="whisper, which knows a hundred languages")
        spec = importlib.util.find_spec("pocketsphinx")
        if spec is None or spec.origin is None:
            raise MissingEngineError("PocketSphinx", fix="pip install pocketsphinx")
        grammar = grammar_of(commands)
        self._setup: dict[str, Any] = {
            "path": str(Path(spec.origin).parents[1]),
            "grammar": grammar,
            "words": words_of(grammar),
            "pronunciations": dict(pronunciations or {}),
            "tuning": {**TUNING, "fwdflat": thorough},
        }
        self._turn = threading.Lock()  # held by the call under way
        self._change = threading.Lock()  # held for moments, so that `abort` never waits
        self._call: _Call | None = None
        self._calls = 0
        self._closed = False
        self._pair = Pair(self._setup)
        try:
            self._pair.wait_until_ready()
        except GoneError as error:
            raise _failure("its process ended while it loaded") from error
        except BaseException:
            self._pair.end()
            raise

    def transcribe(self, audio: Audio) -> Transcript:
        """What is said in `audio`, of any rate. Blocks. Silence and noise give an empty text.

        Raises `EngineFailedError` when it is aborted or closed, or when its process dies.
        """
        samples = at_16k(audio)
        if not samples.size or np.abs(samples).max() < INAUDIBLE:
            return Transcript("", "en", confident=False)
        start, end = audible(samples)
        with self._turn:
            guesses = self._ask(samples[start:end])
        command, anything = (Guess.read(guesses[way], start / RATE) for way in (GRAMMAR, OPEN))
        return decide(command, anything)

    def abort(self) -> None:
        """End the call under way with an error; without one, do nothing. Returns at once."""
        with self._change:
            if self._call is not None and not self._call.aborted:
                self._call.aborted = True
                self._call.give_up()

    def close(self) -> None:
        """End the process. The call under way raises, and so do later ones."""
        with self._change:
            self._closed = True
            self._pair.end()

    def _ask(self, samples: Samples) -> dict[str, Any]:
        pcm = (samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
        call = self._begin()
        try:
            call.pair.wait_until_ready()
            if call.aborted:
                raise _failure("it was stopped")
            guesses = call.pair.ask(call.number, pcm)
            if call.aborted:
                raise _failure("it was stopped")
            for guess in guesses.values():
                if "problem" in guess:
                    raise _failure(guess["problem"])
            return guesses
        except GoneError as error:
            self._replace(call.pair)
            problem = "it was stopped" if call.aborted else "its process ended"
            raise _failure("it is closed" if self._closed else problem) from error
        finally:
            with self._change:
                self._call = None
            call.over.set()

    def _begin(self) -> _Call:
        with self._change:
            if self._closed:
                raise EngineFailedError(self.name, "it is closed", fix="a new one")
            if self._pair.gone:
                self._pair = Pair(self._setup)
            self._calls += 1
            self._call = _Call(self._pair, self._calls)
            return self._call

    def _replace(self, pair: Pair) -> None:
        pair.end()
        with self._change:
            if not self._closed:
                self._pair = Pair(self._setup)  # loads while the caller apologises


def audible(samples: Samples) -> tuple[int, int]:
    """Where the sound begins and ends, in samples, without the quiet around it."""
    block = RATE // 100
    whole = np.pad(samples, (0, -len(samples) % block)).reshape(-1, block)
    power = np.square(whole, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-QUIETER / 10))
    margin = round(MARGIN * RATE)
    start, end = loud[0] * block - margin, (loud[-1] + 1) * block + margin
    return max(0, int(start)), min(len(samples), int(end))


class _Call:
    """One sound at one process."""

    def __init__(self, pair: Pair, number: int) -> None:
        self.pair, self.number = pair, number
        self.aborted = False
        self.over = threading.Event()

    def give_up(self) -> None:
        """Let the processes drop it, or end them. Returns at once."""
        for work in (self._stop, self._insist):
            threading.Thread(target=work, daemon=True).start()

    def _stop(self) -> None:
        with contextlib.suppress(GoneError):
            self.pair.stop(self.number)

    def _insist(self) -> None:
        if not self.over.wait(PATIENCE):
            self.pair.end()


def _failure(problem: str) -> EngineFailedError:
    return EngineFailedError("sphinx", problem, fix="again, or voice-kit doctor")
