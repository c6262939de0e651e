"""What a voice promises."""

from __future__ import annotations

from typing import Any

import numpy as np

from voice_kit.types import Speech
from voice_kit.workshop.contracts.asking import SECRET, in_order, items
from voice_kit.workshop.contracts.engine import EngineContract

SHORT = "Good morning."
TEXT = f"I have a {SECRET}. It has 32 keys, hasn't it?"
AWKWARD = ("", " ", "…", "?!", "🙂", "one\ntwo", "3 < 4 & 5 > 2", "Ünïcödé", "日本語", "x" * 60)


class VoiceContract(EngineContract):
    """Turns a sentence into sound."""

    def use(self, engine: Any) -> str:
        """The texts of the parts of a sentence, joined: neither where it is cut, which hangs on how
        a server's sound comes, nor how a reading sounds has to be the same twice."""
        return "".join(part.text for part in self._parts(engine, TEXT))

    def _parts(self, engine: Any, text: str) -> list[Speech]:
        parts = items(engine.speak(text), engine)
        for part in parts:
            assert isinstance(part, Speech), f"it yields {type(part).__name__}, no Speech"
            samples = part.audio.samples
            assert samples.dtype == np.float32, f"its samples are {samples.dtype}, not float32"
            assert samples.ndim == 1, f"its samples have shape {samples.shape}, not (n,)"
            assert np.all(np.isfinite(samples)), "some of its samples are no numbers"
            if self.trained:
                loudest = np.max(np.abs(samples), initial=0.0)
                assert loudest <= 1.0, f"its samples go up to {loudest:.2f}, beyond [-1, 1]"
            assert part.audio.rate >= 8_000, f"its rate is {part.audio.rate} Hz"
            in_order(part.words, part.audio.seconds)
        return parts

    def test_it_sounds(self, engine: Any) -> None:
        """In [-1, 1], float32, mono, in one or more parts."""
        parts = self._parts(engine, TEXT)
        assert any(np.any(part.audio.samples) for part in parts), "it is silent"

    def test_the_texts_of_its_parts_are_the_text(self, engine: Any) -> None:
        """What was heard is known by them."""
        said = self.use(engine)
        assert said == TEXT, f"the texts of its parts, joined, are {said!r}"

    def test_more_words_take_longer(self, engine: Any) -> None:
        """A long sentence is more sound than a short one."""
        short, long = (
            sum(part.audio.seconds for part in self._parts(engine, text)) for text in (SHORT, TEXT)
        )
        assert long > short > 0, f"{SHORT!r} takes {short:.1f} s, a longer text {long:.1f} s"

    def test_no_text_is_too_awkward(self, engine: Any) -> None:
        """Models write anything. What cannot be spoken is silent, and raises nothing."""
        for text in AWKWARD:
            said = "".join(part.text for part in self._parts(engine, text))
            assert said.strip() in (text.strip(), ""), f"of {text!r} it says {said!r}"

    def test_its_words_are_words_of_the_text(self, engine: Any) -> None:
        """Where it tells their times at all: in order, none twice."""
        for part in self._parts(engine, TEXT):
            at = 0
            for word in part.words:
                at = part.text.find(word.text, at) + len(word.text)
                assert at >= len(word.text), f"{word.text!r} is not where the text has it"

    def test_closing_early_leaves_it_ready(self, engine: Any) -> None:
        """Whoever interrupts closes it after a part; the next sentence is spoken whole."""
        items(engine.speak(f"{TEXT} {TEXT}"), engine, most=1)
        self.test_the_texts_of_its_parts_are_the_text(engine)
