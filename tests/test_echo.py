"""What the loudspeaker plays is told from somebody who speaks over it."""

import numpy as np
import pytest

from voice_kit.audio.convert import convert
from voice_kit.audio.echo import EchoGuard
from voice_kit.sounds import clip
from voice_kit.types import FRAME, RATE

OURS = ("question_token", "question_voice", "question_language_model", "free_dinner") * 2
THEIRS = ("question_vad", "command_alarm", "free_train")


def sound(names):
    pieces = [convert(clip(name).audio(), RATE).samples for name in names]
    return np.concatenate(pieces)


def passed(played, heard):
    """The share of the frames that pass, in the second half: by then it has learnt."""
    guard, count = EchoGuard(), min(len(played), len(heard)) // FRAME
    passes = []
    for at in range(count):
        place = slice(at * FRAME, (at + 1) * FRAME)
        passes.append(bool(np.any(guard.feed(heard[place], played[place]))))
    return np.array(passes[count // 2 :])


def echo(played, decibels, delay):
    late = np.concatenate([np.zeros(round(delay * RATE), np.float32), played])[: len(played)]
    return (late * 10 ** (decibels / 20)).astype(np.float32)


@pytest.mark.parametrize("decibels", [-6, -12, -20])
@pytest.mark.parametrize("delay", [0.05, 0.15, 0.25])
def test_our_own_voice_does_not_pass(decibels, delay):
    played = sound(OURS)
    assert passed(played, echo(played, decibels, delay)).mean() < 0.1


@pytest.mark.parametrize("over", [0, 6])
def test_somebody_who_speaks_over_it_passes(over):
    played = sound(OURS)
    heard = echo(played, -12, 0.1)
    theirs = sound(THEIRS)
    first = len(heard) // 2 + RATE
    level = np.sqrt(np.square(heard).mean() / np.square(theirs).mean()) * 10 ** (over / 20)
    heard[first : first + len(theirs)] += (theirs * level)[: len(heard) - first]
    spoken = passed(played, heard)[RATE // FRAME :][: len(theirs) // FRAME]
    assert spoken.mean() > 0.6


def test_without_a_loudspeaker_every_frame_passes_as_it_is():
    theirs, guard = sound(THEIRS), EchoGuard()
    quiet = np.zeros(FRAME, np.float32)
    for at in range(len(theirs) // FRAME):
        frame = theirs[at * FRAME : (at + 1) * FRAME]
        assert np.array_equal(guard.feed(frame, quiet), frame)
