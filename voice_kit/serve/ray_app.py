"""Speech-to-text, language model and text-to-speech as Ray Serve deployments.

Each scales on its own, and has what it needs of a GPU, by its name in Serve's configuration. The
gateway asks them once a turn, never for a frame: see `ray_engines`.

A replica that hears computes several sounds at once: those that came while it was busy, as many as
`options.whisper.batch` says. The engine does that, not Serve, whose `@serve.batch` would let every
sound wait for company, and lets a whole batch fail with one of it: see `hear.stt_whisper_batch`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from voice_kit.converse.steps import StageFailedError, call, stream
from voice_kit.engines import BUILT_IN, Stage, choose, make
from voice_kit.serve.pool import pooled
from voice_kit.settings import Settings, load_settings
from voice_kit.types import Audio, Message, Speech, ToolCall, Transcript

NAME = "voice-kit"
"""Of the application; its deployments are called as the stages are."""
STAGES: tuple[Stage, ...] = ("stt", "llm", "tts")
ONGOING = {"stt": 16, "llm": 32, "tts": 4}
"""Requests that one replica works on at the same time. Speech-to-text computes one batch of them
while the next one gathers."""


class ReplicaError(Exception):
    """What went wrong with an engine there: one sentence with the fix."""


class Replica:
    """An engine in a process of its own, somewhere."""

    def __init__(self, stage: Stage, settings: Settings) -> None:
        """Loads it. Blocks."""
        spec = choose(stage, settings).spec
        another = partial(make, stage, spec, settings)
        engine: Any = another()
        self._stage = stage
        self._waits: deque[float] = deque(maxlen=1000)
        waited = self._waits.append
        self._engine: Any = pooled(engine, another, waited) if stage == "stt" else engine

    async def about(self) -> dict[str, Any]:
        """What the engine says of itself: its name, and what it can do."""
        names = ("name", "calls_tools", "languages", "rate")
        known = {name: getattr(self._engine, name) for name in names if hasattr(self._engine, name)}
        return {**known, "waits": hasattr(self._engine, "waited")}

    async def batches(self) -> dict[int, int]:
        """How many sounds were computed at once, and how often; empty where it never is several."""
        return dict(getattr(self._engine, "batches", {}))

    async def transcribe(self, audio: Audio, tell: bool = False) -> Any:
        """What is said; if it is to `tell`, with how many seconds sounds waited for the engine
        since it told that last."""
        try:
            found: Transcript = await call(
                "stt", self._engine, lambda: self._engine.transcribe(audio), None
            )
        except StageFailedError as failure:
            raise ReplicaError(str(failure.cause)) from None
        if not tell:
            return found
        return found, [self._waits.popleft() for _ in range(len(self._waits))]

    async def reply(
        self, messages: Sequence[Message], *more: Any
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer, token by token."""
        async for token in self._each(lambda: self._engine.reply(messages, *more)):
            yield token

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """The sound, part by part."""
        async for speech in self._each(lambda: self._engine.speak(text)):
            yield speech

    async def _each(self, start: Any) -> AsyncGenerator[Any, None]:
        try:
            async with aclosing(stream(self._stage, self._engine, start, None)) as items:
                async for item in items:
                    yield item
        except StageFailedError as failure:
            raise ReplicaError(str(failure.cause)) from None


class Together:
    """Nothing but what holds the three deployments together, as Serve wants it."""

    def __init__(self, *stages: Any) -> None:
        self._stages = stages

    async def __call__(self, *request: Any) -> str:
        """That all is well."""
        return "voice-kit's engines are called by its gateways."


def app(changes: Mapping[str, Any] | None = None) -> Any:
    """The application, for `serve.run` and Serve's configuration: with the settings of the machine
    that its replicas run on, and these changes, by dotted names."""
    return build(load_settings(dict(changes or {})))


def build(settings: Settings, **options: Any) -> Any:
    """The same with these settings. `options` are Ray's for every deployment."""
    from ray import serve

    def deployed(stage: Stage) -> Any:
        few = {"max_ongoing_requests": ongoing(stage, settings), "health_check_period_s": 1.0}
        made: Any = serve.deployment(Replica, name=stage, **{**few, **options})
        return made.bind(stage, settings)

    whole: Any = serve.deployment(Together, name="together", ray_actor_options={"num_cpus": 0})
    return whole.bind(*map(deployed, STAGES))


def ongoing(stage: Stage, settings: Settings) -> int:
    """Requests that one replica works on at the same time: never fewer than two of its batches."""
    engine = getattr(settings, stage).partition(":")[0]
    names = BUILT_IN[stage] if engine == "auto" else [engine]
    batches = [settings.options.get(name, {}).get("batch", 0) for name in names]
    return max(ONGOING[stage], *(2 * batch for batch in batches if isinstance(batch, int)))
