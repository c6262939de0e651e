"""The page's gate for silence: next to nothing of a quiet room is sent, and all that is speech."""

import base64
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import SHARED
from helpers_browser import browser, page_for

from voice_kit.audio.convert import convert
from voice_kit.audio.files import read
from voice_kit.hear.vad_silero import Silero
from voice_kit.settings import Settings
from voice_kit.types import FRAME, RATE

pytestmark = pytest.mark.needs("chromium")

STATIC = Path(__file__).parents[1] / "voice_kit" / "serve" / "static"
SOUNDS = SHARED / "sounds"
REST = 8  # seconds of quiet before and between the clips
RUN = """(sound, options) => {
  const bytes = Uint8Array.from(atob(sound), (sign) => sign.charCodeAt(0));
  const all = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32767);
  const told = [];
  let now = 0;
  const one = window.module.gate({ ...options,
    onsound: (number, frames) => told.push(["sound", number, frames.length, now]),
    onsilence: (number, count) => told.push(["silence", number, count, now]) });
  for (let at = 0; at + 512 <= all.length; at += 512) {
    now = at / 512;
    if (!(options.lost ?? []).includes(now)) one.frame(now, all.subarray(at, at + 512));
  }
  one.flush();
  return { told, share: one.share };
}"""


@pytest.fixture(scope="module")
def page():
    with browser() as chromium, page_for(STATIC / "gate.js", chromium=chromium) as page:
        yield page


def through(page, samples, **options):
    """What the gate says of a sound: [kind, number, count, frame at which it was said]."""
    plain = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    return page.evaluate(
        f"([sound, options]) => ({RUN})(sound, options)",
        [base64.b64encode(plain.tobytes()).decode(), options],
    )["told"]


def sent(told, frames):
    """Which frames went out as sound; each frame has to be told exactly once, in order."""
    kinds = np.full(frames, "", object)
    at = 0
    for kind, number, count, _ in told:
        assert number == at
        at = number + count
        kinds[number:at] = kind
    assert at == frames
    return kinds == "sound"


def room(seconds, level=0.001, seed=1):
    """Steady noise: -60 dBFS."""
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


@cache
def speech():
    """Human clips of many speakers with rests between them, and which clips."""
    listed = json.loads((SOUNDS / "manifest.json").read_text())
    files = [each["file"] for each in listed if each["kind"] == "speech"][::3]
    assert len(files) > 8
    parts = []
    for file in files:
        clip = convert(read(SOUNDS / file), RATE).samples[: 6 * RATE]
        parts += [np.zeros(REST * RATE // 2, np.float32), clip, np.zeros(REST * RATE // 2)]
    whole = np.concatenate(parts)
    return whole[: len(whole) // FRAME * FRAME].astype(np.float32)


def noisy(samples, noise, decibels):
    """With noise so many decibels below the voices."""
    if noise == "none":
        return samples
    if noise == "white":
        hiss = np.random.default_rng(2).standard_normal(len(samples))
    else:
        clip = convert(read(SOUNDS / "noise" / noise), RATE).samples
        hiss = np.tile(clip, len(samples) // len(clip) + 1)[: len(samples)]
    voices = samples[np.abs(samples) > 0]
    loud = np.sqrt(np.mean(voices**2)) / np.sqrt(np.mean(hiss**2)) * 10 ** (-decibels / 20)
    return np.clip(samples + hiss * loud, -1, 1).astype(np.float32)


def chances(samples):
    """What the gateway's detector says of each frame."""
    detector, state, found = Silero(), None, []
    state = [detector.start()]
    for frame in samples.reshape(-1, FRAME):
        chance, state = detector.detect(frame[None].copy(), state)
        found.append(float(chance[0]))
    return np.array(found)


@pytest.mark.needs("sounds")
@pytest.mark.parametrize(
    ("noise", "decibels", "most"),
    [
        ("none", 0, 0.15),
        ("white", 10, 0.1),
        ("noise_diffuse.flac", 10, 0.1),
        ("noise2.wav", 10, 1.0),  # it comes and goes, as voices do: all of it is sent
    ],
)
def test_all_that_is_speech_is_sent_and_little_else(page, noise, decibels, most):
    samples = noisy(speech(), noise, decibels)
    frames = len(samples) // FRAME
    passed, speaking = sent(through(page, samples), frames), chances(samples) >= 0.5
    assert speaking.sum() > 500
    missed = speaking & ~passed
    assert not missed.any(), f"{missed.sum()} of {speaking.sum()} frames of speech were not sent"
    near = np.convolve(speaking, np.ones(2 * round(2.2 / 0.032) + 1), "same") > 0.5
    far = passed[~near]
    share = far.mean() if len(far) else 0.0
    print(f"{noise} {decibels} dB: {passed.mean():.0%} of all, {share:.1%} far from speech")
    assert share <= most


@pytest.mark.needs("sounds")
def test_the_gateway_decides_alike_on_what_the_gate_leaves_of_it(page):
    samples = noisy(speech(), "noise_diffuse.flac", 20)
    passed = sent(through(page, samples), len(samples) // FRAME)
    gated = np.where(np.repeat(passed, FRAME), samples, 0).astype(np.float32)
    before, behind = chances(samples) >= 0.5, chances(gated) >= 0.5
    assert (before != behind).mean() < 0.01


def test_of_a_minute_in_a_quiet_room_next_to_nothing_is_sent(page):
    for level in (0.0, 0.00003, 0.001, 0.02):
        samples = room(60, level)
        passed = sent(through(page, samples), len(samples) // FRAME)
        assert passed.mean() < 0.08, f"noise of {level}: {passed.mean():.0%}"
        assert not passed[-1000:].any(), f"noise of {level}"


def test_a_louder_room_is_a_quiet_one_some_seconds_later(page):
    samples = np.concatenate([room(10, 0.001), room(20, 0.03)])
    passed = sent(through(page, samples), len(samples) // FRAME)
    begins = round(10 / 0.032)
    assert passed[begins : begins + 30].all()
    assert not passed[-300:].any()


def test_silence_is_told_twice_a_second_at_least_and_as_it_passes(page):
    told = through(page, room(20))
    quiet = [each for each in told if each[0] == "silence"]
    assert len(quiet) > 20
    times = [said for *_, said in quiet]
    assert max(np.diff(times)) * 0.032 <= 0.5
    late = [said - (number + count) for _, number, count, said in quiet[:-1]]
    assert max(late) * 0.032 < 0.7


def test_what_came_just_before_a_sound_is_sent_with_it(page):
    samples = room(12)
    begins = 9 * RATE
    samples[begins : begins + RATE] += 0.05 * np.sin(np.arange(RATE) * 2 * np.pi * 300 / RATE)
    told = through(page, samples)
    first = next(each for each in told if each[0] == "sound" and each[3] > 200)
    _, number, count, said = first
    assert said - begins // FRAME <= 1  # sent at once
    assert count >= round(0.4 / 0.032)
    assert number * FRAME <= begins - 0.35 * RATE


def test_it_stays_open_for_longer_than_the_longest_wait_for_the_end_of_a_turn(page):
    samples = room(14)
    samples[8 * RATE : 9 * RATE] *= 50
    wait = Settings().hear.unfinished
    for hold in (wait + 0.5, 3.0):
        passed = sent(through(page, samples, hold=hold), len(samples) // FRAME)
        closed = np.flatnonzero(~passed[9 * RATE // FRAME :])[0] * 0.032
        assert hold - 0.1 <= closed <= hold + 0.4
        assert closed > wait


def test_lost_frames_leave_a_hole_in_the_numbers_and_nothing_is_told_twice(page):
    told = through(page, room(12), lost=[300, 301, 302])
    numbers = [n for _, number, count, _ in told for n in range(number, number + count)]
    assert numbers == [n for n in range(12 * RATE // FRAME) if n not in (300, 301, 302)]
