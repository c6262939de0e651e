"""How a sound shows itself in a notebook."""

import base64
import io
import re
import subprocess
import sys

import numpy as np
import pytest

from voice_kit.audio import files
from voice_kit.show.sound import MOST, as_html, describe, picture
from voice_kit.sounds import clip
from voice_kit.types import Audio


def beep(before, seconds, after, rate=16_000, level=0.5):
    tone = level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    parts = [np.zeros(round(before * rate)), tone, np.zeros(round(after * rate))]
    return Audio(np.concatenate(parts).astype(np.float32), rate)


def player(html) -> Audio:
    """What its player plays."""
    found = re.search(r'<audio [^>]*src="data:audio/wav;base64,([^"]+)"', html)
    return files.read_bytes(base64.b64decode(found[1]))


def test_words_say_how_long_how_loud_and_where_there_is_something_to_hear():
    assert describe(beep(1, 2, 1)) == (
        "4.00 s of sound at 16000 Hz, −12 dBFS, peak −6, audible from 1.0 to 3.0 s"
    )
    assert describe(Audio.silence(2)) == "2.00 s of sound at 16000 Hz, silence"
    assert describe(beep(0, 1, 0, level=0.001)) == "1.00 s of sound at 16000 Hz, silence"
    assert describe(Audio.silence(0)) == "0.00 s of sound at 16000 Hz"


def test_the_player_plays_the_whole_sound():
    audio = clip("free_train").audio()
    html = as_html(audio)
    played = player(html)
    assert played.rate == audio.rate
    assert np.abs(played.samples - audio.samples).max() < 1e-4
    assert "controls" in html


def test_the_picture_and_the_player_have_their_words():
    audio = beep(1, 2, 1)
    html, words = as_html(audio), describe(audio)
    assert f'alt="Waveform: {words}"' in html
    assert f'aria-label="{words}"' in html
    assert f"<figcaption>{words}.</figcaption>" in html


def test_a_notebook_stays_small_with_a_long_sound():
    html = as_html(beep(0, 60, 240, rate=44_100))
    assert len(html) < 1.4 * MOST
    played = player(html)
    assert played.rate == 16_000
    assert played.seconds == pytest.approx(MOST / 2 / 16_000)
    assert "(the player has its first 125 s)" in html


@pytest.mark.parametrize("rate", [4_000, 192_000])
def test_a_rate_that_browsers_do_not_play_is_converted(rate):
    played = player(as_html(beep(0, 1, 0, rate=rate)))
    assert 8_000 <= played.rate <= 48_000
    assert played.seconds == pytest.approx(1, abs=0.01)


def test_what_is_no_number_or_nothing_at_all_is_shown_too():
    assert "silence" in as_html(Audio(np.full(1600, np.nan, np.float32), 16_000))
    assert as_html(Audio.silence(0)) == "<p>0.00 s of sound at 16000 Hz</p>"


def test_the_picture_shows_where_the_sound_is():
    from matplotlib.image import imread

    drawn = io.BytesIO()
    picture(beep(1, 2, 1)).savefig(drawn, format="png")
    alpha = imread(io.BytesIO(drawn.getvalue()), format="png")[..., 3]
    height = (alpha > 0.5).sum(axis=0)
    quarter = alpha.shape[1] // 4
    assert height[quarter + 10 : -quarter - 10].min() > 100
    assert height[: quarter - 10].max() <= 3


def notebook(code) -> str:
    """What IPython makes of the last line, with `voice_kit` imported first in its shell."""
    script = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        f"shell.run_cell({code!r})\n"
        "print(shell.display_formatter.format(shell.user_ns['shown'])[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_ipython_a_sound_shows_itself_once_the_package_is_imported():
    pytest.importorskip("IPython", reason="no IPython in this Python: run make test")
    shown = notebook("from voice_kit import Audio; shown = Audio.silence(1)")
    assert "'text/plain': '1.00 s of sound at 16000 Hz, silence'" in shown
    assert "<audio controls" in shown
    listed = notebook("from voice_kit import Audio; shown = [Audio.silence(1)]")
    assert "[1.00 s of sound at 16000 Hz, silence]" in listed
