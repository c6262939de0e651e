"""Packs the models of this computer into one file, for a USB stick."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from voice_kit.errors import VoiceKitError
from voice_kit.workshop.models import OLLAMA, Stored
from voice_kit.workshop.models_fetch import PIECE, room_for

FORMAT = "voice-kit models"
VERSION = 1
MANIFEST = "manifest.json"

Told = Callable[[str, int], None]
"""Is told what is done with which file, and how many more of its bytes that was."""


def choose(models: Sequence[Stored], names: Sequence[str]) -> list[Stored]:
    """Those that are named; without names all of them, but of Ollama's the room's alone.

    Raises `VoiceKitError` for a name that is not here, or when there is nothing at all.
    """
    known = {model.name: model for model in models}
    if missing := [name for name in names if name not in known]:
        here = ", ".join(known) or "none"
        raise VoiceKitError(f"{missing[0]} is not on this computer. The models here are: {here}.")
    chosen = [
        model
        for model in models
        if (model.name in names if names else model.kind != "ollama" or model.name == OLLAMA)
    ]
    if not chosen:
        raise VoiceKitError("There are no models on this computer. Try: voice-kit models fetch")
    return chosen


def pack(models: Sequence[Stored], file: Path, told: Told) -> dict[str, Any]:
    """Write these models into a tar file, its manifest first, and give the manifest.

    The file is there whole or not at all. Raises `VoiceKitError`.
    """
    if file.exists():
        raise VoiceKitError(f"{file} is there already. Remove it, or use another name.")
    size = sum(path.stat().st_size for model in models for path in model.files.values())
    if not file.absolute().parent.is_dir():
        raise VoiceKitError(f"There is no folder {file.parent}. Make it, or use another.")
    room_for(size, file.absolute().parent)
    part = file.with_name(f"{file.name}.part")
    try:
        manifest = _manifest(models, told)
        with part.open("wb") as out:
            _write(manifest, models, out, told)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        why = str(error.strerror or error)
        if error.errno == errno.EFBIG:
            why = "its format takes no file of that size: format the stick as exFAT"
        raise VoiceKitError(f"{file} cannot be written: {why}. Try another place.") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _manifest(models: Sequence[Stored], told: Told) -> dict[str, Any]:
    described = []
    for model in models:
        files = []
        for name, path in model.files.items():
            digest, count = hashlib.sha256(), 0
            with path.open("rb") as content:
                while piece := content.read(PIECE):
                    digest.update(piece)
                    count += len(piece)
                    told(f"reading {path.name}", len(piece))
            files.append({"path": name, "bytes": count, "sha256": digest.hexdigest()})
        described.append(
            {
                "name": model.name,
                "kind": model.kind,
                "revision": model.revision,
                "when": model.when,
                "files": files,
            }
        )
    return {"format": FORMAT, "version": VERSION, "models": described}


def _write(manifest: dict[str, Any], models: Sequence[Stored], out: IO[bytes], told: Told) -> None:
    paths = {name: path for model in models for name, path in model.files.items()}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        text = json.dumps(manifest, indent=1).encode()
        about = tarfile.TarInfo(MANIFEST)
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text))
        written = set()
        for model in manifest["models"]:
            for file in model["files"]:
                if file["path"] in written:  # Ollama's models share some
                    continue
                written.add(file["path"])
                about = tarfile.TarInfo(file["path"])
                about.size = file["bytes"]
                with paths[file["path"]].open("rb") as content:
                    reader = Reader(content, lambda count: told("writing", count))
                    tar.addfile(about, reader)
                if reader.sha256 != file["sha256"]:
                    raise VoiceKitError(f"{file['path']} changed meanwhile. Pack once more.")


class Reader:
    """A file that is read from its beginning to its end, and its checksum."""

    def __init__(self, file: IO[bytes], told: Callable[[int], None]) -> None:
        self._file, self._told, self._digest = file, told, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self._digest.update(piece)
        self._told(len(piece))
        return piece

    @property
    def sha256(self) -> str:
        """Of what was read."""
        return self._digest.hexdigest()
