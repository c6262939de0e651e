"""The small words that say “I am listening”, not “it is my turn”, and laughter.

Laughter is known by its words. Where it goes on for `interrupt.after` seconds without a pause, it
stops an answer like any speech: what it was is known only once it is transcribed.
"""

from __future__ import annotations

import re

from voice_kit.tables import table_of
from voice_kit.types import Transcript

_KNOWN = table_of(__name__)
BACKCHANNELS: dict[str, str] = _KNOWN["words"]
LAUGHTER = re.compile(_KNOWN["laughter"], re.VERBOSE)


def words(transcript: Transcript | None) -> list[str]:
    """The words alone, in lower case, each with the apostrophe of a typewriter."""
    return re.findall(r"[\w']+", transcript.text.lower().replace("’", "'")) if transcript else []


def is_backchannel(text: str, language: str) -> bool:
    """Whether someone who says this while we speak wants us to go on, or laughs."""
    known = [*_KNOWN["sounds"].split(), *BACKCHANNELS.get(language, BACKCHANNELS["en"]).split()]
    said = words(Transcript(LAUGHTER.sub(" ", text.lower())))
    return bool(words(Transcript(text))) and len(said) <= 3 and all(word in known for word in said)
