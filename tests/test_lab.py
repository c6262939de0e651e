"""The lab on sounds whose cut-offs are known beforehand, and its commands."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scenes import Scene

from voice_kit.audio.files import write
from voice_kit.cli import lab as commands
from voice_kit.errors import AudioError
from voice_kit.hear.ears import listen
from voice_kit.settings import Settings
from voice_kit.settings.groups import Endpointing
from voice_kit.sounds import clip
from voice_kit.speak.tts_espeak import Espeak
from voice_kit.types import (
    FRAME,
    RATE,
    Audio,
    PlaybackStarted,
    Speech,
    SpeechStarted,
    Transcript,
    TurnEnded,
    TurnFinished,
    Word,
)
from voice_kit.workshop import lab_frontier, lab_interruptions, lab_outcomes, lab_sounds
from voice_kit.workshop.fakes import HummingVoice, LoudnessDetector, Script, ScriptedTranscriber
from voice_kit.workshop.lab_endpointing import (
    Point,
    play,
    quiet,
    score,
    sweep,
    ways,
)
from voice_kit.workshop.lab_engines import Remembering, Repeating, Replayed, spoken
from voice_kit.workshop.lab_judged import Heard, Judged, Place
from voice_kit.workshop.lab_sounds import Pause, Recording, Turn, room_tone, thoughtful, turns

STEP = FRAME / RATE
RULES = Endpointing()


def turn(*spans, name="turn", after=2.0):
    """Speech and quiet in turn, in frames, with quiet behind: what is true of it is exact."""
    counts = [*spans, round(after / STEP)]
    chances, at, pauses = [], 0, []
    for index, count in enumerate(counts):
        chances += [0.9 if index % 2 else 0.0] * count
        if index % 2 == 0 and 0 < index < len(counts) - 1:
            pauses.append(Pause(at * STEP, (at + count) * STEP))
        at += count
    frames = [np.zeros(FRAME, np.float32)] * len(chances)
    ended = sum(spans) * STEP
    return Turn(name, name, frames, np.array(chances, np.float32), ended, tuple(pauses))


def rules(**change):
    return RULES.model_copy(update=change)


class Says:
    """A judge that says what it is told to, by how many tenths of a second were spoken."""

    stops = "steps"

    def __init__(self, chance, needs_words=False):
        self.chance, self.needs_words, self.name = chance, needs_words, "says"
        self.asked = []

    def finished(self, audio, transcript):
        self.asked.append((audio, transcript))
        return self.chance(len(self.asked)) if callable(self.chance) else self.chance


class Waits(Says):
    stops = "async"

    async def finished(self, audio, transcript):
        return super().finished(audio, transcript)


# How long a pause has to be


@pytest.mark.parametrize(
    ("chance", "known", "seconds"),
    [
        (0.9, 0.1, 0.2),
        (0.9, 0.3, 0.3),  # the answer came when its wait was over
        (0.5, 0.1, 0.5),
        (0.5, 0.9, 0.9),
        (0.1, 0.1, 1.5),
        (0.9, 1.5, 1.5),
        (0.9, 9.0, 1.5),  # nobody waits longer for the judge than for an unfinished sentence
        (0.8, 0.0, 0.2),
        (0.3, 0.0, 1.5),
    ],
)
def test_a_judges_answer_decides_once_it_is_there(chance, known, seconds):
    assert quiet(chance, known, RULES) == seconds


def test_a_fixed_wait_cuts_off_at_every_longer_pause_and_adds_itself():
    one = turn(10, 20, 12, 20)  # a pause of 12 frames, 384 ms
    assert [end.at for end in play(one, rules(stop=0.32))] == [
        pytest.approx(40 * STEP),
        pytest.approx(72 * STEP),
    ]
    assert [end.at for end in play(one, rules(stop=0.416))] == [pytest.approx(75 * STEP)]


def test_what_is_played_is_what_a_conversation_hears():
    """The lab's own loop around the ears gives the turns that `listen` gives."""
    one = turn(10, 20, 12, 20, 4, 9)
    for stop in (0.128, 0.32, 0.5):
        expected = [
            event
            for event in listen(one.frames, one.chances, rules(stop=stop))
            if isinstance(event, TurnEnded)
        ]
        assert [end.at for end in play(one, rules(stop=stop))] == [end.at for end in expected]


def test_a_judge_that_is_sure_ends_the_turn_sooner_and_one_that_is_not_later():
    one = turn(10, 20, 12, 20)
    sure = play(one, RULES, lambda place, sound: (0.9, 0.0))
    assert [end.at - end.ended for end in sure] == [pytest.approx(0.224), pytest.approx(0.224)]
    unsure = play(one, RULES, lambda place, sound: (0.1, 0.0))
    assert [end.at - end.ended for end in unsure] == [pytest.approx(1.504)]
    right = play(one, RULES, lambda place, sound: (0.9 if place.ended > 11 else 0.1, 0.0))
    assert [end.at for end in right] == [pytest.approx((62 + 7) * STEP)]


@pytest.mark.parametrize("gap", range(7, 15))
def test_who_is_spoken_into_is_who_is_spoken_into_in_a_conversation(gap):
    """With engines that take 250 ms, started 64 ms into the pause."""
    wait, script = rules(stop=0.192), Script()
    scene = Scene(
        *(script, 16 * STEP, ("set a timer for", 20 * STEP), gap * STEP),
        *(("ten minutes", 20 * STEP), 4.0),
        settings=Settings().changed({"hear.stop": 0.192}),
    )
    again = scene.all(SpeechStarted)[1].at
    heard = any(event.at < again + STEP for event in scene.all(PlaybackStarted))
    assert len(scene.all(TurnEnded)) == 2
    ends = play(turn(16, 20, gap, 20), wait, answer=0.064 + 0.25)
    assert [end.joined for end in ends] == [not heard, False]
    assert len(scene.all(TurnFinished)) == (2 if heard else 1)
    if not heard:
        assert scene.one(TurnFinished).heard == "set a timer for ten minutes"


def test_a_conversation_is_sometimes_spoken_into_and_sometimes_not():
    joined = [play(turn(16, 20, gap, 20), rules(stop=0.192))[0].joined for gap in range(7, 15)]
    assert True in joined
    assert False in joined


def test_a_cough_joins_nothing():
    """Who says a word after the answer has begun did not go on, however soon they coughed."""
    ends = play(turn(10, 20, 7, 1, 20, 20), rules(stop=0.192), answer=0.5)
    assert [end.joined for end in ends] == [False, False]
    ends = play(turn(10, 20, 7, 1, 1, 20), rules(stop=0.192), answer=0.5)
    assert [end.joined for end in ends] == [True, False]


def test_the_judge_hears_what_was_said_before_where_both_halves_are_one_turn():
    heard = []

    def opinion(place, sound):
        heard.append((place.started, sound().seconds))
        return 0.9, 0.0

    play(turn(16, 30, 8, 30), RULES, opinion, answer=0.5)
    play(turn(16, 30, 8, 30), RULES, opinion, answer=0.2)
    (_, first), (joined, whole), _, (alone, half) = heard
    assert (joined, alone) == (2, 7), "the joined turn began with its first half"
    assert whole == pytest.approx(first + half, abs=2 * STEP)


def test_a_slow_judge_makes_everybody_wait_for_it():
    one = turn(10, 20)
    (end,) = play(one, RULES, lambda place, sound: (0.9, 0.6))
    assert end.at - end.ended == pytest.approx(0.672)  # 64 ms to the pause, then 600 ms
    (end,) = play(one, RULES, lambda place, sound: (0.9, 60.0))
    assert end.at - end.ended == pytest.approx(1.504)


def test_the_judge_is_asked_at_every_pause_however_many_there_are():
    one, asked = turn(10, 20, 4, 20, 4, 20, 4, 20, 4, 20), []

    def opinion(place, sound):
        asked.append(place)
        return 0.9, 0.0

    play(one, RULES, opinion)
    assert len(asked) == 5


# What it comes to


def test_a_score_counts_turns_and_pauses_cut_off_and_the_wait_of_the_others():
    three = [
        turn(10, 20, 12, 20, name="a pause of 384 ms"),
        turn(10, 20, 20, 20, 8, 20, name="pauses of 640 and 256 ms"),
        turn(10, 20, name="no pause"),
    ]
    point = score(three, rules(stop=0.5))
    assert (point.turns, point.cut_off, point.missed) == (3, 1, 0)
    assert (point.pauses, point.pauses_cut) == (3, 1)
    assert point.added == pytest.approx(0.512)
    assert point.share == pytest.approx(1 / 3)
    point = score(three, rules(stop=0.192))
    assert (point.cut_off, point.pauses_cut) == (2, 3)
    assert point.added == pytest.approx(0.192)


@pytest.mark.parametrize(
    ("stop", "answer", "cut_off", "spoken_into", "until_sound"),
    [
        (0.192, 0.0, 3, 3, None),
        (0.192, 0.3, 3, 2, 0.3),  # who paused for 224 ms heard nothing before going on
        (0.192, 0.5, 3, 1, 0.5),
        (0.192, 0.9, 3, 0, 0.9),
        (0.512, 0.3, 1, 1, 0.512),  # an answer that is ready waits for the end of the turn
        (0.704, 0.9, 0, 0, 0.9),
    ],
)
def test_whoever_goes_on_before_the_answer_is_heard_was_cut_off_but_not_spoken_into(
    stop, answer, cut_off, spoken_into, until_sound
):
    three = [
        turn(10, 20, 7, 20, name="a pause of 224 ms"),
        turn(10, 20, 12, 20, name="a pause of 384 ms"),
        turn(10, 20, 20, 20, name="a pause of 640 ms"),
    ]
    point = score(three, rules(stop=stop), answer=answer)
    assert (point.cut_off, point.spoken_into) == (cut_off, spoken_into)
    assert point.spoken_into_share == pytest.approx(spoken_into / 3)
    if until_sound is None:
        assert math.isnan(point.until_sound)
    else:
        assert point.until_sound == pytest.approx(until_sound, abs=1e-6)
    data = json.loads(json.dumps(point.as_json()))
    assert data["answer_ms"] == pytest.approx(answer * 1000)
    assert (data["cut_off"], data["spoken_into"]) == (cut_off, spoken_into)


def test_a_turn_that_goes_on_once_unheard_and_once_heard_was_spoken_into():
    both = turn(10, 20, 7, 20, 20, 20)
    assert [end.joined for end in play(both, rules(stop=0.192))] == [True, False, False]
    assert score([both], rules(stop=0.192)).spoken_into == 1


def test_the_wait_of_a_turn_that_was_cut_off_is_not_counted():
    both = [turn(10, 20, 12, 20, name="cut off"), turn(10, 20, name="whole")]

    def opinion(place, sound):
        return (0.1 if place.ended > 11 else 0.9), 0.0

    point = score(both, RULES, "says", opinion)
    assert (point.cut_off, point.pauses_cut) == (1, 1)
    assert point.added == pytest.approx(0.224), "1.5 s after the first one's end do not count"


def test_a_turn_that_nobody_hears_is_missed_and_adds_no_wait():
    soft = turn(10, 20)
    soft.chances[:] = 0.4
    point = score([soft], RULES)
    assert (point.missed, point.cut_off) == (1, 0)
    assert math.isnan(point.added)
    assert json.loads(json.dumps(point.as_json()))["added_ms"] is None


def test_the_sweep_begins_with_the_settings_and_asks_a_judge_once_for_each_pause():
    judge = Says(0.1)
    opinion = Judged(judge, Heard(None))
    points = list(sweep([turn(10, 20, 12, 20)], {"silence": None, "says": opinion}, Settings()))
    assert [point.judge for point in points if point.usual] == ["silence", "says"]
    tried = {(p.judge, p.start_above, p.stop, p.finished, p.unfinished) for p in points}
    usual = next(point for point in points if point.usual)
    assert (usual.start_above, usual.stop) == (0.5, 0.5)
    assert len(tried) == len(points) > 60
    assert 2 <= len(judge.asked) <= 4, "each pause once, however many settings are tried"


def test_a_judge_of_words_gets_them_and_its_wait_includes_theirs():
    script = Script()
    sound = script.say("set a timer for", 1.0)
    judge = Says(0.1, needs_words=True)
    heard = Heard(ScriptedTranscriber(script, delay=0))
    opinion = Judged(judge, heard)
    chance, took = opinion(Place("a", 0, 10), lambda: sound)
    assert chance == 0.1
    assert took > 0
    assert [said.text for _, said in judge.asked] == ["set a timer for"]
    fixed = Judged(judge, heard, latency=0.25)
    assert fixed(Place("a", 0, 10), lambda: sound) == (0.1, 0.25)


def test_without_words_a_judge_of_words_is_not_asked():
    judge = Says(0.9, needs_words=True)
    opinion = Judged(judge, Heard(ScriptedTranscriber(Script(), delay=0)))
    assert opinion(Place("a", 0, 10), lambda: Audio.silence(1.0))[0] == 0.5
    assert not judge.asked


@pytest.mark.parametrize(("reads", "asked"), [(True, 0), (False, 1)])
def test_where_nothing_is_transcribed_early_only_a_judge_that_listens_is_asked(reads, asked):
    script = Script()
    sound = script.say("set a timer for", 1.0)
    stt = ScriptedTranscriber(script, delay=0)
    stt.speculative = False
    judge = Says(0.9, needs_words=reads)
    chance, _ = Judged(judge, Heard(stt))(Place("a", 0, 10), lambda: sound)
    assert (chance, len(judge.asked)) == ((0.9 if asked else 0.5), asked)
    assert not stt.seconds


def test_a_judge_far_away_is_waited_for():
    judge = Waits(0.7)
    assert Judged(judge, Heard(None))(Place("a", 0, 1), lambda: Audio.silence(1.0))[0] == 0.7


def test_ways_to_wait_are_possible_ones():
    usual = Settings().hear
    tried = list(ways(usual, judged=True))
    assert tried[0] == usual
    assert all(way.finished <= way.stop <= way.unfinished for way in tried)
    assert all(way.stop_below < way.start_above for way in tried)
    assert {way.finished for way in ways(usual, judged=False)} == {usual.finished}


# The frontier, by hand


def point(
    judge, added, cut_off, *, usual=False, turns=100, spoken_into=0, until_sound=1.0, missed=0
):
    times, felt = (added, added), (spoken_into, until_sound, 0.3)
    return Point(judge, 0.5, added, 0.2, 1.5, turns, cut_off, missed, 10, 0, *times, *felt, usual)


def test_the_frontier_keeps_what_no_other_setting_beats():
    points = [
        point("silence", 0.2, 40),
        point("silence", 0.3, 45),  # slower and worse
        point("silence", 0.4, 20),
        point("silence", 0.4, 30),
        point("silence", 0.8, 20),  # slower and no better
        point("silence", 1.0, 0),
        point("text", 0.3, 1),
    ]
    best = lab_frontier.frontier(points, "silence")
    assert [(each.added, each.cut_off) for each in best] == [(0.2, 40), (0.4, 20), (1.0, 0)]


def test_who_hears_fewer_than_the_settings_as_they_are_beats_nobody():
    points = [
        point("silence", 0.3, 30, usual=True, missed=2),
        point("silence", 0.2, 0, missed=40),  # whoever is not heard is not cut off
        point("silence", 0.4, 10, missed=2),
        point("silence", 0.5, 5, missed=1),
    ]
    assert [each.added for each in lab_frontier.frontier(points, "silence")] == [0.3, 0.4, 0.5]
    assert lab_frontier.share_at(points, "silence", 0.35) == pytest.approx(0.2)
    assert lab_frontier.missed(points) == 2
    assert lab_frontier.missed(points[1:]) is None
    head, *lines = lab_frontier.table(points)
    assert head.index("unfinished") < head.index("missed") < head.index("cut off")
    assert [line[: line.index(" of ")].split()[-2] for line in lines] == ["2", "2", "1"]


def test_the_headline_compares_the_judges_at_the_same_wait():
    points = [
        point("silence", 0.3, 30, usual=True),
        point("silence", 0.4, 10),
        point("text", 0.25, 8),
        point("text", 0.45, 4),
        point("smart-turn", 0.36, 1),
        point("says", 0.2, 3),
    ]
    assert lab_frontier.share_at(points, "silence", 0.35) == pytest.approx(0.20)
    assert lab_frontier.share_at(points, "text", 0.35) == pytest.approx(0.06)
    assert lab_frontier.share_at(points, "smart-turn", 0.35) is None
    assert lab_frontier.share_at(points, "says", 0.35) == pytest.approx(0.03)
    assert lab_frontier.headline(points) == (
        "cut-offs at a mean added wait of 350 ms: fixed silence 20.0 %, text 6.0 %, "
        "smart-turn (never so quick), says 3.0 %"
    )


def test_the_second_headline_tells_who_is_spoken_into_and_by_which_wait():
    felt = lab_frontier.SPOKEN_INTO
    points = [
        point("silence", 0.1, 90, spoken_into=8, until_sound=0.3),
        point("silence", 0.2, 80, spoken_into=4, until_sound=0.6),
        point("text", 0.1, 70, spoken_into=2, until_sound=0.42),
        point("says", 0.1, 60, spoken_into=0, until_sound=0.5),
    ]
    assert lab_frontier.headline(points, felt) == (
        "turns spoken into at a mean wait until the answer's sound of 450 ms: "
        "fixed silence 6.0 %, text 2.0 %, says (never so quick)"
    )
    slow = [replace(each, answer=0.6, until_sound=0.63) for each in points]
    assert "sound of 750 ms: fixed silence 4.0 %" in lab_frontier.headline(slow, felt)
    assert lab_frontier.CUT_OFF.compared_at(slow) == 0.35


def test_the_table_shows_the_frontier_and_the_settings_as_they_are():
    points = [point("silence", 0.5, 50, usual=True), point("silence", 0.3, 30)]
    head, quick, usual = lab_frontier.table(points)
    assert head.index("cut off") < head.index("added") < head.index("spoken into")
    assert head.index("spoken into") < head.index("until sound")
    assert "30 of 100  30.0 %" in quick
    assert usual.startswith("★ silence")
    assert "50 of 100  50.0 %" in usual
    assert "500 ms" in usual


def test_the_picture_has_a_line_for_each_judge_and_marks_the_settings(tmp_path):
    points = [
        point("silence", 0.3, 30, usual=True),
        point("silence", 0.6, 10),
        point("text", 0.25, 8),
    ]
    figure = lab_frontier.draw(points)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["fixed silence", "text"]
    assert [line.get_marker() for line in axes.lines].count("*") == 1
    first = axes.lines[0]
    assert list(first.get_xdata()) == [300, 600]
    assert list(first.get_ydata()) == [30, 10]
    figure.savefig(tmp_path / "frontier.png")
    assert (tmp_path / "frontier.png").stat().st_size > 5_000


# Recordings, and pauses for thought


def recording(seconds=3.0, text="one two three four five", name="a"):
    hum = np.sin(np.arange(round(seconds * RATE)) * 0.1).astype(np.float32) * 0.3
    return Recording(name, text, Audio(hum, RATE))


def test_a_recording_becomes_a_turn_whose_end_and_pauses_are_known():
    first, second = recording(1.0), recording(1.6)
    gap = np.zeros(round(0.48 * RATE), np.float32)
    sound = np.concatenate([first.audio.samples, gap, second.audio.samples])
    made = lab_sounds.turn(Recording("b", "x", Audio(sound, RATE)), LoudnessDetector(), 1.0)
    assert made.ended == pytest.approx(lab_sounds.BEFORE + 3.08, abs=STEP)
    (pause,) = made.pauses
    assert pause.start == pytest.approx(lab_sounds.BEFORE + 1.0, abs=STEP)
    assert pause.end == pytest.approx(lab_sounds.BEFORE + 1.48, abs=2 * STEP)
    assert len(made.frames) == len(made.chances) > (3.08 + 1.0) / STEP


def test_a_pause_for_thought_is_put_between_two_words():
    said = recording(3.0)
    words = (Word("one", 0.1, 0.9), Word("two", 1.1, 1.9), Word("three", 2.1, 2.9))
    made = thoughtful(said, Transcript("one two three", words=words))
    blocks = made.audio.samples[: len(made.audio.samples) // 160 * 160].reshape(-1, 160)
    begun = int(np.argmax(np.abs(blocks).max(axis=1) < 0.05)) / 100
    assert any(abs(begun - border) < 0.1 for border in (1.0, 2.0))
    longer = made.audio.seconds - said.audio.seconds
    assert lab_sounds.THOUGHT[0] <= longer <= lab_sounds.THOUGHT[1]
    assert made.text == said.text
    assert made.name != said.name
    kept = np.array_equal(made.audio.samples[: RATE // 2], said.audio.samples[: RATE // 2])
    assert kept, "what is said before the pause is untouched"


def test_the_same_recording_gets_the_same_pauses_and_another_one_others():
    one, again = (thoughtful(recording(), Transcript("")) for _ in range(2))
    assert np.array_equal(one.audio.samples, again.audio.samples)
    other = thoughtful(recording(name="b"), Transcript(""))
    assert len(other.audio.samples) != len(one.audio.samples)


def test_without_words_it_is_cut_where_it_is_quietest():
    said = recording(3.0)
    said.audio.samples[round(1.5 * RATE) : round(1.56 * RATE)] = 0
    made = thoughtful(said, Transcript(""))
    assert np.abs(made.audio.samples[round(1.54 * RATE) : round(1.8 * RATE)]).max() < 0.02
    assert np.abs(made.audio.samples[round(1.3 * RATE) : round(1.49 * RATE)]).max() > 0.2


def test_a_long_sentence_gets_two_pauses_and_a_short_answer_none():
    long = recording(6.0, "one two three four five six seven eight nine ten eleven")
    found, deaf = turns([long, recording(0.5, "yes please", "b")], LoudnessDetector(), nothing, 1.0)
    assert not deaf
    assert [(each.name, len(each.pauses)) for each in found] == [
        ("a", 0),
        ("a (thinking)", 2),
        ("b", 0),
    ]


def nothing(audio):
    return Transcript("")


def test_room_tone_is_as_soft_as_the_room():
    noise = np.random.default_rng(1).standard_normal(RATE).astype(np.float32) * 0.001
    loud = recording(1.0).audio.samples
    tone = room_tone(np.concatenate([noise, loud]), 1.0, seed=1)
    assert 0.0005 < tone.std() < 0.002
    assert not room_tone(np.zeros(RATE, np.float32), 1.0, seed=1).any()


def test_silence_and_noise_are_no_turns():
    mute = Recording("mute", "words", Audio.silence(1.0))
    noise = Recording("noise", "", recording().audio, "noise")
    assert turns([mute, noise], LoudnessDetector(), None, 1.0) == ([], ["mute"])


def test_a_folder_is_read_by_its_manifest(tmp_path):
    write(tmp_path / "me.wav", clip("answer_yes").audio())
    notes = [{"file": "me.wav", "kind": "speech", "text": "Yes."}]
    (tmp_path / "manifest.json").write_text(json.dumps(notes))
    (read,) = lab_sounds.folder(tmp_path)
    assert (read.name, read.text, read.kind) == ("me", "Yes.", "speech")
    assert read.audio.rate == RATE


def test_two_recordings_of_one_name_in_different_folders_are_two(tmp_path):
    notes = [{"file": f"{who}/yes.wav", "kind": "speech", "text": "Yes."} for who in ("me", "you")]
    for note in notes:
        (tmp_path / note["file"]).parent.mkdir()
        write(tmp_path / note["file"], clip("answer_yes").audio())
    (tmp_path / "manifest.json").write_text(json.dumps(notes))
    mine, yours = lab_sounds.folder(tmp_path)
    assert (mine.name, yours.name) == ("me/yes", "you/yes")


@pytest.mark.parametrize("listing", [None, "{", "[1]", '[{"file": "me.wav"}]', '{"file": 1}'])
def test_a_folder_without_a_good_manifest_is_refused_in_a_sentence(tmp_path, listing):
    if listing is not None:
        (tmp_path / "manifest.json").write_text(listing)
    with pytest.raises(AudioError, match="is no list of recordings") as caught:
        list(lab_sounds.folder(tmp_path))
    assert "\n" not in str(caught.value)


# Interruptions


def sound(seconds, kind, name="sound", line="stop now please"):
    """A hum that the scripted transcriber reads `line` from."""
    script = Script(["mhm", "stop now please"])
    samples = script.say(line, seconds).samples
    whole = np.concatenate([samples, np.zeros(round(lab_interruptions.BEHIND * RATE), np.float32)])
    whole = np.pad(whole, (0, -len(whole) % FRAME))
    chances = np.zeros(len(whole) // FRAME, np.float32)
    chances[: round(seconds / STEP)] = 0.9
    return lab_interruptions.Sound(name, kind, Audio(whole, RATE), chances)


@pytest.fixture
def bench():
    script = Script(["mhm", "stop now please"])
    stt = ScriptedTranscriber(script, delay=0, confident=False)
    return lab_interruptions.Lab(stt, HummingVoice(0.0, word=0.3), Settings(), latency=0.1)


def interrupt(mode="evidence", after=0.5):
    return Settings().interrupt.model_copy(update={"mode": mode, "after": after})


def test_an_interruption_is_silent_at_once_and_stops_after_the_evidence(bench):
    trial = bench.trial(sound(1.0, "interruption"), 2.0, interrupt(after=0.5))
    assert trial.quiet == pytest.approx(STEP, abs=1e-6)
    assert trial.stopped == pytest.approx(0.512, abs=1e-6)
    assert trial.into == pytest.approx(2.2, abs=0.1)
    assert trial.words_heard == trial.words_kept == pytest.approx(trial.into / 0.3, abs=1.1)
    assert trial.words_heard >= 6


def test_less_evidence_stops_sooner_and_any_sound_at_once(bench):
    stops = [
        bench.trial(sound(1.0, "interruption"), 2.0, interrupt(after=after)).stopped
        for after in (0.16, 0.32, 0.8)
    ]
    assert stops == [pytest.approx(each, abs=1e-6) for each in (0.16, 0.32, 0.8)]
    any_sound = bench.trial(sound(1.0, "interruption"), 2.0, interrupt("any"))
    assert any_sound.stopped == any_sound.quiet == pytest.approx(STEP, abs=1e-6)


def test_a_backchannel_holds_the_answer_for_a_moment_and_never_is_never(bench):
    short = sound(0.256, "backchannel", line="mhm")
    trial = bench.trial(short, 2.0, interrupt())
    assert trial.stopped is None
    assert trial.quiet == pytest.approx(STEP, abs=1e-6)
    # from the first frame to the pause after 64 ms of quiet, then 100 ms to hear the words
    assert trial.held == pytest.approx(0.256 - STEP + 0.064 + 0.1, abs=0.04)
    never = bench.trial(sound(1.0, "interruption"), 2.0, interrupt("never"))
    assert (never.quiet, never.stopped, never.held) == (None, None, 0.0)


def test_a_setting_comes_to_its_medians_counts_and_words():
    trial = lab_interruptions.Trial
    trials = [
        trial("a", "interruption", "evidence", 0.5, 1, 0.03, 0.5, 0.0, 5, 5, 4),
        trial("b", "interruption", "evidence", 0.5, 1, 0.05, 0.7, 0.0, 7, 6, 9),
        trial("c", "interruption", "evidence", 0.5, 1, 0.04, None, 0.3),
        trial("d", "backchannel", "evidence", 0.5, 1, 0.04, None, 0.3),
        trial("e", "noise", "evidence", 0.5, 1, 0.04, None, 0.5),
        trial("f", "noise", "evidence", 0.5, 1, None, None, 0.0),
        trial("g", "noise", "evidence", 0.5, 1, 0.04, 0.6, 0.0, 3, 3, 3),
    ]
    made = lab_outcomes.outcome(trials, usual=True)
    assert (made.interruptions, made.missed, made.others) == (3, 1, 4)
    assert (made.quiet, made.stopped) == (pytest.approx(0.04), pytest.approx(0.6))
    assert (made.false_stops, made.needless, made.held) == (1, 2, pytest.approx(0.4))
    assert (made.words_heard, made.words_wrong, made.words_wrong_by_share) == (5.0, 1, 2)
    data = json.loads(json.dumps(made.as_json()))
    assert (data["stopped_ms"], data["false_stops"], data["held_ms"]) == (600, 1, 400)
    head, line = lab_outcomes.table([made])
    assert "false stops" in head
    assert line.startswith("★ evidence, 500 ms")
    assert "1 of 3" in line
    assert "2 of 400 ms" in line
    assert line.split()[-3:] == ["5.0", "1", "2"]


class Wordless(HummingVoice):
    """Does not tell when it says which word."""

    async def speak(self, text):
        async for speech in super().speak(text):
            yield replace(speech, words=())


def test_of_a_voice_that_does_not_tell_its_words_nobody_says_how_many_are_kept_wrong():
    script = Script(["stop now please"])
    stt = ScriptedTranscriber(script, delay=0, confident=False)
    silent = lab_interruptions.Lab(stt, Wordless(0.0, word=0.3), Settings(), latency=0.1)
    trial = silent.trial(sound(1.0, "interruption"), 2.0, interrupt())
    assert trial.stopped is not None
    assert (trial.words_heard, trial.words_kept > 0) == (None, True)
    made = lab_outcomes.outcome([trial])
    data = json.loads(json.dumps(made.as_json()))
    assert data["words_heard"] is data["words_wrong"] is data["words_wrong_by_share"] is None
    assert lab_outcomes.table([made])[1].split()[-3:] == ["–", "–", "–"]


def test_the_picture_of_interruptions_leaves_out_what_never_stops(tmp_path):
    trial = lab_interruptions.Trial
    made = [
        lab_outcomes.outcome(
            [
                trial("a", "interruption", mode, 0.5, 1, stopped, stopped),
                trial("b", "noise", mode, 0.5, 1, stopped, stopped),
            ],
            usual=mode == "evidence",
        )
        for mode, stopped in (("evidence", 0.5), ("any", 0.03), ("never", None))
    ]
    figure = lab_outcomes.draw(made)
    assert [line.get_marker() for line in figure.axes[0].lines] == ["*", "s"]
    figure.savefig(tmp_path / "stops.png")
    assert "never" in lab_outcomes.table(made)[-1]


def test_sounds_are_sorted_into_interruptions_backchannels_and_noises():
    recordings = [
        Recording("stop", "Stop.", recording(0.5).audio, "command"),
        Recording("mhm", "Mhm.", recording(0.5).audio, "backchannel"),
        Recording("yes", "Yes.", recording(0.5).audio, "answer"),
        Recording("cough", "", recording(0.5).audio, "noise"),
        Recording("unknown", "", recording(0.5).audio, "speech"),
        Recording("long", "It goes on and on.", recording(7.0).audio, "speech"),
        Recording("free", "The rain stopped.", recording(1.0).audio, "free"),
    ]
    found = list(lab_interruptions.sounds(recordings, LoudnessDetector()))
    assert [(each.name, each.kind) for each in found] == [
        ("stop", "interruption"),
        ("mhm", "backchannel"),
        ("yes", "backchannel"),
        ("cough", "noise"),
    ]


def test_a_sound_begins_with_its_first_sound():
    late = Audio(np.pad(recording(0.5).audio.samples, (RATE, 0)), RATE)
    (found,) = lab_interruptions.sounds([Recording("a", "", late, "noise")], LoudnessDetector())
    assert found.chances[0] == 1
    assert found.audio.seconds < 0.5 + lab_interruptions.BEHIND + 2 * STEP


def test_laughter_is_a_noise_in_the_assistants_voice():
    laugh = lab_interruptions.laughter(Espeak())
    assert laugh.text == ""
    assert 0.5 < laugh.audio.seconds < 4
    assert laugh.audio.rate == RATE


# Engines that do their work once


def test_a_remembering_transcriber_hears_a_sound_once_and_takes_as_long_again():
    import asyncio

    from voice_kit.converse.virtual import run

    script = Script()
    said = script.say("hello", 0.5)
    once = ScriptedTranscriber(script, delay=0)
    kept = Remembering(once, latency=0.25)

    async def twice():
        loop = asyncio.get_running_loop()
        begun = loop.time()
        texts = [(await kept.transcribe(said)).text for _ in range(2)]
        return texts, loop.time() - begun

    texts, took = run(twice(), fast=True)
    assert texts == ["hello", "hello"]
    assert len(once.seconds) == 1
    assert took == pytest.approx(0.5)


def test_a_repeating_voice_speaks_once():
    voice = HummingVoice(0)
    kept = Repeating(voice)
    first, second = list(kept.speak("one two")), list(kept.speak("one two"))
    assert first == second
    assert voice.spoken == ["one two"]
    assert isinstance(first[0], Speech)
    assert spoken(Espeak(), "One.")[0].text.strip() == "One."


def test_a_replayed_detector_goes_by_the_frame():
    replayed = Replayed(np.array([0.1, 0.9], np.float32))
    state, found = replayed.start(), []
    for _ in range(3):
        chances, (state,) = replayed.detect(np.zeros((1, FRAME), np.float32), [state])
        found.append(float(chances[0]))
    assert found == [pytest.approx(0.1), pytest.approx(0.9), 0.0]


# The commands


def voice_kit(*words):
    command = [sys.executable, "-m", "voice_kit.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two questions, one of them with a pause of 0.7 s in it, a word, and a cough."""
    path = tmp_path_factory.mktemp("recordings")
    notes = []
    for name, kind in {
        "question_vad": "speech",
        "pause_timer": "speech",
        "interruption_wait": "interruption",
        "noise_cough": "noise",
    }.items():
        write(path / f"{name}.wav", clip(name).audio())
        notes.append({"file": f"{name}.wav", "kind": kind, "text": clip(name).text})
    (path / "manifest.json").write_text(json.dumps(notes))
    return path


def test_lab_endpointing_prints_every_setting_and_the_comparison(folder, tmp_path):
    out = tmp_path / "frontier.svg"
    done = voice_kit(
        *("lab", "endpointing", "--data", folder, "--no-thinking", "--judge", "silence"),
        *("--json", "--out", out),
    )
    assert done.returncode == 0, done.stderr
    *points, last = map(json.loads, done.stdout.splitlines())
    assert len(points) > 30
    assert sum(each["usual"] for each in points) == 1
    by_stop = {each["stop"]: each for each in points if each["start_above"] == 0.5}
    assert by_stop[0.5]["turns"] == 3
    assert by_stop[0.5]["cut_off"] == 1, "the pause of 0.7 s is taken for the end"
    assert by_stop[0.5]["added_ms"] == pytest.approx(512)
    assert by_stop[1.024]["cut_off"] == by_stop[1.28]["cut_off"] == 0
    summary = last["summary"]
    assert 0.1 < summary["cut_off_share"]["silence"] < 0.5
    assert (summary["added_ms"], summary["until_sound_ms"], summary["answer_ms"]) == (350, 450, 300)
    assert by_stop[0.5]["spoken_into"] == 1, "its answer is heard before the last words"
    assert by_stop[0.5]["until_sound_ms"] == pytest.approx(512)
    assert summary["felt"].startswith("turns spoken into at a mean wait until the answer's sound")
    assert summary["headline"].startswith("cut-offs at a mean added wait of 350 ms: fixed silence")
    assert "<svg" in out.read_text()


def test_lab_endpointing_alone_prints_a_table_on_the_kits_own_sounds():
    done = voice_kit("lab", "endpointing", "--no-thinking", "--judge", "silence")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("★") for line in lines) == 1
    assert lines[-2].startswith("cut-offs at a mean added wait of 350 ms: fixed silence")
    assert lines[-1].startswith("turns spoken into at a mean wait until the answer's sound of 450")
    assert lines[-1].endswith("(ready 300 ms into a pause)")


def test_lab_endpointing_says_how_many_turns_nobody_hears(folder):
    command = ("lab", "endpointing", "--data", folder, "--no-thinking", "--judge", "silence")
    heard, deaf = voice_kit(*command), voice_kit(*command, "--set", "hear.shortest=1.0")
    assert "missed (★)" not in heard.stdout
    assert "1 of 3 turns are missed (★)" in deaf.stdout


def test_an_answer_that_takes_longer_speaks_into_fewer_turns(folder):
    found = []
    for seconds in ("0.1", "0.9"):
        done = voice_kit(
            *("lab", "endpointing", "--data", folder, "--no-thinking", "--judge", "silence"),
            *("--json", "--answer", seconds),
        )
        points = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
        (usual,) = [each for each in points if each["usual"]]
        found.append((usual["cut_off"], usual["spoken_into"], usual["answer_ms"]))
    assert found == [(1, 1, 100), (1, 0, 900)]


def test_lab_interruptions_prints_a_line_for_each_setting(folder, tmp_path):
    out = tmp_path / "stops.png"
    done = voice_kit(
        *("lab", "interruptions", "--data", folder, "--latency", "0.2", "--json", "--out", out)
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    modes = [each["mode"] for each in found]
    assert modes.count("evidence") >= 6
    assert modes[-2:] == ["any", "never"]
    usual = found[0]
    assert usual["usual"]
    assert usual["after_ms"] == 500
    assert usual["missed"] == 0
    assert usual["quiet_ms"] < usual["stopped_ms"] < 1000
    assert usual["words_wrong"] == 0
    assert found[-1]["missed"] == found[-1]["interruptions"] == usual["interruptions"] > 0
    assert found[-1]["stopped_ms"] is None
    assert out.stat().st_size > 5_000


@pytest.mark.parametrize("command", ["endpointing", "interruptions"])
def test_each_of_them_shows_an_example(command):
    done = voice_kit("lab", command, "--help")
    assert done.returncode == 0
    assert f"Example: voice-kit lab {command}" in done.stdout


def test_a_wrong_folder_or_picture_is_refused_before_any_work(tmp_path):
    done = voice_kit("lab", "endpointing", "--data", tmp_path, "--judge", "silence")
    assert done.returncode == 1
    assert "manifest.json" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for out in (tmp_path / "picture.xyz", tmp_path / "nowhere" / "a.png"):
        with pytest.raises(AudioError, match="cannot be written"):
            commands.writable(out)


def test_every_judge_that_is_here_is_tried_and_the_others_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("VOICE_KIT_HOME", str(tmp_path))
    done = voice_kit("lab", "endpointing", "--no-thinking", "--judge", "nobody")
    assert done.returncode == 1
    assert "There is no judge engine “nobody”" in done.stderr
    assert "smart-turn" not in commands._judges(None, Settings())
    assert "silence" not in commands._judges(None, Settings())
