"""The whole assistant in a notebook, without a page that shows it."""

import asyncio
import re
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers_recording import nobody

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.differs import difference
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.replay import replay
from voice_kit.converse.virtual import run
from voice_kit.errors import AudioError, EngineTimeoutError, SettingsError, VoiceKitError
from voice_kit.settings import Settings
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    EngineChanged,
    PlaybackStarted,
    SpeechReady,
    TurnFinished,
    TurnStarted,
)
from voice_kit.workshop.export import export
from voice_kit.workshop.fakes import HummingVoice, Script, scripted

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from voice_kit.show import Panel
from voice_kit.show.form import Form
from voice_kit.show.loudspeaker import Loudspeaker

QUESTIONS = {"what is it": "It is a panel", "who is it": "It is me and nobody else at all"}
LONGEST = 60.0
"""Real seconds after which something has got stuck."""


@pytest.fixture
def script():
    return Script(list(QUESTIONS))


@pytest.fixture
def make(script, tmp_path):
    """A panel with scripted engines."""

    def one(settings=None, *, llm=None, tts=None, **more):
        given = {"engines": scripted(script, QUESTIONS, llm=llm, tts=tts), "live": False} | more
        return Panel(settings or Settings(), notes=tmp_path / "notes", **given)

    return one


def hold(scene):
    """Play a scene, on the virtual clock."""

    async def limited():
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        stuck = threading.Timer(LONGEST, lambda: loop.call_soon_threadsafe(task.cancel))
        stuck.daemon = True
        stuck.start()
        try:
            await scene()
        finally:
            stuck.cancel()

    run(limited(), fast=True)


async def until(true):
    """Wait, in virtual time."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it never was")


def said(turns):
    return [(turn.heard, turn.said_heard) for turn in turns]


class Page:
    """What a page with this panel would send."""

    def __init__(self, panel):
        self.mic = panel.board.mic
        self.runs = 0

    def state(self, state):
        message = {"kind": "state", "page": "page", "run": f"run {self.runs}", "state": state}
        self.mic._received(None, message, [])

    def press(self):
        self.runs += 1
        self.state("asking")
        self.state("live")

    async def speak(self, sound):
        for number in range(len(sound.samples) // FRAME):
            await asyncio.sleep(FRAME / RATE)
            frame = np.ascontiguousarray(sound.samples[number * FRAME : (number + 1) * FRAME])
            message = {"kind": "frames", "run": f"run {self.runs}", "seq": number}
            self.mic._received(None, message, [memoryview(frame)])


def test_the_whole_panel_is_made_without_a_page_and_without_a_loop(make):
    panel = make(live=True)
    board = panel.board
    assert board.mic is not None and board.speaker is not None
    assert len(panel.children) == 4
    assert [each["name"] for each in board.controls.buttons] == ["start", "hush", "record"]
    assert "Quiet that ends your turn: 0.5 seconds" in board.sliders.text()
    assert not panel.running and panel.talk is None and panel.turns == []
    with pytest.raises(VoiceKitError, match=r"event loop.*notebook"):
        panel.start()


def test_a_recorded_question_and_a_typed_line_are_answered(make, script):
    panel = make()

    async def scene():
        panel.start()
        spoken = await panel.play(script.sound(("what is it", 0.8)))
        typed = await panel.ask("who is it")
        assert said(spoken) == [("what is it", "It is a panel")]
        assert said(typed) == [("who is it", "It is me and nobody else at all")]
        assert said(panel.turns) == said([*spoken, *typed])
        text = panel.text()
        for words in ("what is it", "It is a panel", "who is it", "It is me and nobody else"):
            assert words in text
        assert spoken[0].seconds("wait") == pytest.approx(0.5, abs=0.04)  # as at a microphone
        assert re.search(r"“what is it”: first sound \d+ ms after your last word", text)
        await panel.stop()

    hold(scene)


def test_what_is_said_into_the_page_is_answered_press_after_press(make, script):
    panel = make(live=True)
    page = Page(panel)

    async def scene():
        await panel.start().ready()
        for question in QUESTIONS:
            page.press()
            await page.speak(script.sound(0.5, (question, 0.8), 3.0))
            page.state("off")
            await asyncio.sleep(5)
        assert said(panel.turns) == list(QUESTIONS.items())
        assert not panel.board.controls.problem
        assert "microphone" not in panel.text()  # the one that is off is no failure
        await panel.stop()

    hold(scene)


def test_the_last_question_is_found_again_though_the_microphone_was_off_for_a_while(make, script):
    panel = make(live=True)
    page = Page(panel)

    async def scene():
        await panel.start().ready()
        for question in QUESTIONS:
            page.press()
            await page.speak(script.sound(0.5, (question, 0.8), 3.0))
            page.state("off")
            await asyncio.sleep(20)
        result = await panel.again()
        assert said([turn.times for turn in result.after.turns]) == list(QUESTIONS.items())[1:]
        await panel.stop()

    hold(scene)


def test_a_typed_line_begins_the_conversation_if_it_must(make):
    panel = make()

    async def scene():
        panel.board.views.transcript._received(None, {"line": "what is it"}, [])
        await panel.ready()
        await panel.talk.idle()
        assert said(panel.turns) == [("what is it", "It is a panel")]
        await panel.stop()

    hold(scene)


def test_a_slider_takes_effect_from_the_next_turn_on(make, script):
    def move(event):
        if isinstance(event, TurnStarted) and event.turn == 1:
            panel.board.sliders._received(None, {"set": "hear.stop", "value": 0.9}, [])

    panel = make(observers=[move])

    async def scene():
        await panel.play(script.sound(("what is it", 0.8)))
        await panel.play(script.sound(("who is it", 0.8)))
        waits = [turn.seconds("wait") for turn in panel.turns]
        assert waits == [pytest.approx(0.5, abs=0.04), pytest.approx(0.9, abs=0.04)]
        assert panel.settings.hear.stop == 0.9
        assert panel.board.sliders.values["hear.stop"] == 0.9
        await panel.stop()

    hold(scene)


def test_a_value_that_cannot_be_is_refused_in_a_sentence(make):
    panel = make()
    sliders = panel.board.sliders
    panel._hands.set("hear.stop", 100)
    assert "hear.stop cannot be 100" in sliders.problem
    assert sliders.values["hear.stop"] == panel.settings.hear.stop == 0.5
    assert sliders.refusals == 1
    panel._hands.set("hear.stop", 0.8)
    assert not sliders.problem and panel.settings.hear.stop == 0.8


def test_a_new_engine_is_used_from_the_next_turn_on(make, script):
    by, change = [], []

    def watch(event):
        if isinstance(event, SpeechReady):
            by.append((event.turn, event.engine.partition(":")[0]))
        if isinstance(event, PlaybackStarted) and event.turn == 1:
            change.append(panel.board.choosers._received(None, CHOSEN, []))

    CHOSEN = {"set": "tts", "value": "espeak"}  # noqa: N806
    panel = make(observers=[watch])

    async def scene():
        await panel.start().ready()
        await until(lambda: panel.board.choosers.fields)
        await panel.play(script.sound(("who is it", 0.8)))
        assert change
        await until(lambda: panel.board.choosers.values["tts"] == "espeak")
        await panel.play(script.sound(("what is it", 0.8)))
        assert by == [(1, "humming"), (2, "espeak")]
        assert panel.settings.tts == "espeak"
        again = await panel.again()
        assert [turn.times.said_heard for turn in again.after.turns] == ["It is a panel"]
        panel.record("talk")
        await panel.stop()
        await panel.ask("what is it")  # a new conversation, with the same voice
        assert by[-1] == (1, "espeak")
        await panel.stop()

    hold(scene)
    before = read_recording("talk")
    assert difference(before.events, replay(before, make=nobody).events, 0.001) == ""
    asked = [turn.again(make=nobody).events for turn in before.turns]
    spoken = [[event for event in each if isinstance(event, SpeechReady)] for each in asked]
    voices = [{event.engine.partition(":")[0] for event in each} for each in spoken]
    assert voices == [{"humming"}, {"espeak"}]
    other = replay(before, engines={"tts": HummingVoice(name="other")}, make=nobody)
    assert not [event for event in other.events if isinstance(event, EngineChanged)]
    assert {event.engine for event in other.events if isinstance(event, SpeechReady)} == {"other"}


@pytest.mark.parametrize("stage", ["vad", "stt", "llm", "judge"])
def test_every_stage_can_be_changed_while_it_is_held(make, script, stage):
    spec = {"vad": "energy", "stt": "sphinx", "llm": "handbook", "judge": "silence"}[stage]
    changes = []
    keep = lambda event: changes.append(event) if isinstance(event, EngineChanged) else None  # noqa: E731
    panel = make(observers=[keep])

    async def scene():
        await panel.play(script.sound(("what is it", 0.8)))
        await panel.use(**{stage: spec})
        assert [(each.stage, each.engine) for each in changes] == [(stage, spec)]
        assert panel.board.choosers.values[stage] == spec
        line = getattr(panel.talk.engines, stage)
        assert stage == "vad" or line.name.startswith(spec)
        turns = await panel.play(script.sound(("who is it", 0.8)))
        assert len(turns) == 1 or stage == "stt"  # which finds no words in a hum
        panel.record("talk")
        await panel.stop()

    hold(scene)
    before = read_recording("talk")
    assert sum(isinstance(event, EngineChanged) for event in before.events) == 1
    assert difference(before.events, replay(before, make=nobody).events, 0.001) == ""


def test_an_engine_that_cannot_be_had_leaves_the_one_that_is_there(make, script):
    panel = make()

    async def scene():
        await panel.start().ready()
        with pytest.raises(VoiceKitError, match=r"no llm engine “nobody”"):
            await panel.use(llm="nobody")
        with pytest.raises(SettingsError, match=r"no stage “ears”"):
            await panel.use(ears="sphinx")
        panel._hands.choose("llm", "nobody")
        await until(lambda: panel.board.choosers.problem)
        assert "nobody" in panel.board.choosers.problem
        assert panel.board.choosers.refusals == 1
        assert not panel.board.controls.busy
        turns = await panel.play(script.sound(("what is it", 0.8)))
        assert said(turns) == [("what is it", "It is a panel")]
        await panel.stop()

    hold(scene)


@pytest.mark.parametrize("moment", ["loading", "quiet", "an answer", "two errands"])
def test_stop_leaves_no_task_behind(make, script, moment):
    speaking = asyncio.Event()
    panel = make(observers=[lambda e: isinstance(e, PlaybackStarted) and speaking.set()])

    async def scene():
        panel.start()
        work = []
        if moment != "loading":
            await panel.ready()
        if moment == "an answer":
            work = [asyncio.create_task(panel.ask("who is it"))]
            await speaking.wait()
        if moment == "two errands":
            panel._hands.type("who is it")
            panel._hands.choose("llm", "handbook")
        ending = panel.stop()
        await ending
        assert str(ending) == "stopped"
        assert not panel.running and panel.talk is None
        for task in work:
            with pytest.raises(VoiceKitError, match="stopped"):
                await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert next(each["name"] for each in panel.board.controls.buttons) == "start"
        panel.stop()  # again: nothing
        await panel.stop()
        assert not panel.error

    hold(scene)


def test_start_twice_is_one_loop_and_another_panel_takes_over(make):
    one, other = make(), make()

    def loops():
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "voice-kit panel"]
        return [task for task in tasks if not task.cancelling()]

    async def scene():
        await one.start().start().ready()
        assert len(loops()) == 1
        await other.start().ready()
        assert len(loops()) == 1 and not one.running and other.running
        one.stop()
        await other.stop()
        assert loops() == []

    hold(scene)


def test_stopped_and_started_it_is_a_new_conversation(make, script):
    panel = make()

    async def scene():
        await panel.play(script.sound(("what is it", 0.8)))
        panel.stop()
        panel.start()  # before the other one has ended
        assert panel.running
        assert await panel.ask("who is it")
        assert [turn.number for turn in panel.turns] == [1]
        assert "It is a panel" not in panel.text()
        await panel.stop()

    hold(scene)


def test_the_buttons_do_what_they_say(make, script):
    speaking = asyncio.Event()
    panel = make(observers=[lambda e: isinstance(e, PlaybackStarted) and speaking.set()])

    async def press(name, form=panel.board.controls):
        form._received(None, {"press": name}, [])
        await asyncio.sleep(0)  # on the loop

    def shown(name, form=panel.board.controls):
        return next((each for each in form.buttons if each["name"] == name), None)

    async def scene():
        assert not shown("hush")["enabled"] and not shown("again", panel.board.asking)
        await press("start")
        await panel.ready()
        assert shown("stop") and shown("hush")["enabled"]
        asking = asyncio.create_task(panel.ask("who is it"))
        await speaking.wait()
        await press("hush")
        (turn,) = await asking
        assert turn.interrupted and turn.said_heard != turn.said
        assert shown("again", panel.board.asking)
        await press("again", panel.board.asking)
        await until(lambda: "“who is it”" in panel.board.asking.status)
        await press("record")
        assert shown("record")["pressed"] and "recordings" in panel.board.controls.status
        await press("record")
        assert not shown("record")["pressed"]
        await press("stop")
        await panel.ended()
        assert shown("start")

    hold(scene)
    assert not Path("recordings").exists()


def test_again_tells_what_another_setting_changes(make, script):
    panel = make()

    async def scene():
        with pytest.raises(AudioError, match=r"Nobody was answered yet\. Ask something first"):
            await panel.again()
        await panel.play(script.sound(("what is it", 0.8)))
        same = await panel.again()
        assert str(same).startswith("“what is it”: ") and "→" not in str(same).splitlines()[0]
        longer, before = await panel.again(stop=1.1), panel.settings
        shown = panel.board.asking.status
        assert shown == str(longer) and re.match(r"“what is it”: \d+ ms → 1\d\d\d ms\n", shown)
        assert longer.sound.seconds > 1
        panel.settings = panel.settings.changed({"hear.stop": 1.4})  # as with a slider
        turn = (await panel.again()).after.turns[0].times
        assert turn.seconds("wait") == pytest.approx(1.4, abs=0.04)
        assert len(panel.turns) == 1  # the conversation knows nothing of it
        await panel.play(script.sound(("what is it", 0.8)))
        panel.settings = before  # as it was when the recording began
        turn = (await panel.again()).after.turns[0].times
        assert turn.seconds("wait") == pytest.approx(before.hear.stop, abs=0.04)
        await panel.stop()

    hold(scene)


def test_a_recording_is_kept_from_its_beginning_if_it_is_to_be(make, script):
    panel = make()

    async def scene():
        await panel.play(script.sound(("what is it", 0.8)))
        assert panel.record("talk") == Path("talk")
        await panel.ask("who is it")
        await panel.stop()
        assert "kept in talk" in panel.board.controls.status
        await panel.ask("who is it")
        await panel.stop()
        with pytest.raises(AudioError, match="Choose another folder"):
            panel.record("talk")

    hold(scene)
    recording = read_recording("talk")
    assert said(recording.timeline.turns) == list(QUESTIONS.items())
    after = replay(recording, {"hear.stop": 0.8})
    assert said(after.timeline.turns) == list(QUESTIONS.items())
    assert [path.name for path in Path().iterdir() if path.is_dir()] == ["talk"]


def test_engines_that_cannot_be_loaded_are_told_in_a_sentence_and_another_start_may_work(tmp_path):
    panel = Panel(Settings(llm="nobody", stt="sphinx", tts="espeak"), live=False, notes=tmp_path)

    async def scene():
        panel.start()
        with pytest.raises(VoiceKitError, match="no llm engine “nobody”"):
            await panel.ready()
        await panel.stop()
        assert panel.board.controls.problem.startswith("There is no llm engine “nobody”. Try one")
        assert not panel.board.controls.busy
        with pytest.raises(VoiceKitError):
            await panel.ended()
        panel.settings = panel.settings.changed({"llm": "handbook"})
        turns = await panel.ask("What is voice activity detection?")
        assert turns[0].said and not panel.board.controls.problem
        await panel.stop()

    hold(scene)


def test_a_bug_in_an_engine_is_told_without_what_was_said(make):
    panel = make()

    async def broken(live):
        raise RuntimeError("somebody said this")

    panel._listen = broken

    async def scene():
        panel.start()
        with suppress(VoiceKitError):
            await panel.ready()
        with pytest.raises(RuntimeError):
            await panel.ended()
        assert "RuntimeError" in panel.board.controls.problem
        assert "somebody" not in panel.board.controls.problem
        assert "Start" in panel.board.controls.problem

    hold(scene)


def test_a_sound_instead_of_a_microphone_is_answered_and_then_it_is_over(make, script):
    panel = make(sound=script.sound(("what is it", 0.8)), live=True)
    assert panel.board.mic is None

    async def scene():
        await panel.start().ended()
        assert said(panel.turns) == [("what is it", "It is a panel")]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    hold(scene)


class Hangs:
    """A model that never answers."""

    name = "hangs"
    stops = "async"
    in_loop_time = True

    async def reply(self, messages):
        await asyncio.Event().wait()
        yield ""


def test_an_answer_that_does_not_come_in_time_is_told(make, script):
    settings = Settings().changed({"timeouts.llm": 1000.0})
    panel = make(settings, llm=Hangs(), sound=script.sound(("what is it", 0.8)), limit=5)

    async def scene():
        with pytest.raises(EngineTimeoutError, match=r"did not answer within 5 s"):
            await panel.start().ended()
        assert "within 5 s" in panel.board.controls.problem

    hold(scene)


def test_the_orb_moves_with_the_voice_and_rests_after_it(make, script):
    panel = make()
    levels = []
    panel.board.voice = levels.append

    async def scene():
        await panel.ask("who is it")
        await asyncio.sleep(1)
        assert max(levels) == pytest.approx(0.1, abs=0.01)  # as loud as it hums
        assert levels[-1] == 0.0
        count = len(levels)
        assert 30 <= count <= 60  # 20 a second, for 2 s
        await asyncio.sleep(5)
        assert len(levels) == count
        await panel.stop()

    hold(scene)


def test_a_page_that_is_there_is_played_to_and_its_absence_noticed():
    class Browser(SilentSpeaker):
        page = ""
        opened = 0

        def open(self, on_start):
            self.opened += 1
            return super().open(on_start)

    browser, levels = Browser(), []
    speaker = Loudspeaker(browser, levels.append)

    async def scene():
        for page in ("", "a page", ""):
            browser.page = page
            assert speaker.audible == bool(page)
            playback = speaker.open(lambda at: None)
            levels.clear()
            playback.play(Audio(np.full(4800, 0.5, np.float32), 24_000))
            await playback.finished()
            assert playback.heard == pytest.approx(0.2)
            assert any(levels) == (not page), "a page knows itself how loud it is"
        assert browser.opened == 1

    hold(scene)


def test_an_engine_speaks_to_a_panel_without_a_page_as_if_it_were_heard(make, script):
    finished = []
    keep = lambda event: finished.append(event) if isinstance(event, TurnFinished) else None  # noqa: E731
    panel = make(live=True, observers=[keep])

    async def scene():
        await panel.ask("who is it")
        assert [event.said_heard for event in finished] == ["It is me and nobody else at all"]
        await panel.stop()

    hold(scene)


def test_the_exported_assistant_is_a_file_that_answers(make, tmp_path, require):
    from voice_kit.audio.files import write
    from voice_kit.sounds import clip

    settings = Settings(stt="sphinx", llm="handbook", tts="espeak", judge="text")
    panel = Panel(settings, live=False, export=export)
    panel._hands.set("hear.stop", 0.7)
    file = panel.export(tmp_path / "my_assistant.py")
    assert '"hear.stop": 0.7' in file.read_text(encoding="utf-8")
    with pytest.raises(SettingsError, match="is there already"):
        panel.export(file)
    assert panel.export(file, force=True) == file
    write(tmp_path / "question.wav", clip("question_vad").audio())
    done = subprocess.run(
        [sys.executable, file, "question.wav"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "voice activity detect" in done.stdout
    with pytest.raises(VoiceKitError, match=r"Panel\(export="):
        make().export("my_assistant.py")


# The form, and the names


def test_a_form_takes_only_what_it_has():
    got = []
    form = Form(on_set=lambda *change: got.append(change), on_press=got.append)
    for message in ({"set": "x", "value": 1}, {"press": "x"}, {"set": 1}, "x", None, {"press": []}):
        form._received(None, message, [])
    assert got == []


def test_the_names_are_loaded_when_they_are_asked_for():
    code = (
        "import sys, voice_kit.show as show\n"
        "assert not {'anywidget', 'ipywidgets', 'matplotlib'} & sys.modules.keys()\n"
        "sys.modules['anywidget'] = None\n"
        "try:\n"
        "    show.Mic\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MissingEngineError The notebook's Mic is not available. Try:" in done.stdout
    import voice_kit.show as show

    for name in show.__all__:
        assert getattr(show, name).__name__ == name
    with pytest.raises(AttributeError):
        show.Nothing  # noqa: B018
