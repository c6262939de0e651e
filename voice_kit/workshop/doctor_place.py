"""Examines where the kit lives: Python, packages, disk, folders, ports, and its voice's data."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from voice_kit.settings import home, hub_cache

ROOM, FULL = 2.0, 0.1
"""Gigabytes of free disk: what the workshop's models need, and what nothing works without."""

PIP = (21, 3)
"""The first pip that installs a checkout without a setup.py so that it can be edited."""

PORTS = {
    "JupyterLab": (8888, "Nothing to do: it takes the next one and prints its address."),
    "voice-kit serve": (8765, "voice-kit serve --port 0, which takes a free one."),
    "voice-kit room": (8770, "voice-kit room --port 0, which takes a free one."),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination."""

    what: str
    status: Literal["ok", "note", "fix"]
    """“note”: it works without, and here is how to have it."""
    found: str
    fix: str = ""
    """What to type, or to do."""


def place() -> Iterator[Finding]:
    """Every finding about this machine and this folder, none of which takes long."""
    yield python()
    yield pip()
    yield packages()
    yield disk()
    yield folders()
    yield ports()
    yield jupyter()
    yield voice_data()


def python() -> Finding:
    """Whether this Python is one that the kit was made for."""
    found = f"{'.'.join(str(part) for part in sys.version_info[:3])} ({sys.executable})"
    if (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Finding("Python", "ok", found)
    fix = "Install Python 3.11 or 3.12 from python.org, then: make lab PYTHON=/path/to/python3.12"
    return Finding("Python", "fix", found, fix)


def pip() -> Finding:
    """Whether pip is here, and young enough to install the kit."""
    fix = f"{sys.executable} -m ensurepip --upgrade"
    try:
        found = version("pip")
    except PackageNotFoundError:
        return Finding("pip", "note", "not here; it is needed only to install more", fix)
    if _numbers(found) < PIP:
        return Finding("pip", "fix", f"{found} is too old to install this kit", fix)
    return Finding("pip", "ok", found)


def packages() -> Finding:
    """Whether the kit is installed with all that it needs."""
    try:
        needed = [
            re.split(r"[^\w.-]", line)[0]
            for line in requires("voice-kit") or []
            if "extra ==" not in line
        ]
    except PackageNotFoundError:
        return Finding("packages", "fix", "voice-kit is not installed", "pip install -e .")
    missing = [name for name in needed if not _installed(name)]
    if missing:
        fix = "make demo, or: pip install -e . -c constraints.txt"
        return Finding("packages", "fix", f"missing: {', '.join(missing)}", fix)
    return Finding(
        "packages", "ok", f"voice-kit {version('voice-kit')} and the {len(needed)} it needs"
    )


def disk() -> Finding:
    """How much is free where models, recordings and what is under way are written."""
    free = {folder: shutil.disk_usage(folder).free / 1e9 for folder in set(_written())}
    full = [str(folder) for folder, space in free.items() if space < FULL]
    if full:
        found = f"full, or nearly so: {', '.join(sorted(full))}"
        fix = "Free some space there, or work in a folder on another disk (TMPDIR moves the rest)."
        return Finding("disk", "fix", found, fix)
    here = free[_there(hub_cache())]
    if here >= ROOM:
        return Finding("disk", "ok", f"{here:.0f} GB free")
    fix = f"Models need about {ROOM:g} GB: free some, or let HF_HOME name a folder on another disk."
    return Finding("disk", "note", f"{here:.1f} GB free", f"{fix} The embedded engines need none.")


def folders() -> Finding:
    """Whether it may write where you work, and where it keeps settings and exercises."""
    closed = [folder for folder in (Path.cwd(), _there(home())) if not _writable(folder)]
    if not closed:
        return Finding("folders", "ok", f"{Path.cwd()} and {home()} can be written")
    found = f"cannot be written: {', '.join(map(str, closed))}"
    if closed[0] == Path.cwd():
        fix = "Work in a folder of yours: copy this one there, or change into it and call again."
    else:
        fix = "Let VOICE_KIT_HOME name a folder of yours."
    return Finding("folders", "fix", found, fix)


def ports() -> Finding:
    """Whether somebody else listens where our servers would."""
    taken = {name: way for name, way in PORTS.items() if _taken(way[0])}
    if not taken:
        numbers = ", ".join(str(number) for number, _ in PORTS.values())
        return Finding("ports", "ok", f"{numbers} are free")
    found = ", ".join(
        f"{number}, where {name} would be, is taken" for name, (number, _) in taken.items()
    )
    return Finding("ports", "note", found, " ".join(fix for _, fix in taken.values()))


def jupyter() -> Finding:
    """Whether the notebooks can be opened."""
    if importlib.util.find_spec("jupyterlab"):
        return Finding("JupyterLab", "ok", version("jupyterlab"))
    return Finding("JupyterLab", "note", "not here", "make lab, or: pip install -e '.[workshop]'")


def voice_data() -> Finding:
    """Whether espeak's library and data are whole: they come inside of its package."""
    fix = f"{sys.executable} -m pip install --force-reinstall espeakng-loader"
    try:
        import espeakng_loader  # type: ignore[import-untyped]

        library = Path(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path())
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("espeak", "fix", f"not here ({type(error).__name__})", fix)
    for file in (library, data / "phontab", data / "phondata", data / "lang"):
        if not file.exists():
            return Finding("espeak", "fix", f"its {file.name} is missing", fix)
    return Finding("espeak", "ok", f"its library and {len(list(data.glob('*_dict')))} languages")


def _written() -> Iterator[Path]:
    yield from map(_there, (Path.cwd(), home(), hub_cache()))
    with suppress(FileNotFoundError):  # nowhere is room for a temporary file
        yield Path(tempfile.gettempdir())


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(each for each in (folder, *folder.absolute().parents) if each.is_dir())


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):  # whatever permissions say: root has them all
            return True
    except OSError:
        return False


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":  # or a port that was left a minute ago would count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
