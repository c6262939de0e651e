"""Puts packed models where their engines look: checked, one whole file after the other."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from voice_kit.errors import VoiceKitError
from voice_kit.workshop.models import REPOS, base, repo_folder, whole
from voice_kit.workshop.models_fetch import PIECE, checksum, room_for
from voice_kit.workshop.models_pack import MANIFEST, Told

LARGEST_MANIFEST = 1_000_000
TEMPORARY = ".voice-kit-unpack-"
OLD = 3600.0
"""Seconds after which a temporary folder has been left behind by a plug that was pulled."""

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]{0,98}[A-Za-z0-9_+-])?"
_REPO = "|".join(re.escape(repo_folder(repo)) for repo in sorted(REPOS))
_PLACES = {
    "hub": re.compile(rf"hub/(?P<repo>{_REPO})/snapshots/[0-9a-f]{{40}}/{_PART}(?:/{_PART})?"),
    "smart-turn": re.compile(r"smart-turn/smart-turn-[\w.-]{1,40}\.onnx"),
    "ollama": re.compile(
        rf"ollama/(?:blobs/sha256-[0-9a-f]{{64}}|manifests/registry\.ollama\.ai/library/{_PART}/{_PART})"
    ),
}
"""All the places that a pack may write to."""


class PackedFile(BaseModel, frozen=True):
    """A file as the manifest describes it."""

    path: str = Field(max_length=300)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class PackedModel(BaseModel, frozen=True):
    """A model as the manifest describes it."""

    name: str = Field(max_length=500)
    kind: Literal["hub", "smart-turn", "ollama"]
    revision: str = Field(pattern=r"^(?:[0-9a-f]{40})?$")
    when: float
    files: list[PackedFile] = Field(min_length=1, max_length=500)


class Manifest(BaseModel, frozen=True):
    """What a pack has."""

    format: Literal["voice-kit models"]
    version: Literal[1]
    models: list[PackedModel] = Field(max_length=500)


def unpack(file: Path, told: Told) -> Iterator[tuple[str, str]]:
    """Put the models of a pack in place, and yield what became of each.

    What is here and newer is kept. Nothing is used before its checksum was compared, so a plug
    that is pulled leaves a model whole or out of use; do the same again to go on. Raises
    `VoiceKitError`.
    """
    bad = VoiceKitError(
        f"{file} is damaged or no pack of models. Copy it afresh from a computer that has it."
    )
    try:
        with tarfile.open(file, "r:") as tar:
            manifest = _manifest(tar)
            states = {model.name: _state(model) for model in manifest.models}
            needed = [model for model in manifest.models if states[model.name] == "put in place"]
            for kind in {model.kind for model in needed}:
                size = sum(
                    each.bytes for model in needed if model.kind == kind for each in model.files
                )
                room_for(size, base(kind))
            _place(tar, needed, told)
    except (tarfile.TarError, ValidationError, ValueError, EOFError) as error:
        raise bad from error
    except OSError as error:
        place = error.filename or file
        raise VoiceKitError(
            f"{place} cannot be read or written: {error.strerror or error}. Check the stick, the "
            "free space, and whom the folder belongs to."
        ) from error
    yield from states.items()


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    if first is None or first.name != MANIFEST or not first.isreg():
        raise ValueError("no manifest")
    if first.size > LARGEST_MANIFEST or (content := tar.extractfile(first)) is None:
        raise ValueError("no manifest that can be read")
    manifest = Manifest.model_validate(json.loads(content.read()))
    for model in manifest.models:
        for each in model.files:
            place = _PLACES[model.kind].fullmatch(each.path)
            if place is None or (model.kind == "hub" and f"/{model.revision}/" not in each.path):
                raise ValueError("a file that belongs elsewhere")
            if "/blobs/" in each.path and not each.path.endswith(f"sha256-{each.sha256}"):
                raise ValueError("a file that is not what it is called")
    return manifest


def _state(model: PackedModel) -> str:
    """What is to become of a model, from what is here."""
    if all(_same(each) for each in model.files) and _ref(model) in (None, model.revision):
        return "here already"
    key = _destination(model.files[-1].path)
    if model.kind == "hub":
        key = _ref_file(model)
        repo = _repo(model)
        old = key.parents[1] / "snapshots" / (_ref(model) or "none")
        if _ref(model) == model.revision or not whole(repo, old):
            return "put in place"
    newer = key.exists() and key.stat().st_mtime >= model.when
    return "kept: what is here is newer" if newer else "put in place"


def _place(tar: tarfile.TarFile, models: list[PackedModel], told: Told) -> None:
    wanted = {each.path: (model, each) for model in models for each in model.files}
    left = set(wanted)
    while left and (member := tar.next()) is not None:
        if member.name not in left:
            continue
        model, each = wanted[member.name]
        content = tar.extractfile(member) if member.isreg() else None
        if content is None or member.size != each.bytes:
            raise ValueError("another file than the manifest says")
        if _same(each):
            told("here", each.bytes)
        else:
            _copy(content, each, model, told)
        left.discard(member.name)
        for whole_one in models:  # Ollama's models share files
            if not left & {each.path for each in whole_one.files}:
                _finish(whole_one)
    if left:
        raise ValueError("files are missing")


def _copy(content: Any, each: PackedFile, model: PackedModel, told: Told) -> None:
    place, root = _destination(each.path), base(model.kind)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.resolve().is_relative_to(root.resolve()):
        raise ValueError("a folder that leads elsewhere")
    _sweep(root)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=root) as folder:
        part, digest = Path(folder) / "part", hashlib.sha256()
        with part.open("wb") as out:
            while piece := content.read(PIECE):
                digest.update(piece)
                out.write(piece)
                told(f"unpacking {place.name}", len(piece))
            out.flush()
            os.fsync(out.fileno())
        if digest.hexdigest() != each.sha256:
            raise ValueError("a checksum that differs")
        os.utime(part, (model.when, model.when))
        part.replace(place)
        _sync(place.parent)


def _finish(model: PackedModel) -> None:
    """Let the hub's cache use this revision, once all of it is there."""
    if model.kind != "hub" or _ref(model) == model.revision:
        return
    ref = _ref_file(model)
    ref.parent.mkdir(parents=True, exist_ok=True)
    part = ref.with_name("main.voice-kit")
    part.write_text(model.revision)
    os.utime(part, (model.when, model.when))
    part.replace(ref)
    _sync(ref.parent)


def _destination(path: str) -> Path:
    kind, _, rest = path.partition("/")
    return base(kind) / rest


def _repo(model: PackedModel) -> str:
    folder = model.files[0].path.split("/")[1]
    return next(repo for repo in REPOS if repo_folder(repo) == folder)


def _ref_file(model: PackedModel) -> Path:
    return base("hub") / repo_folder(_repo(model)) / "refs" / "main"


def _ref(model: PackedModel) -> str | None:
    """The revision in use; None where there is none, or the kind has no such thing."""
    if model.kind == "hub":
        with suppress(OSError):
            return _ref_file(model).read_text().strip()
        return ""
    return None


def _same(each: PackedFile) -> bool:
    place = _destination(each.path)
    if not place.is_file() or place.stat().st_size != each.bytes:
        return False
    return checksum(place, each.sha256) == each.sha256


def _sweep(root: Path) -> None:
    for left in root.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > OLD:
                shutil.rmtree(left)


def _sync(folder: Path) -> None:
    """Have the new name on the disk as well, where the system can be asked for that."""
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
