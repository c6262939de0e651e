"""Smart Turn v3: a network that hears in the tone of a voice whether someone has finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voice_kit.errors import EngineFailedError, MissingEngineError, need
from voice_kit.hear.detection import INAUDIBLE, at_16k
from voice_kit.hear.judge_smart_turn_features import features
from voice_kit.settings import home, hub_cache
from voice_kit.types import Audio, Stops, Transcript

REPO = "pipecat-ai/smart-turn-v3"
MODELS = ("v3.2-cpu", "v3.1-cpu", "v3.0", "v3.2-gpu", "v3.1-gpu")
"""The published networks, best on a processor first: int8 of 9 MB, then float32 of 32 MB."""
_CODES = "ar bn da de en es fi fr hi id it ja ko mr nl no pl pt ru tr uk vi zh"
PACKAGE = "pip install onnxruntime"
INPUT = "input_features"
DOWNLOAD = f"voice-kit models fetch smart-turn:{MODELS[0]} (downloads 9 MB once)"


class SmartTurn:
    """Smart Turn v3 of Pipecat (BSD-2-Clause), on one thread of onnxruntime.

    It listens only: words are not needed, so it is asked while they are still being written down.
    `model` is a name such as "v3.2-cpu" (downloaded once when it is not here), an .onnx file, or
    empty: then the best that is here, or else the first one, downloaded. Files put into the folder
    smart-turn of VOICE_KIT_HOME are found by their names.
    """

    name = "smart-turn"
    stops: Stops = "steps"
    needs_words = False
    languages = frozenset(_CODES.split())

    def __init__(self, *, model: str = "") -> None:
        path = _file_of(model) if model else _any_here() or _download(MODELS[0])
        self.name = f"smart-turn:{path.stem.removeprefix('smart-turn-')}"
        try:
            import onnxruntime  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingEngineError(self.name, fix=PACKAGE) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # others need the cores
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own errors share no public base
            raise MissingEngineError(
                self.name, fix=f"the file afresh: {path} cannot be read as a network"
            ) from error
        if [node.name for node in self._session.get_inputs()] != [INPUT]:
            raise MissingEngineError(
                self.name, fix=f"a file of Smart Turn v3, which {path} is not; see {REPO}"
            )

    @classmethod
    def here(cls, *, model: str = "") -> str:
        """The best network on this computer, by name or file. Raises `MissingEngineError`."""
        need("smart-turn", "onnxruntime", fix=PACKAGE)
        if model:
            if _local(model) is None:
                raise MissingEngineError(f"smart-turn:{model}", fix=DOWNLOAD)
            return model
        found = _any_here()
        if found is None:
            raise MissingEngineError("smart-turn", fix=DOWNLOAD)
        return found.stem.removeprefix("smart-turn-")

    def finished(self, audio: Audio, transcript: Transcript) -> float:
        """Chance, in [0, 1], that nothing more comes after `audio`, of any rate. Blocks.

        Of silence it cannot tell. Raises `EngineFailedError`.
        """
        samples = at_16k(audio)
        if not samples.size or np.abs(samples).max() < INAUDIBLE:
            return 0.5
        try:
            first: Any = self._session.run(None, {INPUT: features(samples)})[0]
            chance = float(np.asarray(first).item())
        except Exception as error:  # onnxruntime's own errors share no public base
            raise EngineFailedError(
                self.name, "it could not compute", fix=f"a file of {REPO}, or another judge"
            ) from error
        if not 0 <= chance <= 1:
            raise EngineFailedError(
                self.name, "what it gives is no chance", fix=f"a file of {REPO}, or another judge"
            )
        return chance


def _file_of(model: str) -> Path:
    """The network's file: found, or downloaded now. Raises `MissingEngineError`."""
    if found := _local(model):
        return found
    if model in MODELS:
        return _download(model)
    raise MissingEngineError(
        f"smart-turn:{model}", fix=f"an .onnx file that is there, or one of {', '.join(MODELS)}"
    )


def _local(model: str) -> Path | None:
    """The file of this network where it is on this computer."""
    if model not in MODELS:
        path = Path(model).expanduser()
        return path if path.is_file() else None
    name = f"smart-turn-{model}.onnx"
    hub = hub_cache() / f"models--{REPO.replace('/', '--')}"
    places = [home() / "smart-turn" / name]
    try:
        commit = (hub / "refs" / "main").read_text().strip()
        places.append(hub / "snapshots" / commit / name)
    except OSError:  # never downloaded
        pass
    return next((path for path in places if path.is_file()), None)


def _any_here() -> Path | None:
    return next((path for model in MODELS if (path := _local(model))), None)


def _download(model: str) -> Path:
    fix = (
        "the same with a network, once; or a file of it in the folder smart-turn of "
        "VOICE_KIT_HOME; or --set judge=text"
    )
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(REPO, f"smart-turn-{model}.onnx"))
    except Exception as error:  # of the hub, of HTTP, of the disk: the way out is the same
        raise MissingEngineError(f"smart-turn:{model}", fix=fix) from error
