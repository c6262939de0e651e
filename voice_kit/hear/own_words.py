"""Whether what someone says while we speak is reason enough to stop: not if it is an echo of us."""

from voice_kit.hear.backchannels import is_backchannel, words
from voice_kit.types import Transcript

LAST = 8
"""Words of ours that may still come back: about 3 s of them."""


def is_evidence(heard: Transcript, said: str) -> bool:
    """Whether these words are meant to interrupt us, who have just said so much.

    Words of which each is among our last ones are taken for our own, come back by the microphone.
    Whoever says them on purpose goes on for half a second, which stops us all the same.
    """
    ours = set(words(heard)) <= set(words(Transcript(said))[-LAST:])
    return heard.confident and not ours and not is_backchannel(heard.text, heard.language)
