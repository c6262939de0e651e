"""Does what a client asks for, in its conversation. It knows no socket."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.audio.formats import to_float
from voice_kit.converse import given
from voice_kit.converse.assistant import Assistant
from voice_kit.errors import VoiceKitError
from voice_kit.serve.part import Part, Unrecorded
from voice_kit.serve.protocol import (
    OUT_RATE,
    Asked,
    BadMessageError,
    Silence,
    Sound,
    parse,
    parse_bytes,
)
from voice_kit.serve.refused import OverLimit
from voice_kit.serve.socket_audio import SocketMicrophone
from voice_kit.serve.socket_speaker import SocketSpeaker
from voice_kit.serve.telling import Teller
from voice_kit.types import RATE, Audio

log = logging.getLogger(__name__)
LONGEST = 120.0
"""Seconds of sound that a client may gather before it says that it has finished."""
SHORTEST = 0.1
"""Seconds of sound that can be words."""
MOST = 32
"""Lines that a client may write before it asks for a response."""
COUNTED = 0.25
"""Seconds of sound that are counted at once: counting each frame would cost as much as hearing."""


class Listener:
    """Takes one message after the other. None of them ends the session."""

    def __init__(
        self,
        talk: Assistant,
        microphone: SocketMicrophone,
        speaker: SocketSpeaker,
        teller: Teller,
        update: Callable[[Asked], Awaitable[None]],
        sound: Callable[[float], None],
        typed: Callable[[str], None],
        recorder: Part | Unrecorded,
    ) -> None:
        """`update` does a `session.update`, `sound` counts seconds of it and may raise
        `OverLimit`, `typed` is told a line that is about to be answered; `recorder` keeps what
        it cannot see."""
        self.manual = False
        """Whether the client says itself when it has finished."""
        self.rate = OUT_RATE
        self._talk, self._microphone, self._speaker = talk, microphone, speaker
        self._teller, self._update, self._typed = teller, update, typed
        self._recorder = recorder
        self._count, self._uncounted = sound, 0.0
        self._refused = False  # whether what was counted last was too much
        self._gathered: list[bytes] = []
        self._gathered_rate = OUT_RATE
        self._seconds = 0.0
        self._committed: list[Audio] = []
        self._lines: list[tuple[str, str]] = []  # written, and not answered yet

    async def take(self, message: str | bytes) -> None:
        """Do this, or tell the client why not."""
        try:
            if isinstance(message, bytes):
                self._hear(parse_bytes(message))
            else:
                await self._do(parse(message))
        except BadMessageError as error:
            self._teller.error(error.code, str(error), error.event_id)
        except OverLimit as limit:
            self._teller.over(limit)
        except VoiceKitError as problem:
            self._teller.error("invalid_value", str(problem))
        except Exception:
            log.exception("a message could not be dealt with")
            why = "This could not be done. The session goes on."
            self._teller.error("internal_error", why, kind="server_error")

    def _hear(self, message: Sound | Silence) -> None:
        if self._microphone.closed:
            return
        if not self.manual:
            if self._may_send(self._microphone.seconds(message)):
                self._microphone.take(message)
        elif isinstance(message, Sound) and self._may_send(message.frames.size / RATE):
            self._gather(message.frames.tobytes(), RATE)

    async def _do(self, asked: Asked) -> None:
        about = asked.event_id
        match asked.type:
            case "input_audio_buffer.append":
                self._append(asked.audio)
            case "voice_kit.heard":
                self._speaker.heard(asked.heard)
            case "session.update":
                await self._update(asked)
            case "input_audio_buffer.commit":
                self._commit(about)
            case "input_audio_buffer.clear":
                self._clear()
            case "conversation.item.create":
                if len(self._lines) >= MOST:
                    raise BadMessageError("too_many_items", "Ask for a response first.", about)
                self._lines.append((asked.role, asked.text))
                self._teller.typed(asked.item_id, asked.role, asked.text)
            case "response.create":
                self._respond(asked)
            case "response.cancel" | "output_audio_buffer.clear":
                self._talk.hush()
            case "conversation.item.truncate":
                self._truncate(asked)
            case "conversation.item.delete":
                why = "What was said stays: say “forget that”, or delete the conversation."
                raise BadMessageError("unsupported_event", why, about)
            case "session.authenticate":
                return  # who is in already may say so again

    def _may_send(self, seconds: float) -> bool:
        """Count so much sound. Raises `OverLimit` where it is too much; what comes after that is
        not heard either, until some of it fits in again."""
        self._uncounted += seconds
        if self._uncounted >= COUNTED:
            counted, self._uncounted, self._refused = self._uncounted, 0.0, True
            self._count(counted)
            self._refused = False
        return not self._refused

    def _append(self, data: bytes) -> None:
        if self._microphone.closed or not self._may_send(len(data) / 2 / self.rate):
            return
        if self.manual:
            self._gather(data, self.rate)
        else:
            self._microphone.pcm(data, self.rate)

    def _gather(self, data: bytes, rate: int) -> None:
        seconds, committed = len(data) / 2 / rate, sum(each.seconds for each in self._committed)
        if committed + self._seconds + seconds > LONGEST:
            fix = "Ask for a response." if committed else "Commit it."
            raise BadMessageError("buffer_full", f"At most {LONGEST:g} s of sound. {fix}")
        if rate != self._gathered_rate:
            self._gathered, self._seconds, self._gathered_rate = [], 0.0, rate
        self._gathered.append(data)
        self._seconds += seconds

    def _commit(self, about: str | None) -> None:
        if not self.manual:
            self._microphone.finish()
            return
        if self._seconds < SHORTEST:
            why = "There is no sound to commit: append at least 0.1 s of it."
            raise BadMessageError("input_audio_buffer_commit_empty", why, about)
        samples = to_float(np.frombuffer(b"".join(self._gathered), "<i2"))
        self._committed.append(convert(Audio(samples, self._gathered_rate), RATE))
        self._gathered, self._seconds = [], 0.0
        self._teller.commit()

    def _clear(self) -> None:
        self._gathered, self._seconds = [], 0.0
        self._microphone.clear()
        given.forget(self._talk)
        self._recorder.did("cleared")
        self._teller.say("input_audio_buffer.cleared")

    def _respond(self, asked: Asked) -> None:
        if self._microphone.closed:
            why = "This session ends. Connect again, and ask there."
            raise BadMessageError("session_ends", why, asked.event_id)
        lines, self._lines = self._lines, []
        sound, self._committed = self._committed, []
        question = ""
        if not sound and lines and lines[-1][0] == "user":
            question = lines.pop()[1]
        question = question or ("" if sound else asked.text)
        if not sound and not question:
            self._lines = lines
            why = "There is nothing to answer: append sound, or create an item first."
            raise BadMessageError("nothing_to_answer", why, asked.event_id)
        for role, text in lines:
            self._talk.history.add("user" if role == "user" else "assistant", text)
            self._recorder.did("written", [role, text])
        if sound:
            self._answer(Audio(np.concatenate([each.samples for each in sound]), RATE))
        else:
            self._typed(question)
            self._talk.type(question)

    def _answer(self, sound: Audio) -> None:
        """Answer what the client says is a whole turn."""
        self._talk.hush()
        given.answer(self._talk, self._recorder.said(sound))

    def _truncate(self, asked: Asked) -> None:
        if number := self._teller.playback_of(asked.item_id):
            self._speaker.cut(number, asked.seconds)
            self._talk.hush()
        at = {"item_id": asked.item_id, "content_index": 0}
        self._teller.say(
            "conversation.item.truncated", **at, audio_end_ms=round(1000 * asked.seconds)
        )
