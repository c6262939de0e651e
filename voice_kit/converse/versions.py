"""What a recording was made with."""

from __future__ import annotations

import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from voice_kit import __version__

WORKING = ("numpy", "onnxruntime", "pocketsphinx", "faster-whisper", "ctranslate2", "kokoro")
"""Packages whose versions are written down, where they are installed: what was heard and said
depends on them."""


@cache
def versions() -> dict[str, str]:
    """The versions of the kit, of Python and of these packages. Looked up once."""
    found = {"voice-kit": __version__, "python": platform.python_version()}
    for name in WORKING:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
