"""Sound files in, WAV files out, and every way in which that goes wrong."""

import io
import logging
import os
import signal
import struct
import subprocess
import sys
import textwrap
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from test_convert import sine

from voice_kit.audio.files import Recording, read, read_bytes, to_wav, write
from voice_kit.errors import AudioError
from voice_kit.types import RATE, Audio


def wav(data: bytes, rate: int = RATE, channels: int = 1, form: int = 1, bits: int = 16) -> bytes:
    """A WAV file by hand, so that it can also be wrong."""
    block = channels * bits // 8
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16)
    head += struct.pack("<HHIIHH", form, channels, rate, rate * block, block, bits)
    return head + struct.pack("<4sI", b"data", len(data)) + data


def encoded(audio: Audio, container: str, codec: str, layout: str = "mono") -> bytes:
    """The sound in another format, by PyAV."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=audio.rate, layout=layout)
        channels = stream.codec_context.layout.nb_channels
        numbers = np.repeat((audio.samples * 32767).astype(np.int16), channels).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(numbers, format="s16", layout=layout)
        frame.sample_rate = audio.rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()


def inside(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def loudest_tone(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(spectrum.argmax()) * audio.rate / len(audio.samples)


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_s16le", 44_100, "stereo"),
        ("wav", "pcm_s24le", 96_000, "mono"),
        ("wav", "pcm_f32le", 16_000, "5.1"),
        ("wav", "pcm_u8", 8_000, "mono"),
        ("flac", "flac", 192_000, "mono"),
        ("mp3", "libmp3lame", 44_100, "stereo"),
        ("webm", "libopus", 48_000, "mono"),
        ("ogg", "libopus", 16_000, "stereo"),
        ("ipod", "aac", 44_100, "stereo"),  # .m4a
    ],
)
def test_every_usual_format_is_read_at_its_own_rate(tmp_path, container, codec, rate, layout):
    if container == "ipod":
        container = "mp4"
        path = tmp_path / "tone.m4a"
        with av.open(str(path), "w", format="mp4") as output:  # it must be able to seek
            stream = output.add_stream(codec, rate=rate, layout=layout)
            numbers = np.repeat((sine(rate, 1000).samples * 32767).astype(np.int16), 2)
            frame = av.AudioFrame.from_ndarray(numbers.reshape(1, -1), format="s16", layout=layout)
            frame.sample_rate = rate
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                output.mux(packet)
    else:
        path = tmp_path / f"tone.{container}"
        path.write_bytes(encoded(sine(rate, 1000), container, codec, layout))
    for audio in (
        read(path),
        read_bytes(path.read_bytes()),
        read_bytes(memoryview(path.read_bytes())),
    ):
        assert audio.rate == (48_000 if codec == "libopus" else rate)
        assert audio.samples.dtype == np.float32
        assert audio.samples.ndim == 1
        assert abs(audio.seconds - 0.5) < 0.1  # some codecs fill up their last block
        assert abs(loudest_tone(audio) - 1000) < 5
        assert 0.4 < np.abs(audio.samples).max() < 0.6


def test_what_was_written_is_read_back(tmp_path):
    audio = sine(22_050)
    write(tmp_path / "tone.wav", audio)
    again = read(tmp_path / "tone.wav")
    assert again.rate == 22_050
    assert np.abs(again.samples - audio.samples).max() < 1e-4
    assert (tmp_path / "tone.wav").read_bytes() == to_wav(audio)
    with wave.open(str(tmp_path / "tone.wav")) as plain:  # others can read it too
        assert plain.getparams()[:4] == (1, 2, 22_050, len(audio.samples))


def test_eleven_channels_become_one():
    numbers = np.tile(np.arange(11, dtype="<i2") * 1000, (1600, 1))
    audio = read_bytes(wav(numbers.tobytes(), channels=11))
    assert audio.samples.shape == (1600,)
    assert np.allclose(audio.samples, 5000 / 32768)


BAD = {
    "an empty file": (b"", "empty.*Record or copy it again"),
    "text": (b"This is not a sound, whatever it is called.\n" * 40, "export it as WAV"),
    "a header and no sound": (wav(b""), "holds no sound"),
    "half a header": (wav(b"")[:20], "export it as WAV"),
    "0 Hz": (wav(bytes(3200), rate=0), "export it as WAV"),
    "1 Hz": (wav(bytes(3200), rate=1), "Use a rate between"),
    "NaN": (
        wav(np.full(99, np.nan, "<f4").tobytes(), form=3, bits=32),
        "not numbers.*Export it again",
    ),
    "infinity": (
        wav(np.full(99, -np.inf, "<f4").tobytes(), form=3, bits=32),
        "not numbers.*Export it again",
    ),
    "a playlist": (
        b"#EXTM3U\n#EXTINF:9,\nhttp://somewhere.invalid/a.wav\n#EXT-X-ENDLIST\n",
        "export",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_the_fix(tmp_path, name):
    data, message = BAD[name]
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=rf"(?s)bad\.wav.*{message}"):
        read(path)
    with pytest.raises(AudioError, match=rf"(?s)The recording.*{message}"):
        read_bytes(data)


def test_a_title_that_is_no_text_is_no_reason_to_refuse_a_recording(tmp_path):
    title = b"INFOINAM" + struct.pack("<I", 4) + b"abc\x80"
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    chunks = [b"LIST" + struct.pack("<I", len(title)) + title]
    chunks += [b"data" + struct.pack("<I", 16_000) + bytes(16_000)]
    body = b"WAVE" + form + b"".join(chunks)
    file = tmp_path / "titled.wav"
    file.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert read(file).seconds == 0.5


def test_a_list_of_files_does_not_make_us_open_them():
    write("secret.wav", sine(RATE))  # in the working folder, where the list would find it
    with pytest.raises(AudioError, match="export it as WAV"):
        read_bytes(b"ffconcat version 1.0\nfile secret.wav\n")


def test_a_picture_holds_no_sound(tmp_path):
    path = tmp_path / "picture.wav"
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
    with av.open(str(path), "w", format="avi") as output:
        stream = output.add_stream("mpeg4", rate=1)
        stream.width = stream.height = 16
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    with pytest.raises(AudioError, match=r"picture.*there is no sound in it"):
        read(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(AudioError, match=r"no file .*gone\.wav\. Check the name"):
        read(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="is a folder"):
        read(tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    write(tmp_path / "mine.wav", sine(RATE))
    (tmp_path / "mine.wav").chmod(0)
    with pytest.raises(AudioError, match="may not be read"):
        read(tmp_path / "mine.wav")


@pytest.mark.parametrize(
    ("container", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("ogg", "libopus")]
)
def test_of_a_file_cut_in_half_the_first_half_is_read(container, codec):
    whole = sine(48_000, seconds=4)
    data = encoded(whole, container, codec)
    half = read_bytes(data[: len(data) // 2])
    assert 1.0 < half.seconds < 3.0
    assert np.abs(half.samples - whole.samples[: len(half.samples)])[4800:-4800].max() < 0.1


def test_a_damaged_place_is_left_out_with_a_warning_and_the_rest_is_read(caplog):
    data = bytearray(encoded(sine(RATE, seconds=4), "flac", "flac"))
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    with caplog.at_level(logging.WARNING):
        audio = read_bytes(bytes(data))
    assert 2.0 < audio.seconds < 4.0
    assert "is damaged" in caplog.text


def test_silence_is_a_sound_like_any_other():
    audio = read_bytes(to_wav(Audio.silence(1.0)))
    assert audio.seconds == 1.0
    assert not audio.samples.any()


def test_thirty_minutes_are_read_whole(tmp_path):
    second = (sine(RATE, seconds=1).samples * 32767).astype("<i2").tobytes()
    path = tmp_path / "long.wav"
    path.write_bytes(wav(second * 1800))
    audio = read(path)
    assert audio.seconds == 1800
    assert np.array_equal(audio.samples[-RATE:], audio.samples[:RATE])


def test_writing_refuses_an_impossible_rate_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept.wav"
    write(path, sine(RATE))
    before = path.read_bytes()
    with pytest.raises(AudioError, match="0 samples per second"):
        write(path, Audio(np.zeros(5, np.float32), 0))
    assert path.read_bytes() == before
    assert inside(tmp_path) == ["kept.wav"]


def test_writing_where_there_is_no_folder_says_so(tmp_path):
    with pytest.raises(AudioError, match=r"There is no folder .*Make it"):
        write(tmp_path / "no" / "tone.wav", sine(RATE))
    with pytest.raises(AudioError, match="There is no folder"):
        Recording(tmp_path / "no" / "tone.wav", RATE)
    with pytest.raises(AudioError, match="Choose another name"):
        write(tmp_path, sine(RATE))


def in_a_small_world(code: str, cwd: Path) -> str:
    """What `code` prints in a process whose files cannot grow beyond 64 kB."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + textwrap.dedent(code)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit file sizes")


@needs_limits
def test_a_full_disk_leaves_no_half_written_file(tmp_path):
    code = """
        from voice_kit.audio.files import write
        from voice_kit.errors import AudioError
        from voice_kit.types import Audio
        write("tone.wav", Audio.silence(1.0))
        try:
            write("tone.wav", Audio.silence(60.0))
        except AudioError as error:
            print(error)
    """
    assert "the disk is full. Free some space" in in_a_small_world(code, tmp_path)
    assert inside(tmp_path) == ["tone.wav"]
    assert read(tmp_path / "tone.wav").seconds == 1.0


@needs_limits
def test_a_recording_on_a_full_disk_says_so_once_and_keeps_what_it_has(tmp_path):
    code = """
        import numpy as np
        from voice_kit.audio.files import Recording
        from voice_kit.errors import AudioError
        with Recording("talk.wav", 16_000) as recording:
            for second in range(10):
                try:
                    recording.append(np.full(12_001, 0.25, np.float32))
                except AudioError as error:
                    print(second, error)
            print(recording.seconds)
    """
    said = in_a_small_world(code, tmp_path).splitlines()
    assert len(said) == 2
    assert said[0].startswith("2 talk.wav cannot be written: the disk is full.")
    audio = read(tmp_path / "talk.wav")
    assert len(audio.samples) == 2 * 12_001
    assert (tmp_path / "talk.wav").stat().st_size == 44 + 2 * 2 * 12_001
    assert float(said[1]) == audio.seconds
    assert (audio.samples == 0.25).all()


def test_a_recording_can_be_read_at_any_moment(tmp_path):
    with Recording(tmp_path / "talk.wav", RATE) as recording:
        for count in range(1, 4):
            recording.append(np.full(512, 0.5, np.float32))
            assert read(recording.path).samples.tolist() == [0.5] * 512 * count
    recording.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_private_recording_is_its_owners_alone_and_another_is_like_any_file(tmp_path):
    (tmp_path / "any").touch()
    for private, name in ((True, "private.wav"), (False, "talk.wav")):
        Recording(tmp_path / name, RATE, private=private).close()
    any_file, private, talk = (
        (tmp_path / name).stat().st_mode for name in ("any", "private.wav", "talk.wav")
    )
    assert private & 0o777 == 0o600 and talk == any_file


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_recording_survives_the_death_of_its_process(tmp_path):
    code = """
        import os, signal
        import numpy as np
        from voice_kit.audio.files import Recording
        recording = Recording("talk.wav", 16_000)
        recording.append(np.full(16_000, 0.5, np.float32))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    assert read(tmp_path / "talk.wav").seconds == 1.0


def test_ctrl_c_in_the_middle_of_writing_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "tone.wav", sine(RATE))
    assert inside(tmp_path) == []


def test_sound_that_is_no_number_is_written_as_silence():
    samples = np.array([0.5, np.nan, np.inf], np.float32)
    assert read_bytes(to_wav(Audio(samples, RATE))).samples.tolist() == [0.5, 0, 0]
