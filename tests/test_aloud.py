"""What is written becomes what can be said."""

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_kit.speak.aloud import Aloud, _once, aloud
from voice_kit.speak.split import sentences
from voice_kit.speak.spoken import SPOKEN

SAID = [
    ("en", "# Title", "Title."),
    ("en", "## What is it? ##", "What is it?"),
    ("en", "- **item** one", "item one."),
    ("en", "* first\n* second!\n+ third", "first.\nsecond!\nthird."),
    ("en", "- [x] done", "done."),
    ("en", "> quoted words", "quoted words."),
    ("en", "1. Open the door", "1. Open the door"),
    ("en", "This is *so* __very__ ~~bad~~ ***good***.", "This is so very bad good."),
    ("en", "half **bold", "half bold"),
    ("en", "One\n\n---\n\nTwo", "One\nTwo"),
    ("en", "See [the docs](https://example.com/a/b/c?d=1) now.", "See the docs now."),
    ("en", "![A cat](cat.png) sits.", "A cat sits."),
    ("en", "As they say.[^1]", "As they say."),
    ("en", "Visit https://www.example.com.", "Visit example dot com."),
    ("en", "Visit example.org/docs!", "Visit example dot org slash docs!"),
    ("en", "(see https://example.com/x?y=1&z=2)", "(see example dot com)"),
    ("en", "<https://example.com>", "example dot com"),
    ("en", "Mail ann.b@example.com, please.", "Mail ann dot b at example dot com, please."),
    ("en", "It is 25%.", "It is 25 percent."),
    ("en", "At 20 °C, 5km/h and 440 Hz.",
     "At 20 degrees Celsius, 5 kilometres per hour and 440 hertz."),
    ("en", "It is -3.5°C.", "It is minus 3.5 degrees Celsius."),
    ("en", "It costs $3.50, €1, 5 € or £1,000.",
     "It costs 3 dollars 50, 1 euro, 5 euros or 1,000 pounds."),
    ("en", "At 14:30, 9:05 a.m. or 10:00 am.", "At 14 30, 9 oh 5 a.m. or 10 am."),
    ("en", "At 12:00.", "At 12 o'clock."),
    ("en", "Pages 3–5 and 9:30–10:30.", "Pages 3 to 5 and 9 30 to 10 30."),
    ("en", "1/2 cup, 2 1/2 cups, ¾ or 2½.",
     "one half cup, 2 and one half cups, three quarters or 2 and one half."),
    ("en", "On 1/2/2024 and 24/7.", "On 1/2/2024 and 24/7."),
    ("en", "2 + 2 = 4, 3 * 4 > 5, 6 × 7.",
     "2 plus 2 equals 4, 3 times 4 is greater than 5, 6 times 7."),
    ("en", "A → B & C", "A to B and C"),
    ("en", "AT&T", "AT and T"),
    ("en", "C++ and C#", "C plus plus and C sharp"),
    ("en", "#5 of ~30", "number 5 of about 30"),
    ("en", "Great! 😊 Thanks 👍🏽.", "Great! Thanks."),
    ("en", "😊", ""),
    ("en", "Call `foo.bar(x)` from `voice_kit`.", "Call foo dot bar x from voice kit."),
    ("en", "Open main.py in version 1.2.3.", "Open main dot py in version 1.2.3."),
    ("en", "```python\nx = 1\n```\nDone.", "I left the code out.\nDone."),
    ("en", "Look:\n```\nx = 1", "Look:\nI left the code out."),
    ("en", "| a | b |\n|---|:-:|\n| 1 | 2 |", "a, b.\n1, 2."),
    ("en", "<b>Bold</b> &amp; <br/>new<!-- no -->", "Bold and new"),
    ("en", "Tom &lt;3", "Tom is less than 3"),
    ("en", "! Yes.", "Yes."),
    ("en", "***", ""),
    ("en", "", ""),
    ("fr", "Il est 14:30, à 14:00 : 25 % & 3 °C, 3,50 €.",
     "Il est 14 heures 30, à 14 heures : 25 pour cent et 3 degrés Celsius, 3 euros 50."),
    ("fr", "Écris à a@b.fr", "Écris à a arobase b point fr"),
    ("it", "Alle 14:30, 25% e 3,50 €.", "Alle 14 e 30, 25 per cento e 3 euro e 50."),
    ("it", "Vai su esempio.it", "Vai su esempio punto it"),
    ("es", "A las 14:30, 25% y 3–5 km/h.",
     "A las 14 y 30, 25 por ciento y 3 a 5 kilómetros por hora."),
    ("es", "```\nx\n```", "He dejado fuera el código."),
    ("de", "Um 14:30 Uhr und 14:00 Uhr, 25 % und 3,50 €.",
     "Um 14 Uhr 30 und 14 Uhr, 25 Prozent und 3 Euro 50."),
    ("de", "Auf beispiel.de", "Auf beispiel Punkt de"),
    ("zh", "你好 **世界** 😊 25%", "你好 世界 25%"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "written", "said"), SAID)
def test_what_is_written_becomes_what_is_said(language, written, said):
    assert aloud(written, language) == said


@pytest.mark.parametrize(("language", "written", "said"), SAID)
def test_what_is_said_stays_as_it_is(language, written, said):
    assert aloud(said, language) == said


@pytest.mark.parametrize(
    "prose",
    [
        "Hello, world.",
        "He said: “Hello – or not?” (Well… it’s fine.)",
        "“Who — me?” she asked; 'yes', he said.",
        "It is 3.5 metres, 1,000 people, 2024, well-known.",
        "¿Qué hora es? ¡Vamos!",
        "« Bonjour ! » dit-il, l’été.",
        "„Gut“, sagte er.",
        "今日は3.5度です。",
        "यह है।",
        "Dr. Smith met J. R. at 5 p.m. in the U.S.",
        "A line.\nAnother line.",
    ],
)
@pytest.mark.parametrize("language", ["en", "fr", "it", "es", "de", "ja"])
def test_ordinary_prose_is_left_alone(prose, language):
    assert aloud(prose, language) == prose


PROSE = (
    st.lists(st.text("abcdefgXYZàéîöüÿß’", min_size=1, max_size=9), min_size=1, max_size=12)
    .map(" ".join)
    .filter(lambda prose: prose.strip("’ "))
)


@settings(deadline=None)
@given(PROSE, st.sampled_from(".!?…"))
def test_prose_of_any_words_is_left_alone(prose, end):
    assert aloud(prose + end) == prose + end


@settings(deadline=None)
@given(
    st.text("abcZé ,;!?'’\"“”«»„()¿¡…–—.-", min_size=1, max_size=30), st.sampled_from(["en", "ja"])
)
def test_the_short_way_for_prose_says_the_same_as_the_long_one(text, language):
    text = "a" + text
    assert aloud(text, language) == _once(text, SPOKEN.get(language))


@pytest.mark.parametrize(
    "part", ["*", "[", "_a", "a.", "a@", "<", "`", "([", "- ", "$1,", "http://", " "]
)
def test_a_hostile_text_does_not_take_for_ever(part):
    def cost(length, times):
        start = process_time()
        for _ in range(times):
            aloud(part * length + "x")
        return process_time() - start

    cost(10, 1)
    assert cost(3000, 1) < 4 * cost(300, 10) + 0.1  # ten times as much if it were quadratic


SIGNS = " \n.!?,:;'\"()[]{}<>*_~`#|-–+=%&@/\\$€°→½×0123459aBcmkhé你😊👍🏽️"
SNIPPETS = (
    "# |**|__|`|```\n|~~|[a](b)|<b>|</b>|&amp;|&lt;|http://|a.com|x@y.org|\n|- |3|–|:00|:30|%|€|$"
    "|1/2| |word|.|!|°C|km/h|→|+|=|😊|(|)|&|#|@|a_b|<|>"
)
WILD = st.text(st.sampled_from(SIGNS) | st.characters(), max_size=60) | st.lists(
    st.sampled_from(SNIPPETS.split("|")), max_size=14
).map("".join)


@settings(max_examples=400, deadline=None)
@given(WILD, st.sampled_from(["en", "fr", "it", "es", "de", "ja"]))
def test_saying_it_twice_changes_nothing(text, language):
    said = aloud(text, language)
    assert aloud(said, language) == said
    assert said == "" or any(map(str.isalnum, said))


@settings(max_examples=200, deadline=None)
@given(st.lists(PROSE, min_size=1, max_size=4), st.sampled_from(["**", "*", "# ", "- ", "`", "😊"]))
def test_no_word_of_prose_is_lost_in_its_markup(words, mark):
    written = " ".join(f"{mark}{word}{mark.strip()}" for word in words)
    letters = [c for c in " ".join(words) if c.isalnum()]
    assert [c for c in aloud(written) if c.isalnum()] == letters


ANSWER = """# Making a list

Here is how, in **Python**:

```python
names = ["Ann", "Bob"]  # a list. Two names!
print(names)
```

That costs 25% less. See [the guide](https://example.com/a.b).

| name | age |
|------|-----|
| Ann  | 3   |
"""


def test_a_streamed_answer_is_spoken_piece_by_piece():
    speaker = Aloud("en")
    said = [speaker.sentence(piece) for piece in sentences(list(ANSWER))]
    assert [piece for piece in said if piece] == [
        "Making a list.",
        "Here is how, in Python:",
        "I left the code out.",
        "That costs 25 percent less.",
        "See the guide.",
        "name, age.",
        "Ann, 3.",
    ]


def test_a_block_of_code_that_arrives_whole_is_left_out_too():
    speaker = Aloud("fr")
    assert speaker.sentence("```\nx = 1\n```") == "J'ai laissé le code de côté."
    assert speaker.sentence("Voilà.") == "Voilà."


def test_what_follows_the_code_in_one_piece_is_spoken():
    speaker = Aloud("en")
    assert speaker.sentence("```py\nx = 1") == "I left the code out."
    assert speaker.sentence("y = 2") == ""
    assert speaker.sentence("```\nDone.") == "Done."
    assert speaker.sentence("Really.") == "Really."
