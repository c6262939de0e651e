"""The bricks that hear: listen, record, vad, transcribe."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterable, Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voice_kit.cli import options
from voice_kit.cli.options import console, notes, put
from voice_kit.errors import VoiceKitError

if TYPE_CHECKING:
    from voice_kit.audio.files import Recording
    from voice_kit.types import Audio, Samples

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="Sounds of any format; - for standard input."),
]
Seconds = Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds.")]
Wav = Annotated[Path | None, typer.Option(help="A recording instead of the microphone.")]
DeviceName = Annotated[
    str | None, typer.Option("--microphone", help="A number or name from `voice-kit devices`.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (listen, record, vad, transcribe):
        app.command(rich_help_panel="Bricks")(command)


def listen(
    wav: Wav = None,
    microphone: DeviceName = None,
    seconds: Seconds = None,
    vad: options.Vad = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """See what the microphone hears, and when it is speech.

    Example: voice-kit listen --seconds 10
    """
    from voice_kit.audio.files import read
    from voice_kit.audio.microphone import FileMicrophone, Microphone
    from voice_kit.cli import running
    from voice_kit.hear.detection import Detection
    from voice_kit.hear.ears import Ears

    settings = options.settings_from(change, vad=vad)
    detector = running.engine("vad", settings)

    async def hear() -> None:
        ears, stream = Ears(settings.hear), Detection(detector)
        async with AsyncExitStack() as opened:
            frames: AsyncIterable[Samples] = (
                FileMicrophone(read(wav), fast=json_)
                if wav
                else await opened.enter_async_context(Microphone(microphone))
            )
            if not json_ and not wav:
                notes.print("Speak. Ctrl-C stops.")
            async for frame in frames:
                chance = stream.probability(frame)
                for event in ears.feed(frame, chance):
                    _tell(event, json_)
                if not json_:
                    _meter(frame, chance, ears.now)
                if seconds is not None and ears.now >= seconds:
                    break
        for event in ears.end():
            _tell(event, json_)

    running.wait_for(hear())


def _meter(frame: Samples, chance: float, now: float) -> None:
    if console.is_terminal:
        level = int(min(1.0, float(abs(frame).max()) * 2) * 30)
        word = "speech" if chance >= 0.5 else "      "
        print(f"\r{now:7.2f} s  |{'#' * level:<30}|  {chance:4.2f} {word}", end="", flush=True)


def _tell(event: object, json_: bool) -> None:
    from voice_kit.types import Misfire, SpeechStarted, TurnEnded

    match event:
        case SpeechStarted():
            data: dict[str, Any] = {"event": "speech_started", "at_s": round(event.at, 3)}
            words = f"{event.at:7.2f} s  speech starts"
        case Misfire():
            data = {"event": "misfire", "at_s": round(event.at, 3)}
            words = f"{event.at:7.2f} s  it was no speech"
        case TurnEnded():
            data = {
                "event": "turn_ended",
                "at_s": round(event.at, 3),
                "speech": [round(event.started, 3), round(event.ended, 3)],
            }
            words = f"{event.at:7.2f} s  a turn of {event.ended - event.started:.2f} s has ended"
        case _:
            return
    put(json.dumps(data) if json_ else f"\r{words:<64}")


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The WAV file to write.")],
    seconds: Seconds = None,
    microphone: DeviceName = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an older recording.")] = False,
    json_: options.Json = False,
) -> None:
    """Record the microphone to a file. Ctrl-C ends it, and what was recorded stays.

    Example: voice-kit record me.wav --seconds 5
    """
    if file.exists() and not force:
        raise VoiceKitError(f"{file} is already there. Take another name, or --force.")

    from voice_kit.audio.files import Recording
    from voice_kit.audio.microphone import Microphone
    from voice_kit.cli import running
    from voice_kit.types import RATE

    begun: list[Recording] = []

    async def keep() -> None:
        async with Microphone(microphone) as frames:
            with Recording(file, RATE) as recording:
                begun.append(recording)
                if not json_:
                    notes.print(f"Recording to {file}. Ctrl-C stops.", soft_wrap=True)
                async for frame in frames:
                    recording.append(frame)
                    if seconds is not None and recording.seconds >= seconds:
                        break

    try:
        running.wait_for(keep())
    except KeyboardInterrupt:
        if not begun:
            raise
    length = begun[0].seconds
    result = {"file": str(file), "seconds": round(length, 3)}
    put(json.dumps(result) if json_ else f"{file}: {length:.1f} s")


def vad(
    files: Files,
    vad: options.Vad = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Find the speech in recordings.

    Example: voice-kit vad me.wav --json
    """
    from voice_kit.cli import running

    settings = options.settings_from(change, vad=vad)
    detector = running.engine("vad", settings)

    def find(audio: Audio, _: float) -> dict[str, Any]:
        turns = running.turns(detector, audio, settings)
        return {"speech": [[round(turn.started, 3), round(turn.ended, 3)] for turn in turns]}

    def show(result: dict[str, Any]) -> str:
        spans = [f"{start:.2f}–{end:.2f} s" for start, end in result["speech"]]
        return ", ".join(spans) or "no speech"

    _for_each(files, find, show, json_)


def transcribe(
    files: Files,
    stt: options.Stt = None,
    language: options.Language = None,
    device: options.Device = None,
    change: options.Set = None,
    json_: options.Json = False,
) -> None:
    """Write down what is said in recordings.

    Example: voice-kit transcribe me.wav --stt sphinx --json
    """
    from voice_kit.cli import running

    settings = options.settings_from(change, stt=stt, language=language, device=device)
    engine = running.engine("stt", settings)

    def write_down(audio: Audio, began: float) -> dict[str, Any]:
        with ExitStack() as shown:
            on_way = _progress(audio.seconds, shown)
            heard = running.wait_for(running.transcribe(engine, audio, settings, on_way))
        took = time.perf_counter() - began
        return {
            "text": heard.text,
            "seconds": round(audio.seconds, 3),
            "took_s": round(took, 3),
            "engine": engine.name,
        }

    _for_each(files, write_down, lambda result: result["text"] or "(no words)", json_)


def _progress(seconds: float, shown: ExitStack) -> Callable[[float], None]:
    """What shows how much of so many seconds is done, to people who would wait long."""
    if not notes.is_terminal or seconds < 30:
        return lambda done: None
    status = shown.enter_context(notes.status("looking for speech"))
    return lambda done: status.update(f"{done:.0f} of {seconds:.0f} s of sound")


def _for_each(files: list[Path], work: Any, show: Any, json_: bool) -> None:
    """Do the work for every file. A bad one is told of, the others go on, and we leave with 1."""
    from voice_kit.audio.files import read, read_bytes

    failed = False
    for file in files:
        try:
            audio = read_bytes(sys.stdin.buffer.read()) if str(file) == "-" else read(file)
            result = {"file": str(file), **work(audio, time.perf_counter())}
            put(json.dumps(result) if json_ else f"{file}: {show(result)}")
        except VoiceKitError as error:
            failed = True
            if json_:
                put(json.dumps({"file": str(file), "error": str(error)}))
            else:
                notes.print(str(error), soft_wrap=True)
    if failed:
        raise typer.Exit(1)
