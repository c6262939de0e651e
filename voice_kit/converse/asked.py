"""A turn of a recording: where its time went, and how it would have gone otherwise."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from voice_kit.converse.given import CHOSEN
from voice_kit.converse.tape import Call, Done, Step, key, samples_of
from voice_kit.converse.timeline import TurnTimes
from voice_kit.converse.why import Why, why
from voice_kit.engines import make as make_engine
from voice_kit.settings import Settings
from voice_kit.types import (
    FRAME,
    RATE,
    Abandoned,
    EngineChanged,
    FirstToken,
    FrameHeard,
    GateOpened,
    Message,
    SpeechStarted,
    TurnEnded,
    TurnFinished,
    TurnStarted,
    Woke,
)

if TYPE_CHECKING:
    from voice_kit.converse.recorded import Recording

BEFORE, AFTER, QUIET = 1.0, 3.0, 12.0
"""Seconds of sound that are heard before and after a question when it is asked again, and of quiet
behind it: longer than one can be made to wait."""
JOINED = "its speaker went on before it was heard"
"""Why an answer was dropped to the first part of a question that had not ended."""
SHORT = {"stop": "hear.stop", "finished": "hear.finished", "unfinished": "hear.unfinished"}


@dataclass(frozen=True, slots=True, eq=False)
class RecordedTurn:
    """A turn of it, which can be asked again."""

    recording: Recording
    times: TurnTimes

    @property
    def settings(self) -> Settings:
        """Those that held when its question began: they may be changed in a conversation."""
        return self._held(self._done())

    def _held(self, begun: Done | None) -> Settings:
        changes = [each for each in self.recording.done if each.what == "settings"]
        if begun is not None:
            held = [each.value for each in changes if each.at <= begun.at]
        else:
            first = self._frames_before(self.times.bars[0].start)
            came = max(self.recording.arrivals[: first + 1], default=0.0)
            held = [
                each.value
                for each in changes
                if (each.at <= came if each.before is None else each.before <= first)
            ]
        return Settings.model_validate(held[-1]) if held else self.recording.settings

    def why(self) -> Why:
        """Where the time went until its answer was heard, and what would change that."""
        recording = self.recording
        return why(self.times, recording.events, self.settings, recording.speaker)

    def again(
        self,
        changes: Mapping[str, Any] | None = None,
        *,
        engines: Mapping[str, Any] | None = None,
        make: Callable[..., Any] = make_engine,
        **more: Any,
    ) -> Recording:
        """The same question with other settings, such as `again(stop=0.3, stt="whisper:small")`.

        Gives the sound to hear, and the turns that came of it: more than one where the question
        was cut. `stop` is the only wait then: no judge is asked. `engines` and `make` are those
        of `replay`.
        """
        from voice_kit.converse.replay import replay  # which needs this module

        wanted = dict(changes or {}) | {SHORT.get(name, name): it for name, it in more.items()}
        if "stop" in more:
            wanted.setdefault("judge", "silence")
        return replay(self.question(), wanted, engines=engines, make=make)

    def question(self) -> Recording:
        """A recording of its question alone, with what was said before as history."""
        awake = [each for each in self.recording.watched if each != "Sleep"]
        done, history = self._done(), self._history()
        held = self._held(done)
        whole = replace(
            self.recording,
            settings=held,
            engines=self._engines(),
            history=history,
            watched=awake,
            sound=None,
        )
        if done:
            alone = [replace(done, at=0.0)]
            return replace(whole, samples=whole.samples[:0], arrivals=(), listens=(), done=alone)
        start, end = (self._frames_before(at) for at in self._span())
        chances = whole.chances()[start:end]
        sound = whole.samples[start * FRAME : (start + len(chances)) * FRAME]
        quiet = round(QUIET * RATE / FRAME)
        arrivals = np.arange(1, len(chances) + quiet + 1) * FRAME / RATE
        asked, others = key("vad", whole.engines["vad"]["traits"]["name"]), whole.frames_keys
        frames = Call(asked, [*chances, *(Step(None, 0.0) for _ in range(quiet))])
        return replace(
            whole,
            samples=np.concatenate([sound, np.zeros(quiet * FRAME, np.float32)]),
            arrivals=arrivals.tolist(),
            listens=[(0.0, 0, float(arrivals[-1]))],
            calls=[*(call for call in whole.calls if call.key not in others), frames],
            done=(),
        )

    def _engines(self) -> dict[str, dict[str, Any]]:
        """The engine of each stage, of those that were chosen until it was over."""
        engines, left = dict(self.recording.engines), iter(self.recording.chosen)
        for event in self.recording.events:
            if isinstance(event, TurnFinished) and event.turn == self.times.number:
                break
            was_chosen = isinstance(event, EngineChanged) and event.reason == CHOSEN
            if was_chosen and (each := next(left, None)):
                engines[each["engine"]] = each
        return engines

    def _done(self) -> Done | None:
        """The line, the announcement or the whole sound that it came of; None where the
        microphone heard its question."""
        recording, times = self.recording, self.times
        if times.ended is None:
            starts = [event for event in recording.events if isinstance(event, TurnStarted)]
            numbers = [event.turn for event in starts if event.typed]
            lines = [each for each in recording.done if each.what in ("typed", "announced")]
            if (known := dict(zip(numbers, lines, strict=False)).get(times.number)) is not None:
                return known
            what = ("typed", times.heard) if times.heard else ("announced", times.said)
            return Done(*what, 0.0)  # it was under way when the recording began
        ends = (event for event in recording.events if isinstance(event, TurnEnded))
        for each in recording.done:
            if each.what == "said":
                seconds = len(samples_of(recording.folder / each.value)) / RATE
                ended = next((at.ended for at in ends if _is_whole(at, seconds)), None)
                if ended == times.ended:
                    return each
        return None

    def _frames_before(self, moment: float) -> int:
        """How many frames had been heard by then: fewer than time says where the microphone was
        off for a while."""
        heard = [event.at for event in self.recording.events if isinstance(event, FrameHeard)]
        return bisect_right(heard, moment + 1e-6)

    def _history(self) -> list[Message]:
        """What was said before its answer began."""
        events, number = self.recording.events, self.times.number
        mine = (GateOpened, FirstToken)
        places = [
            at for at, each in enumerate(events) if isinstance(each, mine) and each.turn == number
        ]
        lines = list(self.recording.history)
        for event in events[: max(places, default=0)]:
            if isinstance(event, TurnFinished):
                lines += [Message("user", event.heard), Message("assistant", event.said_heard)]
        return [line for line in lines if line.content.strip()]

    def _span(self) -> tuple[float, float]:
        """From a little before the question to when something else is said, or a little after.

        A question that went on before its answer was heard began with its first part.
        """
        events, ended = self.recording.events, self.times.ended or 0.0
        joined = {
            event.turn
            for event in events
            if isinstance(event, Abandoned) and event.reason == JOINED
        }
        start = before = behind = 0.0  # behind: when what was said before had ended
        turn, whole = 0, True  # whether what comes next is another question
        for event in events:
            if isinstance(event, TurnStarted):
                turn = event.turn
            elif isinstance(event, TurnEnded) and event.ended <= ended:
                if whole:
                    start, behind = event.started, before
                before, whole = event.ended, turn not in joined
            elif isinstance(event, Woke):
                before = event.ended  # the phrase is no part of what is asked in the same breath
        starts = (event.at for event in events if isinstance(event, SpeechStarted))
        end = next((at for at in starts if at > ended), ended + AFTER)
        return max(behind, start - BEFORE), min(end - FRAME / RATE, ended + AFTER)


def _is_whole(event: TurnEnded, seconds: float) -> bool:
    """Whether this may be a turn that came as a whole, of so many seconds."""
    started = max(0.0, event.at - seconds)
    return event.ended == event.at and abs(event.started - started) < 1e-6
