"""Figures of what the scripts saw: medians, ratios, cut-offs. Knows no peer and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from voice_kit.workshop.peers.plan import BY_HAND, OURS, TTS
from voice_kit.workshop.peers.scenes import Asked
from voice_kit.workshop.peers.stage import GAP

Row = dict[str, Any]
SECOND = TTS + GAP
"""Seconds that the second sentence of an answer takes."""
SLACK = 0.001
"""Seconds: an event may be noted a moment before it is due."""


def turn_rows(events: Sequence[Row], turns: Sequence[Asked], engines: float) -> list[Row]:
    """A row for each turn: how fast its answer was, or that it came too early, or never.

    `engines` is how many seconds the stub engines take together.
    """
    rows: list[Row] = []
    for turn in turns:
        mine = [event for event in events if turn.start <= event["at"] < turn.until]
        sounded = _times(mine, "sounded")
        after = [at for at in sounded if at >= turn.end - SLACK]
        due = [event["due"] for event in mine if event["at"] in after[:1] and "due" in event]
        decided = [at for at in _times(mine, "decided") if at >= turn.end - SLACK]
        early = any(at < turn.end - SLACK for at in sounded)
        worked = sum(event["seconds"] for event in mine if event["event"] == "worked")
        good = not early and bool(after)
        rows.append(
            {
                "set": turn.set,
                "early": early,
                "silent": not sounded,
                "in_vain": max(0, len(_times(mine, "began")) - len(sounded)),
                "abandoned": len(_times(mine, "abandoned")),
                "wasted": max(0.0, worked - len(sounded) * (engines + SECOND)),
                "voice_to_voice": after[0] - turn.end if good else None,
                "decided": decided[0] - turn.end if decided else None,
                "added": after[0] - decided[0] - engines if good and decided else None,
                "late": after[0] - due[0] if good and due else None,
            }
        )
    return rows


def stop_rows(events: Sequence[Row], turns: Sequence[Asked]) -> list[Row]:
    """A row for each question that interrupts the answer to the one before it."""
    rows: list[Row] = []
    for turn in turns[1:]:
        mine = [event for event in events if turn.start <= event["at"] < turn.until]
        silent = _times(mine, "silent")
        stopped, for_good = _times(mine, "stopped"), _times(mine, "interrupted for good")
        heard = [at for at in _times(mine, "interrupted") if silent and at <= silent[0]]
        rows.append(
            {
                "onset_to_silence": silent[0] - turn.start if silent else None,
                "decision_to_silence": silent[0] - heard[-1] if heard else None,
                "onset_to_stopped": stopped[0] - turn.start if stopped else None,
                "decision_to_stopped": stopped[0] - for_good[-1] if for_good else None,
            }
        )
    return rows


def spread(values: Iterable[float | None]) -> dict[str, float] | None:
    """Median, 95th and 99th percentile in milliseconds, and how many; None of nothing."""
    known = [value * 1000 for value in values if value is not None]
    if not known:
        return None
    p50, p95, p99 = np.percentile(known, [50, 95, 99])
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "n": len(known)}


def figures(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The tables, by name; each line says whose it is, and compares with the others in it."""
    turns = _grouped([row for row in rows if row["measure"] == "turns"], "set", "peer", "way")
    speed = [
        {
            "set": name,
            "peer": peer,
            "way": way,
            **(spread(row["voice_to_voice"] for row in of) or {}),
            "decides_after": (spread(row["decided"] for row in of) or {}).get("p50"),
            "turns": len(of),
            "too_early": sum(row["early"] for row in of),
            "unanswered": sum(row["silent"] for row in of),
            "begun_in_vain": sum(row["in_vain"] for row in of),
            "wasted_ms": 1000 * sum(row["wasted"] for row in of) / len(of),
        }
        for (name, peer, way), of in turns.items()
        if way != "plain"
    ]
    for name in {line["set"] for line in speed}:
        _compare([line for line in speed if line["set"] == name], "p50")

    added = [
        {"peer": peer, "way": way, **(spread(row["added"] for row in of) or {})}
        for (_, peer, way), of in turns.items()
        if way == "plain"
    ]
    _compare(added, "p50")

    stops: list[Row] = []
    halts = _grouped([row for row in rows if row["measure"] == "stops"], "peer", "way")
    for (peer, way), of in halts.items():
        decision = spread(row["decision_to_silence"] for row in of) or {}
        onset = spread(row["onset_to_silence"] for row in of) or {}
        stops.append(
            {
                "peer": peer,
                "way": way,
                **decision,
                "onset_p50": onset.get("p50"),
                "never": sum(row["onset_to_silence"] is None for row in of),
            }
        )
    _compare(stops, "p50")

    load = [
        {
            key: row[key]
            for key in ("peer", "way", "cpu_ms", "mb", "conversations", "answers", "load_average")
        }
        for row in rows
        if row["measure"] == "load"
    ]
    _compare(load, "cpu_ms")
    return {"speed": speed, "added": added, "stops": stops, "load": load}


def best_peer(lines: Sequence[Row], key: str = "p50") -> Row | None:
    """The fastest line that is neither ours nor written by hand."""
    peers = [line for line in lines if line["peer"] not in (OURS, BY_HAND) and line.get(key)]
    return min(peers, key=lambda line: float(line[key])) if peers else None


def _compare(lines: Sequence[Row], key: str) -> None:
    """Add to each line how it stands to ours, to the best peer and to the loop by hand."""
    ours = [line[key] for line in lines if line["peer"] == OURS and line.get(key)]
    hand = [line[key] for line in lines if line["peer"] == BY_HAND and line.get(key)]
    best = best_peer(lines, key)
    for line in lines:
        own = line.get(key)
        line["to_best_peer"] = own / best[key] if own and best else None
        line["to_by_hand"] = own / min(hand) if own and hand else None
        line["to_ours"] = own / min(ours) if own and ours else None


def _grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[str, ...], list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(str(row[key]) for key in keys), []).append(row)
    return groups


def _times(events: Iterable[Row], name: str) -> list[float]:
    return [float(event["at"]) for event in events if event["event"] == name]
