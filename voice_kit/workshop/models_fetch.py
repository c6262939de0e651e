"""Fetches models from the hub: resumed where it broke off, and checked before it is used."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voice_kit.errors import VoiceKitError
from voice_kit.remote.servers import near
from voice_kit.settings import hub_cache
from voice_kit.workshop.models import Wanted, repo_folder

if TYPE_CHECKING:
    import httpx

PIECE = 1 << 20
TRIES = 5
"""How often a download that brings nothing is tried before it is given up."""
SPARE = 200_000_000
"""Bytes that stay free on the disk."""

Told = Callable[[str, int, int], None]
"""Is told of a file how many of its bytes are here, and how many it has."""


@dataclass(frozen=True, slots=True)
class File:
    """A file at the hub that is not here yet."""

    repo: str
    commit: str
    name: str
    size: int
    checksum: str
    """SHA-256 of a large file, Git's SHA-1 of a small one: the cache calls its content so."""

    @property
    def blob(self) -> Path:
        """Where its content belongs."""
        return hub_cache() / repo_folder(self.repo) / "blobs" / self.checksum

    @property
    def part(self) -> Path:
        """What there is of it so far."""
        return self.blob.with_name(f"{self.checksum}.voice-kit")

    @property
    def lacking(self) -> int:
        """How many of its bytes have still to come."""
        if self.blob.exists():
            return 0
        return self.size - min(self.size, self.part.stat().st_size if self.part.exists() else 0)


def plan(models: Iterable[Wanted]) -> list[File]:
    """The files of these models that are not here yet. Asks the hub; raises `VoiceKitError`."""
    from huggingface_hub import HfApi

    reachable()
    files = []
    for model in models:
        try:
            info = HfApi().model_info(model.repo, files_metadata=True, timeout=10)
        except Exception as error:  # of the hub, of HTTP: the way out is the same
            raise VoiceKitError(
                f"The hub does not tell of {model.repo} ({type(error).__name__}). Try again later, "
                "or another model."
            ) from error
        found = [
            each
            for each in info.siblings or []
            if any(fnmatch(each.rfilename, pattern) for pattern in model.patterns)
        ]
        for pattern in model.patterns:
            if "*" not in pattern and not any(each.rfilename == pattern for each in found):
                if pattern == "preprocessor_config.json":
                    continue  # only some of Whisper's have it
                raise VoiceKitError(f"{model.repo} has no {pattern} any more. Try another model.")
        snapshot = hub_cache() / repo_folder(model.repo) / "snapshots" / str(info.sha)
        for each in found:
            checksum = each.lfs.sha256 if each.lfs else str(each.blob_id)
            if not (snapshot / each.rfilename).exists():
                file = File(model.repo, str(info.sha), each.rfilename, each.size or 0, checksum)
                files.append(file)
    return files


def reachable() -> None:
    """Raise `VoiceKitError` where the hub is not, in five seconds instead of its client's 24."""
    from huggingface_hub import constants

    stick = "or `voice-kit models unpack FILE.tar` with the file of somebody who has them"
    if constants.HF_HUB_OFFLINE:
        raise VoiceKitError(f"HF_HUB_OFFLINE is set, so nothing is fetched. Unset it, {stick}.")
    host = urlsplit(constants.ENDPOINT)
    if urllib.request.getproxies():
        return
    try:
        port = host.port or (443 if host.scheme == "https" else 80)
        socket.create_connection((host.hostname or "", port), timeout=5).close()
    except OSError as error:
        raise VoiceKitError(
            f"The hub at {constants.ENDPOINT} does not answer. Try: a network, {stick}."
        ) from error


def room_for(size: int, folder: Path) -> None:
    """Raise `VoiceKitError` unless so many bytes fit on the disk of this folder."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if size and size + SPARE > free:
        raise VoiceKitError(
            f"That takes {size / 1e9:.1f} GB and there are {free / 1e9:.1f} GB free on the disk of "
            f"{folder}. Free some space, or let HF_HOME name a folder on another disk."
        )


def fetch(files: Iterable[File], told: Told) -> None:
    """Download these files into Hugging Face's cache. Raises `VoiceKitError`; goes on next time."""
    import httpx
    from huggingface_hub import constants, hf_hub_download

    timeout = httpx.Timeout(30, connect=5)
    trust = not near(constants.ENDPOINT)
    with httpx.Client(follow_redirects=True, timeout=timeout, trust_env=trust) as client:
        for file in files:
            try:
                if not file.blob.exists():
                    _download(client, file, told)
                told(file.name, file.size, file.size)
                # The content is there: this only names it, as every library expects it.
                hf_hub_download(file.repo, file.name, etag_timeout=10)
            except (httpx.HTTPError, OSError, ValueError) as error:
                # all of the hub's errors are one of these
                raise VoiceKitError(
                    f"{file.repo}/{file.name} could not be fetched ({type(error).__name__}). Do "
                    "the same again: it goes on where it stopped."
                ) from error


def _download(client: httpx.Client, file: File, told: Told) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    url = hf_hub_url(file.repo, file.name, revision=file.commit)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    file.part.parent.mkdir(parents=True, exist_ok=True)
    in_vain, have = 0, -1
    while file.lacking:
        in_vain = 0 if file.size - file.lacking > have else in_vain + 1
        have = file.size - file.lacking
        try:
            _some(client, url, headers, file, have, told)
        except OSError:
            raise
        except Exception as error:
            if not _passing(error) or in_vain >= TRIES:
                raise
            time.sleep(in_vain / 2)
    if checksum(file.part, file.checksum) != file.checksum:
        file.part.unlink()
        raise VoiceKitError(f"{file.repo}/{file.name} came damaged. Fetch it again.")
    file.part.replace(file.blob)


def _some(
    client: httpx.Client, url: str, headers: dict[str, str], file: File, have: int, told: Told
) -> None:
    """Add to the part what comes before the connection ends."""
    asked = {**headers, "Range": f"bytes={have}-"} if have else headers
    with client.stream("GET", url, headers=asked) as response:
        response.raise_for_status()
        starts = response.headers.get("content-range", "").startswith(f"bytes {have}-")
        goes_on = response.status_code == 206 and starts
        have = have if goes_on else 0
        with file.part.open("ab" if goes_on else "wb") as part:
            for piece in response.iter_raw():
                part.write(piece[: file.size - have])
                have = min(file.size, have + len(piece))
                told(file.name, have, file.size)
            part.flush()
            os.fsync(part.fileno())


def _passing(error: Exception) -> bool:
    """Whether the same may go well in a moment."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (408, 416, 429, 500, 502, 503, 504)
    return isinstance(error, httpx.TransportError)


def checksum(path: Path, like: str) -> str:
    """A file's SHA-256, or Git's SHA-1 of it where the other checksum is as short as that."""
    digest = hashlib.sha256() if len(like) == 64 else hashlib.sha1(usedforsecurity=False)
    if len(like) != 64:
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
