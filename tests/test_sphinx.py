"""PocketSphinx in its processes: what it hears, and that they end when they should."""

import os
import re
import select
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from voice_kit import sounds
from voice_kit.audio.convert import convert
from voice_kit.errors import EngineFailedError, LanguageError, SettingsError
from voice_kit.hear.sphinx_commands import grammar_of, words_of
from voice_kit.hear.sphinx_rule import Guess, decide, differences
from voice_kit.hear.stt_sphinx import PocketSphinx
from voice_kit.types import RATE, Audio, Transcript, Word
from voice_kit.workshop import wer

LINUX = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux's pidfd_open")


@pytest.fixture(scope="module")
def engine():
    made = PocketSphinx()
    yield made
    made.close()


@pytest.fixture
def own():
    """One to be maltreated."""
    made = PocketSphinx()
    yield made
    made.close()


def clip(name="command_timer"):
    return sounds.clip(name).audio()


def long(seconds=60):
    every = np.concatenate([clip.audio().samples for clip in sounds.clips()])
    return Audio(np.resize(every, seconds * RATE), RATE)


def ended(pid, within=30):
    """Wait until a process is no more."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], within)[0])
    finally:
        os.close(handle)


class Call(threading.Thread):
    """A transcription under way in a thread of its own."""

    def __init__(self, engine, audio):
        super().__init__(daemon=True)
        self.engine, self.audio = engine, audio
        self.result = self.error = None
        self.begun = threading.Event()
        self.start()

    def run(self):
        ask = self.engine._pair.ask
        self.engine._pair.ask = lambda *given: (self.begun.set(), ask(*given))[1]
        try:
            self.result = self.engine.transcribe(self.audio)
        except EngineFailedError as error:
            self.error = str(error)


# What it hears


def test_commands_are_heard_with_at_most_one_word_in_ten_wrong(engine):
    commands = [sound for sound in wer.kit() if sound.group == "kit: command"]
    assert len(commands) >= 10
    (score,) = wer.measure(engine, commands)
    assert score.wer <= 0.1
    assert score.wrongly == 0


def test_a_command_is_reason_to_interrupt_and_free_speech_is_not(engine):
    assert engine.transcribe(clip()).confident
    heard = engine.transcribe(clip("free_train"))
    assert "train" in heard.text
    assert not heard.confident


def test_words_come_with_their_places(engine):
    audio = clip()
    heard = engine.transcribe(audio)
    assert " ".join(word.text for word in heard.words) == heard.text
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] < 0.5
    assert audio.seconds - 0.5 < times[-1] <= audio.seconds + 0.02


def test_quiet_before_and_after_changes_no_word_and_moves_their_places(engine):
    rng = np.random.default_rng(0)
    room = rng.normal(0, 0.0004, (2, RATE)).astype(np.float32)
    for name in ("command_timer", "command_again", "answer_yes", "answer_no"):
        bare = engine.transcribe(clip(name))
        quiet = Audio(np.concatenate([room[0], clip(name).samples, room[1]]), RATE)
        heard = engine.transcribe(quiet)
        assert heard.text == bare.text
        moved = [word.start - 1 for word in heard.words]
        assert moved == pytest.approx([word.start for word in bare.words], abs=0.1)


def test_the_same_sound_gives_the_same_words_whatever_came_before(engine):
    first = engine.transcribe(clip())
    for other in ("free_book", "command_louder"):
        engine.transcribe(clip(other))
        assert engine.transcribe(clip()) == first


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_any_sample_rate_will_do(engine, rate):
    assert engine.transcribe(convert(clip(), rate)).text == "set a timer for ten minutes"


def test_a_telephone_is_heard_worse_but_heard(engine):
    heard = engine.transcribe(convert(clip(), 8_000))
    assert "for ten minute" in heard.text
    assert heard.words[-1].end == pytest.approx(clip().seconds, abs=0.2)


@pytest.mark.parametrize("gain", [0.02, 4.0])
def test_a_whispering_and_a_shouting_microphone_are_understood(engine, gain):
    audio = clip()
    assert engine.transcribe(Audio(audio.samples * gain, RATE)).text.startswith("set a timer")


@pytest.mark.parametrize("size", [0, 1, 100, 8000])
def test_silence_is_empty_and_no_evidence(engine, size):
    heard = engine.transcribe(Audio(np.zeros(size, np.float32), RATE))
    assert (heard.text, heard.words, heard.confident) == ("", (), False)


@pytest.mark.parametrize("loudness", [0.002, 0.02, 0.2])
def test_a_hiss_and_a_click_are_no_words(engine, loudness):
    hiss = np.random.default_rng(1).normal(0, loudness, RATE).astype(np.float32)
    assert engine.transcribe(Audio(hiss, RATE)).text == ""
    click = np.where(np.arange(RATE) == 8000, loudness * 4, hiss / 100).astype(np.float32)
    assert engine.transcribe(Audio(click, RATE)).text == ""


def test_a_single_sample_of_sound_is_no_word(engine):
    assert engine.transcribe(Audio(np.ones(1, np.float32), RATE)).text == ""


def test_what_is_no_number_is_silence(engine):
    audio = clip()
    broken = np.concatenate([audio.samples, np.full(800, np.nan, np.float32)])
    broken[:10] = np.inf
    assert engine.transcribe(Audio(broken, RATE)).text.startswith("set a timer")


@pytest.mark.needs("sounds")
def test_noises_of_the_world_are_no_commands(engine, require):
    folder = wer.Path(__file__).parents[2] / "shared" / "sounds"
    noises = [sound for sound in wer.human(folder) if sound.group == "noise"]
    assert noises
    for noise in noises:
        heard = engine.transcribe(Audio(noise.load().samples[: 2 * RATE], RATE))
        assert not heard.confident


def test_the_measurement_counts_wrong_words_false_commands_and_inventions():
    class Deaf:
        name, stops = "deaf", "never"

        def transcribe(self, audio):
            return Transcript("set a timer", confident=True)

    def spoken(group, text):
        return wer.Spoken(group, "x", text, lambda: Audio.silence(1))

    said = [spoken("a", "Set a timer!"), spoken("a", "Set the table."), spoken("b", "")]
    one, two = wer.measure(Deaf(), said)
    assert (one.wer, one.words, one.accepted, one.wrongly, one.invented) == (0.3333, 6, 2, 1, 0)
    assert (two.wer, two.accepted, two.wrongly, two.invented) == (None, 1, 1, 3)


# What it is told


def test_a_thorough_one_hears_commands_too():
    engine = PocketSphinx(thorough=True)
    try:
        assert engine.transcribe(clip()).text == "set a timer for ten minutes"
    finally:
        engine.close()


def test_other_languages_are_refused_before_anything_loads():
    with pytest.raises(LanguageError, match="whisper"):
        PocketSphinx(language="de")


def test_phrases_of_yours_are_heard_as_commands():
    engine = PocketSphinx(commands=["The rain stopped an hour ago, so we walked home."])
    try:
        assert engine.transcribe(clip()).confident, "the kit's commands are still known"
    finally:
        engine.close()
    assert "so we walked home" in grammar_of(["The rain stopped, so we walked home."])


def test_a_grammar_of_yours_replaces_the_kits(tmp_path):
    file = tmp_path / "mine.jsgf"
    file.write_text("#JSGF V1.0;\ngrammar mine;\npublic <s> = set a timer for (ten | two) minutes;")
    engine = PocketSphinx(commands=file)
    try:
        assert engine.transcribe(clip()).confident
        assert not engine.transcribe(clip("command_time")).confident
    finally:
        engine.close()


def test_a_word_without_pronunciation_is_named():
    with pytest.raises(SettingsError, match="“xyzzyx”") as caught:
        PocketSphinx(commands=["open the xyzzyx"])
    assert "pronunciations" in str(caught.value)
    PocketSphinx(commands=["open the xyzzyx"], pronunciations={"xyzzyx": "Z IH Z IH K S"}).close()


@pytest.mark.parametrize("phrase", ["", "call 22", "открой"])
def test_a_phrase_that_cannot_be_spoken_is_refused(phrase):
    with pytest.raises(SettingsError, match="in words"):
        PocketSphinx(commands=[phrase])


def test_a_grammar_that_is_none_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        PocketSphinx(commands=str(tmp_path / "nowhere.jsgf"))
    broken = tmp_path / "broken.jsgf"
    broken.write_text("#JSGF V1.0;\ngrammar a;\npublic <s = hello;")
    with pytest.raises(SettingsError, match="Check the JSGF"):
        PocketSphinx(commands=broken)


def test_every_word_of_a_grammar_is_found_and_nothing_else():
    grammar = """#JSGF V1.0; // a remark
    grammar a.b; /* more
    remarks */ import <c.d>;
    public <s> = /0.5/ <x> {a tag} | hello [there] ; <x> = (set)* | o'clock+ ;"""
    assert words_of(grammar) == ["hello", "o'clock", "set", "there"]


# The rule


def guess(text, score, phones=None):
    words = tuple(Word(word, 0, 0) for word in text.split())
    return Guess(words, tuple(phones or text.replace(" ", "")), score)


@pytest.mark.parametrize(
    ("command", "anything", "text", "confident"),
    [
        (guess("hello there", -0.5), guess("hello here", -0.4), "hello here", False),
        (guess("say that again", -0.5), guess("say it again", -0.4), "say that again", True),
        (guess("say that again", -0.6), guess("say it again", -0.4), "say it again", False),
        (guess("barge in", -0.3, "bardjin"), guess("bargain", -0.4, "bargin"), "barge in", True),
        (guess("barge in", -0.4, "bardjin"), guess("bargain", -0.4, "bargin"), "bargain", False),
        (guess("stop", -0.1), guess("the weather", -0.9), "the weather", False),
        (guess("", 0), guess("the weather", -0.9), "the weather", False),
        (guess("stop", -0.1), guess("", 0), "", False),
        (guess("stop", -0.1), guess("of", -0.3), "stop", False),
        (guess("stop", -0.3), guess("of", -0.3), "", False),
        (guess("", 0), guess("of", -0.3), "", False),
        (guess("", 0), guess("of course", -0.3), "of course", False),
    ],
)
def test_a_command_is_believed_only_where_the_open_guess_supports_it(
    command, anything, text, confident
):
    heard = decide(command, anything)
    assert (heard.text, heard.confident) == (text, confident)


def test_differences_count_what_must_change():
    assert differences("kitten", "sitting") == 3
    assert differences("", "abc") == differences("abc", "") == 3
    assert differences("same", "same") == 0


# How it ends


def test_an_aborted_call_raises_and_the_next_one_works(own):
    before = own.transcribe(clip())
    call = Call(own, long())
    assert call.begun.wait(30)
    own.abort()
    call.join(30)
    assert "it was stopped" in call.error
    assert own.transcribe(clip()) == before


@LINUX
@pytest.mark.parametrize("which", [0, 1])
def test_a_process_that_hangs_is_killed_by_an_abort(own, which):
    before = own._pair.pids
    os.kill(before[which], signal.SIGSTOP)
    call = Call(own, long())
    assert call.begun.wait(30)
    own.abort()
    call.join(30)
    assert "it was stopped" in call.error
    assert own.transcribe(clip()).text == "set a timer for ten minutes"
    assert not set(own._pair.pids) & set(before)
    assert all(ended(pid) for pid in before)


def test_aborting_nothing_changes_nothing(own):
    before = own._pair.pids
    own.abort()
    assert own.transcribe(clip()).text == "set a timer for ten minutes"
    assert own._pair.pids == before


def test_calls_from_several_threads_wait_in_line(engine):
    calls = [Call(engine, clip(name)) for name in ("command_timer", "command_louder")]
    for call in calls:
        call.join(60)
    assert [call.result.text for call in calls] == ["set a timer for ten minutes", "louder"]


def test_python_goes_on_while_it_listens(engine):
    call = Call(engine, clip())
    steps = 0
    while call.is_alive():
        steps += 1
    assert call.result.confident
    assert steps > 10_000, "the decoder held Python's lock"


@LINUX
@pytest.mark.parametrize("which", [0, 1])
def test_a_process_killed_from_outside_is_an_error_once(own, which):
    call = Call(own, long())
    assert call.begun.wait(30)
    os.kill(own._pair.pids[which], signal.SIGKILL)
    call.join(30)
    assert "its process ended" in call.error
    assert own.transcribe(clip()).text == "set a timer for ten minutes"


@LINUX
def test_a_process_killed_between_calls_is_replaced(own):
    pid = own._pair.pids[1]
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    assert own.transcribe(clip()).text == "set a timer for ten minutes"


@LINUX
def test_closing_ends_the_process_and_the_call_under_way():
    engine = PocketSphinx()
    pids = engine._pair.pids
    call = Call(engine, long())
    assert call.begun.wait(30)
    engine.close()
    call.join(30)
    assert "it is closed" in call.error
    assert all(ended(pid) for pid in pids)
    with pytest.raises(EngineFailedError, match="closed"):
        engine.transcribe(clip())
    engine.close()


@LINUX
def test_an_engine_that_is_dropped_leaves_no_process():
    engine = PocketSphinx()
    pids = engine._pair.pids
    del engine
    assert all(ended(pid) for pid in pids)


@LINUX
def test_ctrl_c_in_the_terminal_does_not_reach_it(own):
    for pid in own._pair.pids:
        assert os.getpgid(pid) != os.getpgrp()
        os.kill(pid, signal.SIGINT)
    assert own.transcribe(clip()).confident


SCRIPT = """
from voice_kit import sounds
from voice_kit.audio.convert import convert
from voice_kit.hear.stt_sphinx import PocketSphinx
engine = PocketSphinx()
print(*engine._pair.pids, flush=True)
print(engine.transcribe(sounds.clip("command_timer").audio()).text, flush=True)
{more}
"""


@LINUX
def test_a_plain_script_prints_nothing_else_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "queue.py").write_text("raise SystemExit('a neighbour was taken for a library')")
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT.format(more="del sounds"))
    done = subprocess.run(
        [sys.executable, "-P", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    pids, text = done.stdout.splitlines()
    assert text == "set a timer for ten minutes"
    assert done.stderr == ""
    assert len(pids.split()) == 2
    assert all(ended(int(pid)) for pid in pids.split())


@LINUX
@pytest.mark.parametrize("busy", [False, True])
def test_it_dies_with_a_parent_that_is_killed(tmp_path, busy):
    work = "import numpy, threading; from voice_kit.types import Audio\n"
    if busy:
        work += "print('now', flush=True); engine.transcribe(Audio(numpy.random.default_rng(0)"
        work += ".normal(0, .1, 16000 * 300).astype('f4'), 16000))\n"
    else:
        work += "print('now', flush=True); threading.Event().wait()\n"
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(more=work)], stdout=subprocess.PIPE, text=True
    )
    pids = parent.stdout.readline().split()
    assert re.search("timer", parent.stdout.readline())
    assert parent.stdout.readline() == "now\n"
    parent.kill()
    parent.communicate()
    assert len(pids) == 2
    assert all(ended(int(pid)) for pid in pids)
