"""A wake phrase, spotted by PocketSphinx: any English words, nothing to train or to download.

Of twelve “hey computer”, alone or before a question in the voices of flite, it missed none in
quiet and none at 20 dB over noise, and four at 10 dB; six minutes of other speech and noise woke
it once. `python -m voice_kit.workshop.wake` prints it, for other phrases and thresholds too.
"""

from __future__ import annotations

import re

from voice_kit.audio.formats import to_int16
from voice_kit.errors import MissingEngineError, SettingsError
from voice_kit.types import RATE, Samples

SYLLABLES = 4
"""Of shorter phrases, such as “hey kit”, it hears one a few times a minute in other speech."""
THRESHOLD = 1e-30
"""How much likelier the phrase must be than anything else: 1 is strict, 1e-50 wakes easily."""
VOWELS = re.compile(r"[AEIOU][A-Z]")
REFRESH = 60 * RATE
"""Samples after which it begins anew, in a quiet moment: what it knows of a voice grows old."""
QUIET = 0.01
FRAME_RATE = 100
"""PocketSphinx's own frames, a second."""


class SphinxWake:
    """Listens for one phrase. It takes about a millisecond for each frame, in place."""

    name = "sphinx"

    def __init__(self, phrase: str, *, threshold: float = THRESHOLD) -> None:
        """Raises `SettingsError` for a phrase that is too short, or has a word it does not know."""
        try:
            from pocketsphinx import Decoder  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingEngineError("PocketSphinx", fix="pip install pocketsphinx") from error
        self.phrase = " ".join(re.findall(r"[a-z']+", phrase.lower()))
        if not 0 < threshold <= 1:
            raise SettingsError(f"A wake threshold cannot be {threshold}. Use 1e-50 to 1.")
        plain = Decoder(samprate=RATE, lm=None, loglevel="FATAL")
        count = sum(_syllables(plain, word) for word in self.phrase.split())
        if count < SYLLABLES:
            raise SettingsError(
                f"“{phrase}” is too short to wake the assistant: it would be heard in other words. "
                f"Take a phrase of {SYLLABLES} syllables or more, such as “hey computer”."
            )
        self._decoder = Decoder(
            samprate=RATE,
            lm=None,
            keyphrase=self.phrase,
            kws_threshold=threshold,
            loglevel="FATAL",
        )
        self._decoder.start_utt()
        self._fed = 0

    def heard(self, frame: Samples) -> float | None:
        """How many seconds ago the phrase ended, if it was just said, else None."""
        self._decoder.process_raw(to_int16(frame).tobytes(), False, False)
        self._fed += len(frame)
        found, ago = self._decoder.hyp() is not None, None
        if found:
            ends = [segment.end_frame / FRAME_RATE for segment in self._decoder.seg()]
            ago = max(0.0, self._fed / RATE - max(ends))
        if found or (self._fed > REFRESH and float(abs(frame).max()) < QUIET):
            self.reset()
        return ago

    def reset(self) -> None:
        """Forget what was heard."""
        self._decoder.end_utt()
        self._decoder.start_utt()
        self._fed = 0


def _syllables(decoder: object, word: str) -> int:
    phones = decoder.lookup_word(word)  # type: ignore[attr-defined]
    if phones is None:
        raise SettingsError(
            f"Nobody knows how “{word}” is said in the wake phrase. Take English words from a "
            "dictionary, such as “hey computer”."
        )
    return sum(VOWELS.fullmatch(phone) is not None for phone in phones.split())
