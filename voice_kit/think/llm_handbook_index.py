"""Finds the way of asking that is nearest to a question, in words and in letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_FRAME = """
    a about actually also always an and any anything are as at be between by can could did
    difference do does er even ever exactly example examples explain for from get give had
    happen happens has have hello hey hi how i id if im important in instead is it its ive just
    kind know let lets like matter matters may me mean meaning means might much my need now of
    ok okay on one only or other others please point quite really say shall should show so some
    something sort still tell than that the them then there these thing things this those to
    today too uh um us use used useful very want was we well what whats when where which who why
    will with wo work works would you your youre
"""
FRAME_WORDS = frozenset(_FRAME.split())
"""Words that frame a question without saying what it is about."""

_ALIKE = """
    answer reply replies respond response
    fast quick speed
    speak talk
    finished done over complete
    end stop
    start begin beginning
    people humans person
    large big bigger huge
    small little tiny shrink
    picture chart plot draw diagram
    mistake error
    remember memory forget
    pronounce pronunciation
    interrupt interruption
    choose select pick
    change switch
    understand understood
    recogniser recognizer recognition recognise recognize
    quantisation quantization quantise quantize
    diarisation diarization
    setup install
    notebook lesson
    loud loudness volume
    delay latency slow
    hallucinate hallucination
    recommend suggest
    laptop computer machine
    hear here
    loudspeaker speaker
"""
"""Words that ask for the same thing here: all of a row count as its first one."""

FRAME_WEIGHT = 0.2
MENTIONS = 0.35  # of the score; the rest is likeness to the nearest way to ask
TITLE = 0.1
WORD_WEIGHT = 2.5  # a shared word is better evidence than the same letters in two other words
WORD = " "  # ends the name of a feature that is a word, not a run of letters
NOWHERE = np.array([], np.intp)
SHORTEST_JOINED = 7  # letters; “in to” and “for get” may well be two words
SPELT = re.compile(r"\b(?:a i|[^\W_ai](?: \w)+)\b")
"""A word that is spelt, “g p u”; an “a” or “I” before it is not one of its letters."""
ENDINGS = ("ations", "ation", "ing", "ers", "ies", "er", "es", "ed", "s", "e", "y")


class Index:
    """Compares questions with ways to ask, by TF-IDF over words and runs of three letters.

    The letters are taken across the gaps between words, so “barge inn”, “text two speech” and
    “paper mill”, as a recogniser may write them, stay near to what was meant.
    """

    def __init__(self, asks: Sequence[Sequence[str]], texts: Sequence[str]) -> None:
        """`asks[i]` are the ways to ask for entry i, its title first; `texts[i]` its answer."""
        self._entries = len(asks)
        self._ids: dict[str, int] = {}
        features: list[int] = []
        phrases: list[int] = []
        counts: list[float] = []
        entry_of: list[int] = []
        mentions: dict[str, set[int]] = {}
        for entry, (ways, text) in enumerate(zip(asks, texts, strict=True)):
            for way in ways:
                found = _features(words(way))
                features += [self._ids.setdefault(name, len(self._ids)) for name in found]
                counts += found.values()
                phrases += [len(entry_of)] * len(found)
                entry_of.append(entry)
                for name in found:
                    if name.endswith(WORD):
                        mentions.setdefault(name, set()).add(entry)
            for word in words(text):
                mentions.setdefault(_stem(word), set()).add(entry)
        self._mentions = {word: np.array(sorted(where)) for word, where in mentions.items()}
        self._entry_of = np.array(entry_of)
        self._titles = [frozenset(map(_stem, about(words(ways[0])))) for ways in asks]

        feature_of, phrase_of = np.array(features), np.array(phrases)
        in_entries = np.unique(feature_of * self._entries + self._entry_of[phrase_of])
        spread = np.bincount(in_entries // self._entries, minlength=len(self._ids))
        self._rarity = np.log((self._entries + 1) / (spread + 0.5))
        self._unseen = float(np.log((self._entries + 1) / 0.5))

        weights = np.array(counts) * self._rarity[feature_of]
        lengths = np.sqrt(np.bincount(phrase_of, weights**2))
        order = np.argsort(feature_of, kind="stable")
        self._phrase_of = phrase_of[order]
        self._weights = (weights / lengths[phrase_of])[order]
        self._begin = np.searchsorted(feature_of[order], np.arange(len(self._ids) + 1))

    def nearness(self, question: str) -> NDArray[np.float64]:
        """How near the question is to each entry, in [0, 1].

        That is how alike its nearest way to ask is, and how much of the question it mentions,
        and a little more if the question has its whole title.
        """
        scores, mentioned = np.zeros(len(self._entry_of)), np.zeros(self._entries)
        length = asked = 1e-9
        features = _features(self._whole(words(question)))
        for feature, count in features.items():
            known = self._ids.get(feature)
            weight = count * (self._unseen if known is None else float(self._rarity[known]))
            length += weight**2
            if feature.endswith(WORD):
                asked += weight**2
                mentioned[self._mentions.get(feature, NOWHERE)] += weight**2
            if known is not None:
                here = slice(self._begin[known], self._begin[known + 1])
                scores[self._phrase_of[here]] += weight * self._weights[here]
        best = np.zeros(self._entries)
        np.maximum.at(best, self._entry_of, scores)
        nearness: NDArray[np.float64] = (1 - MENTIONS) * best / length**0.5
        nearness += MENTIONS * mentioned / asked
        nearness += TITLE * np.array([title <= features.keys() for title in self._titles])
        return np.minimum(nearness, 1.0)

    def knows_the_words(self, question: str) -> bool:
        """Whether every word that says what it is about occurs in some entry."""
        return all(_stem(word) in self._mentions for word in about(words(question)))

    def _whole(self, heard: Sequence[str]) -> list[str]:
        """The words, with those joined that are one word here: “paper mill” is papermill."""
        whole: list[str] = []
        for word in heard:
            joined = whole[-1] + word if whole else ""
            if len(joined) >= SHORTEST_JOINED and _stem(joined) in self._ids:
                whole[-1] = joined
            else:
                whole.append(word)
        return whole


def words(text: str) -> list[str]:
    """The words of a text in small letters, plain; “isn’t” is two of them, is and not."""
    plain = text.lower().replace("’", "'").replace("can't", "can not").replace("cannot", "can not")
    plain = plain.replace("n't", " not").replace("'", "").replace(".", "")
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    return re.findall(r"[a-z0-9]+", SPELT.sub(lambda run: run[0].replace(" ", ""), plain))


def about(every: Sequence[str]) -> list[str]:
    """The words that say what a question is about; all of its words when none does."""
    return [word for word in every if word not in FRAME_WORDS] or list(every)


def _features(every: Sequence[str]) -> dict[str, float]:
    """Each word and run of three letters of a text, with its weight. A word is its `_stem`."""
    subject = about(every)
    found = dict.fromkeys(map(_stem, every), WORD_WEIGHT * FRAME_WEIGHT)
    found |= dict.fromkeys(map(_stem, subject), WORD_WEIGHT)
    letters = f"_{''.join(subject)}_"
    return found | dict.fromkeys([letters[i : i + 3] for i in range(len(letters) - 2)], 1.0)


@lru_cache(maxsize=4096)
def _stem(word: str) -> str:
    """A word without its ending, marked as a word: “resampling” and “resampled” are one."""
    bare = _bare(word)
    return ALIKE.get(bare, bare) + WORD


def _bare(word: str) -> str:
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


ALIKE = {_bare(word): _bare(row.split()[0]) for row in _ALIKE.splitlines() for word in row.split()}
