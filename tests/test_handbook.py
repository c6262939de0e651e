import re
from itertools import islice
from time import perf_counter

import pytest
from handbook_heard import HEARD
from handbook_questions import (
    FRESH,
    KNOWN,
    MORE_KNOWN,
    MORE_UNKNOWN,
    UNKNOWN,
    UNKNOWN_FRESH,
)

from voice_kit.engines import make, refuse_language
from voice_kit.errors import LanguageError, MissingEngineError
from voice_kit.settings import Settings
from voice_kit.think.llm_handbook import FOLDER, ONLY_ENGLISH, SMALL_TALK, Handbook, read_page
from voice_kit.think.llm_handbook_index import words
from voice_kit.types import Message

ENTRIES = {entry.title: entry for page in sorted(FOLDER.glob("*.md")) for entry in read_page(page)}
PARAGRAPHS = [paragraph for entry in ENTRIES.values() for paragraph in entry.paragraphs]


@pytest.fixture(scope="module")
def handbook():
    return Handbook()


def title_for(handbook: Handbook, question: str) -> str | None:
    entry = handbook.look_up(question)
    return entry and entry.title


def right(handbook: Handbook, questions: dict[str, str]) -> float:
    """The share of questions that find their entry."""
    found = {question: title_for(handbook, question) for question in questions}
    wrong = {q: title for q, title in found.items() if title not in questions[q].split(" or ")}
    print(f"{len(questions) - len(wrong)} of {len(questions)} right; not: {wrong}")
    return 1 - len(wrong) / len(questions)


def talk(handbook: Handbook, *said: str) -> list[str]:
    """What the handbook answers to each line, with the whole conversation before it."""
    messages: list[Message] = [Message("system", "You are friendly.")]
    for line in said:
        messages.append(Message("user", line))
        messages.append(Message("assistant", "".join(handbook.reply(messages))))
    return [line.content for line in messages if line.role == "assistant"]


def text(title: str, paragraph: int = 0) -> str:
    return ENTRIES[title].paragraphs[paragraph]


# The pages


def test_the_handbook_has_many_entries_and_each_title_once():
    titles = [entry.title for page in FOLDER.glob("*.md") for entry in read_page(page)]
    assert len(titles) >= 120
    assert len(titles) == len(set(titles))


def test_every_entry_can_be_asked_for_and_has_an_answer():
    for entry in ENTRIES.values():
        assert entry.asks or entry.title in {"Unknown", "That is all"}
        assert 1 <= len(entry.paragraphs) <= 2, entry.title
        assert entry.area, entry.title


def test_every_see_names_an_entry():
    seen = [(entry.title, title) for entry in ENTRIES.values() for title in entry.see]
    assert len(seen) > 100
    assert [(a, b) for a, b in seen if b not in ENTRIES or a == b] == []


def test_no_way_to_ask_belongs_to_two_entries():
    owners: dict[str, set[str]] = {}
    for entry in ENTRIES.values():
        for way in (entry.title, *entry.asks):
            owners.setdefault(" ".join(words(way)), set()).add(entry.title)
    assert {way: titles for way, titles in owners.items() if len(titles) > 1} == {}


def test_every_paragraph_can_be_spoken():
    for paragraph in PARAGRAPHS:
        assert re.fullmatch(r"[A-Za-z0-9 ,.:;!?'-]+", paragraph), paragraph
        assert not re.search(r"https?:|www\.|\d{4,}| - |--|\be\.g\.|\bi\.e\.|\betc\b", paragraph)
        assert len(paragraph.split()) <= 45, paragraph
        assert paragraph[0].isupper() and paragraph[-1] in ".!?", paragraph
        assert len(sentences(paragraph)) <= 3, paragraph


def test_most_first_sentences_are_short_because_they_decide_when_something_is_heard():
    lengths = [len(sentences(entry.paragraphs[0])[0].split()) for entry in ENTRIES.values()]
    assert sum(length <= 14 for length in lengths) / len(lengths) >= 0.8


def test_no_two_paragraphs_begin_alike_so_that_a_cut_one_is_still_known():
    beginnings = [" ".join(paragraph.split()[:5]) for paragraph in PARAGRAPHS]
    assert len(beginnings) == len(set(beginnings))


def sentences(paragraph: str) -> list[str]:
    return re.split(r"(?<=[.!?]) ", paragraph)


# Finding


def test_a_question_in_other_words_finds_its_entry(handbook):
    assert len(KNOWN | MORE_KNOWN) >= 400
    assert right(handbook, KNOWN | MORE_KNOWN) >= 0.95


def test_a_question_nobody_prepared_for_mostly_finds_its_entry(handbook):
    ways = {" ".join(words(w)) for e in ENTRIES.values() for w in (e.title, *e.asks)}
    fresh = {q: title for q, title in FRESH.items() if " ".join(words(q)) not in ways}
    assert len(fresh) >= 60
    assert not (KNOWN | MORE_KNOWN).keys() & fresh.keys()
    assert right(handbook, fresh) >= 0.8


@pytest.mark.parametrize("questions", [UNKNOWN, MORE_UNKNOWN, UNKNOWN_FRESH])
def test_what_is_not_in_the_handbook_is_said_plainly(handbook, questions):
    assert len(questions) >= 25
    answered = {q: title_for(handbook, q) for q in questions if handbook.look_up(q)}
    print(answered)
    assert len(answered) / len(questions) <= 0.04
    unknown = next(q for q in questions if q not in answered)
    assert talk(handbook, unknown) == [text("Unknown")]
    assert "ollama pull qwen3:1.7b" in text("Unknown")


def test_what_a_weak_recogniser_wrote_still_finds_its_entry(handbook):
    """Transcripts of the questions above, as PocketSphinx wrote them from a synthetic voice."""
    assert len(HEARD) >= 100
    somewhat = {t: KNOWN[q] for q, t in HEARD.items() if wrong_words(q, t) <= 0.25}
    assert len(somewhat) >= 50
    assert right(handbook, somewhat) >= 0.85


def test_what_was_misheard_completely_is_rather_not_answered_than_answered_wrongly(handbook):
    found = [(title_for(handbook, heard), KNOWN[asked]) for asked, heard in HEARD.items()]
    wrong = [pair for pair in found if pair[0] and pair[0] != pair[1]]
    assert sum(a == b for a, b in found) / len(found) >= 0.55
    assert len(wrong) / len(found) <= 0.1


@pytest.mark.parametrize(
    ("heard", "title"),
    [
        ("what is voice activity the detection", "Voice activity detection"),
        ("what is the real time fact or", "Real-time factor"),
        ("what is barge inn", "Barge-in"),
        ("explain text two speech", "Text to speech"),
        ("what is a back channel", "Backchannel"),
        ("what is paper mill", "Papermill"),
        ("what is a web socket", "WebSocket"),
        ("how does end pointing work", "Endpointing"),
        ("WHAT IS A VAD", "Voice activity detection"),
        ("whats the nyquist frequency", "Nyquist limit"),
        ("Kokoro?", "Kokoro"),
    ],
)
def test_words_split_joined_or_spelt_otherwise_are_found(handbook, heard, title):
    assert title_for(handbook, heard) == title


def wrong_words(reference: str, heard: str) -> float:
    """Word error rate, in [0, …)."""
    told, wrote = words(reference), words(heard)
    row = list(range(len(wrote) + 1))
    for i, a in enumerate(told, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(wrote, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1] / len(told)


# Answering


def test_the_reply_streams_word_by_word_and_is_exactly_a_paragraph(handbook):
    question = [Message("user", "What is a sample?")]
    tokens = list(handbook.reply(question))
    assert len(tokens) > 10
    assert all(re.fullmatch(r"\s*\S+", token) for token in tokens)
    assert "".join(tokens) == text("Sample") == handbook.answer(question)


def test_every_answer_in_any_conversation_is_a_paragraph_of_the_handbook(handbook):
    said = [*islice(KNOWN, 0, None, 7), *UNKNOWN[:3], "why?", "tell me more", "say that again"]
    answers = talk(handbook, *said)
    assert len(answers) > 20
    assert [answer for answer in answers if answer not in PARAGRAPHS] == []


def test_a_closed_reply_ends(handbook):
    reply = handbook.reply([Message("user", "What is a sample?")])
    assert next(reply) == "A"
    reply.close()
    assert list(reply) == []


def test_only_the_last_user_message_is_answered(handbook):
    messages = [
        Message("system", "What is Redis?"),
        Message("user", "What is Kokoro?"),
        Message("assistant", text("Kokoro")),
        Message("user", "What is Piper?"),
    ]
    assert handbook.answer(messages) == text("Piper")


def test_nobody_asked_anything(handbook):
    assert handbook.answer([]) == text("Hello")
    assert handbook.answer([Message("system", "Be kind.")]) == text("Hello")
    assert handbook.answer([Message("user", " … ")]) == text("Unknown")
    assert handbook.answer([Message("user", "?" * 10_000)]) == text("Unknown")


def test_a_second_question_it_cannot_answer_gets_another_sentence(handbook):
    first, second, third = talk(handbook, *UNKNOWN[:3])
    assert (first, second, third) == (text("Unknown"), text("Unknown", 1), text("Unknown"))


@pytest.mark.parametrize(
    "follow_up",
    ["And why does it matter?", "Tell me more.", "Why?", "How does it work?", "Go on"],
)
def test_a_follow_up_is_about_what_was_told_last(handbook, follow_up):
    asked, more = talk(handbook, "What is a decibel?", follow_up)
    assert (asked, more) == (text("Decibel"), text("Decibel", 1))


def test_more_and_more_goes_on_to_neighbours_and_ends_with_all_being_said(handbook):
    answers = talk(handbook, "What is a decibel?", *["Tell me more"] * 6)
    assert answers[1] == text("Decibel", 1)
    assert answers[2] == text("Loudness")
    assert answers[3] == text("Loudness", 1)
    assert len(set(answers)) >= 6


def test_small_talk_in_between_does_not_change_the_topic(handbook):
    answers = talk(handbook, "What is hysteresis?", "Thank you", "Tell me more")
    assert answers == [text("Hysteresis"), text("Thanks"), text("Hysteresis", 1)]


def test_a_question_about_it_is_answered_from_the_topic(handbook):
    answers = talk(handbook, "What is Ollama?", "How do I install it?")
    assert answers[1] in ENTRIES["Ollama"].paragraphs


def test_a_foreign_question_about_it_is_not_answered_from_the_topic(handbook):
    answers = talk(handbook, "What is Ollama?", "Does it eat bananas?")
    assert answers[1] == text("Unknown")


def test_say_that_again_repeats_the_answer(handbook):
    answers = talk(handbook, "What is a frame?", "Say that again, please", "Once more")
    assert answers == [text("Frame")] * 3
    answers = talk(handbook, "What is a frame?", "Tell me more", "Pardon?")
    assert answers[1:] == [text("Frame", 1)] * 2


def test_an_answer_that_was_interrupted_is_repeated_whole(handbook):
    heard = " ".join(text("Frame").split()[:6])
    messages = [
        Message("user", "What is a frame?"),
        Message("assistant", heard),
        Message("user", "Can you repeat that?"),
    ]
    assert handbook.answer(messages) == text("Frame")
    assert handbook.answer([messages[0], messages[2]]) == text("Frame")


def test_what_another_model_said_is_repeated_and_its_question_is_the_topic(handbook):
    messages = [Message("user", "What is a frame?"), Message("assistant", "Thirty-two things.")]
    assert handbook.answer([*messages, Message("user", "Repeat that")]) == "Thirty-two things."
    assert handbook.answer([*messages, Message("user", "Tell me more")]) == text("Frame", 1)


def test_without_a_topic_more_and_again_ask_back(handbook):
    assert talk(handbook, "Tell me more") == [text("More")]
    assert talk(handbook, "Say that again") == [text("Again")]
    assert talk(handbook, UNKNOWN[0], "Tell me more")[1] == text("More")


# Choosing it


def test_it_is_an_engine_like_the_others():
    engine = make("llm", "handbook", Settings())
    assert (engine.name, engine.stops) == ("handbook", "steps")


@pytest.mark.parametrize("language", sorted(ONLY_ENGLISH))
def test_in_another_language_it_says_that_it_knows_only_english(language):
    engine = make("llm", "handbook", Settings(language=language))
    for question in ("What is a token?", "Bonjour", "Erzähl mir mehr"):
        answer = "".join(engine.reply([Message("user", question)]))
        assert answer == ONLY_ENGLISH[language]
    assert "ollama pull qwen3:1.7b" in answer
    assert len(sentences(answer)) == 2


def test_a_language_it_cannot_say_anything_in_is_refused():
    with pytest.raises(LanguageError, match="ja"):
        Handbook(language="ja")
    with pytest.raises(LanguageError):
        refuse_language("handbook", Handbook, Settings(language="ja"))


def test_pages_of_your_own_take_the_place_of_the_handbook(tmp_path):
    page = "# Bees\n\n## Hive\nAsk: where do bees live\n\nBees live in a hive.\n"
    (tmp_path / "bees.md").write_text(page, encoding="utf-8")
    engine = make("llm", "handbook", Settings(options={"handbook": {"folder": str(tmp_path)}}))
    assert talk(engine, "So where do bees live?", "Why?", "Hello", "What is a decibel?") == [
        "Bees live in a hive.",
        text("That is all"),
        text("Hello"),
        text("Unknown"),
    ]


def test_a_folder_without_pages_is_named(tmp_path):
    with pytest.raises(MissingEngineError, match=re.escape(str(tmp_path))):
        Handbook(folder=tmp_path)
    assert SMALL_TALK.exists()


def test_time_to_build_and_to_the_first_word(capsys):
    begun = perf_counter()
    handbook = Handbook()
    built = perf_counter() - begun
    question = [Message("user", "How do you know that I am finished?")]
    begun = perf_counter()
    first = next(handbook.reply(question))
    with capsys.disabled():
        took = perf_counter() - begun
        print(f" handbook: {built * 1000:.1f} ms to load, {took * 1000:.2f} ms to the first word")
    assert text("Endpointing").startswith(first)
