"""What stands on a slide as `@name words`: sounds that are made here, and pictures of them."""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Callable
from functools import cache, cached_property
from html import escape
from pathlib import Path
from typing import Any

import made
import numpy as np

from voice_kit import engines
from voice_kit.audio.convert import convert
from voice_kit.audio.files import read, to_wav
from voice_kit.audio.microphone import frames
from voice_kit.converse.tape import event_of
from voice_kit.converse.timeline import TurnTimes
from voice_kit.hear.detection import probabilities
from voice_kit.hear.ears import listen
from voice_kit.settings import Settings
from voice_kit.show.bars import LABELS, as_bars, so_far
from voice_kit.sounds import clip as recording
from voice_kit.sounds import clips
from voice_kit.speak.aloud import aloud
from voice_kit.types import FRAME, RATE, Audio, Event, Routed, TurnEnded, TurnFinished
from voice_kit.workshop.lab_endpointing import score
from voice_kit.workshop.lab_sounds import Recording
from voice_kit.workshop.lab_sounds import turns as as_turns

HERE = Path(__file__).parent
ROOT = HERE.parent
RECORDED = HERE / "recorded"
QUIET = 0.35
"""Seconds of silence before and after what is spoken on a slide."""

EYE = """Great question! There are **three main reasons** why an answer may be late:

1. **Endpointing**: the system waits for silence (typically 500-800 ms).
2. **Transcription**: the audio (16 kHz) must be converted to text first.
3. **Generation**: the LLM has to process the entire prompt (incl. history).

For more information, see https://example.com/latency. Let me know if you have questions!"""
EAR = "Mostly because it waits to be sure that you have finished. Shall I say what else takes time?"
ANSWER = "Because people notice anything beyond half a second."
MOODS = {"flat": (45, 0, 1.0), "glad": (72, 95, 1.12), "sad": (28, 20, 0.75)}
"""Pitch and how far it moves, from 0 to 100 each, and the pace."""


CALLED = {
    "cores or cards for engines": "for the engines",
    "voice to voice, half are below": "median silence",
    "a conversation": "euros a month, each",
}
"""What some rows of SIZING.md are called on a slide."""


class SlideError(Exception):
    """A slide asks for what is not there. The message says where."""


class Material:
    """Makes sounds and pictures for the slides, into a folder."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.folder = folder
        self.repository = repository
        (folder / "sounds").mkdir(parents=True, exist_ok=True)

    def make(self, line: str) -> str:
        """The HTML for a line such as `@clip question_vad`, without an empty line in it."""
        name, _, words = line.strip().removeprefix("@").partition(" ")
        maker: Callable[..., str] | None = getattr(self, f"make_{name}", None)
        if maker is None:
            raise SlideError(f"“{line.strip()}”: nothing is called @{name}.")
        return re.sub(r"\n\s*\n", "\n", maker(*words.split()))

    # Where we are

    def make_place(self, *stages: str) -> str:
        """Where we are between microphone and loudspeaker."""
        names = ["microphone", "hear", "think", "speak", "loudspeaker"]
        items = "".join(
            f'<li class="{name}"{" aria-current=step" if name in stages else ""}>{name}</li>'
            for name in names
        )
        return f'<ol class="place" aria-label="You are here: {", ".join(stages)}">{items}</ol>'

    def make_orbs(self) -> str:
        """The sphere in the states that it has."""
        states = {
            "idle": "idle",
            "listening": "listening",
            "thinking": "thinking",
            "speaking": "speaking",
        }
        return (
            '<div class="orbs">'
            + "".join(
                f'<p><span class="orb {state}" aria-hidden="true"></span>{name}</p>'
                for state, name in states.items()
            )
            + "</div>"
        )

    # Sounds

    def make_clip(self, name: str) -> str:
        """One of the kit's recordings."""
        one = recording(name)
        audio = one.audio()
        words = f"“{one.text}”" if one.text else f"({name.removeprefix('noise_')})"
        drawn = made.wave(audio, f"The wave of {words}, {audio.seconds:.1f} s")
        return self.playing(drawn, name, audio, words, small=f"{one.voice}, {audio.seconds:.1f} s")

    def make_voices(self, *names: str) -> str:
        """Several recordings, as a row of buttons."""
        found = [recording(name) for name in names]
        return (
            '<div class="voices">'
            + "".join(
                self.playing("", one.name, one.audio(), f"“{one.text}”", small=one.voice)
                for one in found
            )
            + "</div>"
        )

    def make_vowel(self, name: str) -> str:
        """Fifty milliseconds of a vowel, with its period."""
        samples = recording(name).audio().samples[3200 : 3200 + 800]
        likeness = [
            float(np.dot(samples[:-lag], samples[lag:])) / (800 - lag) for lag in range(1, 400)
        ]
        period = 40 + int(np.argmax(likeness[40:])) + 1
        top = int(np.argmax(samples[:period]))
        pitch = f"{period} samples: {RATE / period:.0f} Hz"
        words = f"50 ms of a vowel: the same shape again and again, every {pitch}"
        return f"<figure>{made.close(samples, words, (top, top + period), pitch)}</figure>"

    def make_frames(self, name: str) -> str:
        """Some frames of a recording."""
        samples = recording(name).audio().samples[6 * FRAME : 12 * FRAME]
        return (
            f"<figure>{made.frames(samples, 'A wave cut into six frames of 32 ms', FRAME)}</figure>"
        )

    def make_alias(self, how: str) -> str:
        """A recording brought to 4 kHz, with care or without."""
        sound = recording("question_recognition").audio()
        low = (
            Audio(sound.samples[::4], RATE // 4) if how == "careless" else convert(sound, RATE // 4)
        )
        audio = convert(low, RATE)
        told = {
            "careless": "Every fourth sample, and never mind",
            "careful": "What is too high taken out first",
        }
        drawn = made.wave(audio, f"The wave at 4 kHz, {how}", tall=170)
        return self.playing(
            drawn, f"alias_{how}", audio, f"{told[how]}: “How does speech recognition work?”"
        )

    def make_vad(self) -> str:
        """A question, a cough and a command with a pause in it, and the chance of speech."""
        parts, spans, at = [np.zeros(RATE // 2, np.float32)], [], 0.5
        for name, said in (
            ("question_token", "speech"),
            ("noise_cough", ""),
            ("pause_timer", "speech"),
        ):
            samples = recording(name).audio().samples
            parts += [samples, np.zeros(RATE // 2, np.float32)]
            if said:
                spans.append((at, at + len(samples) / RATE, said))
            else:
                spans.append((at, at + len(samples) / RATE, "a cough"))
            at += len(samples) / RATE + 0.5
        audio = Audio(np.concatenate(parts), RATE)
        chances = probabilities(self.detector, audio)
        words = "“What is a token?”, a cough, “Set a timer for … ten minutes.”"
        drawn = made.wave(
            audio,
            f"The wave of {words} and, below it, the chance of speech: high in both sentences, "
            "low in the cough and in the pause",
            spans=spans,
            chances=[float(chance) for chance in chances],
            tall=190,
        )
        return self.playing(drawn, "evening", audio, words, small="below: the chance of speech")

    def make_cut(self, how: str) -> str:
        """A command with a pause, as it is heard with a short wait and with a long one."""
        whole = recording("pause_timer").audio()
        quiet = np.zeros(RATE, np.float32)
        sound = Audio(np.concatenate([quiet[: RATE // 4], whole.samples, quiet]), RATE)
        chances = [float(chance) for chance in probabilities(self.detector, sound)]
        wait = 0.2 if how == "short" else 1.0
        rules = Settings().hear.model_copy(update={"stop": wait})
        ends = [e for e in listen(frames(sound), chances, rules) if isinstance(e, TurnEnded)]
        heard = Audio(sound.samples[: round(ends[0].at * RATE)], RATE)
        cut = ends[0].ended < whole.seconds - 0.3
        words = "“Set a timer for …”" if cut else "“Set a timer for … ten minutes.”"
        grey = "var(--line)"
        drawn = made.wave(
            sound,
            f"With a wait of {wait * 1000:.0f} ms the assistant hears {words}",
            parts=[(0, ends[0].ended, made.HEAR), (ends[0].ended, sound.seconds, grey)],
            spans=[(ends[0].ended, ends[0].at, f"{wait * 1000:.0f} ms")],
            tall=170,
        )
        right = made.LEFT + heard.seconds / sound.seconds * (made.RIGHT - made.LEFT)
        return self.playing(
            drawn,
            f"cut_{how}",
            heard,
            words,
            right=right,
            small="what it heard" if cut else "what it heard: all of it",
        )

    def make_gap(self, silence: str) -> str:
        """A question, and its answer after so many seconds."""
        question = recording("question_latency").audio()
        answer = self.spoken(ANSWER)
        pause = float(silence)
        samples = [question.samples, np.zeros(round(pause * RATE), np.float32), answer.samples]
        audio = Audio(np.concatenate(samples), RATE)
        words = f"“Why is latency important?” “{ANSWER}”"
        drawn = made.gap(
            question.seconds, pause, answer.seconds, f"The answer comes after {silence} s", audio
        )
        return self.playing(
            drawn,
            f"gap_{silence.replace('.', '_')}",
            audio,
            words,
            right=made.LEFT + audio.seconds / made.LONGEST * (made.RIGHT - made.LEFT),
            row=True,
        )

    def make_written(self, whom: str) -> str:
        """The same answer, written for the eye or for the ear."""
        text = EYE if whom == "eye" else EAR
        audio = self.spoken(aloud(text))
        lines = escape(text).replace("\n\n", "<br>").replace("\n", "<br>")
        words = f"{audio.seconds:.0f} s to listen to"
        return f'<blockquote class="{whom}">{lines}</blockquote>' + self.playing(
            "", f"for_the_{whom}", audio, words
        )

    def make_mood(self, mood: str) -> str:
        """The same words with another melody and pace."""
        pitch, swing, pace = MOODS[mood]
        audio = self.spoken("Oh, you are early today.", pitch=pitch, swing=swing, pace=pace)
        drawn = made.wave(
            audio,
            f"The wave of “Oh, you are early today.”, {mood}, {audio.seconds:.1f} s",
            tall=110,
        )
        return self.playing(
            drawn, f"mood_{mood}", audio, "“Oh, you are early today.”", small=mood, row=True
        )

    # From the recorded conversation

    def make_waterfall(self, turn: str) -> str:
        """Where the time of a recorded turn went, with its sound."""
        times = so_far(int(turn), self.events)
        bars = as_bars(times, self.events, Settings())
        drawn, start, end = made.waterfall(bars, LABELS)
        zero = times.ended or 0.0
        spoke = min(bar.start for bar in times.bars) - 0.25
        last = max(bar.end for bar in times.bars)
        sound = self.stretch(spoke, min(last + 0.2, (times.first_sound or zero) + 3.5))
        first = (times.first_sound or zero) - spoke
        moments = [(0.0, "listening"), (zero - spoke, "thinking"), (first, "speaking")]
        return self.playing(
            drawn,
            f"turn_{turn}",
            sound,
            f"“{times.heard.capitalize()}?” “{first_sentence(times)}”",
            left=520.0,
            start=zero + start - spoke,
            end=zero + end - spoke,
            moments=moments,
        )

    def make_lanes(self, start: str, end: str) -> str:
        """A stretch of the recorded conversation: who spoke when, and what was decided."""
        a, b = float(start), float(end)
        yours, its, marks = (
            list[tuple[float, float, str]](),
            list[tuple[float, float, str]](),
            list[tuple[float, str]](),
        )
        opened: dict[int, float] = {}
        said = {e.turn: e.said_heard for e in self.events if isinstance(e, TurnFinished)}
        began, heard = None, ""
        moments: list[tuple[float, str]] = [(0.0, "idle")]
        for event in self.events:
            at, kind = getattr(event, "at", 0.0), type(event).__name__
            if at > b:
                break
            if kind == "SpeechStarted" and began is None:
                began = at
                moments.append((at - a, "listening"))
            elif kind == "Transcribed":
                heard = event.transcript.text
            elif kind == "TurnEnded" and began is not None:
                yours.append((began - a, event.ended - a, f"“{heard}”"))
                began = None
                moments.append((event.ended - a, "thinking"))
            elif kind in ("PlaybackStarted", "PlaybackResumed"):
                opened[event.turn] = at
                moments.append((at - a, "speaking"))
                if kind == "PlaybackResumed":
                    marks.append((at - a, "goes on"))
            elif kind in ("PlaybackPaused", "Interrupted", "TurnFinished"):
                if event.turn in opened:
                    its.append((opened.pop(event.turn) - a, at - a, said.get(event.turn, "")))
                if kind == "PlaybackPaused" and at > a:
                    marks.append((at - a, "pauses"))
                if kind == "Interrupted" and at > a:
                    marks.append((at - a, "stops"))
        its += [(at - a, b - a, said.get(turn, "")) for turn, at in opened.items()]
        yours, its = within(yours, b - a), within(its, b - a)
        shown = [words for _, _, words in its]  # each of them once, where it begins
        its = [(s, e, "…" if w in shown[:n] else w) for n, (s, e, w) in enumerate(its)]
        marks = [mark for mark in marks if mark[0] > 0]
        words = "; ".join(
            [f"you say {w} from {s:.1f} to {e:.1f} s" for s, e, w in yours]
            + [f"the assistant speaks from {s:.1f} to {e:.1f} s" for s, e, _ in its]
            + [f"it {what} at {at:.1f} s" for at, what in marks]
        )
        drawn = made.lanes(yours, its, marks, b - a, f"A recorded conversation: {words}")
        both = [*yours, *((s, e, f"“{as_caption(w)}”") for s, e, w in its if w != "…")]
        spoken = " ".join(w for _, _, w in sorted(both))
        return self.playing(
            drawn,
            f"lanes_{start}".replace(".", "_"),
            self.stretch(a, b),
            spoken,
            small="recorded",
            moments=[m for m in moments if m[0] >= 0],
        )

    def make_heard(self, turn: str) -> str:
        """What was said and what was heard of it, in an interrupted turn."""
        (done,) = [e for e in self.events if isinstance(e, TurnFinished) and e.turn == int(turn)]
        kept, lost = done.said_heard, done.said.removeprefix(done.said_heard)
        if not done.interrupted or kept == lost:
            raise SlideError(f"Turn {turn} of the recording was not interrupted.")
        return (
            f'<p class="memory"><span class="kept">{escape(kept)}</span> '
            f'<span class="lost">{escape(lost.strip())}</span></p>'
        )

    def make_routes(self) -> str:
        """Which way the questions of the recording went."""
        heard = {e.turn: e.heard for e in self.events if isinstance(e, TurnFinished)}
        rows = {
            heard[e.turn]: e.route for e in self.events if isinstance(e, Routed) and e.turn in heard
        }
        shown = list(rows.items())[:1] + [i for i in rows.items() if i[1].kind != "chat"]
        cells = "".join(
            f"<tr><td>“{escape(words)}”</td><td class={route.kind}>{route.kind}</td>"
            f"<td>{made.percent(route.confidence)}</td></tr>"
            for words, route in shown[:4]
        )
        return (
            "<table><thead><tr><th>heard</th><th>way</th><th>how sure</th></tr></thead>"
            f"<tbody>{cells}</tbody></table>"
        )

    # Measured now, or said elsewhere in the repository

    def make_frontier(self) -> str:
        """Waits tried on all questions and commands, each with and without a pause."""
        rng = np.random.default_rng(7)
        chosen = [c for c in clips() if c.kind in ("question", "command") and c.seconds > 1]
        plain = [Recording(c.name, c.text, c.audio()) for c in chosen]
        paused = [Recording(f"{c.name}, paused", c.text, thoughtful(c.audio, rng)) for c in plain]
        turns, _ = as_turns([*plain, *paused], self.detector, None, after=2.0)
        curve = []
        for wait in (0.2, 0.4, 0.6, 0.8, 1.0, 1.3):
            found = score(turns, Settings().hear.model_copy(update={"stop": wait}))
            curve.append((wait, float(found.share), float(found.added)))
        told = "; ".join(f"{w * 1000:.0f} ms: {made.percent(s)} cut off" for w, s, _ in curve)
        drawn = made.frontier(curve, f"The longer the wait, the fewer are cut off. {told}")
        return (
            f"<figure>{drawn}<figcaption>{len(turns)} turns of the kit’s sounds, every second with "
            "a pause of 0.3 to 1.2 s in it</figcaption></figure>"
        )

    def make_mel(self, name: str) -> str:
        """A recording as a recogniser sees it."""
        from matplotlib.image import imsave

        one = recording(name)
        samples = np.pad(one.audio().samples, 200)
        pieces = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160]
        power = np.abs(np.fft.rfft(pieces * np.hanning(400))) ** 2
        logs = np.log10(np.maximum(power @ mel_bands().T, 1e-10)).T
        picture = np.maximum(logs, logs.max() - 6)[::-1]
        imsave(
            self.folder / "sounds" / f"{name}_mel.png",
            np.kron(picture, np.ones((6, 8))),
            cmap="magma",
        )
        alt = (
            f"“{one.text}” as 80 bands of pitch over {one.seconds:.1f} s: stripes below where "
            "there is voice, clouds above where it hisses"
        )
        drawn = f'<img class="mel" src="sounds/{name}_mel.png" alt="{escape(alt, quote=True)}">'
        return self.playing(
            drawn,
            name,
            one.audio(),
            f"“{one.text}”",
            small="from left to right time, from low to high pitch",
        )

    def make_peers(self) -> str:
        """The README's comparison."""
        rows = table_with(ROOT / "README.md", "pipecat")
        values = [(re.sub(r" \d[\w.]*$", "", row[0]), float(row[1])) for row in rows]
        told = "; ".join(f"{name} {value:g} ms" for name, value in values)
        drawn = made.compared(values, "ms", f"From the last word to the first sound: {told}")
        return f"<figure>{drawn}</figure>"

    def make_sizing(self, *labels: str) -> str:
        """Some rows of SIZING.md."""
        rows = table_with(
            ROOT / "voice_kit" / "serve" / "deploy" / "SIZING.md", "turns a second", whole=True
        )
        wanted = [label.replace("_", " ") for label in labels]
        found = [row for row in rows if row[0] in wanted]
        if len(found) != len(wanted):
            raise SlideError(f"SIZING.md has no longer all of: {', '.join(wanted)}.")
        found = [[CALLED.get(row[0], row[0]), *row[1:]] for row in found]
        heads = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in [rows[1], *found]
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"

    def make_qr(self) -> str:
        """The repository's address, to be photographed."""
        if not self.repository:
            return (
                '<p class="address">Where is it? Say <code>make slides REPOSITORY=https://…</code> '
                "and it stands here.</p>"
            )
        import segno

        drawn = segno.make(self.repository, error="m", micro=False).svg_inline(
            scale=10,
            border=2,
            omitsize=True,
            svgclass=None,
            lineclass=None,
            dark="#16202b",
            light="#fff",
        )
        label = escape(f"QR code: {self.repository}", quote=True)
        drawn = drawn.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
        shown = escape(self.repository.removeprefix("https://"))
        return f'<figure class="qr">{drawn}<figcaption>{shown}</figcaption></figure>'

    # Parts

    def playing(self, drawn: str, name: str, audio: Audio, words: str, **more: Any) -> str:
        """The frame around a sound, which is written down."""
        (self.folder / "sounds" / f"{name}.wav").write_bytes(to_wav(convert(audio, RATE)))
        more = {"end": audio.seconds} | more
        return made.clip(drawn, f"sounds/{name}.wav", words, **more)

    @cached_property
    def detector(self) -> Any:
        """Silero, as the notebooks use it."""
        return engines.make("vad", "silero", Settings())

    @cached_property
    def voice(self) -> Any:
        """The embedded voice."""
        return engines.make("tts", "espeak", Settings())

    def spoken(self, text: str, pitch: int = 50, swing: int = 50, pace: float = 1.0) -> Audio:
        """The text in the embedded voice, 16 kHz."""
        import espeakng_loader

        self.voice.speed = pace
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        for parameter, value in ((3, pitch), (4, swing)):
            library.espeak_SetParameter(parameter, value, 0)
        parts = [speech.audio for speech in self.voice.speak(text)]
        for parameter in (3, 4):
            library.espeak_SetParameter(parameter, 50, 0)
        self.voice.speed = 1.0
        return convert(Audio(np.concatenate([part.samples for part in parts]), parts[0].rate), RATE)

    @cached_property
    def events(self) -> list[Event]:
        """What happened in the recorded conversation."""
        lines = (RECORDED / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for line in lines if (event := event_of(json.loads(line))) is not None]

    @cached_property
    def conversation(self) -> Audio:
        """How it sounded."""
        return convert(read(RECORDED / "conversation.ogg"), RATE)

    def stretch(self, start: float, end: float) -> Audio:
        """A part of it."""
        first = max(0, round(start * RATE))
        return Audio(self.conversation.samples[first : round(end * RATE)], RATE)


def as_caption(said: str) -> str:
    """The beginning of what was said, to be read beside its sound."""
    first, _, rest = said.partition(". ")
    return f"{first}. …" if rest else said


def first_sentence(turn: TurnTimes) -> str:
    """What was heard of an answer, as far as its first full stop."""
    first, stop, _ = turn.said_heard.partition(".")
    return first + (stop or " …")


def within(spans: list[tuple[float, float, str]], length: float) -> list[tuple[float, float, str]]:
    """What of these stretches lies between 0 and a length."""
    return [(max(0.0, s), min(length, e), w) for s, e, w in spans if e > 0 and s < length]


def thoughtful(audio: Audio, rng: np.random.Generator) -> Audio:
    """The same with a pause, where it is quietest in the middle."""
    third = len(audio.samples) // 3
    middle = audio.samples[third : 2 * third]
    blocks = middle[: len(middle) // 160 * 160].reshape(-1, 160)
    cut = third + 160 * int(np.argmin(np.sum(blocks**2, axis=1)))
    pause = rng.normal(0, 1e-4, int(rng.uniform(0.3, 1.2) * RATE)).astype(np.float32)
    return Audio(np.concatenate([audio.samples[:cut], pause, audio.samples[cut:]]), RATE)


@cache
def mel_bands(count: int = 80) -> np.ndarray:
    """How much of each of 201 frequencies goes into each band."""
    top = 2595 * np.log10(1 + 8000 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, count + 2) / 2595) - 1)
    pitch = np.fft.rfftfreq(400, 1 / RATE)
    up = (pitch - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - pitch) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(up, down))


def table_with(path: Path, start: str, *, whole: bool = False) -> list[list[str]]:
    """The rows of the table in which one begins so; with its head if the `whole` is asked for."""
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()
        ]
        if any(row[0].startswith(start) for row in rows):
            return [rows[0], *rows[2:]] if whole else rows[2:]
    raise SlideError(
        f"{path.name} has no longer a table with a row “{start} …”: look into slides/."
    )
