"""Whether what someone says while we speak is meant for us: not if it is an echo of us."""

from voice_kit.hear.backchannels import is_backchannel, words
from voice_kit.types import Transcript

FEW = 2
"""Words of a question of ours that nobody has to hear to answer it."""
LAST = 8
"""Words of ours that may still come back: about 3 s of them."""


def wants_us(heard: Transcript, said: str, *, asked: bool = False) -> bool:
    """Whether who says this while we speak, and have just said so much, wants anything of us.

    Not so without words, with small ones that mean “go on”, though these are an answer where we
    have `asked`; nor where each word is among our last ones: those are taken for our own, come
    back by the microphone. Whoever says them on purpose goes on for half a second, which stops us
    all the same.
    """
    small = not asked and is_backchannel(heard.text, heard.language)
    ours = set(words(heard)) <= set(words(Transcript(said))[-LAST:])
    return not (small or ours)
