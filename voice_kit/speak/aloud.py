"""Written text to speakable words: no Markdown, code, emoji, addresses or signs.

Numbers stay as they are: every voice reads them in its own language.
"""

from __future__ import annotations

import html
import re

from voice_kit.speak.spoken import SPOKEN, Spoken
from voice_kit.tables import table_of

_TLD, _KINDS, _PICTURES = table_of(__name__).values()

_PROSE = re.compile(r"[^\W\d_](?:[^\W\d_]|[ ,;!?'’\"“”«»„()¿¡…–—-]|\.(?=\s|$))*")
"""What is most of an answer, and needs no second look."""

_FENCE = re.compile(r"(?:^|\n)[ \t]*(```|~~~)[^\n]*\n.*?(?:\n[ \t]*\1[^\n]*|\Z)", re.DOTALL)
_FENCE_MARK = re.compile(r"[ \t]*(?:```|~~~)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]*(?:\s[^<>]*)?/?>")
_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)?[^<>\s]+[.@][^<>\s]+)>")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]*\]|\[[ xX]\]\s")
_CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
_RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}")
_TABLE_RULE = re.compile(r"[\s:|-]*-[\s:|-]*")
_LINE_START = re.compile(r"\s*(?:#{1,6}\s+|>\s?|[-*+•–]\s+)")
_ENDED = re.compile(r"[.!?…:;,。！？、，؟।][\"'”’»)*_]*$")
_STRONG = re.compile(r"(\*{1,3}|~~)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_UNDERLINED = re.compile(r"(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")

_URL = re.compile(
    rf"(?:https?|ftp)://[^\s<>\"”»]+|\b(?:[\w-]{{1,63}}\.){{1,8}}(?:{_TLD})\b(?:/[^\s<>\"”»]*)?"
)
_MAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b")
_FILE = re.compile(rf"\b([\w-]+)\.({_KINDS})\b")
_TRAILING = re.compile(r"[.,;:!?)\]'’*_]+$")

_EMOJI = re.compile(_PICTURES)
_GLYPHS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⇒": "→", "➜": "→", "⟶": "→"}
_MONEY_BEFORE = re.compile(r"([$€£¥])\s?(\d+(?:[.,]\d{3})*)(?:[.,](\d\d))?(?![\d.,]*\d)")
_MONEY_AFTER = re.compile(r"(?<![\d.,])(\d+(?:[.,   ]\d{3})*)(?:[.,](\d\d))?[  ]?([$€£¥])(?!\w)")
_TIME = re.compile(r"(?<![\d:.])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])(\s*(?:Uhr|[ap]\.?m\b|h\b))?")
_FRACTION = re.compile(r"(?<![\w./])(\d+\s)?([123])/([234])(?![\w/])")
_RANGE = re.compile(r"(?:(?<=[\d%°])|(?<=[ap]m))\s?[–—]\s?(?=[$€£¥]?\d)")
_TIMES = re.compile(r"(?<=\d)\s?[*]\s?(?=\d)|(?<=\d)\s?x\s?(?=\d)")
_MINUS = re.compile(r"(?<![\w)\]–—-])[-−](?=\d)")
_STRAY = re.compile(r"[*`#^\\|~{}\[\]<>_•]+")
_FIRST_MARKS = re.compile(r"[\s!?,;:)…»”]+|\.+(?!\d)")


class Aloud:
    """Makes one piece of an answer after the other speakable. Knows what a block of code is."""

    def __init__(self, language: str = "en") -> None:
        self._language = language
        self._in_code = False

    def sentence(self, text: str) -> str:
        """`text`, speakable. Empty when there is nothing to say, as inside a block of code."""
        fences = sum(1 for line in text.splitlines() if _FENCE_MARK.match(line))
        inside, self._in_code = self._in_code, self._in_code != bool(fences % 2)
        if inside:
            after = text.split("\n", 1) if fences else [text]
            return aloud(after[1], self._language) if len(after) > 1 and fences == 1 else ""
        return aloud(text, self._language)


def aloud(text: str, language: str = "en") -> str:
    """`text` as it would be read to someone. Said once more, it stays as it is.

    Ordinary prose is returned unchanged. Signs become words in English, French, Italian, Spanish
    and German; for other languages only what cannot be spoken is taken away. Empty when nothing
    is left to say.
    """
    if _PROSE.fullmatch(text):
        return text
    words = SPOKEN.get(language)
    for _ in range(8):  # what one pass uncovers, such as an escaped tag, the next one takes
        before, text = text, _once(text, words)
        if text == before:
            break
    return text


def _once(text: str, words: Spoken | None) -> str:
    said = _FENCE.sub(lambda m: f"\n{words.code}\n" if words else "\n", text)
    if _FENCE_MARK.match(said):
        said = words.code if words else ""
    said = html.unescape(said) if "&" in said else said
    said = _AUTOLINK.sub(r"\1", said)
    said = _TAG.sub(" ", _COMMENT.sub(" ", said))
    said = _FOOTNOTE.sub("", said)
    said = _LINK.sub(r"\1", said)
    said = "\n".join(_line(line) for line in said.split("\n"))
    said = _CODE.sub(lambda m: _code(m[2], words), said)
    said = _STRONG.sub(r"\2", said)
    said = _UNDERLINED.sub("", said)
    said = _MAIL.sub(lambda m: _spelled(m[0], words), said)
    said = _URL.sub(lambda m: _address(m[0], words), said)
    if words:
        said = _signs(said, words)
    said = _EMOJI.sub("", said)
    said = _STRAY.sub(" ", said)
    if said != text:
        said = re.sub(r"[ \t]+(?=[.,!?;…](?:\s|$))|(?<=[ \t])[ \t]+", "", said)
        said = re.sub(r"[ \t]*\n\s*", "\n", said).strip()
    marks = _FIRST_MARKS.match(said)
    if marks:
        said = said[marks.end() :]
    return said if any(map(str.isalnum, said)) else ""


def _line(line: str) -> str:
    """One line without its Markdown, and with an end that can be heard."""
    if _RULE.fullmatch(line):
        return ""
    if line.lstrip().startswith("|"):
        if _TABLE_RULE.fullmatch(line):
            return ""
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        return _ended(", ".join(cell for cell in cells if cell))
    start = _LINE_START.match(line)
    if start is None:
        return line
    return _ended(re.sub(r"\s+#+\s*$", "", line[start.end() :]).strip())


def _ended(line: str) -> str:
    return line if not line or _ENDED.search(line) else line + "."


def _code(code: str, words: Spoken | None) -> str:
    code = re.sub(r"(?<=\w)\.(?=[^\W\d])", f" {words.dot} " if words else " ", code)
    return re.sub(r"[\s()\[\]{};\"'$_\\]+", " ", code).strip()


def _spelled(address: str, words: Spoken | None) -> str:
    if words is None:
        return address.replace("@", " ")
    spelled = address.replace(".", f" {words.dot} ").replace("@", f" {words.at} ")
    return re.sub(r"[_\s]+", " ", spelled)


def _address(url: str, words: Spoken | None) -> str:
    """The host, and a path if it is made of one or two words; nobody can follow more."""
    tail = _TRAILING.search(url)
    rest = tail.group() if tail else ""
    url = url.removesuffix(rest)
    scheme, _, place = url.rpartition("://")
    host, _, path = place.partition("/")
    if scheme and not host:
        return rest
    host = host.partition("?")[0].removeprefix("www.")
    if words is None:
        return host + rest
    steps = [step for step in path.split("/") if step]
    simple = len(steps) <= 2 and all(step.replace("-", "").isalpha() for step in steps)
    spoken = _spelled(re.sub(r":\d+$", "", host), words)
    for step in steps if simple else []:
        spoken += f" {words.slash} {step.replace('-', ' ')}"
    return spoken + rest


def _signs(said: str, words: Spoken) -> str:
    for glyph, plain in _GLYPHS.items():
        said = re.sub(rf"(?<=\d){glyph}", f" {plain}", said).replace(glyph, plain)
    said = re.sub(r"\b([A-Za-z])\+\+", rf"\1 {words.signs['+']} {words.signs['+']}", said)
    said = re.sub(r"\b([CFJ])#(?!\d)", r"\1 sharp", said)
    said = _FILE.sub(lambda m: f"{m[1].replace('_', ' ')} {words.dot} {m[2]}", said)
    said = _RANGE.sub(f" {words.to} ", said)
    said = _MONEY_BEFORE.sub(lambda m: _money(m[2], m[3], m[1], words), said)
    said = _MONEY_AFTER.sub(lambda m: _money(m[1], m[2], m[3], words), said)
    said = _TIME.sub(lambda m: _time(m[1], m[2], m[3] or "", words), said)
    said = _FRACTION.sub(lambda m: _fraction(m, words), said)
    said = _TIMES.sub(f" {words.signs['×']} ", said)
    said = _MINUS.sub(f"{words.signs['−']} ", said)
    said = re.sub(r"#(?=\d)", f"{words.number} ", said)
    said = re.sub(r"(?<!\w)~\s?(?=\d)", f"{words.about} ", said)
    said = re.sub(r"(?<!\w)@(?=\w)", f"{words.at} ", said)
    for unit, spoken in words.units.items():
        said = re.sub(rf"(?<=\d)[  ]?{re.escape(unit)}(?!\w)", f" {spoken}", said)
    for sign, spoken in words.signs.items():
        if sign in said:
            said = re.sub(rf"\s*{re.escape(sign)}+(?:\s+|(?=\W|$))|\s*{re.escape(sign)}",
                          f" {spoken} ", said)  # fmt: skip
    return said


def _money(whole: str, hundredths: str | None, sign: str, words: Spoken) -> str:
    unit = words.money[sign][whole != "1"]
    return f"{whole} {unit}" + (f"{words.cents}{hundredths}" if hundredths else "")


def _time(hours: str, minutes: str, after: str, words: Spoken) -> str:
    english = words.hour == " "
    if minutes == "00":
        said = hours if english and after.strip() not in ("", "h") else hours + words.full_hour
    elif english and minutes[0] == "0":
        said = f"{hours} oh {minutes[1]}"
    else:
        said = f"{hours}{words.hour}{minutes.lstrip('0')}"
    return said + (after if "m" in after else "")


def _fraction(found: re.Match[str], words: Spoken) -> str:
    spoken = words.fractions.get(f"{found[2]}/{found[3]}")
    if spoken is None:
        return found[0]
    return f"{found[1].strip()}{words.fraction_and}{spoken}" if found[1] else spoken
