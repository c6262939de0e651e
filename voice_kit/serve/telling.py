"""Tells a client what happens in its conversation, in OpenAI's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.converse.conversation import HUSHED
from voice_kit.serve import protocol
from voice_kit.serve.mouth import Answer, Mouth
from voice_kit.serve.protocol import Control, ServerEvent
from voice_kit.types import (
    FRAME,
    RATE,
    Abandoned,
    Event,
    Failed,
    FrameHeard,
    GateOpened,
    Interrupted,
    Misfire,
    Partial,
    PlaybackResumed,
    PlaybackStarted,
    SpeechReady,
    SpeechStarted,
    Transcribed,
    TurnEnded,
    TurnFinished,
)

BY_CLIENT = {HUSHED, "a line was typed"}


class Teller(Mouth):
    """An observer that writes to a client, and where its loudspeaker's sound goes."""

    def __init__(self, put: Callable[[str | bytes], None], heard: Callable[[], int]) -> None:
        """`heard` is how many frames of the client's sound were heard so far."""
        super().__init__(put)
        self.binary = False
        """Whether the client takes sound as bytes and holds its place when it is told to."""
        self.manual = False
        """Whether the client says itself when it has finished."""
        self.seconds: Callable[[int], float] = lambda playback: 0.0
        """How much of a playback was heard."""
        self._heard = heard
        self._turns: dict[int, Answer] = {}
        self._playing: set[int] = set()
        self._floor: Answer | None = None  # whose gate opened last
        self._speech = self._committed = ""  # items
        self._partial = ""
        self._offset = 0.0  # of the conversation's clock against the client's sound, in seconds
        self._held: list[tuple[ServerEvent, dict[str, Any]]] = []  # perhaps an interruption

    def commit(self, item: str = "") -> str:
        """What was said so far is a line of the conversation."""
        item = item or self._speech or self.name("item")
        part = {"type": "input_audio", "transcript": None}
        line = protocol.message_item(item, "user", "completed", part)
        before, self._last, self._committed, self._speech = self._last or None, item, item, ""
        self._doubt("input_audio_buffer.committed", item_id=item, previous_item_id=before)
        self._doubt("conversation.item.added", item=line, previous_item_id=before)
        return item

    def playback_of(self, item: str) -> int:
        """The playback in which an item is heard; 0 for none."""
        known = (each.playback for each in self._turns.values() if each.item == item)
        return next(known, 0)

    def __call__(self, event: Event) -> None:
        """Tell what follows from this."""
        match event:
            case FrameHeard():
                self._offset = event.at - self._heard() * FRAME / RATE
            case SpeechStarted():
                self._speech, self._partial = self.name("item"), ""
                at = self._ms(event.at)
                self._doubt(
                    "input_audio_buffer.speech_started",
                    audio_start_ms=at,
                    item_id=self._speech,
                )
            case Partial() if event.text.startswith(self._partial) and self._speech:
                more, self._partial = event.text[len(self._partial) :], event.text
                self._doubt(
                    "conversation.item.input_audio_transcription.delta",
                    item_id=self._speech,
                    content_index=0,
                    delta=more,
                )
            case TurnEnded() if self.manual:
                return  # the client has said so
            case Misfire() | TurnEnded():
                at, item = self._ms(event.at), self._speech or self.name("item")
                self._doubt("input_audio_buffer.speech_stopped", audio_end_ms=at, item_id=item)
                if isinstance(event, TurnEnded):
                    self.commit(item)
                elif not self.binary:
                    self._held.clear()
            case PlaybackResumed():
                self._held.clear()
                self._committed = ""
            case Failed():
                self.error(f"{event.stage}_failed", event.message, kind="server_error")
            case _ if number := getattr(event, "turn", 0):
                self._follow(number, event)

    def _follow(self, number: int, event: Event) -> None:
        answer = self._turns.get(number)
        if answer is None:
            answer = self._turns[number] = Answer(self.name("resp"), self.name("item"))
        match event:
            case GateOpened():
                self._flush()
                answer.open, self._floor = True, answer
                answer.question, self._committed = self._committed, ""
                self._begin(answer)
            case Transcribed():
                answer.words = event.transcript.text
                self._tell_words(answer)
            case SpeechReady():
                answer.texts.append(event.text)
                self._tell_text(answer, len(answer.texts) - 1)
            case PlaybackStarted():
                self._playing.add(number)
            case Interrupted():
                self._playing.discard(number)
                self._flush()
                by = "client_cancelled" if event.reason in BY_CLIENT else "turn_detected"
                self._finish(answer, "cancelled", by)
            case Abandoned():
                self._finish(answer, "cancelled", "turn_detected")
                self._forget(number)
            case TurnFinished():
                self._finish(answer, "completed")
                if event.interrupted and answer.playback and self.binary:
                    heard = round(1000 * self.seconds(answer.playback))
                    cut = {"item_id": answer.item, "content_index": 0, "audio_end_ms": heard}
                    cut["transcript"] = event.said_heard
                    self.say("conversation.item.truncated", **cut)
                self._forget(number)

    # Where the sound goes

    def opened(self, playback: int) -> None:
        """An answer begins to be heard: that which has the floor."""
        if self._floor is not None:
            self._floor.playback = playback

    def sound(self, playback: int, samples: NDArray[np.int16]) -> None:
        """More of it, 24 kHz."""
        if self.binary:
            self._put(protocol.speech(playback, samples))
        elif answer := self._by(playback):
            delta = protocol.pcm_delta(samples)
            self.say("response.output_audio.delta", **answer.part, delta=delta)

    def control(self, playback: int, kind: Control, level: float) -> None:
        """The client is to pause, go_on, duck or stop it."""
        if self.binary:
            self.say("voice_kit.playback", kind=kind, id=playback, level=level)

    def whole(self, playback: int) -> None:
        """All of it was sent."""
        if answer := self._by(playback):
            self._finish(answer, "completed")

    # One answer

    def _begin(self, answer: Answer) -> None:
        line = protocol.message_item(answer.item, "assistant", "in_progress", None)
        before, self._last = self._last or None, answer.item
        self.say("response.created", response=protocol.response(answer.response, "in_progress", []))
        where = {"response_id": answer.response, "output_index": 0}
        self.say("response.output_item.added", **where, item=line)
        self.say("conversation.item.added", item=line, previous_item_id=before)
        empty = {"type": "audio", "transcript": ""}
        self.say("response.content_part.added", **answer.part, part=empty)
        self._tell_words(answer)
        for index in range(len(answer.texts)):
            self._tell_text(answer, index)

    def _tell_words(self, answer: Answer) -> None:
        if answer.open and answer.question and answer.words:
            kind: ServerEvent = "conversation.item.input_audio_transcription.completed"
            usage = {"type": "duration", "seconds": 0}
            at = {"item_id": answer.question, "content_index": 0}
            self.say(kind, **at, transcript=answer.words, usage=usage)
            answer.question = ""

    def _tell_text(self, answer: Answer, index: int) -> None:
        if answer.open and not answer.done:
            more = f" {answer.texts[index]}" if index else answer.texts[index]
            self.say("response.output_audio_transcript.delta", **answer.part, delta=more)

    def _finish(self, answer: Answer, status: str, reason: str = "") -> None:
        if answer.done or not answer.open:
            return
        answer.done = True
        text, part = " ".join(answer.texts), answer.part
        audio = {"type": "output_audio", "transcript": text}
        state = "completed" if status == "completed" else "incomplete"
        line = protocol.message_item(answer.item, "assistant", state, audio)
        self.say("response.output_audio.done", **part)
        self.say("response.output_audio_transcript.done", **part, transcript=text)
        self.say("response.content_part.done", **part, part=audio | {"type": "audio"})
        where = {"response_id": answer.response, "output_index": 0}
        self.say("response.output_item.done", **where, item=line)
        self.say("conversation.item.done", item=line)
        whole = protocol.response(answer.response, status, [line], reason)
        self.say("response.done", response=whole)

    def _by(self, playback: int) -> Answer | None:
        return next((one for one in self._turns.values() if one.playback == playback), None)

    def _forget(self, number: int) -> None:
        self._playing.discard(number)
        self._turns.pop(number, None)

    # What may be an interruption

    def _doubt(self, kind: ServerEvent, **fields: Any) -> None:
        """Say this now, or where an answer is heard, once it is certain that it was interrupted:
        a client without a place to hold throws away what it has when someone speaks."""
        if self._playing and not (self.binary and kind.startswith("input_audio_buffer.speech")):
            self._held.append((kind, fields))
        else:
            self.say(kind, **fields)

    def _flush(self) -> None:
        held, self._held = self._held, []
        for kind, fields in held:
            self.say(kind, **fields)

    def _ms(self, at: float) -> int:
        return max(0, round(1000 * (at - self._offset)))
