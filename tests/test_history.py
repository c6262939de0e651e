from hypothesis import given
from hypothesis import strategies as st

from voice_kit.think.history import MARKS, History, estimated_tokens
from voice_kit.types import Message

ONE = 10 + MARKS
"""Tokens of a message of forty Latin letters."""


def conversation(*lines: str, **options) -> History:
    """“u…” is said by the user, “a…” by the assistant, “t…” by a tool."""
    history = History(**options)
    roles = {"u": "user", "a": "assistant", "t": "tool"}
    for line in lines:
        history.add(roles[line[0]], line.ljust(40, "."))
    return history


def shown(history: History, budget: int) -> list[str]:
    system, *messages = history.prompt("Be kind.", budget)
    assert system == Message("system", "Be kind.")
    return [message.content.rstrip(".") for message in messages]


def test_everything_that_fits_is_shown_in_order():
    assert shown(conversation("u1", "a1", "u2"), 3 * ONE) == ["u1", "a1", "u2"]


def test_the_oldest_question_is_left_out_together_with_its_answer():
    talk = conversation("u1", "a1", "u2", "a2", "u3")
    assert shown(talk, 5 * ONE - 1) == ["u2", "a2", "u3"]
    assert shown(talk, 3 * ONE) == ["u2", "a2", "u3"]
    assert shown(talk, 3 * ONE - 1) == ["u3"]


def test_the_last_thing_the_user_said_is_always_shown_whole():
    history = conversation("u1", "a1")
    history.add("user", "x" * 10_000)
    assert history.prompt("", 100)[1:] == [Message("user", "x" * 10_000)]


def test_an_older_message_is_never_shown_across_a_gap():
    history = conversation("u1", "a1")
    history.add("user", "long " * 1000)
    history.add("assistant", "Oh.")
    history.add("user", "Yes.")
    assert [message.content for message in history.prompt("", 500)[1:]] == ["Yes."]


def test_the_answer_under_way_does_not_push_its_question_out():
    assert shown(conversation("u1", "a1", "u2", "t2", "a2"), 2 * ONE) == ["u2", "a2"]
    assert shown(conversation("u1", "a1", "u2", "t2", "a2"), 4 * ONE) == ["u2", "t2", "a2"]
    assert shown(conversation("u1", "a1", "u2", "t2", "a2"), 0) == ["u2"]


def test_a_greeting_without_a_question_is_not_shown():
    assert shown(conversation("a0"), 1000) == []
    assert shown(conversation("a0", "u1", "a1"), 1000) == ["u1", "a1"]
    assert shown(conversation(), 1000) == []


def test_nothing_said_is_not_remembered():
    history = History()
    for role in ("user", "assistant", "tool"):
        history.add(role, "")
        history.add(role, " \n")
    assert list(history.lines) == []


def test_two_questions_in_a_row_stay_two():
    assert shown(conversation("u1", "u2"), 1000) == ["u1", "u2"]


def test_lines_are_everything_said_and_cannot_be_changed_from_outside():
    history = conversation("u1", "a1")
    history.prompt("", 0)
    before = history.lines
    history.add("user", "u2")
    assert [line.role for line in before] == ["user", "assistant"]
    assert [line.role for line in history.lines] == ["user", "assistant", "user"]


def test_tokens_are_estimated_by_script():
    assert estimated_tokens("") == 0
    assert estimated_tokens("four") == 1
    assert estimated_tokens("fiver") == 2
    assert estimated_tokens("Grüß Gott, où ça?") == 5
    assert estimated_tokens("привет") == 3
    assert estimated_tokens("你好吗") == 3
    assert estimated_tokens("今日はok") == 4


def test_another_counter_may_count():
    talk = conversation("u1", "a1", "u2", tokens=lambda text: 100)
    assert shown(talk, 3 * (100 + MARKS)) == ["u1", "a1", "u2"]
    assert shown(talk, 3 * (100 + MARKS) - 1) == ["u2"]


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), st.text(max_size=80))),
    st.integers(0, 400),
)
def test_a_prompt_keeps_its_promises_for_any_conversation(said, budget):
    history = History()
    for role, text in said:
        history.add(role, text)
    system, *messages = history.prompt("p", budget)
    lines = list(history.lines)
    asked = [line for line in lines if line.role == "user"]
    assert system.role == "system"
    if not asked:
        assert messages == []
        return
    assert messages[0].role == "user"
    assert asked[-1] in messages
    cost = sum(estimated_tokens(message.content) + MARKS for message in messages)
    assert cost <= budget or messages == [asked[-1]]
    place = len(lines) - 1 - lines[::-1].index(asked[-1])
    newest = lines[-len(messages) :]
    cut_after_the_question = [asked[-1], *lines[len(lines) - len(messages) + 1 :]]
    assert messages == newest or (messages == cut_after_the_question and place < len(lines) - 1)


def test_no_message_is_counted_twice():
    counted = []

    def tokens(text):
        counted.append(text)
        return 1

    history = History(tokens)
    for number in range(5):
        history.add("user", f"question {number}")
        history.prompt("persona", 100)
    assert counted == [f"question {number}" for number in range(5)]
