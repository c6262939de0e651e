"""The command that measures which way questions are answered: lab routing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from voice_kit.cli import options
from voice_kit.cli.options import put
from voice_kit.cli.pictures import save, writable
from voice_kit.errors import SettingsError


def routing(
    on: Annotated[
        list[Path] | None,
        typer.Option(help="A file of phrases: kind, tab, words. Else its own and the lab's."),
    ] = None,
    phrases: Annotated[
        Path | None, typer.Option(help="More phrases to learn from, as in route_phrases.toml.")
    ] = None,
    listen: Annotated[
        bool, typer.Option(help="Print the phrases as PocketSphinx hears them from flite.")
    ] = False,
    change: options.Set = None,
    out: options.Out = None,
    json_: options.Json = False,
) -> None:
    """Find out how often questions are routed right, and which are taken for which.

    Example: voice-kit lab routing --phrases mine.toml
    """
    from voice_kit.think.router_examples import ExamplesRouter
    from voice_kit.think.skills import all_skills
    from voice_kit.workshop import lab_routing as lab

    settings = options.settings_from(change)
    writable(out)
    if listen and not on:
        raise SettingsError("--listen needs a file of phrases. Name one: --on FILE.")
    if listen:
        for path in on or ():
            for line in lab.listen(path):
                put(line)
        return
    skills = all_skills()
    router = ExamplesRouter(
        language=settings.language, phrases=phrases or "", understood=skills.find
    )
    sets = {path.name: lab.tried(router, lab.read_cases(path)) for path in on or ()}
    if not sets:
        sets = {name: lab.tried(router, cases) for name, cases in lab.kept()}
        sets["its own phrases, held out"] = lab.cross_validated(phrases or "")
    told = [lab.summary(name, cases, settings.tools.sure) for name, cases in sets.items()]
    for each in told:
        if json_:
            put(json.dumps(each))
        else:
            for line in lab.table(each, settings.tools.sure):
                put(line)
    if out:
        save(lab.draw(told), out)
