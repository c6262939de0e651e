"""Engines that run somewhere in a Ray cluster, as any other engine to those who ask them."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from voice_kit.converse.line import Engines, Line
from voice_kit.converse.loading import load_engines
from voice_kit.engines import Stage, make
from voice_kit.errors import MissingEngineError, SettingsError
from voice_kit.serve.config import Serve
from voice_kit.serve.pool import pooled
from voice_kit.serve.ray_app import NAME, STAGES, build
from voice_kit.serve.ray_cluster import Asking, Deployment, imported
from voice_kit.serve.ray_far import Far
from voice_kit.serve.ray_start import started_here
from voice_kit.settings import Settings
from voice_kit.think.acting import Described
from voice_kit.types import Audio, Message, Speech, Stops, ToolCall, Transcript

HERE = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
"""What takes over in the gateway: the engines that are everywhere."""
AT_FIRST = 5.0
"""Seconds for which a gateway that starts waits for its cluster."""
LOADS = 60.0
"""Seconds that engines of a cluster which was started here have to load."""


class RayTranscriber(Far):
    """Speech-to-text there."""

    stops: Stops = "async"

    def __init__(self, handle: Any, stage: str, about: dict[str, Any], here: Any = None) -> None:
        super().__init__(handle, stage, about, here)
        self.waited: Callable[[float], object] = lambda seconds: None
        """Is told how many seconds sounds waited there for the engine."""

    async def transcribe(self, audio: Audio) -> Transcript:
        """What is said in `audio`."""
        tell = (True,) if self.there.about.get("waits") else ()
        found: Any = await self.once("transcribe", audio, *tell)
        if isinstance(found, tuple):
            found, waits = found
            for seconds in waits:
                self.waited(seconds)
        heard: Transcript = found
        return heard


class RayModel(Far):
    """A language model there."""

    stops: Stops = "async"

    @property
    def calls_tools(self) -> bool:
        """Whether it can use tools, as far as is known now."""
        return not self.away and bool(self.there.about.get("calls_tools", False))

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[Described] = ()
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer, token by token."""
        more = ([Told.of(each) for each in tools],) if tools and self.calls_tools else ()
        async with aclosing(self.each("reply", list(messages), *more)) as tokens:
            async for token in tokens:
                yield token


class RayVoice(Far):
    """Text-to-speech there."""

    stops: Stops = "async"

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """The sound, part by part."""
        async with aclosing(self.each("speak", text)) as parts:
            async for speech in parts:
                yield speech


class Told:
    """A tool as the model is told of it: what can be sent, and nothing that can be run."""

    def __init__(self, name: str, description: str, parameters: dict[str, Any]) -> None:
        self.name, self.description, self.parameters = name, description, parameters

    @classmethod
    def of(cls, tool: Described) -> Told:
        """The description of a tool."""
        return cls(tool.name, tool.description, tool.parameters)


KINDS: dict[str, Callable[..., Any]] = {
    "stt": RayTranscriber,
    "llm": RayModel,
    "tts": RayVoice,
}


def ray_engines(settings: Settings, serve: Serve) -> Engines:
    """The engines of a cluster, each with the gateway's own in its place while it is away.

    `serve.ray` is the cluster's address, “auto” for the one that this machine belongs to, or
    “local” to start one here with these settings: that blocks until it answers. Any other is waited
    for a moment, and asked until it does. Raises `MissingEngineError`.
    """
    if serve.ray not in ("auto", "local") and not serve.ray.rpartition(":")[2].isdigit():
        raise SettingsError(f"“{serve.ray}” is no cluster's address. Try --ray 10.0.0.1:6379.")
    ray = imported(serve.ray)
    fars: dict[Stage, Far] = {stage: KINDS[stage](None, stage, {}) for stage in STAGES}
    if serve.ray == "local":
        _start_all(ray, settings, [far.there for far in fars.values()])
    again = partial(_start, ray, settings)
    asking = Asking(serve.ray, [far.there for far in fars.values()], again)
    asking.start()
    here = load_engines(settings.changed({**HERE}))
    for stage, far in fars.items():
        another = partial(make, stage, HERE[stage], settings)
        far.here = pooled(getattr(here, stage).current, another, partial(_waited, far))
    asking.asked.wait(AT_FIRST)
    lines: dict[str, Line[Any]] = {
        stage: Line(stage, far, [partial(_next, far), partial(getattr, far, "here")])
        for stage, far in fars.items()
    }
    return Engines(here.vad, lines["stt"], lines["llm"], lines["tts"], here.judge)


def _start_all(ray: Any, settings: Settings, deployments: Sequence[Deployment]) -> None:
    try:
        _start(ray, settings)
        for each in deployments:
            each.meet(LOADS)
    except Exception as error:  # Ray itself gives a node half a minute
        fix = "again once this machine is less busy: a cluster has to be up within 30 s"
        problem = f"Ray at “local” ({type(error).__name__})"
        raise MissingEngineError(problem, fix=fix) from error


def _start(ray: Any, settings: Settings) -> None:
    from ray import serve

    started_here(ray)
    few = {"num_cpus": 0}  # on a machine of one's own they share what there is
    serve.run(build(settings, ray_actor_options=few), name=NAME, route_prefix=None)


def _waited(far: Any, seconds: float) -> None:
    far.waited(seconds)


def _next(far: Far) -> Any:
    """What takes over in a conversation: its cluster again, if it was that which went away, in the
    middle of an answer."""
    return copy.copy(far) if far.away else far.here
