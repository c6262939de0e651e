"""What each of twenty users heard while things went wrong: `python -m voice_kit.workshop.faults`.

Prints a table; `--only NAME` has one fault alone, `--json` all figures. Needs redis-server, and Ray
for those that kill replicas.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass

from voice_kit.errors import VoiceKitError
from voice_kit.serve.redis_memory import WAIT
from voice_kit.settings import Settings
from voice_kit.sounds import clips
from voice_kit.types import Audio
from voice_kit.workshop import faults_cluster
from voice_kit.workshop.faults_user import Told, User
from voice_kit.workshop.faults_world import World

USERS, QUESTIONS = 20, 6
BEGIN = 5.0
"""Seconds into the conversations when the fault comes."""
AWAY = 10.0
"""Seconds that Redis is away."""
FEW = 5
"""One in so many vanishes, or reads slowly."""
BUSY = 2.0
"""Seconds more that anything may take, on a machine that twenty keep busy."""

Fault = Callable[[World, Sequence[User]], Awaitable[None]]


async def nothing(world: World, users: Sequence[User]) -> None:
    """Nothing goes wrong."""


async def redis_stops(world: World, users: Sequence[User]) -> None:
    """Redis is stopped for 10 s, and comes back with what it had."""
    await world.redis.stop()
    await asyncio.sleep(AWAY)
    world.redis.start()


async def redis_hangs(world: World, users: Sequence[User]) -> None:
    """Redis answers nothing for 10 s, without closing a connection."""
    world.redis.signal(signal.SIGSTOP)
    await asyncio.sleep(AWAY)
    world.redis.signal(signal.SIGCONT)


async def gateway_killed(world: World, users: Sequence[User]) -> None:
    """One of two gateways is killed (-9)."""
    world.gateways[0].signal(signal.SIGKILL)


async def gateway_drains(world: World, users: Sequence[User]) -> None:
    """One of two gateways is told to stop (SIGTERM)."""
    world.gateways[0].signal(signal.SIGTERM)


async def some_vanish(world: World, users: Sequence[User]) -> None:
    """A fifth of the users vanish without a word."""
    for user in users[::FEW]:
        user.vanish()


async def some_are_slow(world: World, users: Sequence[User]) -> None:
    """A fifth of the users read slowly, from the beginning."""


async def stt_killed(world: World, users: Sequence[User]) -> None:
    """The speech-to-text replica on Ray is killed (-9)."""
    faults_cluster.strike("stt")


async def llm_killed(world: World, users: Sequence[User]) -> None:
    """The language model's replica on Ray is killed (-9)."""
    faults_cluster.strike("llm")


async def tts_killed(world: World, users: Sequence[User]) -> None:
    """The text-to-speech replica on Ray is killed (-9)."""
    faults_cluster.strike("tts")


ON_RAY = ("stt-killed", "llm-killed", "tts-killed")
BREAKS_OFF = (*ON_RAY, "gateway-killed", "gateway-drains")
"""Where an answer may end in its middle, and be asked for once more."""
EVERY = (
    *(nothing, redis_stops, redis_hangs, gateway_killed, gateway_drains),
    *(some_vanish, some_are_slow, stt_killed, llm_killed, tts_killed),
)
FAULTS: dict[str, Fault] = {each.__name__.replace("_", "-"): each for each in EVERY}


def limit(name: str) -> float:
    """Seconds for which nobody may hear nothing, or be without a gateway, while this is wrong: the
    timeout of the engine that was killed. All else waits for Redis at most, a second time where
    the first wait had just begun."""
    stage = name.removesuffix("-killed")
    waits = getattr(Settings().timeouts, stage) if name in ON_RAY else 2 * WAIT
    return float(waits) + BUSY


@dataclass
class Result:
    """What one fault did."""

    name: str
    about: str
    users: list[Told]

    @property
    def good(self) -> bool:
        """Whether nobody lost a remembered turn or was left hanging, and everybody who stayed was
        answered, at the first asking where nothing broke an answer off."""
        if any(user.lost or user.hung or _longest(user) > limit(self.name) for user in self.users):
            return False
        once = self.name not in BREAKS_OFF
        return all(
            user.heard == user.asked and not user.missing and not (once and user.again)
            for user in self.users
            if not user.left
        )

    @property
    def row(self) -> list[str]:
        """For the table."""
        stayed = [user for user in self.users if not user.left]
        waits = sorted(wait for user in self.users for wait in user.waits)
        return [
            self.about.rstrip("."),
            f"{sum(u.heard for u in stayed)}/{sum(u.asked for u in stayed)}",
            str(sum(user.again for user in stayed)),
            str(sum(user.hung for user in self.users)),
            str(sum(user.lost for user in self.users)),
            str(sum(user.missing for user in stayed)),
            f"{waits[len(waits) // 2]:.2f}" if waits else "",
            f"{waits[-1]:.2f}" if waits else "",
            f"{max((user.pause for user in self.users), default=0):.2f}",
            f"{max((user.away for user in self.users), default=0):.2f}",
            "ok" if self.good else "NOT KEPT",
        ]

    def each(self) -> list[str]:
        """What the users heard, those who heard the same together."""
        heard = Counter(_heard(user) for user in self.users)
        return [f"{count:3} × {what}" for what, count in heard.most_common()]


HEADS = [
    *("fault", "answered", "again", "hung", "lost", "missing"),
    *("wait p50", "longest", "pause", "away", ""),
]


async def tried(name: str, users: int = USERS, questions: int = QUESTIONS) -> Result:
    """One fault, with as many conversations under way. Raises `VoiceKitError`."""
    fault = FAULTS[name]
    ray = name in ON_RAY
    sounds = [each.audio() for each in clips() if each.kind == "question"]
    with faults_cluster.cluster() if ray else nullcontext():
        return await _tried(fault, World("auto" if ray else ""), users, questions, sounds)


async def _tried(
    fault: Fault, world: World, users: int, questions: int, sounds: Sequence[Audio]
) -> Result:
    async with world:
        slow, spoken = fault is some_are_slow, fault is stt_killed
        everyone = [
            User(world, number, questions, slow and number % FEW == 0, sounds if spoken else ())
            for number in range(users)
        ]
        try:
            async with asyncio.TaskGroup() as talking:
                for user in everyone:
                    talking.create_task(user.talk())
                await asyncio.sleep(BEGIN)
                await fault(world, everyone)
        except* VoiceKitError as errors:
            raise errors.exceptions[0] from None
        await asyncio.sleep(2)  # what waits for Redis is written within a second
        for user in everyone:
            await user.look_back()
    name = fault.__name__.replace("_", "-")
    return Result(name, (fault.__doc__ or name).strip(), [user.told for user in everyone])


def _longest(user: Told) -> float:
    return max(*user.waits, user.pause, user.away, 0.0)


def _heard(user: Told) -> str:
    if user.left:
        return f"vanished; all {len(user.remembered) - user.lost} remembered turns are kept"
    parts = [f"{user.heard} of {user.asked} answers"]
    if user.again:
        parts.append(f"{user.again} asked again")
    if user.hung:
        parts.append(f"{user.hung} left hanging")
    if user.closes:
        parts.append(f"connected again after close {', '.join(map(str, user.closes))}")
    if user.lost or user.missing:
        parts.append(f"{user.lost} lost, {user.missing} missing")
    return "; ".join(parts)


def main() -> None:
    """Print the table; exits 1 where a promise was not kept."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--only", choices=FAULTS, action="append")
    asked.add_argument("--users", type=int, default=USERS)
    asked.add_argument("--questions", type=int, default=QUESTIONS)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    results = []
    if not given.json:
        print("| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS))
    for name in given.only or FAULTS:
        results.append(asyncio.run(tried(name, given.users, given.questions)))
        if not given.json:
            print("| " + " | ".join(results[-1].row) + " |", flush=True)
    if given.json:
        told = [{"fault": each.name, "kept": each.good, "users": list(map(asdict, each.users))}
                for each in results]  # fmt: skip
        print(json.dumps(told, default=sorted))
    else:
        for each in results:
            print(f"\n{each.about}", *each.each(), sep="\n")
    raise SystemExit(not all(each.good for each in results))


if __name__ == "__main__":
    main()
