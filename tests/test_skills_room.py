"""Skills in a whole conversation: said, done, rung and stopped by voice."""

import asyncio
from dataclasses import replace

import pytest
from helpers_skills import ZURICH, Clock
from scenes import Scene, after

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.audio.volume import Volume
from voice_kit.converse.line import Line
from voice_kit.settings.groups import Tools as ToolSettings
from voice_kit.sounds import clips
from voice_kit.think.brain import Acting
from voice_kit.think.skills import Alarms, Folder, Room, all_skills
from voice_kit.think.tools import Tools
from voice_kit.types import Route, ToolUsed
from voice_kit.workshop.fakes import Script, scripted


class EverythingIsASkill:
    name = "skill"
    stops = "steps"
    direct = True

    def route(self, words):
        return Route("skill", 1.0, "always")


def act(folder, *parts, speaker=None):
    """A conversation with all skills, whose clock is the loop's."""
    clock = Clock()
    began, talking = clock.now, []

    def now():
        try:
            return began + asyncio.get_running_loop().time()
        except RuntimeError:  # in a tool's thread
            return began

    def last_answer():
        said = [line.content for line in talking[0].history.lines if line.role == "assistant"]
        return said[-1] if said else ""

    speaker = speaker or SilentSpeaker(16_000)
    change = speaker.change if isinstance(speaker, Volume) else None
    room = Room(now, ZURICH, last_answer=last_answer, change_volume=change)
    alarms = Alarms(Folder(folder), room)
    skills = all_skills(room, ToolSettings(notes=str(folder / "notes")), alarms=alarms)
    brain = Acting(EverythingIsASkill(), skills, Tools(skills.tools))
    script = Script()
    engines = replace(scripted(script), brain=Line("brain", brain))

    def open_room(talk):
        talking.append(talk)
        bell = asyncio.get_running_loop().create_task(alarms.ring_forever(talk.announce))
        asyncio.get_running_loop().call_later(closing, bell.cancel)

    closing = sum(part if isinstance(part, float) else part[1] for part in parts) - 0.5
    return Scene(script, *parts, engines=engines, speaker=speaker, during=after((0.01, open_room)))


def test_a_timer_that_is_set_by_voice_rings_in_the_room_and_is_stopped_by_voice(tmp_path):
    scene = act(
        tmp_path,
        *(1.0, ("set a tea timer for ten seconds", 1.0), 22.0, ("stop", 0.6), 60.0),
    )
    assert [text for _, text in scene.memory] == [
        "set a tea timer for ten seconds",
        "Tea timer set for 10 seconds.",
        "Your tea timer is done.",
        "stop",
        "Okay.",
    ]


def test_a_timer_that_nobody_stops_rings_four_times(tmp_path):
    scene = act(tmp_path, 1.0, ("set a timer for ten seconds", 1.0), 90.0)
    rung = [text for _, text in scene.memory if text.endswith("is done.")]
    assert rung == ["Your timer of 10 seconds is done."] * 4


def test_a_sentence_that_no_skill_understands_whole_is_talked_about(tmp_path):
    scene = act(tmp_path, 1.0, ("remind me what a timer is", 1.0), 4.0)
    assert not scene.all(ToolUsed)
    assert scene.memory[-1] == ("assistant", "You said remind me what a timer is.")


def test_a_note_is_deleted_after_yes(tmp_path):
    scene = act(
        tmp_path,
        *(1.0, ("take a note buy milk", 1.0), 4.0, ("delete the last note", 1.0), 6.0),
        *(("yes please", 0.6), 4.0, ("read my notes", 1.0), 4.0),
    )
    said = [text for role, text in scene.memory if role == "assistant"]
    assert said == [
        "Noted.",
        "Shall I delete your last note: “buy milk”?",
        "Deleted.",
        "There are no notes.",
    ]


def test_the_last_answer_is_said_again_and_louder(tmp_path):
    volume = Volume(SilentSpeaker(16_000))
    scene = act(
        tmp_path,
        *(1.0, ("what is twelve times seven", 1.0), 4.0, ("louder", 0.6), 4.0),
        *(("say that again", 0.6), 4.0),
        speaker=volume,
    )
    said = [text for role, text in scene.memory if role == "assistant"]
    assert said == ["That is 84.", "Okay.", "Okay."]
    assert volume.gain > 1


@pytest.mark.parametrize("words", ["what is one divided by zero", "open the text editor"])
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, words):
    scene = act(tmp_path, 1.0, (words, 1.0), 6.0)
    assert scene.memory[-1][1].endswith(".")


def test_what_is_spoken_in_the_recordings_is_understood_as_it_is_written(tmp_path):
    from voice_kit.hear.stt_sphinx import PocketSphinx

    skills = all_skills(Room(Clock(), ZURICH))
    spoken = [clip for clip in clips() if clip.kind in ("command", "pause", "interruption")]
    assert len(spoken) > 15
    engine = PocketSphinx()
    try:
        heard = {clip.text: engine.transcribe(clip.audio()).text for clip in spoken}
    finally:
        engine.close()
    found = {text: skills.find(text) for text in heard}
    assert {text: skills.find(words) for text, words in heard.items()} == found
    assert sum(call is not None for call in found.values()) >= 14


def test_what_is_only_talked_about_is_no_skill():
    skills = all_skills(Room(Clock(), ZURICH))
    talk = [clip.text for clip in clips() if clip.kind in ("free", "question", "backchannel")]
    assert len(talk) > 15
    assert [text for text in talk if skills.find(text)] == []
