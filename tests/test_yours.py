"""What a learner wrote runs in the loop: their detector, cutter, rule for acting and skill."""

import asyncio

import numpy as np
import pytest
from exercise_answers import RIGHT
from scenes import Scene

from voice_kit.converse.own import Own
from voice_kit.sounds import clip
from voice_kit.think.router_examples import ExamplesRouter
from voice_kit.think.skills import skill
from voice_kit.types import FRAME, EngineChanged, Routed, SentenceReady, ToolUsed, TurnFinished
from voice_kit.workshop import checks
from voice_kit.workshop.exercises import EXERCISES
from voice_kit.workshop.fakes import Script, scripted
from voice_kit.workshop.yours import Again, Choosing, Loudness, yours


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path))
    monkeypatch.delenv("VOICE_KIT_STRICT", raising=False)
    return tmp_path


def kept(*names):
    for name in names:
        checks.keep(EXERCISES[name], RIGHT[name])


def by_commas(tokens):
    """Another way to cut, so that one sees whose it is."""
    for part in "".join(tokens).replace(".", ",").split(","):
        if part.strip():
            yield part.strip()


def by_full_stops(tokens):
    gathered = ""
    for token in tokens:
        gathered += token
        if gathered.endswith("."):
            yield gathered.strip()
            gathered = ""
    if gathered:
        yield gathered.strip()


def test_nothing_is_theirs_before_a_check_has_passed(own_home, capsys):
    assert yours() == Own()
    assert capsys.readouterr().out.count("the package's, until yours is there") == 3


def test_what_passed_is_theirs_and_the_rest_is_the_kits(own_home):
    kept("sentences", "choose")
    own = yours()
    assert own.vad is None
    assert isinstance(own.router(lambda words: None), Choosing)
    assert isinstance(own.cutter("en"), Again)


def test_a_sentence_is_spoken_as_soon_as_the_learners_function_gives_it():
    cut = Again(by_full_stops)
    tokens = ["One", ".", " Two", " and", " a half.", " Three"]
    assert [cut.feed(token) for token in tokens] == [[], ["One."], [], [], ["Two and a half."], []]
    assert cut.end() == ["Three"]


def test_a_function_that_waits_for_all_tokens_says_everything_at_the_end():
    cut = Again(by_commas)
    assert [cut.feed(token) for token in ("One, ", "two.")] == [[], []]
    assert cut.end() == ["One", "two"]


def test_loud_is_speech_to_a_detector_made_of_loud_frames():
    given = []

    def loud_frames(levels, margin):
        given.append(list(levels))
        return [level >= min(levels) + margin for level in levels]

    detector, state = Loudness(loud_frames), Loudness(loud_frames).start()
    found = []
    for loudness in (0.001, 0.001, 0.1, 0.001):
        frame = np.full((1, FRAME), loudness, np.float32)
        (chance,), (state,) = detector.detect(frame, [state])
        found.append(float(chance))
    assert found == [0, 0, 1, 0]
    assert np.allclose(given[-1], [-60, -60, -20, -60], atol=0.1)
    for _ in range(200):
        _, (state,) = detector.detect(frame, [state])
    assert len(state) == 94  # 3 s: what was long ago does not count


def test_the_learner_decides_from_the_chances_when_to_act():
    asked = []

    def choose(chances, at_least):
        asked.append((chances, at_least))
        return "skill"

    route = Choosing(choose, at_least=0.7).route("set a timer for ten minutes")
    (chances, at_least), *_ = asked
    assert (route.kind, route.reason, at_least) == ("skill", "you chose it", 0.7)
    assert route.confidence == chances["skill"]
    assert sum(chances.values()) == pytest.approx(1)
    assert set(chances) == {"chat", "search", "skill"}


@pytest.mark.parametrize("words", ["set a timer", "who won the match", "qwrtz", ""])
def test_the_chances_are_those_that_the_router_goes_by(words):
    router = ExamplesRouter()
    route, chances = router.route(words), router.chances(words)
    best = max(chances, key=chances.get)
    assert best == route.kind
    assert chances[best] == pytest.approx(route.confidence or 1)


@skill("roll [a | the] dice")
def roll_dice() -> str:
    """Roll a dice, and say what came up."""
    return "You rolled a four, I promise."


def test_all_of_it_runs_in_the_loop_of_a_panel(own_home, tmp_path):
    pytest.importorskip("ipywidgets", reason="no ipywidgets in this Python: run make test")
    from voice_kit.settings import Settings
    from voice_kit.show import Panel

    kept("loud_frames", "choose")
    events = []
    mine = yours(roll_dice)
    own = Own(mine.vad, mine.router, lambda language: Again(by_commas), mine.skills)
    settings = Settings(stt="sphinx", llm="handbook", tts="espeak", judge="silence")

    async def scene():
        panel = Panel(settings, live=False, own=own, notes=tmp_path, observers=[events.append])
        panel.start()
        spoken = await panel.play(clip("question_vad").audio())
        typed = await panel.ask("Roll a dice!")
        again = await panel.again(stop=0.3, aloud=False)
        await panel.stop()
        return spoken, typed, again

    (spoken,), (typed,), again = asyncio.run(scene())
    assert "voice" in spoken.heard
    routes = [event.route.reason for event in events if isinstance(event, Routed)]
    assert set(routes) == {"you chose it"}
    assert [event.call.tool for event in events if isinstance(event, ToolUsed)] == ["roll_dice"]
    said = [event.text for event in events if isinstance(event, SentenceReady)]
    assert said[-2:] == ["You rolled a four", "I promise"]
    assert typed.said == "You rolled a four I promise"
    assert str(again)
    assert [each for each in events if isinstance(each, TurnFinished)]


def test_a_detector_of_their_own_that_fails_gives_way_to_the_kits():
    def loud_frames(levels, margin):
        raise ZeroDivisionError

    script = Script()
    engines = Own(vad=Loudness(loud_frames)).among(scripted(script, {"hello": "Hi there."}))
    assert engines.vad.name == "your loud_frames"
    sound = (0.5, ("what?", 1.0), 1.0, ("hello", 1.0), 3.0)
    scene = Scene(script, *sound, engines=engines)
    assert scene.one(EngineChanged).stage == "vad"
    assert scene.memory[-1] == ("assistant", "Hi there.")
