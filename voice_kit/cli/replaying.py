"""Commands that ask a recorded conversation what would have been: replay, again, why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import AudioError

if TYPE_CHECKING:
    from voice_kit.converse.asked import RecordedTurn
    from voice_kit.converse.recorded import Recording
    from voice_kit.converse.timeline import TurnTimes

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="What `--record DIR` has written.")]
Number = Annotated[int | None, typer.Option("--turn", min=1, help="Which turn; the last if none.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (replay, again, why):
        app.command(rich_help_panel="The workshop")(command)


def replay(
    folder: Folder,
    vad: options.Vad = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    change: options.Set = None,
    out: Annotated[Path | None, typer.Option(help="Write both sides to this WAV file.")] = None,
    json_: options.Json = False,
) -> None:
    """Hold a recorded conversation once more, with something changed, and see what differs.

    Example: voice-kit replay my-talk --set hear.stop=0.3 --stt whisper:small
    """
    from voice_kit.converse.differs import difference, pairs
    from voice_kit.converse.recorded import read_recording
    from voice_kit.types import FRAME, RATE

    before = read_recording(folder)
    changes = options.changes_from(change, vad=vad, stt=stt, llm=llm, tts=tts)
    after = _replayed(before, changes, out)
    # A change may come to a single frame; without one, the loop may have been as late as that.
    within = FRAME / RATE / 2 if changes else 0.05
    same = not difference(before.events, after.events, within)
    both = list(pairs(before.timeline.turns, after.timeline.turns))
    if json_:
        turns = [{"before": _plain(was), "after": _plain(now)} for was, now in both]
        put(json.dumps({"changes": changes, "same": same, "turns": turns}))
        return
    for number, (was, now) in enumerate(both, 1):
        console.print(f"{number}. ", *_changes(was, now), sep="", soft_wrap=True)
    console.print("Nothing changed." if same else "", end="\n" if same else "")


def again(
    folder: Folder,
    turn: Number = None,
    stop: Annotated[
        float | None, typer.Option(help="Answer after this much quiet, whatever a judge says.")
    ] = None,
    stt: options.Stt = None,
    llm: options.Llm = None,
    tts: options.Tts = None,
    change: options.Set = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the sound to this WAV file instead of playing it.")
    ] = None,
    json_: options.Json = False,
) -> None:
    """Ask the last question of a recorded conversation again, with something changed, and hear it.

    Example: voice-kit again my-talk --stop 0.3
    """
    asked = _turn(folder, turn)
    changes = options.changes_from(change, stt=stt, llm=llm, tts=tts)
    more: dict[str, Any] = {} if stop is None else {"stop": stop}
    after = asked.again(changes, **more)
    if json_:
        turns = [_plain(each) for each in after.timeline.turns]
        put(json.dumps({"before": _plain(asked.times), "turns": turns}))
    for each in [] if json_ else after.turns:
        console.print(*_changes(asked.times, each.times), sep="", soft_wrap=True)
        console.print(str(each.why()), style="dim", soft_wrap=True)
    if out is not None:
        _write(out, after)
    elif not json_:
        _play(after)


def why(folder: Folder, turn: Number = None, json_: options.Json = False) -> None:
    """Say where the time of the last turn went, and what would change it.

    Example: voice-kit why my-talk
    """
    found = _turn(folder, turn).why()
    if not json_:
        console.print(str(found), soft_wrap=True)
        return
    parts = [
        {
            "stage": part.stage,
            "ms": round(1000 * part.seconds, 1),
            "setting": part.setting,
            "where": part.where,
        }
        for part in found.parts
    ]
    total = round(1000 * found.seconds, 1)
    put(json.dumps({"why": str(found), "total_ms": total, "parts": parts}))


def _turn(folder: Path, number: int | None) -> RecordedTurn:
    from voice_kit.converse.recorded import read_recording

    turns = read_recording(folder).turns
    if not turns:
        raise AudioError(f"Nobody was answered in {folder}. Record another conversation.")
    if number is not None and number > len(turns):
        raise AudioError(f"The last turn in {folder} is number {len(turns)}. Name one up to it.")
    return turns[-1 if number is None else number - 1]


def _replayed(before: Recording, changes: dict[str, Any], out: Path | None) -> Recording:
    from voice_kit.converse.replay import replay

    after = replay(before, changes)
    if out is not None:
        _write(out, after)
    return after


def _write(out: Path, recording: Recording) -> None:
    from voice_kit.audio.files import write

    assert recording.sound is not None
    write(out, recording.sound)
    notes.print(f"Hear it: {out}", soft_wrap=True)


def _play(recording: Recording) -> None:
    from voice_kit.audio.speaker import SoundCardSpeaker
    from voice_kit.cli import running

    sound = recording.sound
    assert sound is not None
    try:
        speaker = SoundCardSpeaker()
    except AudioError:
        notes.print("No loudspeaker here. Write the sound to a file with --out FILE.")
        return

    async def play() -> None:
        playback = speaker.open(lambda _: None)
        playback.play(sound)
        await playback.finished()

    running.wait_for(play())


def _plain(turn: TurnTimes | None) -> dict[str, Any] | None:
    from voice_kit.converse.plain import summary

    return summary(turn) if turn else None


def _changes(was: TurnTimes | None, now: TurnTimes | None) -> list[str]:
    """A turn before and after, as pieces of a line."""
    if was is None or now is None:
        one = was or now
        assert one is not None
        how = "answered" if one.heard else "said"
        return [f"{_words(one)} was {how} {'before' if was else 'now'} only"]
    line = [_words(was) if _words(was) == _words(now) else f"{_words(was)} → {_words(now)}"]
    line.append(f", {_wait(was)}" if _wait(was) == _wait(now) else f", {_wait(was)} → {_wait(now)}")
    if was.said != now.said and was.heard:
        line.append(f", “{was.said}” → “{now.said}”")
    return [*line, f" ({now.problem})" if now.problem else ""]


def _words(turn: TurnTimes) -> str:
    """What it answers; what it says where nobody asked, as when a timer rings."""
    words = turn.heard or turn.said
    return f"“{words}”" if words else "nothing"


def _wait(turn: TurnTimes) -> str:
    if turn.voice_to_voice is not None:
        return f"{1000 * turn.voice_to_voice:.0f} ms"
    if turn.ended is not None:
        return "no answer was heard"
    return "typed" if turn.heard else "of its own accord"
