"""Whisper's models: their names, which is best where, and where they lie on this computer."""

from __future__ import annotations

from pathlib import Path

from voice_kit.errors import MissingEngineError
from voice_kit.settings import hub_cache

_SYSTRAN = "Systran/faster-whisper-"

REPOS = {
    **{
        size: _SYSTRAN + size
        for size in (
            *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
            *("large-v1", "large-v2", "large-v3"),
        )
    },
    "large": _SYSTRAN + "large-v3",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
"""The Hugging Face repository of each model, as faster-whisper knows them."""

BEST_ON_CPU = ("base", "small", "tiny", "distil-small", "medium", "distil-medium")
BEST_ON_GPU = (
    *("large-v3-turbo", "distil-large-v3.5", "distil-large-v3", "large-v3", "medium", "small"),
    *("large-v2", "distil-large-v2", "large-v1", "distil-medium", "distil-small", "base", "tiny"),
)
"""Best first. A processor answers in time with `base`, and only just with `small`."""

NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Without tokenizer.json, faster-whisper goes to the network for one."""

FILES = [*NEEDED, "preprocessor_config.json", "vocabulary.*"]


def english_only(model: str) -> bool:
    """Whether a model of this name knows no other language than English."""
    return model.endswith(".en") or model.startswith("distil-")


def cached(language: str, *, gpu: bool) -> str:
    """The best model on this computer for a language, by name; empty when there is none."""
    for size in BEST_ON_GPU if gpu else BEST_ON_CPU:
        for model in (f"{size}.en", size):
            fits = language == "en" or not english_only(model)
            if fits and model in REPOS and in_cache(REPOS[model]):
                return model
    return ""


def in_cache(repo: str) -> Path | None:
    """The folder of a model that was downloaded before, whole; None when it was not."""
    folder = hub_cache() / f"models--{repo.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if not lacking(snapshot) else None


def lacking(folder: Path) -> list[str]:
    """The files that a model's folder should have and has not."""
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    return missing if any(folder.glob("vocabulary.*")) else [*missing, "vocabulary.json"]


def folder_of(model: str) -> Path:
    """The folder of a model: a folder itself, one downloaded before, or one downloaded now.

    A download shows its progress and happens once. Raises `MissingEngineError`.
    """
    local = Path(model).expanduser()
    if local.is_dir():
        if missing := lacking(local):
            raise MissingEngineError(
                f"whisper:{local.name}",
                fix=f"a folder that has {', '.join(missing)} too, as ct2-transformers-converter "
                "--copy_files tokenizer.json preprocessor_config.json writes it",
            )
        return local
    repo = REPOS.get(model, model)
    if repo.count("/") != 1 or model.startswith((".", "/", "~")):
        raise MissingEngineError(
            f"whisper:{model}", fix=f"a model's folder, or one of {', '.join(REPOS)}"
        )
    return in_cache(repo) or _download(model, repo)


def _download(model: str, repo: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repo, allow_patterns=FILES))
    except Exception as error:  # of the hub, of HTTP, of the disk: the way out is the same
        raise MissingEngineError(
            f"whisper:{model}",
            fix=f"the same with a network, once; or a model's folder; or one of {', '.join(REPOS)}",
        ) from error
    if missing := lacking(folder):
        raise MissingEngineError(
            f"whisper:{model}",
            fix=f"a repository for faster-whisper (this one lacks {', '.join(missing)}), or one "
            f"of {', '.join(REPOS)}",
        )
    return folder
