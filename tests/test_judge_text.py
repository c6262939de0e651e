"""Does it know a finished sentence from one that is broken off?"""

import re
import subprocess
import sys
from collections import defaultdict
from itertools import chain
from pathlib import Path

import judge_utterances
import pytest
from judge_utterances import ALOUD, FINISHED, FROZEN, UNFINISHED, VOICES, spoken

from voice_kit.engines import make
from voice_kit.errors import LanguageError
from voice_kit.hear.endpointing import SURE, UNSURE, wait
from voice_kit.hear.judge_text import ENDS, WEIGHTS, TextJudge, chance
from voice_kit.hear.judge_text_words import KINDS
from voice_kit.settings import Settings
from voice_kit.settings.groups import Endpointing
from voice_kit.types import RATE, Audio, Transcript
from voice_kit.workshop.judging import bare, figures, learn, main
from voice_kit.workshop.judging_data import Prefix, examples, frozen, prefixes, written
from voice_kit.workshop.lab_sounds import folder

SILENCE = Audio.silence(0.1)
RULES = Endpointing()


@pytest.fixture(scope="module")
def judge():
    return TextJudge()


def measured(judge, by, change=lambda text: text):
    known = [one for one in frozen(FROZEN) if (one.by == "written") == (by == "written")]
    return figures([(one.finished, judge(change(one.text), one.confident)) for one in known])


def test_the_frozen_set_is_whole():
    rows = frozen(FROZEN)
    said = [row for row in rows if row.by == "written"]
    assert [row.text for row in said if row.finished] == FINISHED
    assert [row.text for row in said if not row.finished] == UNFINISHED
    assert len(said) >= 120
    assert len(rows) == len(said) + len(list(spoken()))
    assert {row.by for row in rows} == {"written", *(v for pair in VOICES for v in pair)}
    assert set(ALOUD) <= {*FINISHED, *UNFINISHED}


def test_what_it_learns_from_shares_neither_four_words_nor_an_utterance_with_the_frozen_set():
    def words(text):
        return re.findall(r"[\w']+", text.lower())

    def fours(said):
        return {tuple(said[n : n + 4]) for n in range(len(said) - 3)}

    frozen_words = [words(text) for text in (*FINISHED, *UNFINISHED)]
    whole = {tuple(said) for said in frozen_words}
    parts = set().union(*map(fours, frozen_words))
    known = examples()
    assert len(known) > 5000
    assert not [
        one for one in known if tuple(words(one.text)) in whole or parts & fours(words(one.text))
    ]


def test_it_knows_what_is_written_well_enough(judge):
    found = measured(judge.chance, "written")
    assert found["right"] >= 0.82
    assert found["finished"]["called unfinished"] <= 0.06
    assert found["unfinished"]["called finished"] <= 0.10


def test_it_knows_words_without_marks_nearly_as_well(judge):
    found = measured(judge.chance, "written", bare)
    assert found["right"] >= 0.80
    assert found["finished"]["called unfinished"] <= 0.09
    assert found["unfinished"]["called finished"] <= 0.14


def test_it_gets_something_out_of_what_pocketsphinx_guesses(judge):
    found = measured(judge.chance, "heard")
    assert found["right"] >= 0.72
    assert found["finished"]["called unfinished"] <= 0.09
    assert found["unfinished"]["called finished"] <= 0.20


def test_the_bound_cannot_be_met_by_one_answer_or_by_punctuation_alone():
    def by_marks(text, confident):
        return 0.9 if text.endswith((".", "?", "!")) and not text.endswith("...") else 0.1

    for wrong in (lambda *_: 0.9, lambda *_: 0.1, lambda *_: 0.5, by_marks):
        assert measured(wrong, "written")["right"] < 0.75


@pytest.mark.parametrize(
    "text",
    [
        *("What time is it?", "what time is it", "set a timer for ten minutes", "Stop.", "stop"),
        *("Set a timer for 10 minutes.", "yes please", "No, thanks.", "thank you", "Thank you."),
        *("tell me a joke", "Tell me a joke.", "okay great", "ten", "five", "5.", "20 minutes."),
        *("twenty minutes", "Stop!", "Wait!"),
    ],
)
def test_what_is_whole_is_finished(judge, text):
    assert judge.chance(text) >= SURE, judge.why(text)


@pytest.mark.parametrize("text", ["yes", "Yes.", "no", "No.", "okay", "Sure.", "thanks", "Hello!"])
@pytest.mark.parametrize("confident", [True, False])
def test_a_word_that_answers_and_opens_lets_its_speaker_go_on_and_never_hangs(
    judge, text, confident
):
    seconds = wait(judge.chance(text, confident), RULES)
    assert 0.3 <= seconds <= RULES.stop
    if confident:
        assert "often goes on" in judge.why(text)


@pytest.mark.parametrize(
    "text",
    [
        *("Set a timer for", "set a timer for", "Set a timer for.", "um", "Um.", "and", "And."),
        *("I want to", "i want to", "because", "Because.", "what is the", "What is the?"),
        *("apples pears and", "Apples, pears and", "I need milk, eggs,", "So I was..."),
        *("could you please", "Could you please?", "The weather in, uh", "the weather in uh"),
        *("my number is five five five", "My number is 555.", "one two three", "1, 2, 3."),
        *("four one",),
    ],
)
def test_what_is_broken_off_is_not(judge, text):
    assert judge.chance(text) <= UNSURE, judge.why(text)


def test_a_full_stop_is_weak_evidence_and_a_comma_is_strong(judge):
    assert judge.chance("I would like a") <= UNSURE
    assert judge.chance("I would like a.") <= UNSURE
    assert judge.chance("We are at home,") < 0.5 < judge.chance("We are at home.")


def test_without_words_or_in_another_language_it_cannot_tell(judge):
    for nothing in ("", "  ", "...", "?!"):
        assert judge.finished(SILENCE, Transcript(nothing)) == 0.5
    assert judge.finished(SILENCE, Transcript("Und dann", "de")) == 0.5
    assert judge.finished(SILENCE, Transcript("and then", "en")) <= UNSURE


def test_it_takes_whatever_a_recogniser_writes(judge):
    odd = ["日本語です", "ñ", "\n", "1" * 400, "a " * 500, "’s", "٣", "10:30.5", "²", "-"]
    assert all(0 <= judge.chance(text) <= 1 for text in odd)


def test_guessed_words_are_trusted_less_when_they_sound_finished_and_no_less_when_not(judge):
    def asked(text, confident):
        return judge.finished(SILENCE, Transcript(text, confident=confident))

    assert 0.5 < asked("i like this song", False) < asked("i like this song", True)
    assert asked("set a timer for", False) == asked("set a timer for", True) <= UNSURE


def test_it_says_why(judge):
    assert "last word: for" in judge.why("Set a timer for.")
    assert "digits in a row" in judge.why("my number is five five five")
    assert judge.why("").startswith("50% finished")
    for text in FINISHED:
        names = [name for name, _ in judge.reasons(text)]
        assert names
        assert len(names) == len(set(names))


@pytest.mark.parametrize("sound", [None, SILENCE], ids=["words", "guesses"])
def test_the_weights_that_it_tells_make_the_chance_that_it_tells(judge, sound):
    for text in ("minutes", "always"):
        assert len(judge.reasons(text)) == 4, "it tells four: of more, not all would be counted"
        told = judge.why(text, sound, confident=sound is None)
        weights = [float(weight) for weight in re.findall(r"\(([+-]\d\.\d)\)", told)]
        share = float(told.partition("%")[0]) / 100
        assert chance(sum(weights)) == pytest.approx(share, abs=0.05), told


def test_it_is_made_by_name_and_refuses_a_language_it_cannot_read():
    made = make("judge", "text", Settings())
    assert (made.name, made.needs_words, made.direct) == ("text", True, True)
    with pytest.raises(LanguageError, match="fr"):
        make("judge", "text", Settings().changed({"language": "fr"}))


def test_its_files_are_small():
    assert sum(path.stat().st_size for path in (ENDS, KINDS, WEIGHTS)) < 210_000


def test_a_line_is_labelled_at_every_word():
    lines = ["# a note", "", "turn on ~ the light / now.", "well i…", "let _ go."]
    found = [(prefix.said, prefix.finished) for prefix in prefixes(lines)]
    assert found == [
        *(("turn", False), ("turn on", None), ("turn on the", False), ("turn on the light", True)),
        *(("turn on the light now", True), ("well", False), ("well i", False), ("let go", True)),
    ]


def test_numbers_are_written_as_whisper_writes_them():
    def as_whisper(*words):
        return written(Prefix(words, True, ".", 0))

    assert as_whisper("i", "am", "thirty", "two") == "I am 32."
    assert as_whisper("in", "twenty", "minutes") == "In 20 minutes."
    assert as_whisper("twelve", "eggs") == "12 eggs."
    assert re.fullmatch(r"It's 5\W*5\W*0\.", as_whisper("it's", "five", "five", "zero"))


def test_the_weights_come_out_of_the_lines_again(judge):
    fresh = learn(examples())
    kept = judge._weights
    assert len(kept) > 500
    assert fresh.keys() == kept.keys()
    assert all(abs(fresh[name] - kept[name]) < 0.02 for name in kept)


def test_the_figures_count_both_kinds_of_mistake(capsys, monkeypatch):
    judged = [(True, 0.9), (True, 0.6), (True, 0.2), (False, 0.8), (False, 0.1), (False, 0.5)]
    found = figures(judged)
    assert found["right"] == pytest.approx(4 / 6)
    assert found["finished"]["called unfinished"] == pytest.approx(1 / 3)
    assert found["unfinished"]["called finished"] == pytest.approx(1 / 3)
    monkeypatch.setattr("sys.argv", ["judging", "--on", str(FROZEN)])
    main()
    rows = capsys.readouterr().out.splitlines()
    assert sum(row.startswith("test set") for row in rows) == 3


@pytest.mark.needs("flite")
def test_sentences_that_it_never_saw_become_recordings_for_the_lab(tmp_path):
    program = Path(judge_utterances.__file__)
    subprocess.run([sys.executable, program, tmp_path], check=True)
    found = list(folder(tmp_path))
    assert len(found) == len(FINISHED)
    assert {path.stem.partition("_")[2] for path in tmp_path.glob("*.wav")} == {*chain(*VOICES)}
    assert found[0].text == FINISHED[0].rstrip("?")
    assert all(recording.audio.seconds > 0.3 for recording in found)


@pytest.mark.needs("flite")
def test_the_frozen_words_are_what_pocketsphinx_hears():
    from voice_kit.hear.stt_sphinx import PocketSphinx
    from voice_kit.sounds.make import flite

    kept = defaultdict(list)
    for row in frozen(FROZEN):
        kept[row.by].append(row.text)
    sphinx = PocketSphinx()
    try:
        for voice in ("slt", "kal16"):
            said = [text for _, who, text in spoken() if who == voice][:2]
            heard = [sphinx.transcribe(Audio(flite(voice, "-t", text), RATE)).text for text in said]
            assert heard == kept[voice][:2]
    finally:
        sphinx.close()
