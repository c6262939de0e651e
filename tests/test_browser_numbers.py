"""What the live loop costs in a real browser, on engines that cost nothing: printed, and bounded.

The page is listened to from outside: when the microphone heard sound, and when sound was played.
`make soak` holds the limits on a machine that does nothing else; the short run only what a busy
machine cannot change.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from helpers_browser import fake_microphone, left_alone
from helpers_frames import COUNTED
from helpers_jupyter import Lab, notebook, serving
from helpers_taps import TAPS, joined, sounds

HERE = Path(__file__).parent
QUESTIONS = ["question_rtf", "question_vad", "question_wer", "question_sample_rate"]
MEGABYTE = 1 << 20
WARM = 10
"""Seconds before anything is counted."""

pytestmark = [
    pytest.mark.needs("chromium", "jupyter"),
    pytest.mark.soak,
    pytest.mark.timeout(1500),
]


def told(page):
    """Bytes of the page's own objects, after a collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    session.detach()
    return next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize")


def wait_for_frames(diary, count):
    """Return once the kernel has heard so many."""
    command = ["tail", "-n", "+1", "-f", str(diary)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        next(line for line in following.stdout if json.loads(line)["frames"] >= count)
        following.terminate()


def test_the_numbers_of_the_live_loop(tmp_path, soak):
    seconds = soak(60, 600)
    pieces, length = [1.0], 1.0
    while length < seconds + 30:
        name = QUESTIONS[len(pieces) // 2 % len(QUESTIONS)]
        pieces += [name, 3.0]
        length += 4.3
    fake_microphone(tmp_path / "mic.wav", *pieces)
    diary = tmp_path / "diary.jsonl"
    cell = f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport live_stub\n"
    start = f"panel = live_stub.panel({str(diary)!r})\npanel.start()"
    path = notebook(tmp_path / "numbers.ipynb", cell + start)
    with serving(path) as (folder, url), left_alone(tmp_path / "mic.wav") as held:
        with held() as page:
            page.set_default_timeout(120_000)
            page.add_init_script(TAPS + COUNTED)
            opened = Lab(page, folder, time.monotonic())
            page.goto(url)
            opened.opened().run_all()
            opened.python("await panel.ready()")
            page.get_by_role("button", name="Start the microphone").click()
            page.get_by_role("button", name="Stop the microphone").wait_for()
            live = opened.seconds()
            page.wait_for_function(f"taps.frames.length > {WARM * 31}", timeout=300_000)
            before = told(page), float(opened.python("print(live_stub.memory())"))
        wait_for_frames(diary, (WARM + seconds) * 31)
        with held() as page:
            opened = Lab(page, folder, 0)
            after = told(page), float(opened.python("print(live_stub.memory())"))
            lost = int(opened.python("print(panel.board.mic.lost)"))
            heard, played = joined(sounds(page, "heard"), gap=1.0), sounds(page, "played")
            taps = page.evaluate("() => ({ frames: taps.frames, drawn })")
    events = [json.loads(line) for line in diary.read_text(encoding="utf-8").splitlines()]

    grown = [(now - then) / MEGABYTE for then, now in zip(before, after, strict=True)]
    silences = silence_after(heard, played)
    answers = answer_after(events, taps["frames"], played)
    drawn = np.array(taps["drawn"])
    assert len(drawn), "the sphere is not painted by a worker"
    pace = 1000 * (len(drawn) - 1) / (drawn[-1, 0] - drawn[0, 0])
    print(
        f"\nframes lost: {lost} in {seconds} s"
        f"\nonset of speech → silence: {told_of(silences)}"
        f"\nend of turn → first sample rendered: {told_of(answers)}"
        f"\npictures of the sphere: {pace:.0f} a second, {drawn[:, 1].mean():.2f} ms of script each"
        f"\nJupyterLab opened → microphone live: {live:.1f} s"
        f"\nmemory: page {grown[0]:+.1f} MB, kernel {grown[1]:+.1f} MB in {seconds} s"
    )
    assert lost == 0
    assert max(grown) < 30
    assert len(answers) >= 3, "hardly a question was answered"
    if os.environ.get("SOAK") == "whole":
        assert np.percentile(silences, 95) <= 0.3
        assert np.median(answers) <= 0.06
        assert pace >= 50
        assert drawn[:, 1].mean() <= 2
        assert live <= 15


def silence_after(heard, played):
    """Seconds from each onset of speech during an answer to the end of its sound."""
    found = []
    for onset, _ in heard:
        ends = [end for began, end in played if end is not None and began < onset < end]
        found += ends and [ends[0] - onset]
    return found


def answer_after(events, frames, played):
    """Seconds from the frame that ended each turn, as it left the page's microphone, to the first
    sample of its answer that was rendered."""
    found = []
    ends = [each for each in events if each["event"] == "TurnEnded"]
    first = {each["wall"] for each in events if each["event"] == "PlaybackStarted"}
    for event, then in zip(ends, [*ends[1:], None], strict=True):
        frame = event["frames"] - 1
        if frame >= len(frames) or frames[frame] is None:
            continue
        until = then["wall"] if then else float("inf")
        after = [began for began, _ in played if frames[frame] < began < until]
        if after and any(event["wall"] < wall < until for wall in first):
            found.append(after[0] - frames[frame])
    return found


def told_of(seconds):
    if not seconds:
        return "never"
    middle, most = 1000 * np.median(seconds), 1000 * np.percentile(seconds, 95)
    return f"{middle:.0f} ms p50, {most:.0f} ms p95, of {len(seconds)}"
