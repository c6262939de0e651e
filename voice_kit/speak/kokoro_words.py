"""From text to Kokoro's phonemes, word by word, without a network."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_importing = threading.Lock()

_MARKS = re.compile(r"""(\s*[;:,.!?¡¿—…"«»“”(){}\[\]](?!\d)\s*)+""")
"""phonemizer's own, but for the one in "3.50", which it would speak as two sentences."""

Tokens = list[Any]
"""misaki's `MToken`s, or none when the sounds cannot be told apart by word."""

ESPEAK = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "h": "hi", "i": "it", "p": "pt-br"}
"""espeak-ng's names of Kokoro's languages. Japanese and Chinese have packages of their own."""


def phonemizer(code: str, vocabulary: frozenset[str]) -> Callable[[str], tuple[str, Tokens]]:
    """A function from text to its phonemes and its words' tokens, for one of Kokoro's languages.

    English takes misaki's dictionaries where spaCy's en_core_web_sm is installed; all else is
    espeak-ng. Nothing is downloaded: misaki would, and hangs where there is no network.
    """
    if code in "ab":
        import spacy

        if spacy.util.is_package("en_core_web_sm"):
            from misaki import en, espeak  # type: ignore[import-untyped]

            british = code == "b"
            return en.G2P(  # type: ignore[no-any-return]
                british=british, fallback=espeak.EspeakFallback(british=british), unk=""
            )
    if code == "j":
        from misaki import ja

        return _untimed(ja.JAG2P())
    if code == "z":
        from misaki import zh

        return _untimed(zh.ZHG2P())
    return EspeakWords(code, vocabulary)


class EspeakWords:
    """Phonemes from espeak-ng, as misaki spells them, in one token a word."""

    def __init__(self, code: str, vocabulary: frozenset[str]) -> None:
        from misaki import espeak
        from phonemizer.backend import EspeakBackend  # type: ignore[import-untyped]

        self._english = code in "ab"
        self._misaki = (
            espeak.EspeakFallback(british=code == "b")
            if self._english
            else espeak.EspeakG2P(language=ESPEAK[code])
        )
        self._misaki.backend = EspeakBackend(
            language=ESPEAK[code],
            preserve_punctuation=True,
            with_stress=True,
            tie="^",
            language_switch="remove-flags",
            logger=_silent(),  # its own prints to stderr
        )
        # its public way to give marks would cut at every space, and lose the liaisons
        self._misaki.backend._punctuator._marks_re = _MARKS
        self._vocabulary = vocabulary

    def __call__(self, text: str) -> tuple[str, Tokens]:
        """The phonemes of a sentence, and a token for each of its words.

        The whole sentence is spoken at once, for its reductions and liaisons; where that may give
        other words than were written ("3.50"), English goes word by word, and other languages
        have no tokens.
        """
        words = text.split()
        phonemes = self._phonemes(text)
        sounds = phonemes.split()
        as_written = len(sounds) == len(words) and all(map(_letters_only, words))
        if not as_written and not self._english:
            return phonemes, []
        if not as_written:
            sounds = [self._phonemes(word) for word in words]
        return " ".join(filter(None, sounds)), _tokens(words, sounds)

    def _phonemes(self, text: str) -> str:
        said = self._misaki(_Text(text) if self._english else text)[0] or ""
        # the model drops what it does not know, and every later time would drift
        known = "".join(filter(self._vocabulary.__contains__, said))
        return re.sub(r"\s+", " ", known).strip()


def _letters_only(word: str) -> bool:
    """Whether it surely is spoken as one word: digits are several, a dash is none."""
    return any(map(str.isalpha, word)) and not any(map(str.isdigit, word))


def _tokens(words: list[str], sounds: list[str]) -> Tokens:
    """A token for each word that sounds; a dash or a mark on its own goes with the one before.

    kokoro loses count at a token without phonemes, and every later time would be wrong.
    """
    from misaki.token import MToken  # type: ignore[import-untyped]

    spoken: list[tuple[str, str]] = []
    for word, sound in zip(words, sounds, strict=True):
        last = spoken[-1][1] if spoken else ""
        alone = any(sign.isalpha() for sign in sound) and any(sign.isalpha() for sign in last)
        if not spoken or alone:
            spoken.append((word, sound))
        else:
            spoken[-1] = f"{spoken[-1][0]} {word}", f"{last} {sound}".strip()
    return [
        MToken(text=text, tag="", whitespace=" " * (index < len(spoken)), phonemes=sound)
        for index, (text, sound) in enumerate(spoken, 1)
    ]


class _Text:
    """What misaki's fallback reads of a token."""

    def __init__(self, text: str) -> None:
        self.text = text


def _untimed(g2p: Callable[[str], tuple[str, Any]]) -> Callable[[str], tuple[str, Tokens]]:
    return lambda text: (g2p(text)[0], [])


def _silent() -> logging.Logger:
    logger = logging.Logger("phonemizer of voice_kit")  # not in the tree: nobody hears it
    logger.addHandler(logging.NullHandler())
    return logger


@contextmanager
def kokoro_quiet() -> Iterator[None]:
    """While kokoro is imported, keep it from replacing loguru's handlers for everyone.

    Only its own two calls are swallowed, so that another thread may set up its logging meanwhile.
    """
    from loguru import logger

    def unless_kokoro(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            caller = sys._getframe(1).f_globals.get("__name__")
            return None if caller == "kokoro" else function(*args, **options)

        return call

    with _importing:
        logger.remove = unless_kokoro(logger.remove)  # type: ignore[method-assign]
        logger.add = unless_kokoro(logger.add)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del logger.remove, logger.add
