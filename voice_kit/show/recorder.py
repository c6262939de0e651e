"""Records a clip in a notebook: press, speak, press again."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.audio import files
from voice_kit.errors import AudioError
from voice_kit.show.mic import Mic
from voice_kit.types import FRAME, RATE, Audio, Samples

LONGEST = 300 * RATE // FRAME
"""Frames that the Mic records at most: 5 minutes. What comes after is not kept."""

NOTHING = "Nothing was recorded yet: press the record button, speak, and press it again."


def ipywebrtc_loads() -> bool:
    """Whether ipywebrtc is installed, with the part that JupyterLab loads into the page."""
    if importlib.util.find_spec("ipywebrtc") is None:
        return False
    from jupyter_core.paths import jupyter_path

    return any((Path(place) / "jupyter-webrtc").is_dir() for place in jupyter_path("labextensions"))


class ClipRecorder:
    """A record button that shows itself, and the last clip that was recorded with it.

    ```python
    recorder = ClipRecorder()
    recorder        # the last line of a cell shows the button
    recorder.audio  # in the next cell
    ```

    It is ipywebrtc's; `with_mic` takes our own `Mic`, which is also taken where ipywebrtc is not
    installed. Where a page shows no button, for its JupyterLab lacks ipywebrtc, ask for the Mic.
    """

    def __init__(self, *, with_mic: bool = False) -> None:
        self._clip: Audio | None = None
        self._data = b""  # not decoded yet
        self._waiting: set[asyncio.Future[None]] = set()
        if with_mic or not ipywebrtc_loads():
            self.mic: Mic | None = Mic()
            self.widget: Any = self.mic
            self._recording = _task(self._record(self.mic))
        else:
            self.mic = None
            self.widget = self._ipywebrtc()

    @property
    def audio(self) -> Audio:
        """The last clip: 16 kHz from the Mic, else as the browser made it (48 kHz).

        Raises `AudioError` when there is none.
        """
        if self._data:
            self._clip, self._data = files.read_bytes(self._data), b""
        if self._clip is None:
            raise AudioError(NOTHING)
        return self._clip

    async def recorded(self, within: float = 60.0) -> Audio:
        """The next clip. Raises `AudioError` when there is none in so many seconds."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.add(done)
        try:
            async with asyncio.timeout(within):
                await done
        except TimeoutError as error:
            raise AudioError(NOTHING) from error
        finally:
            self._waiting.discard(done)
        return self.audio

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget._repr_mimebundle_(**options)

    def _ipywebrtc(self) -> Any:
        from ipywebrtc import AudioRecorder, CameraStream  # type: ignore[import-untyped]

        # Never displayed itself: it would play the microphone.
        self._stream = CameraStream(constraints={"audio": True, "video": False})
        recorder = AudioRecorder(stream=self._stream)
        recorder.audio.observe(lambda change: self._arrived(bytes(change.new)), "value")
        return recorder

    async def _record(self, mic: Mic) -> None:
        while True:
            frames: list[Samples] = []
            async for frame in mic:
                if len(frames) < LONGEST:
                    frames.append(frame)
            if frames:
                self._clip = Audio(np.concatenate(frames), RATE)
                self._tell()

    def _arrived(self, data: bytes) -> None:
        if data:  # it is empty while a new clip is recorded
            self._data = data
            self._tell()

    def _tell(self) -> None:
        for done in list(self._waiting):  # perhaps from another thread than theirs
            done.get_loop().call_soon_threadsafe(_finish, done)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _task(work: Any) -> asyncio.Task[None] | None:
    """Begin it on the notebook's event loop. Without one there is no page that could record."""
    try:
        return asyncio.get_running_loop().create_task(work)
    except RuntimeError:
        work.close()
        return None
