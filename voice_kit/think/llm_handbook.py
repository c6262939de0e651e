"""The language model that is none: it reads its answers from the workshop's own handbook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voice_kit.errors import LanguageError, MissingEngineError
from voice_kit.think.llm_handbook_index import Index, words
from voice_kit.types import Message, Stops

FOLDER = Path(__file__).parent / "handbook"
SMALL_TALK = FOLDER / "talk.md"

SURE = 0.48
"""A question nearer than this to a known way to ask is answered."""

POINTING = {"it", "its", "that", "this", "they", "them", "these", "those"}

ONLY_ENGLISH = {
    "fr": "Je ne connais que l'anglais, car je suis le manuel de l'atelier. Pour un vrai modèle, "
    "installez Ollama et tapez ollama pull qwen3:1.7b.",
    "it": "So solo l'inglese, perché sono il manuale del laboratorio. Per un vero modello, "
    "installa Ollama e scrivi ollama pull qwen3:1.7b.",
    "es": "Solo sé inglés, porque soy el manual del taller. Para tener un modelo de verdad, "
    "instala Ollama y escribe ollama pull qwen3:1.7b.",
    "de": "Ich kann nur Englisch, denn ich bin das Handbuch des Workshops. Für ein richtiges "
    "Modell installiere Ollama und tippe ollama pull qwen3:1.7b.",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One heading of the handbook."""

    title: str
    area: str
    asks: tuple[str, ...]
    """Ways to ask for it, beside its title. Without any it is found only by its title in code."""
    paragraphs: tuple[str, ...]
    """The answer, then what is told to those who want to know more."""
    see: tuple[str, ...]
    """Titles of the entries to go on with."""


class Handbook:
    """Answers questions about sound, speech and this kit, and says when it does not know.

    It answers in a millisecond or two and never makes anything up: every answer in English is a
    paragraph of the handbook. Spoken to in French, Italian, Spanish or German, it says in that
    language that it knows only English.
    """

    name = "handbook"
    stops: Stops = "steps"
    languages = frozenset({"en", *ONLY_ENGLISH})

    def __init__(self, *, language: str = "en", folder: str | Path = "") -> None:
        """`folder` has your own pages (*.md, written like those in think/handbook)."""
        if language not in self.languages:
            known = ", ".join(sorted(self.languages))
            raise LanguageError(self.name, language, fix=f"another llm, or one of {known}")
        self._language = language
        pages = sorted({*Path(folder or FOLDER).glob("*.md"), SMALL_TALK})
        if len(pages) == 1:
            raise MissingEngineError("The handbook", fix=f"write pages (*.md) into {folder}")
        self._entries = {entry.title: entry for page in pages for entry in read_page(page)}
        entries = [entry for entry in self._entries.values() if entry.asks]
        self._titles = [entry.title for entry in entries]
        self._index = Index(
            [(entry.title, *entry.asks) for entry in entries],
            [" ".join(entry.paragraphs) for entry in entries],
        )

    def reply(self, messages: Sequence[Message]) -> Iterator[str]:
        """The answer to the last user message, word by word, each with the space before it."""
        yield from re.findall(r"\s*\S+", self.answer(messages))

    def answer(self, messages: Sequence[Message]) -> str:
        """The whole answer to the last user message; earlier ones say what “it” is."""
        if self._language != "en":
            return ONLY_ENGLISH[self._language]
        asked = [place for place, line in enumerate(messages) if line.role == "user"]
        if not asked:
            return self._entries["Hello"].paragraphs[0]
        question, before = messages[asked[-1]].content, messages[: asked[-1]]
        entry = self.look_up(question)
        if entry and entry.title == "Again":
            return self._again(before)
        if entry and entry.title == "More":
            return self._more(before)
        return self._entry_or_topic(entry, question, before)

    def look_up(self, question: str) -> Entry | None:
        """The entry that answers a question, or None when the handbook has none."""
        if not words(question):
            return None
        nearness = self._index.nearness(question)
        nearest = int(nearness.argmax())
        title = self._titles[nearest]
        known = nearness[nearest] >= SURE and title != "Unknown"
        return self._entries[title] if known else None

    def _unknown(self, before: Sequence[Message]) -> str:
        """That there is no such entry; in other words when it was said just before."""
        first, again = self._entries["Unknown"].paragraphs
        said = [line.content for line in before if line.role == "assistant"]
        return again if said and said[-1].strip() == first else first

    def _again(self, before: Sequence[Message]) -> str:
        """What was said last, whole, even if only its beginning was heard."""
        for line in reversed(before):
            if line.role == "assistant" and line.content.strip():
                told = self._told(line.content)
                return told[0].paragraphs[told[1]] if told else line.content
            entry = self.look_up(line.content) if line.role == "user" else None
            if entry and entry.area != "Follow-ups":
                return entry.paragraphs[0]
        return self._entries["Again"].paragraphs[0]

    def _more(self, before: Sequence[Message]) -> str:
        """What follows the paragraph told last; then the entries it points to."""
        topic = self._topic(before)
        if topic is None:
            return self._entries["More"].paragraphs[0]
        entry, paragraph = topic
        if paragraph + 1 < len(entry.paragraphs):
            return entry.paragraphs[paragraph + 1]
        said = {line.content.strip() for line in before if line.role == "assistant"}
        for title in entry.see:
            text = self._entries[title].paragraphs[0]
            if text not in said:
                return text
        return self._entries["That is all"].paragraphs[0]

    def _entry_or_topic(self, entry: Entry | None, question: str, before: Sequence[Message]) -> str:
        """The entry's answer, unless “how long is it?” asks about what was told last."""
        said = words(question)
        topic = self._topic(before)
        pointing = POINTING.intersection(said[-1:] if entry else said)
        if topic and pointing and self._index.knows_the_words(question):
            nearest = self.look_up(f"{topic[0].title} {question}")
            if nearest == topic[0]:
                return self._more(before)
            entry = nearest or entry
        return entry.paragraphs[0] if entry else self._unknown(before)

    def _topic(self, before: Sequence[Message]) -> tuple[Entry, int] | None:
        """The entry told last and which of its paragraphs, small talk apart."""
        for line in reversed(before):
            told = None
            if line.role == "assistant":
                told = self._told(line.content)
            elif line.role == "user" and (entry := self.look_up(line.content)):
                told = (entry, 0)
            if told and told[0].title == "Unknown":
                return None
            if told and told[0].area not in {"Small talk", "Follow-ups"}:
                return told
        return None

    def _told(self, heard: str) -> tuple[Entry, int] | None:
        """The one paragraph that begins like this: an interruption may have cut it."""
        beginning = heard.strip().rstrip("… ")
        found = [
            (entry, place)
            for entry in self._entries.values()
            for place, paragraph in enumerate(entry.paragraphs)
            if beginning and paragraph.startswith(beginning)
        ]
        return found[0] if len(found) == 1 else None


def read_page(path: Path) -> list[Entry]:
    """The entries of one Markdown page.

    `# Area`, then for each entry `## Title`; a line `Ask: …; …` with ways to ask, and one
    `Heard: …; …` with what recognisers make of them; paragraphs; a line `See: …, …`.
    """
    entries: list[Entry] = []
    area = ""
    for block in re.split(r"^(?=##? )", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        heading, _, body = block.strip().partition("\n")
        if heading.startswith("# "):
            area = heading[2:]
        if not heading.startswith("## "):
            continue
        asks = _listed(";", re.findall(r"^(?:Ask|Heard):(.*)$", body, re.MULTILINE))
        see = _listed(",", re.findall(r"^See:(.*)$", body, re.MULTILINE))
        text = re.sub(r"^(?:Ask|Heard|See):.*$", "", body, flags=re.MULTILINE)
        paragraphs = tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
        entries.append(Entry(heading[3:], area, asks, paragraphs, see))
    return entries


def _listed(separator: str, lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(item.strip() for line in lines for item in line.split(separator) if item.strip())
