"""What must hold of every conversation, whatever was said, typed, broken or slow."""

from itertools import pairwise

from voice_kit.types import (
    Abandoned,
    GateOpened,
    Interrupted,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    TurnFinished,
    TurnStarted,
)

END = Abandoned | TurnFinished


def by_turn(events):
    turns = {}
    for event in events:
        if number := getattr(event, "turn", 0):
            turns.setdefault(number, []).append(event)
    return turns


def assert_every_turn_is_whole(events):
    """It starts, opens its gate at most once, is heard only then, ends once, and time goes on."""
    for number, turn in by_turn(events).items():
        kinds = [type(event) for event in turn]
        assert isinstance(turn[0], TurnStarted), (number, kinds)
        assert isinstance(turn[-1], END), (number, kinds)
        assert sum(isinstance(event, END | TurnStarted) for event in turn) == 2, (number, kinds)
        assert kinds.count(GateOpened) <= 1, (number, kinds)
        if PlaybackStarted in kinds:
            assert GateOpened in kinds[: kinds.index(PlaybackStarted)], (number, kinds)
            assert kinds[-1] is TurnFinished, (number, kinds)
        if kinds[-1] is TurnFinished:
            assert GateOpened in kinds
        assert (Interrupted in kinds) == getattr(turn[-1], "interrupted", False), (number, kinds)
        held = [kind for kind in kinds if kind in (PlaybackPaused, PlaybackResumed)]
        assert held[::2] == [PlaybackPaused] * len(held[::2]), (number, kinds)
        assert held[1::2] == [PlaybackResumed] * len(held[1::2]), (number, kinds)
        for one, next_ in pairwise(turn):
            assert one.at <= next_.at + 1e-9, (number, one, next_)


def assert_memory_is_what_finished_turns_say(events, memory):
    said = []
    for event in events:
        if isinstance(event, TurnFinished):
            said += [("user", event.heard), ("assistant", event.said_heard)]
            assert event.said.startswith(event.said_heard), event
    assert memory == [line for line in said if line[1].strip()]


def assert_one_voice_at_a_time(speaker):
    pieces = sorted(
        (start, start + len(piece))
        for playback in speaker._playbacks
        for start, piece in playback.pieces()
    )
    assert all(one[1] <= next_[0] for one, next_ in pairwise(pieces)), pieces
