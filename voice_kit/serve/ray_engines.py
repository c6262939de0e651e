"""Engines that run somewhere in a Ray cluster, as any other engine to those who ask them.

A call that is given up is cancelled there too: who merely leaves a stream keeps its replica at work
(measured). One that its replica did not outlive is made once more, unless something of the answer
has come: then the gateway's own engine takes over, and says so.
"""

from __future__ import annotations

import logging
import os
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from voice_kit.converse.line import Engines, Line
from voice_kit.converse.loading import load_engines
from voice_kit.errors import EngineFailedError, MissingEngineError, VoiceKitError, install
from voice_kit.serve.config import Serve
from voice_kit.serve.ray_app import NAME, STAGES, ReplicaError, build
from voice_kit.settings import Settings
from voice_kit.think.acting import Described
from voice_kit.types import Audio, Message, Speech, Stops, ToolCall, Transcript

DOWN = 5.0
"""Seconds for which nobody waits again for a deployment that was gone."""
HERE = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
"""What takes over in the gateway: the engines that are everywhere."""
ENVIRONMENT = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_USAGE_STATS_ENABLED": "0"}
"""Half the time of a hop; and nothing is reported to Ray's makers."""
QUIET: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
FIX = "look at `serve status` on the cluster"

log = logging.getLogger(__name__)


class Far:
    """One deployment, and what is known of it."""

    def __init__(self, handle: Any, stage: str, about: dict[str, Any]) -> None:
        self.name = f"ray:{about.get('name', stage)}"
        self._handle = handle
        self._down = 0.0  # until when nobody asks it

    async def once(self, method: str, *about: Any) -> Any:
        """What a method gives. Raises `EngineFailedError`."""
        async with aclosing(self.each(method, *about, whole=True)) as one:
            return await anext(one)

    async def each(
        self, method: str, *about: Any, whole: bool = False
    ) -> AsyncGenerator[Any, None]:
        """Each item that a method yields, or the `whole` that it gives. Raises
        `EngineFailedError`."""
        from ray.exceptions import RayError, TaskCancelledError
        from ray.serve.exceptions import RayServeException

        came = False
        for last in (False, True):
            if time.monotonic() < self._down:
                raise EngineFailedError(self.name, "it is gone for now", fix=FIX)
            call = self._handle.options(method_name=method, stream=not whole).remote(*about)
            try:
                if whole:
                    yield await call
                    return
                async for item in call:
                    came = True
                    yield item
                return
            except TaskCancelledError as error:
                raise EngineFailedError(self.name, "its call was ended there", fix=FIX) from error
            except (RayError, RayServeException, ReplicaError) as error:
                cause = getattr(error, "cause", error)
                if isinstance(cause, ReplicaError):
                    raise VoiceKitError(str(cause)) from error
                if came or last:
                    self._down = time.monotonic() + DOWN
                    problem = type(error).__name__
                    raise EngineFailedError(self.name, problem, fix=FIX) from error
            finally:
                call.cancel()


class RayTranscriber(Far):
    """Speech-to-text there."""

    stops: Stops = "async"

    async def transcribe(self, audio: Audio) -> Transcript:
        """What is said in `audio`."""
        found: Transcript = await self.once("transcribe", audio)
        return found


class RayModel(Far):
    """A language model there."""

    stops: Stops = "async"

    def __init__(self, handle: Any, stage: str, about: dict[str, Any]) -> None:
        super().__init__(handle, stage, about)
        self.calls_tools = bool(about.get("calls_tools", False))

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


KINDS: dict[str, Callable[[Any, str, dict[str, Any]], Any]] = {
    "stt": RayTranscriber,
    "llm": RayModel,
    "tts": RayVoice,
}


def ray_engines(settings: Settings, serve: Serve) -> Engines:
    """The engines of a cluster, each with the gateway's own behind it. Blocks until they answer.

    `serve.ray` is the cluster's address, “auto” for the one that this machine belongs to, or
    “local” to start one here with these settings. Raises `MissingEngineError`.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        from ray import serve as ray_serve
    except ImportError as error:
        raise MissingEngineError("Ray", fix=install("ray")) from error
    try:
        if serve.ray == "local":
            started_here(ray)
            few = {"num_cpus": 0}  # on a machine of one's own they share what there is
            ray_serve.run(build(settings, ray_actor_options=few), name=NAME, route_prefix=None)
        else:
            ray.init(address=serve.ray, **QUIET)
        found: dict[str, Any] = {
            stage: ray_serve.get_deployment_handle(stage, NAME) for stage in STAGES
        }
        for handle in found.values():  # it is asked here, and then by the gateway's event loop
            handle._init(_run_router_in_separate_loop=True)
        known = {stage: found[stage].about.remote().result(timeout_s=60) for stage in STAGES}
    except Exception as error:
        problem, fix = f"Ray at “{serve.ray}” ({type(error).__name__})", f"--ray local, or {FIX}"
        if serve.ray == "local":  # Ray itself gives a node half a minute
            fix = "again once this machine is less busy: a cluster has to be up within 30 s"
        raise MissingEngineError(problem, fix=fix) from error
    here = load_engines(settings.changed({**HERE}))
    lines = {
        stage: Line(stage, KINDS[stage](found[stage], stage, known[stage]), [_given(engine)])
        for stage, engine in ((each, getattr(here, each).current) for each in STAGES)
    }
    return Engines(here.vad, lines["stt"], lines["llm"], lines["tts"], here.judge)


def started_here(ray: Any) -> None:
    """Start a cluster on this machine. Ray gives a node half a minute, which a busy machine misses:
    then it is tried once more. Raises what Ray raises."""
    for last in (False, True):
        try:
            ray.init(_node_ip_address="127.0.0.1", include_dashboard=False, **QUIET)
            return
        except Exception as error:
            _clear_away(error)
            if last:
                raise
            log.warning("Ray did not start (%s); it is tried once more", type(error).__name__)


def _clear_away(error: BaseException) -> None:
    """End the half of a node that is there. `ray.shutdown` knows nothing of it: only the call that
    failed does (measured)."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        node: Any = frame.f_locals.get("self")
        if hasattr(node, "kill_all_processes"):
            node.kill_all_processes(check_alive=False, allow_graceful=False)


def _given(engine: Any) -> Callable[[], Any]:
    return lambda: engine
