"""The models of a room: which they are, and which of them lie on this computer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voice_kit.errors import MissingEngineError, VoiceKitError
from voice_kit.hear import judge_smart_turn, stt_whisper_models
from voice_kit.settings import home, hub_cache
from voice_kit.speak import kokoro_files
from voice_kit.think import llm_ollama_models

OLLAMA = f"ollama:{llm_ollama_models.BEST}"
ROOM = (
    "whisper:base.en",
    "kokoro:af_heart,am_michael,bf_emma",
    f"smart-turn:{judge_smart_turn.MODELS[0]}",
    OLLAMA,
)
"""What the notebooks use with ENGINES = "best", some two gigabytes in all."""

WHISPER = {repo: name for name, repo in reversed(stt_whisper_models.REPOS.items())}
REPOS = {*WHISPER, kokoro_files.REPO, judge_smart_turn.REPO}
LIBRARY = Path("manifests/registry.ollama.ai/library")
OLLAMA_OF_THE_SYSTEM = Path("/usr/share/ollama/.ollama/models")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model at the hub: its repository, and which files of it."""

    name: str
    repo: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """A model that lies here, whole."""

    name: str
    kind: str
    """Where it belongs: "hub", "smart-turn" or "ollama"."""
    revision: str
    """The commit at the hub; "" elsewhere."""
    when: float
    """When it was fetched, in seconds since 1970."""
    files: dict[str, Path]
    """Its files by their path in a pack."""


def wanted(name: str) -> Wanted:
    """What to fetch for a name such as "whisper:base.en". Raises `VoiceKitError`."""
    engine, _, model = name.partition(":")
    if engine == "whisper" and model in stt_whisper_models.REPOS:
        files = tuple(stt_whisper_models.FILES)
        return Wanted(name, stt_whisper_models.REPOS[model], files)
    voices = [voice for voice in model.split(",") if voice]
    if engine == "kokoro" and voices and set(voices) <= set(kokoro_files.VOICES):
        files = tuple(f"voices/{voice}.pt" for voice in voices)
        return Wanted(name, kokoro_files.REPO, ("config.json", kokoro_files.WEIGHTS, *files))
    if engine == "smart-turn" and model in judge_smart_turn.MODELS:
        return Wanted(name, judge_smart_turn.REPO, (f"smart-turn-{model}.onnx",))
    raise VoiceKitError(
        f"There is no model “{name}” to fetch. The room's set is {' '.join(ROOM)}; others are "
        "named alike, with a model of `voice-kit voices kokoro`, of Whisper or of Ollama."
    )


def usable(name: str) -> bool:
    """Whether its engine would find this model here, now, without a network."""
    engine, _, model = name.partition(":")
    if engine == "whisper":
        return stt_whisper_models.in_cache(wanted(name).repo) is not None
    if engine == "kokoro":
        folder = kokoro_files.folder("")
        voices = kokoro_files.voice_files("")
        return bool(kokoro_files.weights_in(folder)) and all(
            voice in voices for voice in model.split(",")
        )
    try:
        if engine == "smart-turn":
            return bool(judge_smart_turn.SmartTurn.here(model=model))
        server = llm_ollama_models.address()
        return llm_ollama_models.has(llm_ollama_models.installed(server), model)
    except MissingEngineError:
        return False


# What lies here


def base(kind: str) -> Path:
    """The folder in which models of this kind lie."""
    return {"hub": hub_cache, "smart-turn": lambda: home() / "smart-turn", "ollama": _ollama}[
        kind
    ]()


def _ollama() -> Path:
    if given := os.environ.get("OLLAMA_MODELS"):
        return Path(given).expanduser()
    own = Path("~/.ollama/models").expanduser()
    return own if own.exists() or not OLLAMA_OF_THE_SYSTEM.exists() else OLLAMA_OF_THE_SYSTEM


def stored() -> list[Stored]:
    """Every model of a known kind that lies here whole."""
    by_hand = base("smart-turn")
    files = sorted(by_hand.glob("smart-turn-*.onnx")) if by_hand.is_dir() else []
    return [
        *_of_the_hub(),
        *(
            Stored(
                f"smart-turn:{file.stem.removeprefix('smart-turn-')}",
                *("smart-turn", "", file.stat().st_mtime),
                {f"smart-turn/{file.name}": file},
            )
            for file in files
        ),
        *_of_ollama(base("ollama")),
    ]


def _of_the_hub() -> Iterator[Stored]:
    for repo in sorted(REPOS):
        folder = base("hub") / repo_folder(repo)
        ref = folder / "refs" / "main"
        try:
            commit, when = ref.read_text().strip(), ref.stat().st_mtime
        except OSError:
            continue
        root = folder / "snapshots" / commit
        if not whole(repo, root):
            continue
        paths = sorted(path for path in root.rglob("*") if path.is_file())
        files = {f"hub/{path.relative_to(base('hub')).as_posix()}": path for path in paths}
        yield Stored(_named(repo, root), "hub", commit, when, files)


def repo_folder(repo: str) -> str:
    """What Hugging Face's cache calls a repository."""
    return f"models--{repo.replace('/', '--')}"


def whole(repo: str, root: Path) -> bool:
    """Whether a folder has what the engine needs of this repository."""
    if repo in WHISPER:
        return not stt_whisper_models.lacking(root)
    if repo == kokoro_files.REPO:
        return kokoro_files.weights_in(root) is not None
    return any(root.glob("smart-turn-*.onnx"))


def _named(repo: str, root: Path) -> str:
    if repo in WHISPER:
        return f"whisper:{WHISPER[repo]}"
    if repo == kokoro_files.REPO:
        voices = sorted(path.stem for path in (root / "voices").glob("*.pt"))
        return f"kokoro:{','.join(voices)}"
    return f"smart-turn:{min(path.stem for path in root.glob('*.onnx'))[len('smart-turn-') :]}"


def _of_ollama(store: Path) -> Iterator[Stored]:
    for manifest in sorted((store / LIBRARY).glob("*/*")):
        try:
            told = json.loads(manifest.read_text(encoding="utf-8"))
            digests = [each["digest"] for each in (told["config"], *told["layers"])]
            when = manifest.stat().st_mtime
        except (OSError, ValueError, KeyError, TypeError):
            continue
        blobs = [store / "blobs" / str(digest).replace(":", "-") for digest in digests]
        if all(blob.is_file() for blob in blobs):
            # The manifest comes last: what it names is then in place.
            files = {f"ollama/{path.relative_to(store).as_posix()}": path for path in blobs}
            files[f"ollama/{manifest.relative_to(store).as_posix()}"] = manifest
            yield Stored(
                f"ollama:{manifest.parent.name}:{manifest.name}", "ollama", "", when, files
            )
