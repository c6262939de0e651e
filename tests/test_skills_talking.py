"""How we speak, and what was said."""

import asyncio

import pytest
from helpers_skills import MACHINE, AtHome

from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.audio.volume import Volume
from voice_kit.speak.pace import change_pace
from voice_kit.think.skills.room import Room


def test_stop_is_short_and_hushes_on_the_event_loop(tmp_path):
    hushed = []
    home = AtHome(tmp_path, hush=lambda: hushed.append(asyncio.get_running_loop()))
    assert home.say("stop") == "Okay."
    assert len(hushed) == 1


def test_the_last_answer_is_said_again(tmp_path):
    home = AtHome(tmp_path, last_answer=lambda: "It is noon.")
    assert home.say("say that again") == "It is noon."
    assert AtHome(tmp_path).say("say that again") == "I have not said anything yet."


def test_other_words_come_from_a_model_and_without_one_it_says_so(tmp_path):
    async def rephrase(text):
        return text.upper()

    home = AtHome(tmp_path, last_answer=lambda: "It is noon.", rephrase=rephrase)
    assert home.say("say that in other words") == "IT IS NOON."
    alone = AtHome(tmp_path, last_answer=lambda: "It is noon.")
    said = alone.say("repeat in other words")
    assert "without a language model" in said and said.endswith("It is noon.")
    assert AtHome(tmp_path).say("rephrase that") == "I have not said anything yet."


def test_louder_and_quieter_move_the_loudspeaker_until_it_ends(tmp_path):
    volume = Volume(SilentSpeaker())
    home = AtHome(tmp_path, change_volume=volume.change)
    assert home.say("louder") == "Okay."
    assert volume.gain > 1
    for _ in range(4):
        last = home.say("turn it up")
    assert last == "I cannot speak any louder."
    for _ in range(12):
        last = home.say("speak more quietly")
    assert last == "I cannot speak any quieter."
    assert 0 < volume.gain < 1


class Voice:
    speed = 1.0


def test_slower_and_faster_move_the_voice_until_it_ends(tmp_path):
    voice = Voice()
    home = AtHome(tmp_path, change_pace=lambda steps: change_pace(voice, steps))
    assert home.say("slow down") == "Okay."
    assert voice.speed < 1
    for _ in range(10):
        last = home.say("faster")
    assert last == "I cannot speak any faster."


def test_a_voice_with_one_pace_says_so(tmp_path):
    home = AtHome(tmp_path, change_pace=lambda steps: change_pace(object(), steps))
    assert home.say("slower") == (
        "This voice cannot change its pace. Choose espeak, kokoro or piper."
    )


@pytest.mark.parametrize("words", ["louder", "slower"])
def test_a_room_without_a_voice_says_so(tmp_path, words):
    assert "cannot change" in AtHome(tmp_path).say(words)


def test_what_it_can_do_is_told_but_not_what_is_off(tmp_path):
    said = AtHome(tmp_path).say("what can you do")
    assert said.startswith("I can tell the time") and " and " in said
    assert "open" not in said
    assert "open" in AtHome(tmp_path, allow=MACHINE).say("what can you do")


def test_a_room_of_defaults_is_this_machine_now():
    now = Room().local()
    assert now.year >= 2025
