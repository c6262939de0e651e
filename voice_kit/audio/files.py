"""Sound files: any format in, 16-bit WAV out."""

from __future__ import annotations

import errno
import io
import logging
import math
import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.audio.convert import check_rate, convert
from voice_kit.audio.formats import to_float, to_int16
from voice_kit.audio.private import new_file, write_all
from voice_kit.errors import AudioError, TooLongError
from voice_kit.types import Audio, Samples

log = logging.getLogger(__name__)

GAP = 0.01  # seconds: codecs round the times of their frames
ROOM = 120 * 192_000  # samples of all channels, where the length is bounded
LONGEST = 0xFFFF_FFFF - 44  # bytes of sound: the size fields of a WAV file have 32 bits


def read(path: str | Path) -> Audio:
    """The sound in a file of any usual format, at its own rate, channels averaged.

    Of a damaged or unfinished file it gives what is there. Raises `AudioError`.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder. Name a sound file in it.")
        with path.open("rb") as file:
            return _decode(file, str(path))
    except FileNotFoundError as error:
        raise AudioError(f"There is no file {path}. Check the name and the folder.") from error
    except PermissionError as error:
        raise AudioError(f"{path} may not be read. Change its permissions.") from error
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}. Check the disk.") from error


def read_bytes(data: bytes | bytearray | memoryview, longest: float = math.inf) -> Audio:
    """The sound in the bytes of such a file. Raises `AudioError`.

    One of more than `longest` seconds is a `TooLongError` before all of it is decoded: a few bytes
    can be hours.
    """
    return _decode(io.BytesIO(data), "The recording", longest)


def write(path: str | Path, audio: Audio) -> None:
    """Write a 16-bit WAV file: the whole of it, or nothing and an `AudioError`."""
    write_file(path, to_wav(audio))


def write_file(path: str | Path, data: bytes) -> None:
    """Write a file of any kind: the whole of it, or nothing and an `AudioError`."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(path)
    except OSError as error:
        raise AudioError(_unwritable(path, error)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def to_wav(audio: Audio) -> bytes:
    """The bytes of a 16-bit WAV file. Raises `AudioError` if it would be over 4 GB."""
    check_rate(audio.rate)
    data = to_int16(audio.samples).astype("<i2").tobytes()
    if len(data) > LONGEST:
        raise AudioError("The sound is too long for a WAV file. Write it in parts.")
    return _header(audio.rate, len(data)) + data


class Recording:
    """A WAV file that grows, and can be read at any moment, even after a crash.

    ```python
    with Recording("talk.wav", RATE) as recording:
        recording.append(frame)
    ```
    """

    def __init__(self, path: str | Path, rate: int, *, private: bool = False) -> None:
        """Begin it, `private` where its owner alone may read it. Raises `AudioError`."""
        check_rate(rate)
        self.path, self.rate = Path(path), rate
        self.failed = False
        """Whether the disk was full: what came before is kept, what comes after is not."""
        self._bytes = 0
        try:
            self._file = new_file(self.path, 0o600 if private else 0o666)
        except OSError as error:
            raise AudioError(_unwritable(self.path, error)) from error
        try:
            write_all(_header(rate, 0), self._file)
        except OSError as error:
            self._file.close()
            raise AudioError(_unwritable(self.path, error)) from error

    @property
    def seconds(self) -> float:
        """How much sound is in the file."""
        return self._bytes / 2 / self.rate

    def append(self, samples: Samples) -> None:
        """Add sound. Raises `AudioError` when the disk is full, once; then does nothing."""
        if self.failed:
            return
        data = to_int16(samples).astype("<i2").tobytes()
        try:
            if self._bytes + len(data) > LONGEST:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            write_all(data, self._file)
            self._bytes += len(data)
            self._patch_header()
        except OSError as error:
            self.failed = True
            with suppress(OSError):
                self._file.truncate(44 + self._bytes)
                self._patch_header()
            raise AudioError(
                f"{_unwritable(self.path, error)} The first {self.seconds:.1f} s are in it."
            ) from error

    def close(self) -> None:
        """Close the file. Again does nothing."""
        self._file.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _patch_header(self) -> None:
        self._file.seek(0)
        write_all(_header(self.rate, self._bytes), self._file)
        self._file.seek(0, os.SEEK_END)


def _header(rate: int, size: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    data = struct.pack("<4sI", b"data", size)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + data


def _decode(file: IO[bytes], name: str, longest: float = math.inf) -> Audio:
    parts: list[Audio] = []
    try:
        for (rate, _, _), run in groupby(_within(longest, _decoded(file, name)), key=_kind):
            while batch := [array for _, array in islice(run, 64)]:  # each alone would be slow
                parts.append(Audio(to_float(np.concatenate(batch)), rate))
        if not parts:
            raise AudioError("it holds no sound. Record or copy it again.")
        rate = parts[0].rate  # a stream may change its rate on the way
        return Audio(np.concatenate([convert(part, rate).samples for part in parts]), rate)
    except AudioError as error:
        raise type(error)(f"{name} cannot be used: {error}") from error


def _within(
    longest: float, decoded: Iterator[tuple[int, NDArray[Any]]]
) -> Iterator[tuple[int, NDArray[Any]]]:
    seconds, room = longest, ROOM if longest < math.inf else math.inf
    for rate, array in decoded:
        seconds, room = seconds - len(array) / rate, room - array.size
        if seconds < -GAP or room < 0:
            raise TooLongError(f"it is longer than {longest:g} s. Send it in parts.")
        yield rate, array


def _kind(decoded: tuple[int, NDArray[Any]]) -> tuple[int, int, np.dtype[Any]]:
    rate, array = decoded
    return rate, array.shape[1], array.dtype


def _decoded(file: IO[bytes], name: str) -> Iterator[tuple[int, NDArray[Any]]]:
    """Rates and sounds, shape (n, channels), as they come out of the decoder."""
    import av  # takes 0.1 s

    if not file.read(1):
        raise AudioError("it is empty. Record or copy it again.")
    file.seek(0)
    some = damaged = False
    ends = None
    try:
        # Only the file itself: a playlist must not make us open what it names.
        with av.open(
            file, "r", options={"protocol_whitelist": "none"}, metadata_errors="replace"
        ) as container:
            if not container.streams.audio:
                raise AudioError("there is no sound in it. Choose a sound file.")
            for packet in container.demux(container.streams.audio[0]):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    damaged = True
                    continue
                for frame in frames:
                    if frame.time is not None:
                        damaged |= ends is not None and frame.time > ends + GAP
                        ends = frame.time + frame.samples / frame.sample_rate
                    array = frame.to_ndarray()
                    channels = frame.layout.nb_channels
                    planar = frame.format.is_planar
                    yield frame.sample_rate, array.T if planar else array.reshape(-1, channels)
                    some = True
    except av.error.FFmpegError as error:
        if not some:
            raise AudioError(
                "it is no sound file, or a damaged one. Try to play it, or export it as WAV."
            ) from error
        damaged = True
    if damaged:
        log.warning("%s is damaged: a part of its sound is missing.", name)


def _unwritable(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return f"{path} cannot be written: the disk is full. Free some space."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} may not be written. Choose another folder."
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"There is no folder {path.parent}. Make it, or choose another."
    return f"{path} cannot be written: {error.strerror}. Choose another name or folder."
