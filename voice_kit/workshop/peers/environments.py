"""An environment for each peer, made once, of pinned versions from the configured index."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = {
    "pipecat": ("pipecat-ai",),
    "livekit": ("livekit-agents", "livekit-plugins-silero"),
}
"""What each peer is; `requirements/NAME.txt` says which versions of it and of all it needs."""

REQUIREMENTS = Path(__file__).parent / "requirements"
STAMP = ".voice-kit"
TRIES, PAUSE = 3, 5.0


class NoEnvironmentError(Exception):
    """A peer cannot be compared; the message says why."""


def python_of(peer: str, folder: Path, say: Callable[[str], None]) -> Path:
    """The Python that has this peer, made first where it is not there.

    Blocks, for minutes the first time. Raises `NoEnvironmentError`.
    """
    home = folder / peer
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pins = REQUIREMENTS / f"{peer}.txt"
    stamp = home / STAMP
    wanted = f"{sys.version_info.major}.{sys.version_info.minor} {home.resolve()} " + (
        hashlib.sha256(pins.read_bytes()).hexdigest()
    )
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and python.exists():
        return python
    say(f"Making {home} for {peer}: a minute or two, once.")
    shutil.rmtree(home, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(home)], peer)
    install = [str(python), "-m", "pip", "install", "-q", "-c", str(pins), *PACKAGES[peer]]
    for left in reversed(range(TRIES)):
        try:
            _run(install, peer)
            break
        except NoEnvironmentError as error:
            if not left:
                raise
            say(f"{error} Once more in {PAUSE:g} s.")
            time.sleep(PAUSE)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str], peer: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoEnvironmentError(f"{peer} could not be installed: {error}.") from error
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        why = (last or done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise NoEnvironmentError(f"{peer} could not be installed: {why.rstrip('.')}.")
