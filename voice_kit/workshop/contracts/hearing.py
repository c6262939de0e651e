"""What a voice detector and a transcriber promise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.convert import convert
from voice_kit.errors import VoiceKitError
from voice_kit.types import FRAME, RATE, Audio, Samples, Transcript
from voice_kit.workshop.contracts.asking import in_order, one_sentence, result, same, spoken
from voice_kit.workshop.contracts.engine import EngineContract


class VoiceDetectorContract(EngineContract):
    """Says how likely each frame is speech; whoever calls it keeps the state."""

    def use(self, engine: Any) -> list[float]:
        """The chances of a spoken question, frame by frame."""
        return [round(chance, 3) for chance in chances(engine, spoken().samples)]

    def test_it_says_how_its_work_ends_early(self, engine: Any) -> None:
        """It is done at once: nothing to stop."""

    def test_each_frame_of_a_batch_gets_a_chance_and_a_state(self, engine: Any) -> None:
        """B frames and B states give B chances in [0, 1] and B states."""
        speech = in_frames(spoken().samples)
        for count in (1, 3, len(speech)):
            frames = speech[-count:].copy()
            found, states = engine.detect(frames, [engine.start() for _ in range(count)])
            found = np.asarray(found)
            assert found.shape == (count,), f"{count} frames gave chances of shape {found.shape}"
            assert len(states) == count, f"{count} frames gave {len(states)} states"
            assert np.all((found >= 0) & (found <= 1)), f"these are no chances: {found}"

    def test_frames_and_the_list_of_states_are_not_changed(self, engine: Any) -> None:
        """Others may need them."""
        frames = in_frames(spoken().samples)[20:22].copy()
        before, states = frames.copy(), [engine.start(), engine.start()]
        given = list(states)
        engine.detect(frames, states)
        assert np.array_equal(frames, before), "it changed the frames it was given"
        assert len(states) == 2 and all(map(_is, states, given)), "it changed the list of states"

    def test_a_start_can_be_kept_and_used_again(self, engine: Any) -> None:
        """`start()` is never changed in place."""
        start = engine.start()
        once = chances(engine, spoken().samples, start)
        again = chances(engine, spoken().samples, start)
        assert np.allclose(once, again, atol=1e-3), "its start remembers what was heard"

    def test_streams_in_one_batch_do_not_mix(self, engine: Any) -> None:
        """Each is heard as if it were alone."""
        speech = in_frames(spoken().samples)
        quiet = np.zeros_like(speech)
        states, beside = [engine.start(), engine.start()], []
        for frame, nothing in zip(speech, quiet, strict=True):
            found, states = engine.detect(np.stack([frame, nothing]), states)
            beside.append([float(each) for each in found])
        alone = [chances(engine, each.ravel()) for each in (speech, quiet)]
        assert np.allclose(np.transpose(beside), alone, atol=1e-2), "two streams mix"

    def test_silence_is_no_speech(self, engine: Any) -> None:
        """Not after a second of it."""
        assert chances(engine, np.zeros(RATE, np.float32))[-1] < 0.5, "it hears speech in silence"

    def test_who_speaks_is_heard(self, engine: Any) -> None:
        """In a quiet room, close to the microphone."""
        if self.trained:
            assert max(chances(engine, spoken().samples)) > 0.5, "it does not hear a question"

    def test_one_broken_sample_does_not_deafen_it(self, engine: Any) -> None:
        """A microphone may send what is no number."""
        state, broken = engine.start(), np.full((1, FRAME), np.nan, np.float32)
        _, (state,) = engine.detect(broken, [state])
        after = chances(engine, spoken().samples, state)
        assert np.all(np.isfinite(after)), "after one broken frame its chances are no numbers"
        if self.trained:
            assert max(after) > 0.5, "it is deaf after one broken frame"

    def test_one_that_is_called_in_place_is_quick(self, engine: Any) -> None:
        """`direct = True` promises well under a millisecond."""
        frame, state = in_frames(spoken().samples)[20:21], engine.start()

        def once() -> None:
            nonlocal state
            _, (state,) = engine.detect(frame.copy(), [state])

        self.direct_is_quick(engine, once)


class TranscriberContract(EngineContract):
    """Writes down what is said."""

    def use(self, engine: Any) -> Transcript:
        """What it writes of a spoken question."""
        return self._heard(engine, spoken())

    def secrets(self, outcome: Any) -> set[str]:
        """The whole sentence: single words are everywhere."""
        return {outcome.text} if len(outcome.text.split()) > 1 else set()

    def _heard(self, engine: Any, audio: Audio) -> Transcript:
        before = audio.samples.copy()
        heard = result(engine.transcribe(audio), engine)
        assert isinstance(heard, Transcript), f"it gives back {heard!r}, no Transcript"
        assert isinstance(heard.text, str), "its text is no text"
        same(audio, before)
        return heard

    def test_speech_is_written_down(self, engine: Any) -> None:
        """And the sound that was given stays as it was."""
        heard = self._heard(engine, spoken())
        if self.trained:
            assert heard.text.strip(), "it writes nothing of a spoken question"

    def test_its_words_have_places_in_the_sound(self, engine: Any) -> None:
        """In order, in seconds from its beginning; there need be none."""
        in_order(self._heard(engine, spoken()).words, spoken().seconds)

    def test_silence_is_an_empty_text(self, engine: Any) -> None:
        """However long, and if there is no sound at all."""
        for seconds in (0.0, 0.02, 1.0):
            text = self._heard(engine, Audio.silence(seconds)).text
            assert not text.strip(), f"it hears words in {seconds:g} s of silence"

    def test_any_rate_will_do(self, engine: Any) -> None:
        """Telephones have 8 kHz, browsers 48."""
        for rate in (8_000, 48_000):
            heard = self._heard(engine, convert(spoken(), rate))
            in_order(heard.words, spoken().seconds)

    def test_samples_that_are_no_numbers_do_no_harm(self, engine: Any) -> None:
        """It writes something or nothing, or refuses; and hears the next sound as before."""
        samples = spoken().samples.copy()
        samples[100:200] = np.nan
        try:
            self._heard(engine, Audio(samples, RATE))
        except VoiceKitError as error:
            one_sentence(error)
        self.test_speech_is_written_down(engine)

    def test_it_says_whether_its_calls_can_be_taken_back(self, engine: Any) -> None:
        """`speculative = False` for one whose calls cost money, say."""
        assert getattr(engine, "speculative", True) in (True, False), "`speculative` is no boolean"


def chances(engine: Any, samples: Samples, state: Any = None) -> list[float]:
    """The chance of speech in each frame of one stream."""
    state = engine.start() if state is None else state
    found = []
    for frame in in_frames(samples):
        (chance,), (state,) = engine.detect(frame[None].copy(), [state])
        found.append(float(chance))
    return found


def in_frames(samples: Samples) -> NDArray[np.float32]:
    """Whole frames, shape (n, 512)."""
    return samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)


def _is(one: object, other: object) -> bool:
    return one is other
