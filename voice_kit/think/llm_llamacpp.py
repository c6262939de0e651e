"""A language model from a GGUF file, run in this process by llama.cpp."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from voice_kit.errors import MissingEngineError, install, need
from voice_kit.settings import home
from voice_kit.think.acting import Described
from voice_kit.think.llm_openai import OpenAIModel
from voice_kit.types import Message, Stops, ToolCall


class LlamaCpp:
    """A GGUF model, answering token by token; the chat template is the file's own.

    `model` is a file, or the name of one in the models folder, with or without ".gguf"; "" is the
    first there. The folder is `path`, or `models` in VOICE_KIT_HOME (~/.voice-kit). `device` is
    "auto", "cpu", "cuda" or "cuda:1"; `threads` 0 takes one for each core; `context` is the tokens
    the model can see, 0 for all that it was trained on. `options` are more fields of a request,
    such as `{"temperature": 0}`.

    llama.cpp's own server answers on loopback, behind a key that only this object knows.
    """

    stops: Stops = "async"

    def __init__(
        self,
        model: str = "",
        *,
        path: str | None = None,
        device: str = "auto",
        threads: int = 0,
        context: int = 4096,
        think: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        _need_packages()
        file = _find(model, _folder(path))
        self.name = f"llamacpp:{file.stem}"
        import xllamacpp  # type: ignore[import-untyped]

        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx = context
        params.verbosity = -1  # else it writes to the terminal, past Python
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [key := secrets.token_hex()]
        params.endpoint_slots = False  # they would show what was said
        params.endpoint_metrics = True
        params.ui = False
        params.n_parallel = 2  # an early start and the turn that replaces it
        params.kv_unified = True
        if threads:
            params.cpuparams.n_threads = threads
        _put_on(params, device, self.name)
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise MissingEngineError(
                self.name, fix=f"another GGUF file: {file} is broken, too new, or too big"
            ) from error
        self._chat = OpenAIModel(
            model=file.stem,
            base_url=f"{self._server.listening_address}/v1",
            api_key=key,
            options={"chat_template_kwargs": {"enable_thinking": think}, **(options or {})},
        )
        self._chat.name = self.name

    @classmethod
    def here(cls, path: str | None = None) -> str:
        """The first GGUF file in the models folder, by name."""
        _need_packages()
        return _find("", _folder(path)).stem

    @property
    def calls_tools(self) -> bool:
        """Whether it can be told of tools. Which form calls take is the chat template's to say."""
        return self._chat.calls_tools

    def reply(
        self, messages: Sequence[Message], tools: Sequence[Described] = ()
    ) -> AsyncGenerator[str | ToolCall, None]:
        """The answer, token by token, then the calls. Closing it stops the model."""
        return self._chat.reply(messages, tools)


def _need_packages() -> None:
    need("llama.cpp", "xllamacpp", "openai", fix=install("llamacpp"))


def _folder(path: str | None) -> Path:
    return Path(path).expanduser() if path else home() / "models"


def _find(model: str, folder: Path) -> Path:
    if not model:
        # A model in several files is loaded by its first.
        files = sorted(file for file in folder.glob("*.gguf") if _is_model(file))
        if files:
            return files[0]
        raise MissingEngineError("A GGUF model", fix=f"put a chat model's .gguf file into {folder}")
    for file in (Path(model).expanduser(), folder / model, folder / f"{model}.gguf"):
        if file.is_file():
            return file
    raise MissingEngineError(
        f"llamacpp:{model}", fix=f"the path of a .gguf file, or the name of one in {folder}"
    )


def _is_model(file: Path) -> bool:
    """Whether it is a GGUF file, and not the part of a model that only sees."""
    with file.open("rb") as content:
        return content.read(4) == b"GGUF" and not file.name.startswith("mmproj")


def _put_on(params: Any, device: str, name: str) -> None:
    """Choose between the processor and a graphics card. "auto" is all that llama.cpp finds."""
    import xllamacpp

    if device == "cpu":
        params.n_gpu_layers = 0
        params.no_op_offload = True
    elif device != "auto":
        gpu = xllamacpp.ggml_backend_dev_type.GGML_BACKEND_DEVICE_TYPE_GPU
        found = [each for each in xllamacpp.get_device_info() if each["type"] == gpu]
        number = device.partition(":")[2] or "0"
        if not number.isdecimal() or int(number) >= len(found):
            raise MissingEngineError(
                f"{name} on {device}",
                fix="device = “cpu”, or the xllamacpp wheel for your graphics card "
                "(https://github.com/xorbitsai/xllamacpp)",
            )
        params.n_gpu_layers = -2  # every layer, or fail
        params.main_gpu = int(number)
        params.split_mode = xllamacpp.llama_split_mode.LLAMA_SPLIT_MODE_NONE
