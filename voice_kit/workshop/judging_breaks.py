"""Breaks recordings off after every word, where an aligner made of PocketSphinx finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from voice_kit.types import RATE, Samples
from voice_kit.workshop.lab_sounds import NEAR, Recording, faded, quietest

Aligner = Callable[[Samples, str], list[tuple[float, float]]]
"""Finds the seconds at which each word of a text begins and ends in its sound."""

PAUSE = 0.15
"""Seconds of quiet between words that are a pause of the speaker's own."""
SPELLED = {
    "aligner": "AH L AY N ER",
    "counselled": "K AW N S AH L D",
    "quilter's": "K W IH L T ER Z",
    "woodcutters": "W UH D K AH T ER Z",
}
"""What people say in our recordings, and PocketSphinx's dictionary lacks."""


def beginnings(recording: Recording, align: Aligner) -> Iterator[tuple[Samples, bool]]:
    """The sound up to each word, and whether that is all. A text with marks but none at its end
    is no whole sentence."""
    samples = recording.audio.samples
    for (_, end), (start, _) in pairwise(align(samples, recording.text)):
        if start - end >= PAUSE:
            yield samples[: round((end + min(PAUSE, (start - end) / 2)) * RATE)], False
        else:
            middle = (end + start) / 2
            cut = quietest(samples, middle - NEAR, middle + NEAR)
            yield faded(samples[:cut], into=False), False
    yield samples, recording.text[-1] in ".?" or not re.search(r"[,.?;:]", recording.text)


def spoken(text: str) -> list[str]:
    """The words of a text as they are looked for in its sound."""
    bare = re.sub(r"\[\w+\]", " ", text.lower()).replace("m f a", "m. f. a.")
    return re.findall(r"\b[a-z]\.|[a-z']+", bare)


def aligner() -> Aligner:
    """An aligner made of PocketSphinx."""
    from pocketsphinx import Decoder  # type: ignore[import-untyped]

    decoder = Decoder(samprate=RATE, lm=None)
    for word, phonemes in SPELLED.items():
        decoder.add_word(word, phonemes, True)
    means = decoder.get_cmn(False)

    def align(samples: Samples, text: str) -> list[tuple[float, float]]:
        decoder.set_align_text(" ".join(spoken(text)))
        decoder.set_cmn(means)
        decoder.reinit_feat()
        decoder.start_utt()
        pcm = (samples.clip(-1, 1) * 32767).astype("<i2").tobytes()
        decoder.process_raw(pcm, full_utt=True)
        decoder.end_utt()
        found = [one for one in decoder.seg() if one.word[0] not in "<["]
        return [(one.start_frame / 100, (one.end_frame + 1) / 100) for one in found]

    return align
