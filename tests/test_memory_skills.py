"""Remembering, recalling and forgetting by voice, without any model."""

import asyncio

import pytest
from helpers_tools import Asked, clock

from voice_kit.think.brain import Acting
from voice_kit.think.memory import KeptHistory, MemoryStoreError
from voice_kit.think.memory.ram_store import RamStore
from voice_kit.think.memory.skills import LONGEST, memory_skills
from voice_kit.think.skills import Skills, all_skills
from voice_kit.think.tools import Tools
from voice_kit.types import Route, ToolCall


class Acts:
    """A router that takes everything for a skill."""

    name, stops, direct = "acts", "steps", True

    def route(self, words):
        return Route("skill", 1.0, "always")


class Talk:
    """A conversation whose turns are done one after the other, with the skills of the kit."""

    def __init__(self, history):
        self.history = history
        skills = Skills([*memory_skills(history), *all_skills()])
        self.brain = Acting(Acts(), skills, Tools(skills.tools))

    def say(self, words):
        async def answered():
            thought = Asked(words, Silent())
            return "".join([token async for token in self.brain.answer(thought)])

        answer = asyncio.run(answered())
        self.history.add("user", words)
        self.history.add("assistant", answer)
        return answer


class Silent:
    name, stops, calls_tools = "silent", "steps", False

    def reply(self, messages):
        yield "I am the model."


@pytest.fixture
def talk():
    return Talk(KeptHistory(RamStore()))


def texts(talk):
    return [line.content for line in talk.history.lines]


def find(words, history=None):
    history = history or KeptHistory(RamStore())
    call = Skills([*memory_skills(history), *all_skills()]).find(words)
    return call and (call.tool, dict(call.arguments))


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ("Remember that my cat is called Miso.", "my cat is called Miso"),
        ("Please remember my cat is called Miso", "my cat is called Miso"),
        ("Could you remember that I'm allergic to nuts, please?", "I'm allergic to nuts"),
        ("Keep in mind that we meet on Friday.", "we meet on Friday"),
        ("Don't forget that the bins go out today", "the bins go out today"),
        ("never forget my wife is called Petra", "my wife is called Petra"),
        ("Make a mental note that the code is 4 7 1 1.", "the code is 4 7 1 1"),
    ],
)  # fmt: skip
def test_a_fact_is_taken_in_the_speakers_words(words, fact):
    assert find(words) == ("remember", {"fact": fact})


@pytest.mark.parametrize(
    "words",
    [
        "Remember that time in Rome?",
        "Do you remember that my cat is ill?",
        "I remember that my cat was ill.",
        "Remember the milk.",
        "Remember me.",
        "Remember to buy milk.",
        "Remember when we met?",
        "Forget it.",
        "Forget about it.",
        "I forgot that.",
        "I always forget everything.",
        "Don't forget to call.",
        "What do you know about whales?",
        "What do you remember about the war?",
        "Never mind.",
        "Delete my account.",
        "How can I improve my memory?",
        "What is my name?",
    ],
)
def test_what_only_sounds_like_it_is_left_to_others(words):
    call = find(words)
    assert call is None or call[0] not in {tool.tool.name for tool in memory_skills_of_nobody()}


def memory_skills_of_nobody():
    return memory_skills(KeptHistory(RamStore()))


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        ("Forget that.", "forget_that"),
        ("Please forget what I just said", "forget_that"),
        ("You can forget that again.", "forget_that"),
        ("Strike that from the record!", "forget_that"),
        ("Forget everything.", "forget_everything"),
        ("Forget everything you know about me.", "forget_everything"),
        ("Delete our whole conversation", "forget_everything"),
        ("Erase your memory, please.", "forget_everything"),
        ("Forget all about me", "forget_everything"),
        ("What do you know about me?", "what_do_you_know"),
        ("What have I asked you to remember?", "what_do_you_know"),
        ("Tell me what you remember about me", "what_do_you_know"),
        ("Forget that my cat is called Miso.", "forget_fact"),
        ("Forget about my cat", "forget_fact"),
        ("Forget everything I told you about my cat", "forget_fact"),
    ],
)
def test_forgetting_and_asking_are_understood(words, tool):
    assert find(words)[0] == tool


def test_a_fact_is_remembered_recalled_and_listed(talk):
    assert talk.say("What do you know about me?") == (
        "You have not asked me to remember anything yet."
    )
    told = talk.say("Remember that my cat is called Miso.")
    assert told == "I will remember that your cat is called Miso, until I am switched off."
    assert talk.say("Remember that my cat is called miso") == "I know that your cat is called miso."
    assert talk.say("What's my cat called?") == "Your cat is called Miso."
    talk.say("Remember that I'm allergic to nuts")
    assert talk.say("What do you know about me?") == (
        "You asked me to remember that your cat is called Miso; that you are allergic to nuts."
    )
    assert len(talk.history.facts) == 2


def test_only_a_question_that_a_fact_answers_wholly_is_answered_by_it(talk):
    for fact in (
        "my cat is called Miso",
        "I live in Graz",
        "my wife works at the bank",
        "my train leaves at seven",
    ):
        talk.say(f"Remember that {fact}")
    answered = {
        "Where do I live?": "You live in Graz.",
        "What is my cat's name?": "Your cat is called Miso.",
        "Do you remember what my cat is called?": "Your cat is called Miso.",
        "What time does my train leave?": "Your train leaves at seven.",
        "Where does my wife work?": "Your wife works at the bank.",
        "What will the weather be like where I live?": "I am the model.",
        "Where does my cat live?": "I am the model.",
        "On what day is my cat's birthday?": "I am the model.",
        "What is my dog called?": "I am the model.",
        "What should my cat eat?": "I am the model.",
        "What is a cat?": "I am the model.",
        "What is my name?": "I am the model.",
    }
    assert {words: talk.say(words) for words in answered} == answered


def test_a_name_is_whose_was_asked_for(talk):
    for fact in ("my cat is called Miso", "my name is Anna", "my cat lives in the kitchen"):
        talk.say(f"Remember that {fact}")
    assert talk.say("What is my name?") == "Your name is Anna."
    assert talk.say("What's my cat's name?") == "Your cat is called Miso."
    assert talk.say("Where do I live?") == "I am the model."


def test_forget_that_takes_back_what_was_just_remembered(talk):
    talk.say("What time is it?")
    talk.say("Remember that my code is 4711.")
    assert talk.say("Forget that.") == "Forgotten."
    assert talk.history.facts == ()
    assert texts(talk)[0] == "What time is it?" and len(texts(talk)) == 2
    talk.say("Forget that.")
    assert texts(talk) == []
    assert talk.say("Forget that.") == "There is nothing to forget yet."


def test_a_fact_is_forgotten_only_after_a_yes_and_leaves_no_trace(talk):
    talk.say("Remember that my code is 4711")
    talk.say("Remember that my cat is called Miso")
    assert talk.say("Forget that my code is 4711") == "Shall I forget that your code is 4711?"
    assert talk.say("No.") == "All right, I will not."
    assert len(talk.history.facts) == 2
    assert talk.say("Forget what I told you about my code") == (
        "Shall I forget that your code is 4711?"
    )
    assert talk.say("Yes.") == "Forgotten."
    assert [line.text for line in talk.history.facts] == ["my cat is called Miso"]
    talk.say("Forget about my code")
    assert "You have not asked me to remember anything about that." in texts(talk)


def test_no_line_with_a_forgotten_fact_is_kept(talk):
    talk.say("Remember that my code is 4711")
    talk.say("Forget that my code is 4711")
    talk.say("Yes")
    talk.history.flush()
    assert "4711" not in talk.history.export()


def test_everything_is_forgotten_only_after_a_yes(talk):
    talk.say("Remember that my code is 4711")
    asked = talk.say("Forget everything.")
    assert asked.endswith("?") and len(talk.history.facts) == 1
    talk.say("What time is it?")
    talk.say("Yes.")
    assert len(talk.history.facts) == 1, "that yes came too late"
    talk.say("Forget everything.")
    assert talk.say("Yes, please.") == "I have forgotten everything."
    assert texts(talk) == [] and talk.history.facts == ()
    talk.history.flush()
    assert talk.history.store.names() == []
    assert talk.say("Hello?") and len(texts(talk)) == 2


def test_a_fact_that_is_kept_for_good_is_promised_for_good(tmp_path):
    from voice_kit.think.memory import make_store

    talk = Talk(KeptHistory(make_store(f"sqlite:{tmp_path / 'memory.sqlite'}")))
    told = talk.say("Remember that my cat is called Miso.")
    assert told == "I will remember that your cat is called Miso."


def test_a_store_that_cannot_forget_says_so(talk, monkeypatch):
    def fail(*_):
        raise MemoryStoreError("The disk is full. Make room on it.")

    talk.say("What time is it?")
    monkeypatch.setattr(talk.history.store, "forget", fail)
    told = talk.say("Forget that.")
    assert told == (
        "Here it is forgotten, but not where it was kept: The disk is full. Make room on it."
    )


@pytest.mark.parametrize("fact", ["", " . ", "x" * (LONGEST + 1)])
def test_a_model_cannot_have_nothing_or_a_book_remembered(talk, fact):
    tools = Tools(skill.tool for skill in memory_skills(talk.history))
    result = asyncio.run(tools.use(Asked(), ToolCall("remember", {"fact": fact}), clock))
    assert not result.worked and talk.history.facts == ()


def test_what_a_model_asks_about_comes_with_all_that_matters(talk):
    talk.say("Remember that my cat is called Miso")
    talk.say("Remember that my cat hates fish")
    tools = Tools(skill.tool for skill in memory_skills(talk.history))
    result = asyncio.run(tools.use(Asked(), ToolCall("recall", {"about": "my cat"}), clock))
    assert result.data == ["my cat hates fish", "my cat is called Miso"]
    nothing = asyncio.run(tools.use(Asked(), ToolCall("recall", {"about": "boats"}), clock))
    assert nothing.said == "You have not told me that."
