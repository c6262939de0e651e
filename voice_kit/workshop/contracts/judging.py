"""What a judge of the end of a turn promises."""

from __future__ import annotations

from typing import Any

from voice_kit.types import Audio, Transcript
from voice_kit.workshop.contracts.asking import result, same, spoken
from voice_kit.workshop.contracts.engine import EngineContract

SAID = "what is voice activity detection"


class JudgeContract(EngineContract):
    """Says how likely it is that someone who pauses has finished."""

    def use(self, engine: Any) -> float:
        """The chance that a whole question is finished."""
        return round(self._chance(engine, spoken(), SAID), 3)

    def secrets(self, outcome: Any) -> set[str]:
        """What was said."""
        return {SAID}

    def _chance(self, engine: Any, audio: Audio, text: str) -> float:
        before = audio.samples.copy()
        chance = result(engine.finished(audio, Transcript(text)), engine)
        same(audio, before)
        assert isinstance(chance, float | int), f"it gives back {chance!r}, no number"
        assert 0 <= chance <= 1, f"{chance} is no chance"
        return float(chance)

    def test_it_gives_a_chance(self, engine: Any) -> None:
        """In [0, 1], of a whole question and of a beginning."""
        cut = Audio(spoken().samples[:8_000], spoken().rate)
        for audio, text in ((spoken(), SAID), (cut, "what is"), (cut, "")):
            self._chance(engine, audio, text)

    def test_no_sound_and_no_words_are_no_trouble(self, engine: Any) -> None:
        """It is asked of whatever was heard."""
        for seconds in (0.0, 0.02, 1.0):
            self._chance(engine, Audio.silence(seconds), "")

    def test_it_says_whether_it_needs_words(self, engine: Any) -> None:
        """One that only listens is asked while they are written down."""
        needs = getattr(engine, "needs_words", None)
        assert needs in (True, False), f"its `needs_words` is {needs!r}"

    def test_one_that_is_called_in_place_is_quick(self, engine: Any) -> None:
        """`direct = True` promises well under a millisecond."""
        self.direct_is_quick(engine, lambda: self._chance(engine, spoken(), SAID))
