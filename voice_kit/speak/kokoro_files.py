"""Where Kokoro's weights and voices are, and which there could be."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from voice_kit.errors import MissingEngineError, install, need
from voice_kit.settings import hub_cache

REPO = "hexgrad/Kokoro-82M"
WEIGHTS = "kokoro-v1_0.pth"
INSTALL = install("workshop")

LANGUAGES = {
    "en": "ab",
    "es": "e",
    "fr": "f",
    "hi": "h",
    "it": "i",
    "ja": "j",
    "pt": "p",
    "zh": "z",
}
"""Kokoro's letters for each language; a voice's name begins with one."""

VOICES = tuple(
    f"{kind}_{name}"
    for kind, names in {
        "af": "heart alloy aoede bella jessica kore nicole nova river sarah sky",
        "am": "michael adam echo eric fenrir liam onyx puck santa",
        "bf": "emma alice isabella lily",
        "bm": "george daniel fable lewis",
        "ef": "dora",
        "em": "alex santa",
        "ff": "siwis",
        "hf": "alpha beta",
        "hm": "omega psi",
        "if": "sara",
        "im": "nicola",
        "jf": "alpha gongitsune nezumi tebukuro",
        "jm": "kumo",
        "pf": "dora",
        "pm": "alex santa",
        "zf": "xiaobei xiaoni xiaoxiao xiaoyi",
        "zm": "yunjian yunxi yunxia yunyang",
    }.items()
    for name in names.split()
)
"""The published voices, the best of each language first."""


def refuse_without_package() -> None:
    """Raise `MissingEngineError` unless kokoro could be imported."""
    need("kokoro", "kokoro", "torch", fix=INSTALL)


def folder(path: str) -> Path:
    """Where config, weights and voices lie: `path`, or the newest one in Hugging Face's cache."""
    if path:
        return Path(path).expanduser()
    hub = hub_cache()
    snapshots = (hub / f"models--{REPO.replace('/', '--')}" / "snapshots").glob("*")
    whole = sorted(filter(weights_in, snapshots), key=_age)
    return whole[0] if whole else hub / "nothing"


def _age(root: Path) -> float:
    return -root.stat().st_mtime


def weights_in(root: Path) -> Path | None:
    """The weights in this folder, if its config is there too."""
    if not (root / "config.json").is_file():
        return None
    return next(iter(sorted(root.glob("*.pth"))), None)


def voice_files(path: str) -> dict[str, Path]:
    """The voices in this folder, or in the cache, by name."""
    files = (folder(path) / "voices").glob("*")
    return {file.stem: file for file in files if file.suffix in (".pt", ".bin")}


def first_voice(language: str, files: dict[str, Path]) -> str:
    """The best voice of a language among these files, else the best published one."""
    letters = LANGUAGES.get(language, "a")
    fitting = [name for name in [*VOICES, *sorted(files)] if name[:1] in letters]
    return next((name for name in fitting if name in files), fitting[0])


def files_of(path: str, voices: list[str]) -> tuple[Path, Path, list[Path]]:
    """Config, weights and the voices' files. What the cache lacks is downloaded."""
    root = folder(path)
    weights, here = weights_in(root), voice_files(path)
    if weights and all(voice in here for voice in voices):
        return root / "config.json", weights, [here[voice] for voice in voices]
    if path:
        wanted = f"config.json, a .pth file and voices/{voices[0]}.pt in {path}"
        raise MissingEngineError("kokoro", fix=wanted)
    for voice in voices:
        if voice not in VOICES and voice not in here:
            raise MissingEngineError(f"The kokoro voice “{voice}”", fix="voice-kit voices")
    names = ["config.json", WEIGHTS, *(f"voices/{voice}.pt" for voice in voices)]
    config, weights, *packs = (_download(name) for name in names)
    return config, weights, packs


def _download(name: str) -> Path:
    """One file from the hub, with Hugging Face's progress bar. Gives up soon without a network."""
    from huggingface_hub import constants, hf_hub_download

    fix = "a network for the first use, or `path` with the files in [options.kokoro]"
    try:
        if not constants.HF_HUB_OFFLINE and not urllib.request.getproxies():
            host = urlsplit(constants.ENDPOINT)
            port = host.port or (443 if host.scheme == "https" else 80)
            # the hub's client would try for 24 s
            socket.create_connection((host.hostname or "", port), timeout=5).close()
        return Path(hf_hub_download(REPO, name, etag_timeout=5))
    except (OSError, ValueError) as error:  # all of the hub's errors are one of these
        raise MissingEngineError(f"kokoro's {name}", fix=fix) from error
