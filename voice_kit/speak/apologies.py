"""What is said when a stage fails: a person who only listens must not be left waiting."""

from __future__ import annotations

_APOLOGIES = {
    "en": {
        "stt": "Sorry, I could not hear that.",
        "llm": "Sorry, I could not think of an answer.",
        "tts": "Sorry, I lost my voice for a moment.",
        "": "Sorry, something went wrong.",
    },
    "fr": {
        "stt": "Désolé, je n'ai pas pu entendre.",
        "llm": "Désolé, je n'ai pas trouvé de réponse.",
        "tts": "Désolé, j'ai perdu ma voix un instant.",
        "": "Désolé, quelque chose n'a pas marché.",
    },
    "it": {
        "stt": "Scusa, non sono riuscito a sentire.",
        "llm": "Scusa, non ho trovato una risposta.",
        "tts": "Scusa, ho perso la voce per un momento.",
        "": "Scusa, qualcosa è andato storto.",
    },
    "es": {
        "stt": "Perdón, no he podido oírlo.",
        "llm": "Perdón, no he encontrado una respuesta.",
        "tts": "Perdón, me he quedado sin voz un momento.",
        "": "Perdón, algo ha salido mal.",
    },
    "de": {
        "stt": "Entschuldigung, das konnte ich nicht hören.",
        "llm": "Entschuldigung, mir ist keine Antwort eingefallen.",
        "tts": "Entschuldigung, mir hat kurz die Stimme versagt.",
        "": "Entschuldigung, da ist etwas schiefgegangen.",
    },
}

LANGUAGES = frozenset(_APOLOGIES)
"""Other languages get the English words."""


def apology(stage: str, language: str = "en") -> str:
    """A short sentence to say when `stage` failed or took too long: "stt", "llm", "tts".

    Any other stage, such as "vad", gets one that names nothing.
    """
    said = _APOLOGIES.get(language, _APOLOGIES["en"])
    return said.get(stage, said[""])
