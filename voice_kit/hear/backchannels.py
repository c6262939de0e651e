"""The small words that say “I am listening”, not “it is my turn”."""

from __future__ import annotations

import re

from voice_kit.types import Transcript

BACKCHANNELS: dict[str, str] = {
    "en": (
        "mhm mm hm hmm mmm uh huh um ah aha oh yeah yes yep yup ok okay right sure good nice wow "
        "really i see"
    ),
    "fr": "mm hm hum euh ah oh oui ouais ok okay d'accord bien bon voilà",
    "it": "mm hm eh ah oh sì si ok okay certo bene già capito",
    "es": "mm hm eh ah oh sí si ok okay vale claro bueno ya",
    "de": "mm hm mhm äh ah oh ja jo ok okay genau gut klar stimmt aha",
}
"""After the continuers and acknowledgement tokens that Jurafsky et al. (1998) count as
backchannels, "Lexical, Prosodic, and Syntactic Cues for Dialog Acts"."""


def words(transcript: Transcript | None) -> list[str]:
    """The words alone, in lower case."""
    return re.findall(r"[\w']+", transcript.text.lower()) if transcript else []


def is_backchannel(text: str, language: str) -> bool:
    """Whether someone who says this while we speak wants us to go on."""
    known = BACKCHANNELS.get(language, BACKCHANNELS["en"]).split()
    said = words(Transcript(text))
    return bool(said) and len(said) <= 3 and all(word in known for word in said)
