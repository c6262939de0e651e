"""Whether what someone says while we speak is reason enough to stop: not if it is an echo of us."""

from voice_kit.hear.backchannels import is_backchannel, words
from voice_kit.types import Transcript

FEW = 2
"""Words of a question of ours that nobody has to hear to answer it."""
LAST = 8
"""Words of ours that may still come back: about 3 s of them."""


def is_evidence(heard: Transcript, said: str, *, asked: bool = False) -> bool:
    """Whether these words are meant to interrupt us, who have just said so much. What else means
    “go on” is an answer where we have `asked`.

    Words of which each is among our last ones are taken for our own, come back by the microphone.
    Whoever says them on purpose goes on for half a second, which stops us all the same.
    """
    ours = set(words(heard)) <= set(words(Transcript(said))[-LAST:])
    small = not asked and is_backchannel(heard.text, heard.language)
    return heard.confident and not ours and not small
