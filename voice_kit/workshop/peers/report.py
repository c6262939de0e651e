"""What people read of a comparison: the settings, the tables, and a claim looked into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voice_kit.workshop.peers.plan import EAGER, LLM, OURS, STOP, STT, TTS
from voice_kit.workshop.peers.scenes import PAUSES, SETS
from voice_kit.workshop.peers.table import Row, best_peer

CLAIM = "<200 ms end-to-end for local deployment"


def text(tables: Mapping[str, Sequence[Row]]) -> str:
    """The tables as people read them. “× peer” is ours ÷ the best peer's, “× hand” a line's own
    figure ÷ the hand-written loop's. “in vain” counts answers that were begun and not heard;
    “wasted” is how many milliseconds of the engines' work were thrown away, a turn."""
    lines: list[str] = []
    for name, about in SETS.items():
        of = [line for line in tables["speed"] if line["set"] == name]
        if of:
            lines += [
                f"Voice to voice, {about} (ms)",
                _head("decides early unanswered in vain  wasted"),
            ]
            for line in of:
                lines.append(
                    _line(line)
                    + f"{_ms(line['decides_after'])}{line['too_early']:>4}/{line['turns']:<3}"
                    f"{line['unanswered']:>8}{line['begun_in_vain']:>9}{line['wasted_ms']:>8.0f}"
                )
            lines += [verdict(of), ""]
    lines += ["Added after the end of a turn, with nothing begun early (ms)", _head("")]
    lines += [_line(line) for line in tables["added"]]
    lines += ["", "From the frame that decides to silence, when interrupted (ms)"]
    lines += [_head("speech start → silence   never")]
    for line in tables["stops"]:
        lines.append(_line(line) + f"{_ms(line['onset_p50'])}{line['never']:>24}")
    if tables["load"]:
        lines += ["", "Many conversations in one process, real Silero"]
        lines.append(f"{'':<26}{'CPU ms/s':>9}{'MB each':>9}{'answers':>9}{'÷ ours':>9}{'load':>7}")
        for line in tables["load"]:
            name = _name(line)
            lines.append(
                f"{name:<26}{line['cpu_ms']:>9.1f}{line['mb']:>9.1f}{line['answers']:>9}"
                f"{_ratio(line.get('to_ours'))}{line['load_average']:>7.1f}"
            )
    return "\n".join(lines)


def verdict(of: Sequence[Row]) -> str:
    """How we stand to the fastest peer, and to the fastest that uses the same transcriber."""
    ours = next((line for line in of if (line["peer"], line["way"]) == (OURS, "early")), None)
    any_way = best_peer(of)
    alike = best_peer([line for line in of if line["way"] == "early"])
    if ours is None or not ours.get("p50") or any_way is None:
        return "Nobody to compare with."
    said = f"voice-kit ÷ {_name(any_way)}: {ours['p50'] / any_way['p50']:.2f}"
    if alike is not None and alike is not any_way:
        said += f"; ÷ {_name(alike)}, whose transcriber does not end turns itself: "
        said += f"{ours['p50'] / alike['p50']:.2f}"
    return said


def claim(tables: Mapping[str, Sequence[Row]]) -> str:
    """A headline of “under 200 ms”, beside what it would have to contain."""
    ours = [line for line in tables["speed"] if line["peer"] == OURS and line["way"] == "early"]
    whole = next((line for line in ours if line["set"] == "whole" and line.get("p50")), None)
    if whole is None or whole["decides_after"] is None:
        return ""
    parts = {
        "waiting until the turn is over": whole["decides_after"],
        "speech to text": STT * 1000,
        "first token": LLM * 1000,
        "first sentence, from its first token to its last": 0.0,
        "text to speech": TTS * 1000,
        "the loudspeaker": 0.0,
    }
    notes = {
        "first sentence, from its first token to its last": "  (10 tokens of a fast model: 100)",
        "the loudspeaker": "  (a sound card: 10 to 40, Bluetooth: 150 and more)",
    }
    lines = [f"SPT Assistant says “{CLAIM}”. From the last sample of speech to the first of the"]
    lines.append("answer, with the engines of this bench, that is (ms):")
    lines += [f"  {name:<50}{ms:>6.0f}{notes.get(name, '')}" for name, ms in parts.items()]
    lines.append(f"  {'one after the other':<50}{sum(parts.values()):>6.0f}")
    lines.append(f"  {'ours, begun early':<50}{whole['p50']:>6.0f}")
    lines.append("Below 200 ms there is no room for the wait: such a figure leaves it out, or the")
    lines.append("assistant answers in people's pauses.")
    return "\n".join(lines)


def settings(found: Mapping[str, Any]) -> str:
    """Under what conditions it was measured, in two lines or more."""
    machine = found["machine"]
    lines = [
        f"Engines {STT * 1000:.0f} + {LLM * 1000:.0f} + {TTS * 1000:.0f} ms, an answer may begin "
        f"after {EAGER * 1000:.0f} ms of quiet, a turn ends after {STOP * 1000:.0f} ms; one "
        f"network (silero_vad.onnx), threshold 0.5; pauses of {PAUSES[0] * 1000:.0f} to "
        f"{PAUSES[-1] * 1000:.0f} ms; Python {machine['python']}, {machine['cores']} cores, load "
        f"{machine['load_average']:.1f}.",
    ]
    for name, about in found["runners"].items():
        versions = ", ".join(f"{key} {value}" for key, value in about["versions"].items())
        lines.append(f"  {name:<24} {about['settings']} ({versions})")
    return "\n".join(lines)


def _head(more: str) -> str:
    names = ("p50", "p95", "p99")
    return (
        f"{'':<26}"
        + "".join(f"{name:>8}" for name in names)
        + (f"{'n':>5}{'÷ peer':>9}{'÷ hand':>9}  {more}")
    )


def _line(line: Row) -> str:
    name = _name(line)
    cells = "".join(_ms(line.get(key)) for key in ("p50", "p95", "p99"))
    return (
        f"{name:<26}{cells}{line.get('n', 0):>5}"
        f"{_ratio(line['to_best_peer'])}{_ratio(line['to_by_hand'])}"
    )


def _ms(value: float | None) -> str:
    if value is None:
        return f"{'–':>8}"
    return f"{value:>8.2f}" if abs(value) < 10 else f"{value:>8.0f}"


def _ratio(value: float | None) -> str:
    return f"{'–':>9}" if value is None else f"{value:>9.2f}"


def _name(line: Row) -> str:
    return f"{line['peer']}, {line['way']}"
