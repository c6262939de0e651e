"""The three voice detectors: streams, their memory, and what they take for speech."""

import subprocess
import sys

import numpy as np
import pytest
import tiny_smart_turn
from helpers_hear import SHARED, SHIPPED, sounds, voice

from voice_kit.audio.formats import to_int16
from voice_kit.errors import MissingEngineError, SettingsError
from voice_kit.hear import silero_network, vad_silero
from voice_kit.hear.detection import Detection, at_16k, finite, probabilities
from voice_kit.hear.onnx_weights import weights
from voice_kit.hear.silero_network import CONTEXT, STATE
from voice_kit.hear.vad_energy import Energy
from voice_kit.hear.vad_silero import TOGETHER, Silero
from voice_kit.hear.vad_webrtc import WebRtc
from voice_kit.types import FRAME, RATE, Audio


def human_speech():
    return sounds(SHARED, "speech/cards-00*.wav", "speech/jfk.flac", "speech/LJ001-0002.flac")


def human_noise():
    return sounds(SHARED, "noise/noise2.wav", "noise/noise_diffuse.flac", "noise/esc10*.wav")


def in_frames(audio):
    samples = audio.samples[: len(audio.samples) // FRAME * FRAME]
    assert len(samples), "a sound to listen to"
    return samples.reshape(-1, FRAME)


DETECTORS = {"silero": Silero, "webrtc": WebRtc, "energy": Energy}


@pytest.fixture(params=sorted(DETECTORS))
def vad(request):
    return DETECTORS[request.param]()


# Silero, against faster-whisper's own whole-sound call


def assert_same_as_the_batch_result(clips):
    from faster_whisper.vad import get_vad_model

    reference, silero = get_vad_model(), Silero()
    assert clips
    for name, audio in clips.items():
        # One frame more, since it writes zeros into the end of the last frame before it listens.
        padded = np.pad(audio.samples, (0, -len(audio.samples) % FRAME + FRAME))
        expected = reference(padded).ravel()[:-1]
        streamed = probabilities(silero, audio)
        assert streamed.shape == expected.shape, name
        np.testing.assert_allclose(streamed, expected, atol=2e-5, err_msg=name)


def test_silero_streamed_is_silero_on_the_whole_sound():
    assert_same_as_the_batch_result({"hum": voice(4)})


@pytest.mark.timeout(400)  # seven seconds, but a minute where others use the cores
def test_silero_streamed_is_silero_on_the_whole_sound_for_shipped_clips():
    clips = sounds(SHIPPED, "*.flac", "*.opus", "*.wav", "**/*.flac", "**/*.opus", "**/*.wav")
    assert_same_as_the_batch_result(dict(list(clips.items())[:8]))


@pytest.mark.needs("sounds")
def test_silero_streamed_is_silero_on_the_whole_sound_for_human_speech():
    assert_same_as_the_batch_result(human_speech() | human_noise())


def test_forgetting_between_frames_changes_what_silero_says():
    """The mistake that the tests above are there for."""
    silero, audio = Silero(), voice(4)
    forgetful = [Detection(silero).probability(frame) for frame in in_frames(audio)]
    remembering = probabilities(silero, audio)[: len(forgetful)]
    assert np.abs(np.array(forgetful) - remembering).max() > 0.1


@pytest.mark.needs("sounds")
def test_silero_hears_people_and_not_noise():
    silero = Silero()
    for name, audio in human_speech().items():
        assert np.mean(probabilities(silero, audio) > 0.5) > 0.4, name
    for name, audio in human_noise().items():
        assert np.mean(probabilities(silero, audio) > 0.5) < 0.05, name


def test_silero_says_what_to_install_when_its_network_is_gone(monkeypatch):
    monkeypatch.setattr(vad_silero.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingEngineError, match="pip install"):
        Silero()
    with pytest.raises(MissingEngineError, match="pip install"):
        Silero.here()


def test_silero_loads_neither_torch_nor_faster_whisper():
    code = (
        "import sys; from voice_kit.hear.vad_silero import Silero; "
        "assert 'onnxruntime' not in sys.modules; Silero.here(); "
        "assert 'onnxruntime' not in sys.modules; Silero(); "
        "print(sorted({'torch', 'faster_whisper', 'ctranslate2', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Silero's network in numpy, against onnxruntime on the same file


def alone(silero, frames):
    """Every chance and the last state of one stream by itself, as onnxruntime has them."""
    state, chances = silero.start(), []
    for frame in frames:
        (chance,), (state,) = silero.detect(frame[np.newaxis], [state])
        chances.append(chance)
    return np.array(chances), state


def assert_together_is_alone(clips):
    """All clips at once, each from its own second on and played again and again."""
    silero = Silero()
    streams = [in_frames(audio) for audio in clips.values()]
    longest = max(map(len, streams))
    streams = [np.resize(frames, (longest, FRAME)) for frames in streams]
    assert len(streams) >= TOGETHER, "so many that they are computed together"
    states, together = [silero.start() for _ in streams], []
    for frames in zip(*streams, strict=True):
        chances, states = silero.detect(np.stack(frames), states)
        together.append(chances)
    for index, (name, frames) in enumerate(zip(clips, streams, strict=True)):
        chances, state = alone(silero, frames)
        np.testing.assert_allclose(np.array(together)[:, index], chances, atol=5e-6, err_msg=name)
        np.testing.assert_allclose(states[index], state, atol=5e-5, rtol=1e-4, err_msg=name)


def test_the_network_for_many_is_the_network_for_one_on_shipped_clips():
    assert_together_is_alone(sounds(SHIPPED, "*.flac"))


@pytest.mark.needs("sounds")
def test_the_network_for_many_is_the_network_for_one_on_human_speech_and_noise():
    assert_together_is_alone(human_speech() | human_noise())


def test_the_network_for_many_is_the_network_for_one_after_a_minute():
    hum = {f"hum {n}": voice(seconds, seed=n) for n, seconds in enumerate((70, 7, 3.3))}
    assert_together_is_alone(hum)


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 64, 65, 100])
def test_any_number_of_streams_can_be_computed_together(count):
    silero = Silero()
    frames = np.resize(in_frames(voice(3)), (count, FRAME))
    states = [silero.detect(frame[np.newaxis], [silero.start()])[1][0] for frame in frames[::-1]]
    expected = [
        silero.detect(frame[np.newaxis], [state])[0][0]
        for frame, state in zip(frames, states, strict=True)
    ]
    chances, after = silero._together(frames, np.stack(states))
    np.testing.assert_allclose(chances, expected, atol=5e-6)
    assert np.ptp(expected) > 0.01 or count < 3, "the streams differ"
    np.testing.assert_array_equal(after[:, :CONTEXT], frames[:, -CONTEXT:])


def test_the_states_of_many_streams_are_never_changed_in_place():
    silero, frames = Silero(), in_frames(voice(1))[:8]
    states = [silero.start()] * 8
    for _ in range(2):
        kept = [state.copy() for state in states]
        first, after = silero.detect(frames, states)
        again, _ = silero.detect(frames, states)
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(states, kept)
        assert not any(state.flags.writeable for state in after)
        states = after


def test_no_stream_hears_anothers_noise_or_broken_samples():
    silero, frames = Silero(), in_frames(voice(1))[:8].copy()
    calm, _ = silero.detect(frames, [silero.start()] * 8)
    frames[3], frames[5, 7] = 1e6, np.nan
    loud, states = silero.detect(frames, [silero.start()] * 8)
    others = [0, 1, 2, 4, 6, 7]
    np.testing.assert_allclose(loud[others], calm[others], atol=1e-6)
    assert np.isfinite(loud).all()
    assert np.isfinite(states).all()


@pytest.mark.parametrize("count", [1, 2, 20, 32, 33, 100])
def test_no_product_is_so_large_that_blas_would_wake_its_threads(monkeypatch, count):
    sizes, multiply = [], np.matmul

    def watch(rows, stripes, out):
        sizes.append((len(rows), *stripes.shape[1:]))
        return multiply(rows, stripes, out=out)

    monkeypatch.setattr(silero_network.np, "matmul", watch)
    Silero()._together(np.zeros((count, FRAME), np.float32), np.zeros((count, STATE), np.float32))
    assert len(sizes) >= 5
    assert all(rows * height * width < 2**19 for rows, height, width in sizes)
    assert all(height * width <= 9216 for rows, height, width in sizes if rows == 1)


def test_a_network_of_another_shape_is_run_stream_by_stream(monkeypatch):
    frames = in_frames(voice(1))[:8]
    expected, _ = Silero().detect(frames, [Silero().start()] * 8)

    def other(file):
        return {name: weight[np.newaxis] for name, weight in weights(file).items()}

    monkeypatch.setattr(vad_silero, "weights", other)
    other_silero = Silero()
    chances, _ = other_silero.detect(frames, [other_silero.start()] * 8)
    assert other_silero._together is None
    np.testing.assert_allclose(chances, expected, atol=5e-6)


@pytest.mark.parametrize("missing", ["decoder.conv1d.bias", "encoder.conv_layers.2.weight"])
def test_weights_that_are_missing_are_named(missing):
    known = weights(vad_silero._network().read_bytes())
    del known[missing]
    with pytest.raises(ValueError, match=missing):
        silero_network.Network(known)


def test_a_network_that_begins_with_no_spectrum_is_refused():
    known = weights(vad_silero._network().read_bytes())
    name = "encoder.feature_extractor.forward_basis_buffer"
    known[name][5, 0, 99] += 0.01
    with pytest.raises(ValueError, match="spectrum"):
        silero_network.Network(known)


# Weights out of an ONNX file


def test_weights_are_read_as_they_were_written(tmp_path):
    written = np.arange(64_000, dtype=np.float32).reshape(1, 80, 800)
    found = weights(tiny_smart_turn.make(tmp_path / "tiny.onnx", written, bias=3).read_bytes())
    assert found.keys() == {"weights", "bias"}
    np.testing.assert_array_equal(found["weights"], written)
    np.testing.assert_array_equal(found["bias"], [[3]])


def test_a_file_that_is_cut_off_or_no_network_is_told_from_one(tmp_path):
    whole = tiny_smart_turn.make(tmp_path / "tiny.onnx", np.zeros((1, 80, 800))).read_bytes()
    for size in (1, 100, 1000, len(whole) - 1):
        with pytest.raises(ValueError, match="cut off"):
            weights(whole[:size])
    with pytest.raises(ValueError, match="no ONNX model"):
        weights(b"\x0f\x00")


# What each of them promises


def test_two_interleaved_streams_do_not_mix(vad):
    one, other = in_frames(voice(2, seed=1)), in_frames(voice(2, seed=2))[::-1]
    alone = [
        [Detection.probability(stream, frame) for frame in frames]
        for frames in (one, other)
        for stream in [Detection(vad)]
    ]
    states = [vad.start(), vad.start()]
    together = []
    for pair in zip(one, other, strict=True):
        chances, states = vad.detect(np.stack(pair), states)
        together.append(chances)
    np.testing.assert_allclose(np.array(together).T, alone, atol=1e-5)
    assert not np.allclose(alone[0], alone[1])


def test_the_frames_given_are_not_changed(vad):
    frames = in_frames(voice(0.5))
    frames.flags.writeable = False
    before = frames.copy()
    vad.detect(frames[:3], [vad.start() for _ in range(3)])
    np.testing.assert_array_equal(frames, before)


def test_a_start_can_be_reused(vad):
    start, frames = vad.start(), in_frames(voice(0.5))
    first, _ = vad.detect(frames[4:5], [start])
    vad.detect(frames[7:8], [start])
    again, _ = vad.detect(frames[4:5], [start])
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", ["silero", "energy"])
def test_a_state_can_be_kept_and_reused(name):
    vad, frames = DETECTORS[name](), in_frames(voice(0.5))
    _, (kept,) = vad.detect(frames[3:4], [vad.start()])
    first, _ = vad.detect(frames[4:5], [kept])
    vad.detect(frames[7:8], [kept])
    again, _ = vad.detect(frames[4:5], [kept])
    np.testing.assert_array_equal(first, again)


def test_webrtc_says_so_when_a_state_is_passed_twice():
    vad, frames = WebRtc(), in_frames(voice(0.5))
    _, used = vad.detect(frames[:1], [vad.start()])
    vad.detect(frames[1:2], used)
    with pytest.raises(ValueError, match="passed before"):
        vad.detect(frames[2:3], used)


def test_probabilities_are_probabilities(vad):
    chances = probabilities(vad, voice(1))
    assert chances.dtype == np.float32
    assert len(chances) == 32  # 31.25 frames: the last is filled up
    assert chances.min() >= 0
    assert chances.max() <= 1


def test_silence_is_not_speech(vad):
    assert probabilities(vad, Audio.silence(2)).max() < 0.5


def test_no_sound_has_no_frames(vad):
    assert len(probabilities(vad, Audio.silence(0))) == 0


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e30])
def test_one_broken_sample_does_not_deafen_for_good(vad, poison):
    sound = voice(2)
    broken = sound.samples.copy()
    broken[1000] = poison
    stream = Detection(vad)
    heard = np.array([stream.probability(frame) for frame in in_frames(Audio(broken, RATE))])
    assert np.isfinite(heard).all()
    np.testing.assert_allclose(
        heard[-20:], probabilities(vad, sound)[len(heard) - 20 : len(heard)], atol=0.35
    )


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_sound_of_any_rate_can_be_judged(vad, rate):
    assert len(probabilities(vad, voice(1, rate=rate))) == pytest.approx(32, abs=1)


# WebRTC


def test_webrtc_loses_no_sample():
    """Frames of 512 give the same decisions as the library on the whole sound in 10 ms pieces."""
    import webrtcvad

    audio = voice(3)
    pcm = to_int16(audio.samples)
    reference = webrtcvad.Vad(2)
    expected = sum(
        reference.is_speech(pcm[start : start + 160].tobytes(), RATE)
        for start in range(0, len(pcm) // FRAME * FRAME - 159, 160)
    )
    stream, heard, rest = Detection(WebRtc()), 0, 0
    for frame in in_frames(audio):
        pieces, rest = divmod(rest + FRAME, 160)
        heard += round(stream.probability(frame) * pieces)
    assert heard == expected > 0


def test_webrtc_refuses_an_aggressiveness_that_does_not_exist():
    with pytest.raises(SettingsError, match="0, 1, 2 or 3"):
        WebRtc(aggressiveness=4)


def test_a_more_aggressive_webrtc_calls_less_of_it_speech():
    audio = voice(4)
    mild, harsh = (probabilities(WebRtc(aggressiveness=a), audio).mean() for a in (0, 3))
    assert harsh < mild


# Energy


def tone(seconds, level):
    """A sound of one loudness, in dBFS."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.sqrt(2) * 10 ** (level / 20) * np.sin(2 * np.pi * 250 * time)


def test_energy_hears_what_is_louder_than_the_room():
    quiet, loud = tone(1.024, -50), tone(1.024, -20)
    chances = probabilities(Energy(), Audio(np.concatenate([quiet, loud]).astype(np.float32), RATE))
    assert chances[:32].max() < 0.05
    assert chances[32:].min() > 0.95


def test_energy_gets_used_to_a_fan():
    chances = probabilities(Energy(), Audio(tone(20, -25).astype(np.float32), RATE))
    assert chances[0] > 0.5
    assert chances[-1] < 0.05


@pytest.mark.needs("sounds")
def test_energy_hears_people_well_enough_to_learn_from():
    silero, energy = Silero(), Energy()
    for name, audio in human_speech().items():
        agreement = (probabilities(energy, audio) > 0.5) == (probabilities(silero, audio) > 0.5)
        assert agreement.mean() > 0.7, name


# Sound made fit to be heard


def test_what_is_sound_is_left_alone():
    samples = voice(0.1).samples
    assert finite(samples) is samples
    assert at_16k(Audio(samples, RATE)) is samples


def test_what_is_no_sound_is_mended_and_the_original_kept():
    broken = np.array([0.5, np.nan, np.inf, -np.inf, 1e30, 1.2], np.float32)
    np.testing.assert_allclose(finite(broken), [0.5, 0, 0, 0, 8, 1.2])
    assert np.isnan(broken[1])
