"""Whisper's inventions: what it writes when nobody spoke, learnt from the ends of videos."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

import numpy as np

from voice_kit.hear.detection import probabilities
from voice_kit.hear.protocols import VoiceDetector
from voice_kit.types import FRAME, RATE, Audio, Samples

Spoken = Callable[[float, float], float]
"""Seconds of speech that a voice detector heard between two times, in seconds."""

SILENT = 0.6  # this chance of no speech, and
UNSURE = -1.0  # this mean log-probability of a token, are OpenAI's own limits for Whisper
LOOPING = 2.4  # so is this: text that zlib packs so well repeats itself
FASTEST = 40.0  # characters a second of speech; hurried people measured here reach 33
SLACK = 0.3  # seconds by which Whisper misplaces the ends of a segment


class Segment(Protocol):
    """A stretch of Whisper's transcript, as faster-whisper gives it. Times in seconds."""

    @property
    def text(self) -> str:
        """What was written."""

    @property
    def start(self) -> float:
        """Where it begins."""

    @property
    def end(self) -> float:
        """Where it ends."""

    @property
    def avg_logprob(self) -> float:
        """The mean logarithm of its tokens' chances: 0 is sure."""

    @property
    def no_speech_prob(self) -> float:
        """Chance, in [0, 1], that nobody spoke."""

    @property
    def compression_ratio(self) -> float:
        """How well zlib packs it: what repeats itself packs well."""


def invented(segment: Segment, spoken: Spoken) -> bool:
    """Whether a segment was made up rather than heard.

    Looped text, text without words and text that Whisper itself doubts twice always are. Text
    that it doubts once, or that it is known to invent, is when less was spoken in its place than
    it takes to say it: whoever does say “Thank you.” is heard.
    """
    if not has_words(segment.text) or segment.compression_ratio > LOOPING:
        return True
    silent, unsure = segment.no_speech_prob > SILENT, segment.avg_logprob < UNSURE
    if silent and unsure:
        return True
    if not (silent or unsure or well_known(segment.text)):
        return False
    heard = spoken(segment.start - SLACK, segment.end + SLACK)
    return too_long_for(segment.text, heard)


def has_words(text: str) -> bool:
    """Whether anything is left besides notes such as “[Music]”, “(sighs)”, “♪” and dots."""
    return any(character.isalnum() for character in _NOTES.sub("", text))


def well_known(text: str) -> bool:
    """Whether Whisper is known to write just this when nobody spoke."""
    plain = _plain(text)
    return plain in INVENTIONS or any(credit in plain for credit in CREDITS)


def too_long_for(text: str, seconds: float) -> bool:
    """Whether nobody could say this in so many seconds of speech."""
    dense = sum(character > "\u2e80" for character in text)  # a sign of Chinese is a syllable
    return len(text.strip()) + 2 * dense > FASTEST * seconds


def spoken_in(samples: Samples, vad: Callable[[], VoiceDetector]) -> Spoken:
    """How much of a sound at 16 kHz is speech, stretch by stretch.

    The detector is asked for, and listens, only when the answer is.
    """
    frames: list[bool] = []

    def spoken(start: float, end: float) -> float:
        if not frames:
            frames.extend(probabilities(vad(), Audio(samples, RATE)) > 0.5)
        first, last = (max(0, round(time * RATE / FRAME)) for time in (start, end))
        return float(np.sum(frames[first:last])) * FRAME / RATE

    return spoken


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[\w'.]*\w", text.casefold().replace("’", "'")))


_NOTES = re.compile(r"\[[^]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|\*[^*]*\*|♪[^♪]*♪?")

CREDITS = (
    "amara.org",
    "castingwords",
    "radio canada",
    "untertitel im auftrag",
    "untertitelung des zdf",
    "untertitel von",
    "sottotitoli e revisione",
    "sottotitoli a cura",
    "subtitles by",
    "subtitled by",
    "captions by",
    "transcribed by",
    "transcription by",
    "sous titrage",
    "sous titres",
    "subtítulos por",
    "subtítulos realizados",
    "legendas pela",
    "ondertiteld door",
    "napisy stworzone",
    "субтитры сделал",
    "редактор субтитров",
    "字幕",
    "請不吝點贊",
    "请不吝点赞",
)
"""Whoever wrote the subtitles that Whisper learnt from."""

INVENTIONS = frozenset(
    """
    bye|bye bye|bye bye bye|goodbye|you|so|oh|okay|thanks|thank you|thank you so much
    thank you very much|thanks for watching|thank you for watching|thank you so much for watching
    thanks for listening|thank you for listening|please subscribe|like and subscribe
    please subscribe to my channel|don't forget to subscribe|don't forget to like and subscribe
    see you next time|see you in the next video|i'll see you next time|see you in the next one
    i'll see you in the next video|we'll be right back|to be continued|the end
    merci|merci beaucoup|merci d'avoir regardé|merci d'avoir regardé cette vidéo|au revoir
    merci d'avoir regardé la vidéo|abonnez vous|n'oubliez pas de vous abonner|à bientôt|à suivre
    grazie|grazie mille|grazie a tutti|grazie per la visione|grazie per aver guardato
    grazie per aver guardato il video|iscrivetevi al canale|ciao|arrivederci|alla prossima
    gracias|muchas gracias|gracias por ver|gracias por ver el video|gracias por ver el vídeo
    suscríbete|suscríbete al canal|no olvides suscribirte|hasta la próxima|adiós|nos vemos
    danke|danke schön|vielen dank|danke fürs zuschauen|vielen dank fürs zuschauen
    vielen dank für's zuschauen|vielen dank für ihre aufmerksamkeit|bis zum nächsten mal|tschüss
    das war's für heute|copyright wdr 2020|copyright wdr 2021|swr 2020|swr 2021|bis dann
    obrigado|obrigada|obrigado por assistir|obrigado por assistirem|tchau|até a próxima
    bedankt|bedankt voor het kijken|dank u wel|tot de volgende keer
    dziękuję|dziękuję za uwagę|dziękuję za oglądanie|dzięki za oglądanie
    спасибо|спасибо за просмотр|продолжение следует|до свидания|подписывайтесь на канал
    ご視聴ありがとうございました|ありがとうございました|おやすみなさい|谢谢|谢谢观看|謝謝觀看|谢谢大家
    시청해주셔서 감사합니다|감사합니다|mbc 뉴스 이덕영입니다
    """.strip()
    .replace("\n", "|")
    .replace("    ", "")
    .split("|")
)
"""What stands at the ends of videos, and over the silence there."""
