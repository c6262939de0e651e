"""The reader's own assistant as one file: their engines and settings, and nothing hidden."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from voice_kit.audio.files import write_file
from voice_kit.engines import (
    STAGES,
    Stage,
    arguments,
    choose,
    engine_class,
    here,
    in_line,
    refuse_language,
)
from voice_kit.errors import SettingsError, VoiceKitError
from voice_kit.settings import Settings

TEMPLATE = '''\
"""My voice assistant. Start it with `python {name}` and speak; Ctrl-C ends it.

`python {name} question.wav` answers a recording instead, and writes answer.wav.
"""

import asyncio
import sys

{imports}

SETTINGS = Settings().changed({settings})


def engines():
    """What hears, thinks and speaks; each with what takes over when it fails."""
    return Engines(
{lines}
    )


async def talk():
    """Listen to the microphone and answer."""
    view = ConsoleView()
    async with (
        Microphone() as frames,
        Conversation(engines(), SoundCardSpeaker(), SETTINGS, observers=[view]) as assistant,
    ):
        print("Speak. Ctrl-C ends it.")
        await assistant.listen(frames)


async def answer(path):
    """Listen to a recording, answer, and keep the answer's sound."""
    speaker = SilentSpeaker()
    async with Conversation(engines(), speaker, SETTINGS, observers=[ConsoleView()]) as assistant:
        began = asyncio.get_running_loop().time()
        await assistant.listen(FileMicrophone(read(path)))
        await assistant.idle()
        seconds = asyncio.get_running_loop().time() - began
    write("answer.wav", speaker.rendered(began, seconds))


if __name__ == "__main__":
    try:
        asyncio.run(answer(sys.argv[1]) if sys.argv[1:] else talk())
    except VoiceKitError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        print()
'''

IMPORTS = """\
from voice_kit.audio.files import read, write
from voice_kit.audio.microphone import FileMicrophone, Microphone
from voice_kit.audio.speaker import SilentSpeaker, SoundCardSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.line import Engines, Line
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.show.console import ConsoleView
"""

SECRET = ("key", "token", "secret", "password")
"""Options whose names end like this stay out of the file: it will be shown around."""


WIDTH = 100


def export(file: Path, settings: Settings, *, force: bool = False) -> None:
    """Write the assistant that `settings` asks for to `file`, as Python that runs.

    What “auto” means here and now is written out. Raises `SettingsError` when the file is there
    and `force` is not set, and `AudioError` when it cannot be written.
    """
    if file.exists() and not force:
        raise SettingsError(f"{file} is there already. Choose another name, or add --force.")
    write_file(file, assistant(settings, file.name).encode())


def assistant(settings: Settings, name: str = "my_assistant.py") -> str:
    """The assistant that `settings` asks for, as the text of a Python file."""
    imports = set(IMPORTS.splitlines())
    lines = [_line(stage, settings, imports) for stage in STAGES]
    return TEMPLATE.format(
        name=name,
        imports="\n".join(sorted(imports)),
        settings=_changed(settings),
        lines="\n".join(lines),
    )


def _line(stage: Stage, settings: Settings, imports: set[str]) -> str:
    choice = choose(stage, settings)
    specs = [
        spec for spec in in_line(choice) if spec == choice.spec or _here(stage, spec, settings)
    ]
    first, *then = [_call(stage, spec, settings, imports) for spec in specs]
    others = [
        call.removesuffix("()") if call.endswith("()") else f"lambda: {call}" for call in then
    ]
    parts = [f'"{stage}"', first] + ([f"[{', '.join(others)}]"] if others else [])
    line = f"        Line({', '.join(parts)}),"
    if len(line) <= WIDTH:
        return line
    if others and len(f"            {parts[-1]},") > WIDTH:
        rows = "".join(f"                {other},\n" for other in others)
        parts[-1] = f"[\n{rows}            ]"
    rows = "".join(f"            {part},\n" for part in parts)
    return f"        Line(\n{rows}        ),"


def _here(stage: Stage, spec: str, settings: Settings) -> bool:
    try:
        here(spec, engine_class(stage, spec), settings)
        refuse_language(spec, engine_class(stage, spec), settings)
    except VoiceKitError:
        return False
    return True


def _call(stage: Stage, spec: str, settings: Settings, imports: set[str]) -> str:
    name, _, model = spec.partition(":")
    cls = engine_class(stage, name)
    imports.add(f"from {cls.__module__} import {cls.__name__}")
    usual: dict[str, Any] = {"language": "en", "device": "auto", "compute": "auto"}
    given = {
        key: value
        for key, value in arguments(name, model, cls, settings).items()
        if usual.get(key) != value and not key.endswith(SECRET)
    }
    return f"{cls.__name__}({', '.join(f'{key}={_code(value)}' for key, value in given.items())})"


def _changed(settings: Settings) -> str:
    usual, tree = Settings().model_dump(), settings.model_dump()
    engines = (*STAGES, "options", "device", "compute")
    changed: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict) and name not in engines:
            changed |= {
                f"{name}.{key}": part for key, part in value.items() if part != usual[name][key]
            }
        elif name not in engines and value != usual[name]:
            changed[name] = value
    rows = "".join(f"        {_code(key)}: {_folded(value)},\n" for key, value in changed.items())
    return f"\n    {{\n{rows}    }}\n" if rows else "{}"


def _code(value: Any) -> str:
    """A value as Python code, in double quotes where that reads best."""
    plain = isinstance(value, str) and value.isprintable() and not {'"', "\\"} & set(value)
    return f'"{value}"' if plain else repr(value)


def _folded(value: Any) -> str:
    """The same, a long text in several lines."""
    if not isinstance(value, str) or len(value) < 70:
        return _code(value)
    pieces = re.findall(r".{1,70}(?:\s|$)|.{70}", value, re.DOTALL)
    rows = "".join(f"            {_code(piece)}\n" for piece in pieces)
    return f"(\n{rows}        )"
