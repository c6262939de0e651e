"""Commands that try many settings: lab endpointing, lab interruptions, lab routing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.lab_routing import routing
from voice_kit.cli.options import console, notes, put
from voice_kit.cli.pictures import save, writable
from voice_kit.errors import AudioError, VoiceKitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voice_kit.hear.protocols import TurnJudge
    from voice_kit.settings import Settings
    from voice_kit.workshop.lab_sounds import Recording

Data = Annotated[
    Path | None,
    typer.Option(help="A folder of recordings with a manifest.json; else the kit's own sounds."),
]
Latency = Annotated[
    float | None,
    typer.Option(
        min=0, help="Seconds that hearing the words takes; else as measured here and now."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    lab = typer.Typer(
        help="Try many settings on recordings.\n\nExample: voice-kit lab endpointing",
        no_args_is_help=True,
    )
    for command in (endpointing, interruptions, routing):
        lab.command()(command)
    app.add_typer(lab, name="lab", rich_help_panel="The whole assistant")


def endpointing(
    data: Data = None,
    judge: Annotated[
        list[str] | None, typer.Option(help="Try only this judge; again for another.")
    ] = None,
    thinking: Annotated[
        bool, typer.Option(help="Each longer recording once more with pauses for thought.")
    ] = True,
    latency: Latency = None,
    answer: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds from a pause's beginning to the answer's sound; else the bench's."
        ),
    ] = None,
    vad: options.Vad = None,
    stt: options.Stt = None,
    language: options.Language = None,
    change: options.Set = None,
    out: options.Out = None,
    json_: options.Json = False,
) -> None:
    """Find out whom each way to wait cuts off, and how long it lets everybody else wait.

    Cut off are turns that are taken for finished before they are. Spoken into are those in which
    an answer was heard by then: whoever goes on before hears nothing of it.

    Example: voice-kit lab endpointing --data my-recordings --out frontier.png
    """
    from voice_kit.cli import running
    from voice_kit.workshop import lab_endpointing as lab
    from voice_kit.workshop import lab_frontier, lab_judged, lab_sounds

    settings = options.settings_from(change, vad=vad, stt=stt, language=language)
    writable(out)
    ready = lab.ANSWER if answer is None else answer
    judges = _judges(judge, settings)
    detector = running.engine("vad", settings)
    recordings = _recordings(data)
    words = thinking or any(each.needs_words for each in judges.values())
    with notes.status("preparing the recordings") as status:
        heard = lab_judged.Heard(
            running.engine("stt", settings) if words else None,
            lambda count: status.update(f"hearing what was said before pause {count}"),
        )
        rules = settings.hear
        after = max(rules.stop, rules.unfinished, *lab.STOPS) + 0.5
        turns, deaf = lab_sounds.turns(
            recordings, detector, heard.whole if thinking else None, after
        )
        if not turns:
            raise AudioError("There is no speech with its words in these recordings. Add some.")
        opinions = {name: lab_judged.Judged(each, heard, latency) for name, each in judges.items()}
        ways: dict[str, Any] = {lab.SILENCE: None, **opinions}
        points = list(lab.sweep(turns, ways, settings, ready))
    if out:
        save(lab_frontier.draw(points), out)
    strict, felt = lab_frontier.CUT_OFF, lab_frontier.SPOKEN_INTO
    summary = {
        **lab_frontier.comparison(points, strict, "added_ms", "cut_off_share"),
        **lab_frontier.comparison(points, felt, "until_sound_ms", "spoken_into_share"),
        "answer_ms": round(ready * 1000),
        "turns": len(turns),
        "pauses": sum(len(turn.pauses) for turn in turns),
        "no_speech": deaf,
        "missed": lab_frontier.missed(points),
        "answers_after_ms": {name: each.usual_ms() for name, each in opinions.items() if each.took},
        "vad": detector.name,
        "stt": heard.name,
        "headline": lab_frontier.headline(points),
        "felt": lab_frontier.headline(points, felt),
    }
    if json_:
        for point in points:
            put(json.dumps(point.as_json()))
        put(json.dumps({"summary": summary}))
        return
    for line in lab_frontier.table(points):
        console.print(line, soft_wrap=True)
    for name, wait in summary["answers_after_ms"].items():
        given = "" if latency is None else f" (taken for {latency * 1000:.0f} ms)"
        console.print(f"{name} answers {wait} ms after a pause, in the median{given}")
    if deaf:
        console.print("no speech was heard in:", ", ".join(deaf), soft_wrap=True)
    if summary["missed"]:
        count = f"{summary['missed']} of {len(turns)}"
        told = f"{count} turns are missed (★): nobody is heard there, and so nobody cut off"
        console.print(told, soft_wrap=True)
    console.print(summary["headline"], soft_wrap=True)
    console.print(f"{summary['felt']} (ready {ready * 1000:.0f} ms into a pause)", soft_wrap=True)


def interruptions(
    data: Data = None,
    latency: Latency = None,
    vad: options.Vad = None,
    stt: options.Stt = None,
    tts: options.Tts = None,
    language: options.Language = None,
    change: options.Set = None,
    out: options.Out = None,
    json_: options.Json = False,
) -> None:
    """Find out what stops an answer: interruptions soon, a cough or a “mhm” never?

    Example: voice-kit lab interruptions --out stops.png
    """
    from voice_kit.cli import running
    from voice_kit.workshop import lab_interruptions as lab
    from voice_kit.workshop import lab_outcomes

    settings = options.settings_from(
        change, vad=vad, stt=stt, tts=tts or "espeak", language=language
    )
    writable(out)
    detector = running.engine("vad", settings)
    voice = running.engine("tts", settings)
    recordings = [*_recordings(data), lab.laughter(voice)]
    sounds = list(lab.sounds(recordings, detector, settings.language))
    if not any(sound.kind == "interruption" for sound in sounds):
        raise AudioError("There is no interruption among these recordings. Add one of few words.")
    bench = lab.Lab(running.engine("stt", settings), voice, settings, latency)
    outcomes: list[lab_outcomes.Outcome] = []
    with notes.status("interrupting") as status:
        for trials in lab.sweep(bench, sounds):
            outcomes.append(lab_outcomes.outcome(trials, usual=not outcomes))
            status.update(f"interrupting: {outcomes[-1].name}")
    if out:
        save(lab_outcomes.draw(outcomes), out)
    if json_:
        for each in outcomes:
            put(json.dumps(each.as_json()))
        return
    for line in lab_outcomes.table(outcomes):
        console.print(line, soft_wrap=True)


def _judges(wanted: list[str] | None, settings: Settings) -> dict[str, TurnJudge]:
    """The judges that are asked for, or all that are here, each loaded."""
    from voice_kit.engines import engine_class, here, make, names, refuse_language

    if wanted:
        asked: list[TurnJudge] = [make("judge", spec, settings) for spec in wanted]
        return {judge.name: judge for judge in asked if judge.name != "silence"}
    found: dict[str, TurnJudge] = {}
    for name in names("judge"):
        if name == "silence":
            continue
        try:
            cls = engine_class("judge", name)
            refuse_language(name, cls, settings)
            model = here(name, cls, settings)
            judge: TurnJudge = make("judge", f"{name}:{model}" if model else name, settings)
            found[judge.name] = judge
        except VoiceKitError as error:
            notes.print(f"Left out: {error}", style="dim", soft_wrap=True)
    return found


def _recordings(data: Path | None) -> Iterable[Recording]:
    from voice_kit.workshop import lab_sounds

    return list(lab_sounds.folder(data) if data else lab_sounds.kit())
