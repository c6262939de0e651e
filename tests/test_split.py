"""Sentences: cut where they end, as soon as they end, however the text arrives."""

import re
from itertools import pairwise
from time import process_time

import pytest
import sentencex
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_kit.speak.split import FINAL, LONGEST, Sentences, sentences

# Each line is one text; " | " stands where it is cut.
ENGLISH = """
Hello. | How are you?
It is ten past two. | Shall I set an alarm? | Yes!
Dr. Smith is here. | He waits.
Mr. and Mrs. Jones left. | Good.
St. Mary's is on the left. | Turn there.
It weighs 3.50 kilos. | That is much.
Pi is about 3.14159. | Roughly.
It costs 3. | Then you pay.
That was in 2024. | Since then nothing happened.
Come at 5 p.m. | Then we eat.
Come at 5 p.m. | Bananas are ready.
Come at 5 p.m. on Monday. | We eat.
It opens at 9 a.m. Monday. | Not before.
At 10:30 we leave. | Be there.
The U.S. Government said so. | We agree.
She lives in the U.S. | They do not.
Use fruit, e.g. apples. | Wash them.
That is, i.e. never. | Sorry.
Apples, pears, etc. | Bananas too.
No. 5 is alive. | Really.
No. | I do not think so.
I said no. | Then I left.
Ask me. | I know.
You may. | Go on.
So do I. | And you?
J. R. R. Tolkien wrote it. | I read it.
It was made by J. Smith. | He is good.
Choose plan B. | It is better.
Take vitamin C. | Oranges help.
Visit www.example.com. | It is free.
Visit example.com. | It is free.
See https://example.org/a.b?c=1.2 for more. | Thanks.
See https://example.org/. | Thanks.
Write to ann@example.com. | She answers.
Open main.py. | Then run it.
Version 1.2.3 works! | Use it.
It is v2.0. | Update now.
Really?! | Yes!!
Wait... | I know.
Well… | Let me see.
What?? | No way!!!
He said "Stop!" | Then he left.
"Stop!" he said. | Then he left.
"I am fine." | She smiled.
She said, "I am fine." | He did not.
“Who is there?” | Nobody answered.
“Who is there?” she asked. | Nobody answered.
'Hello.' | That was all.
(He left.) | Then she came.
He left (at last!) and she came. | Good.
He came (see fig. 3). | Good.
It is big (approx. 3 km). | Walk on.
I don't. | You can't.
The well-known sea. | The end.
NASA. | That is a name.
It cost $3.50. | I paid €4.20. | Fine.
It is -3.5 °C. | Cold!
He left. | then he came back.
Is it 50%? | Yes.
The Inc. logo is red. | Look.
1. First this. | 2. Then that.
**Bold.** | Plain.
This is *so good!* | Yes.
Call `foo.bar()`. | Then wait.
Yahoo! | It works.
:( I am sad. | You are not.
Mix 2 oz. of rum. | Drink.
Ph.D. students work. | They do.
Great! | 😊 Thank you.
"Is that you?" | "Yes." | He came in.
"""

OTHERS = {
    "fr": """
Mme. Curie et MM. Joliot sont là. | Bien.
Il mesure 5 mm. | Bien.
Il habite bd. Saint-Michel, n° 5. | C'est loin.
M. Dupont est là. | Il attend.
« Bonjour ! » dit-il. | Oui.
Oui ! | Non ?
C'est 3,5 % environ. | Voilà.
Mme Curie est née en 1867. | Elle est morte en 1934.
Du pain, du vin, etc. | C'est bon.
Il est 14 h 30. | Allons-y !
J'ai dit non. | Merci.
« Vous partez ? » | Oui.
""",
    "it": """
Vedi pag. 12 del libro. | Grazie.
Nel III sec. a.C. era grande. | Poi cadde.
L'on. Bruni parla. | Bene.
Durò dieci sec. | Poi finì.
Il sig. Rossi è qui. | Entri pure.
Ho detto di no. | Grazie.
Non mai. | Va bene!
Sono le 14.30. | Andiamo.
Il dott. Bianchi arriva. | Bene.
Che ore sono? | Le tre.
Pane, vino, ecc. sono buoni. | Sì.
Costa 3,50 euro. | È poco.
""",
    "es": """
El Sr. García está aquí. | Pase.
¿Qué hora es? | Son las tres.
¡Hola! | ¿Cómo estás?
Dije que no. | Gracias.
Está bien. | Vamos.
Cuesta 3,50 euros. | Es poco.
Nació en 1980. | Vive en Madrid.
La Sra. López llamó. | Conteste.
""",
    "de": """
Er wohnt in der Hauptstr. 5 in Bonn. | Ja.
Das zeigt Abb. 3 im Buch. | Danke.
Am 3. Mai kam Dr. Müller. | Er blieb.
Das ist z.B. gut. | Ja.
„Gut.“ | Das ist gut.
Ja. | Nein.
Das war gut. | Bis dann!
Es kostet 3,50 Euro. | Das ist viel.
Um 14.30 Uhr geht es los. | Komm!
Der 1. Platz ist frei. | Nimm ihn.
Brot, Wein usw. | Das reicht.
""",
    "zh": """
你好。 | 今天天气很好！ | 你呢？
他说：“好！” | 然后他走了。
价格是3.5元。 | 不贵。
我们去北京。 | 明天见。
真的吗？！ | 是的。
《红楼梦》很好。 | 我喜欢。
他来了…… | 又走了。
（他走了。） | 她来了。
""",
    "ja": """
こんにちは。 | 元気ですか？ | はい！
「こんにちは。」と言いました。 | 終わり。
今日は3.5度です。 | 寒い。
そうですね。 | 行きましょう。
「はい。」 | 彼は笑った。
東京です。 | 大阪です。
本当？！ | うん。
これは本です。 | あれはペンです。
""",
    "hi": """
यह है। | वह था।
आप कैसे हैं? | मैं ठीक हूँ।
नमस्ते! | मेरा नाम राम है।
कीमत 3.5 रुपये है। | सस्ता है।
हाँ। | नहीं।
चलो। | देर हो गई।
क्या? | कुछ नहीं।
वह गया। | वह आया।
""",
    "ar": """
مرحبا. | كيف حالك؟ | أنا بخير.
نعم! | شكرا.
السعر 3.5 دولار. | رخيص.
ما اسمك؟ | اسمي علي.
أين أنت؟ | أنا هنا.
هذا كتاب. | ذلك قلم.
لا. | نعم.
تعال! | بسرعة.
""",
    "ru": """
Привет. | Как дела?
Это стоит 3,5 руб. за кг. | Дёшево.
А. С. Пушкин писал. | Я читал.
Да. | Нет.
""",
}


def cases(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return [(line.replace(" | ", " "), line.split(" | ")) for line in lines]


ALL = [("en", *case) for case in cases(ENGLISH)] + [
    (language, *case) for language, text in OTHERS.items() for case in cases(text)
]


def cut(text, language="en", **how):
    cutter = Sentences(language, **how)
    return [*cutter.feed(text), *cutter.end()]


def words(text):
    """As language models make tokens: a space belongs to the word after it."""
    return re.findall(r"\s*[^\W_]+(?:[.:@/'’-]+[^\W_]+)*|\s*[^\w\s]+|\s+|_", text)


def squeezed(text):
    return "".join(text.split())


def test_there_are_enough_cases():
    assert len(cases(ENGLISH)) >= 60
    assert all(len(cases(text)) >= (4 if lang == "ru" else 8) for lang, text in OTHERS.items())


@pytest.mark.parametrize(("language", "text", "expected"), ALL)
def test_sentences_end_where_people_end_them(language, text, expected):
    assert cut(text, language) == expected


@pytest.mark.parametrize(("language", "text", "expected"), ALL)
def test_it_does_not_matter_how_the_text_is_cut_into_tokens(language, text, expected):
    assert list(sentences(words(text), language)) == expected


@pytest.mark.parametrize(
    ("tokens", "language"),
    [
        (["It", " is", " fine", "."], "en"),
        (["Hello", "!"], "en"),
        (["Is", " it", "?"], "en"),
        (["Well", "…"], "en"),
        (["Wait", "..."], "en"),
        (["I", " don't", "."], "en"),
        (["Ask", " me", "."], "en"),
        (["NASA", "."], "en"),
        (['"', "I", " am", " fine", ".", '"'], "en"),
        (["**", "Bold", ".", "**"], "en"),
        (["# Title", "\n\n"], "en"),
        (["- one", "\n"], "en"),
        (["As follows:", "\n"], "en"),
        (["Bonjour", " !"], "fr"),
        (["Va", " bene", "."], "it"),
        (["Das ist", " gut", "."], "de"),
        (["你好", "。"], "zh"),
        (["元気", "？"], "ja"),
        (["यह", " है", "।"], "hi"),
        (["كيف", " حالك", "؟"], "ar"),
    ],
)
def test_a_certain_end_is_not_a_token_late(tokens, language):
    cutter = Sentences(language)
    early = [piece for token in tokens[:-1] for piece in cutter.feed(token)]
    assert early == []
    assert cutter.feed(tokens[-1]) == ["".join(tokens).strip()]


@pytest.mark.parametrize(
    ("head", "tail", "expected"),
    [
        ("It costs 3.", "50 today.", ["It costs 3.50 today."]),
        ("Dr.", " Smith came.", ["Dr. Smith came."]),
        ("The U.S.", " Then we left.", ["The U.S.", "Then we left."]),
        ("At 5 p.m.", " Then we left.", ["At 5 p.m.", "Then we left."]),
        ("See www.example.", "com now.", ["See www.example.com now."]),
        ("Fruit, e.g.", " apples.", ["Fruit, e.g. apples."]),
        ("No.", " 5 is alive.", ["No. 5 is alive."]),
        ("Mail ann@example.", "org soon.", ["Mail ann@example.org soon."]),
        ('He said "Stop!', '" Then he left.', ['He said "Stop!"', "Then he left."]),
        ("See https://a.org/b?", "c=1 now.", ["See https://a.org/b?c=1 now."]),
        ("He left (oh!", ") and she came.", ["He left (oh!) and she came."]),
    ],
)
def test_an_uncertain_end_waits_for_what_decides(head, tail, expected):
    cutter = Sentences("en")
    assert cutter.feed(head) == []
    assert [*cutter.feed(tail), *cutter.end()] == expected


def test_the_end_of_the_text_decides_what_was_open():
    cutter = Sentences("en")
    assert cutter.feed("It is 5 p.m.") == []
    assert cutter.end() == ["It is 5 p.m."]
    assert cutter.end() == []


def test_a_cutter_is_ready_for_the_next_text():
    cutter = Sentences("en")
    assert cutter.feed("```\ncode") == ["```"]
    cutter.end()
    assert cutter.feed("One. Two.") == ["One.", "Two."]


def test_lists_headings_tables_and_code_end_with_their_lines():
    text = (
        "# Title\n\nSome text\nthat goes on\n- item one\n- item two. yes\n\n"
        "| a. b | c |\n|---|---|\n```python\nprint('a. B! c')\n```\nDone."
    )
    assert cut(text) == [
        "# Title",
        "Some text\nthat goes on",
        "- item one",
        "- item two.",
        "yes",
        "| a. b | c |",
        "|---|---|",
        "```python",
        "print('a. B! c')",
        "```",
        "Done.",
    ]


LONG = (
    "Sure, the capital of France is Paris, which has 1,000 cafés (small, large, and old), and it "
    "has been so since May 5, 1987, when somebody made it his seat and stayed."
)


def test_a_long_first_sentence_starts_early():
    pieces = cut(LONG)
    assert pieces[0] == "Sure, the capital of France is Paris,"
    assert len(pieces[1]) <= 2 * 60 + 12
    assert " ".join(pieces) == LONG


def test_the_early_start_does_not_wait_for_the_end():
    cutter = Sentences("en")
    sent = ""
    for token in words(LONG):
        sent += token
        if cutter.feed(token):
            break
    assert len(sent) <= 70


def test_a_short_first_sentence_is_left_whole():
    assert cut("Yes, of course, it is Paris, my friend.") == [
        "Yes, of course, it is Paris, my friend."
    ]


def test_later_sentences_are_left_whole():
    assert cut("Yes. No. " + LONG)[2:] == [LONG]


@pytest.mark.parametrize(
    "text",
    [
        "The number you are looking for is 1,000,000,000,000,000,000,000 or more than that.",
        "The page https://example.org/a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x is there.",
        "I read “The Lion, the Witch and the Wardrobe, and what came after it all” yesterday.",
    ],
)
def test_numbers_addresses_and_titles_are_not_cut_for_an_early_start(text):
    assert cut(text) == [text]


def test_what_never_ends_is_cut_at_clauses_words_or_anywhere():
    clause = "and so it went on, "
    for text in (clause * 100, "word " * 500, "x" * 2000):
        pieces = cut(text)
        assert len(pieces) > 4
        assert all(len(piece) <= LONGEST for piece in pieces)
        assert squeezed("".join(pieces)) == squeezed(text)
    assert all(piece.endswith(",") for piece in cut(clause * 100))


def test_dense_scripts_get_shorter_pieces():
    assert max(map(len, cut("很长" * 300, "zh"))) <= 100


SCRIPT = st.text(
    alphabet=st.sampled_from(" \n.!?,;:\"'()[]*_`|#-–—“”«»„。！？、「」…।؟0123aBcdéß你とक😊"),
    max_size=400,
)


def in_tokens(text, places):
    cuts = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(cuts)]


@settings(max_examples=300, deadline=None)
@given(SCRIPT, st.lists(st.integers(0, 10_000), max_size=40), st.sampled_from(["en", "fr", "ja"]))
def test_nothing_is_lost_empty_or_too_long(text, places, language):
    pieces = list(sentences(in_tokens(text, places), language))
    whole = squeezed("".join(pieces))
    marks = re.compile(rf"[.{FINAL})\]}}\"'”’»›」』）】]+")
    assert marks.sub("", whole) == marks.sub("", squeezed(text))
    assert all(piece.strip() == piece and len(piece) <= LONGEST for piece in pieces)
    assert not any(marks.fullmatch(piece) for piece in pieces)


PARTS = st.lists(
    st.sampled_from([text for lang, text, _ in ALL if lang == "en"] + [LONG]), max_size=12
)


@settings(max_examples=200, deadline=None)
@given(PARTS, st.lists(st.integers(0, 10_000), max_size=200), st.sampled_from([" ", "\n", "\n\n"]))
def test_prose_is_cut_alike_in_any_tokens_and_is_whole_again(parts, places, glue):
    text = glue.join(parts)
    # A token that ends inside "example.com" or "?!" may end a sentence there: see the class.
    inside = {m.end() for m in re.finditer(rf"[.{FINAL}](?=\S)", text)}
    tokens = in_tokens(text, [p for p in places if p % (len(text) + 1) not in inside])
    pieces = list(sentences(tokens))
    assert pieces == cut(text)
    assert squeezed("".join(pieces)) == squeezed(text)


@pytest.mark.parametrize(
    "text", ["It is fine, and so on. It costs 3.50, they say! ", "no end at all ", "1.1", "( “ a. "]
)
@pytest.mark.parametrize("tokens", [list, lambda text: [text]], ids=["letters", "whole"])
def test_a_long_answer_costs_no_more_a_character_than_a_short_one(text, tokens):
    def cost(length, times):
        long = text * (length // len(text))
        best = 99.0
        for _ in range(3):
            start = process_time()
            for _ in range(times):
                assert squeezed("".join(sentences(tokens(long)))) == squeezed(long)
            best = min(best, process_time() - start)
        return best

    assert cost(5000, 1) < 3 * cost(500, 10) + 0.05  # ten times as much if it were quadratic


def test_sentencex_agrees_with_most_of_it():
    """The segmenter this is built on sees the whole text; we see it token by token."""
    agreed = sum(
        [piece.strip() for piece in sentencex.segment(language, text)] == cut(text, language)
        for language, text, _ in ALL
    )
    print(f"\nsentencex on the whole text agrees on {agreed} of {len(ALL)} texts")
    assert agreed > 0.6 * len(ALL)
