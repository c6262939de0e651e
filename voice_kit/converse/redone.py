"""What was done to a recorded conversation, done to its replay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from voice_kit.converse import given
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.tape import Done, samples_of
from voice_kit.settings import Settings
from voice_kit.types import RATE, Audio

MEANWHILE = 8
"""Rounds of the loop after which an answer that ends now has ended: what was announced during it
began at that same moment, and after it."""


async def until(moment: float) -> None:
    """Return at this time of the loop's clock."""
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))


async def do_again(
    talk: Conversation,
    folder: Path,
    done: Sequence[Done],
    voice: Callable[[Any], Any],
    chosen: Callable[[Any], Any],
) -> None:
    """Do these at their times. Sounds are in `folder`; `voice` makes one of its traits, `chosen` an
    engine that was chosen, or None where it is not to be used."""
    for each in done:
        await until(each.at)
        match each.what:
            case "settings":
                talk.settings = each.value
            case "typed":
                talk.type(each.value)
            case "announced":
                for _ in range(MEANWHILE):
                    await asyncio.sleep(0)
                talk.announce(each.value)
            case "hushed":
                talk.hush()
            case "said":
                given.answer(talk, Audio(samples_of(folder / each.value), RATE))
            case "cleared":
                given.forget(talk)
            case "written":
                talk.history.add(*each.value)
            case "voice":
                talk.engines.tts.current = voice(each.value)
            case "chosen":
                if (engine := chosen(each.value)) is not None:
                    talk.begin(_use(talk, each.value, engine))


async def _use(talk: Conversation, known: dict[str, Any], engine: Any) -> None:
    while talk._floor.taken:
        await talk.idle()
    given.use(talk, known["engine"], known["spec"], engine)


def changed(done: Done, changes: Mapping[str, Any]) -> Done:
    """The same with these changes, where it was a change of settings."""
    if done.what != "settings" or isinstance(done.value, Settings):
        return done
    return replace(done, value=Settings.model_validate(done.value).changed(changes))
