"""What all conversations of a process share: engines, a router, places, doors and limits."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voice_kit.converse.line import Engines, Line
from voice_kit.converse.loading import load_engines
from voice_kit.engines import make
from voice_kit.hear.batch import Batch
from voice_kit.serve.config import Serve
from voice_kit.serve.doors import Doors
from voice_kit.serve.limits import Limits
from voice_kit.serve.metrics import Metrics
from voice_kit.serve.part import Part, Unrecorded
from voice_kit.serve.places import Places, make_places
from voice_kit.serve.pool import Once, closed, pooled
from voice_kit.serve.ray_app import STAGES
from voice_kit.serve.recordings import Recordings
from voice_kit.serve.tracing import Tracing
from voice_kit.settings import Settings, home
from voice_kit.think.acting import Router
from voice_kit.think.memory.kept import KeptHistory
from voice_kit.think.memory.ram_store import RamStore
from voice_kit.think.memory.skills import memory_skills
from voice_kit.think.routers import make_router
from voice_kit.think.skills import Skills, all_skills

if TYPE_CHECKING:
    from voice_kit.serve.session import Session

LOOK, LAST = 0.05, 2.0
"""Seconds between two looks at whether all sessions have ended, and for those that were cut."""


class Shared:
    """One per process; made before anyone connects, for loading takes its time."""

    def __init__(
        self,
        settings: Settings | None = None,
        serve: Serve | None = None,
        engines: Engines | None = None,
        *,
        places: Places | None = None,
        folder: Path | None = None,
    ) -> None:
        """Blocks while engines load, unless they are given, and the router learns.

        Notes and timers are kept in `folder`. Raises `VoiceKitError` with the fix.
        """
        self.serve = serve or Serve()
        self.doors = Doors(self.serve)  # first of all: who must not come in waits for nothing
        self.settings = within(settings or Settings(), self.serve)
        self.tracing = Tracing(self.serve.otlp)
        self.metrics = Metrics(self.tracing)
        self.engines = self._together(engines or load_engines(self.settings))
        self.router = self._learned()
        self.places = places or make_places(self.serve.redis, self.serve.keep_days)
        self.limits = Limits(self.serve, self.places, told=self.metrics.refused)
        record, failed = self.serve.record, partial(self.metrics.failed, "recording")
        self.recordings = Recordings(record, failed) if record else None
        self.sessions: set[Session] = set()
        self.voices: dict[str, Any] = {}
        self.loading = asyncio.Lock()
        """Held while one of them loads."""
        self.draining = False
        """Whether nobody is let in any more."""
        self._folder = folder or home() / "serve"

    @property
    def degraded(self) -> list[str]:
        """What it does without right now, by names that are known here."""
        there = [getattr(self.engines, stage).current for stage in STAGES] if self.engines else []
        without = {
            "redis": bool(self.places.problem),
            "ray": any(getattr(engine, "away", False) for engine in there),
        }
        return [name for name, missing in without.items() if missing]

    def engines_for_one(self) -> Engines:
        """The same engines in lines of their own: what stands in for one in a conversation does
        not for everybody."""
        each = self.engines
        return Engines(
            Line("vad", each.vad.current, each.vad.then),
            Line("stt", each.stt.current, each.stt.then),
            Line("llm", each.llm.current, each.llm.then),
            Line(
                "tts",
                self.own(each.tts.current),
                [partial(_made, one, self.own) for one in each.tts.then],
            ),
            Line("judge", each.judge.current, each.judge.then),
            choices=each.choices,
        )

    def own(self, voice: Any) -> Any:
        """The same voice with a pace of its own: “speak slower” is meant for one conversation."""
        paced = isinstance(getattr(voice, "speed", None), int | float)
        return copy.copy(voice) if paced else voice

    def folder(self, subject: str, conversation: str) -> Path:
        """Where the notes and timers of a conversation are, unless `places` have them. Its name
        gives nothing away."""
        name = hashlib.sha256(f"{subject}/{conversation}".encode(errors="replace")).hexdigest()
        return self._folder / name[:32]

    def forget(self, subject: str, conversation: str) -> None:
        """Remove a conversation's folder, and what was recorded of it here. Blocks; raises
        `OSError` where some of that may still be there."""
        folder = self.folder(subject, conversation)
        shutil.rmtree(folder, ignore_errors=True)
        if self.recordings is not None:
            self.recordings.forget(folder.name)

    def recorder(self, subject: str, conversation: str) -> Part | Unrecorded:
        """What records a session of this conversation, where that is wanted. Blocks."""
        if self.recordings is None:
            return Unrecorded()
        return self.recordings.begin(self.folder(subject, conversation).name)

    async def drain(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Let no session begin, and let answers under way finish, those over HTTP too; not longer
        than `drain_seconds`, nor once somebody is in a `hurry`."""
        self.draining = True
        for session in list(self.sessions):
            session.drain()
        await self._empty(self.serve.drain_seconds, hurry)
        for session in list(self.sessions):
            session.cut()
        await self._empty(LAST)

    async def _empty(self, seconds: float, hurry: Callable[[], bool] = lambda: False) -> None:
        for _ in range(round(seconds / LOOK)):
            if not (self.sessions or self.limits.open) or hurry():
                return
            await asyncio.sleep(LOOK)

    def close(self) -> None:
        """End what the engines have running, and send the traces that are left. Blocks."""
        closed(self.engines.stt.current)
        self.tracing.close()
        if self.recordings is not None:
            self.recordings.close()

    def _together(self, engines: Engines) -> Engines:
        """Engines that many conversations may use at once."""
        stt = next((each.spec for each in engines.choices if each.stage == "stt"), None)
        another = partial(make, "stt", stt, self.settings) if stt else None
        pool = partial(pooled, waited=self.metrics.queue("stt"))
        return Engines(
            Line("vad", self._batched(engines.vad.current), _each_once(engines.vad, self._batched)),
            Line("stt", pool(engines.stt.current, another), _each_once(engines.stt, pool)),
            Line("llm", engines.llm.current, _each_once(engines.llm)),
            Line("tts", engines.tts.current, _each_once(engines.tts)),
            Line("judge", engines.judge.current, _each_once(engines.judge)),
            choices=engines.choices,
        )  # fmt: skip

    def _batched(self, detector: Any) -> Any:
        return Batch(detector, waited=self.metrics.queue("vad_batch"))

    def _learned(self) -> Router | None:
        """What decides which way to answer: it belongs to no conversation."""
        nobody = KeptHistory(RamStore(), "nobody")
        skills = Skills([*all_skills(), *memory_skills(nobody)])
        return make_router(self.settings, self.engines.llm.current, skills.find)


def within(settings: Settings, serve: Serve) -> Settings:
    """The settings for conversations over a network: nothing of theirs touches this machine or
    another conversation's notes, unless `serve.allow` names it."""
    tools = settings.tools
    servers = {name: each for name, each in tools.servers.items() if name in serve.allow}
    return settings.changed(
        {
            "tools.allow": serve.allow,
            "tools.servers": servers,
            "tools.notes": "",
            # Frames come in bursts: it is the socket's microphone that says when none come.
            "timeouts.vad": max(settings.timeouts.vad, 5.0),
        }
    )


def _each_once(line: Line[Any], around: Callable[[Any], Any] = lambda engine: engine) -> list[Any]:
    """What may stand in, each made once for all; for a cluster's it is made already."""
    if hasattr(line.current, "away"):
        return line.then
    return [Once(partial(_made, each, around)) for each in line.then]


def _made(make_one: Callable[[], Any], around: Callable[[Any], Any]) -> Any:
    return around(make_one())
