"""Where a sentence that is too long for one breath may be cut, and where it must not be."""

from __future__ import annotations

import re

from voice_kit.tables import table_of

_CLAUSE = re.compile(
    r"[,;:](?=\s[^\s\d])"  # not in 1,000 or 14:30 or "May 5, 2024"
    r"|[，、；：،؛]"
    r"|(?<=\s)[–—-](?=\s)|(?<=\w)—(?=\w)"
)
_BEFORE_CONJUNCTION = {
    language: re.compile(rf"(?<=\S)\s(?=(?:{words})\s)")
    for language, words in table_of(__name__).items()
}
_PAIRS = tuple(zip("([（【「『《", ")]）】」』》", strict=True))
_SINGLE_OPEN = re.compile(r"(?<!\w)['‘](?=\w)")
_SINGLE_CLOSE = re.compile(r"(?<=[\w.!?,])['’](?!\w)")
_BULLET = re.compile(r"^\s*\*\s", re.MULTILINE)
_STARS = re.compile(r"(?<=\S)\*+|\*+(?=\S)")
_UNDERSCORES = re.compile(r"(?<!\w)_+(?=\w)|(?<=[^\s_])_+(?!\w)")
_SAD = re.compile(r"[:;]-?[(\[]")


def closers_to_come(piece: str, language: str) -> str:
    """The closing quotes, brackets and stars that `piece` still waits for."""
    expected = ""
    if "(" in piece or "[" in piece:
        piece = _SAD.sub("", piece)
    for opening, closing in _PAIRS:
        if opening in piece and piece.count(opening) > piece.count(closing):
            expected += closing
    if piece.count('"') % 2:
        expected += '"'
    if "„" in piece:
        if piece.count("„") > piece.count("“") + piece.count("”"):
            expected += "“”"
    elif piece.count("“") > piece.count("”"):
        expected += "”"
    opening, closing = ("»", "«") if language == "de" else ("«", "»")
    if piece.count(opening) > piece.count(closing):
        expected += closing
    if len(_SINGLE_OPEN.findall(piece)) > len(_SINGLE_CLOSE.findall(piece)):
        expected += "'’"
    if "*" in piece:
        stars = _STARS.findall(_BULLET.sub("", piece))
        if len(stars) % 2:
            expected += stars[-1]
    if "_" in piece and len(_UNDERSCORES.findall(piece)) % 2:
        expected += "__"
    if piece.count("`") % 2:
        expected += "`"
    return expected


def border(piece: str, language: str, least: int, most: int) -> int | None:
    """The first place to cut at a clause, with `least` characters before it and a dozen after.

    Before "and" and its like only after twice as many: "bread and butter" is one thing.
    """
    places = [m.end() for m in _CLAUSE.finditer(piece)]
    if before_conjunction := _BEFORE_CONJUNCTION.get(language):
        places += [m.end() for m in before_conjunction.finditer(piece) if m.end() >= 2 * least]
    for place in sorted(places):
        fits = least <= place <= min(most, len(piece) - 12)
        if fits and not closers_to_come(piece[:place], language):
            return place
    return None


def last_border(piece: str, language: str, limit: int) -> int:
    """The last place to cut within `limit` characters: at a clause, else a space, else there."""
    clauses = [m.end() for m in _CLAUSE.finditer(piece) if limit // 4 <= m.end() < limit]
    for place in reversed(clauses):
        if not closers_to_come(piece[:place], language):
            return place
    space = max(piece.rfind(" ", 0, limit), piece.rfind("\n", 0, limit))
    return space + 1 if space > 0 else limit
