"""Pictures that commands draw into files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voice_kit.cli.options import notes
from voice_kit.errors import AudioError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")


def writable(out: Path | None) -> None:
    """Raise now what would be raised after minutes of work."""
    if out and (not out.parent.is_dir() or out.suffix.lower() not in PICTURES):
        raise AudioError(f"{out} cannot be written. Name a {', '.join(PICTURES)} in a folder here.")


def save(figure: Figure, out: Path) -> None:
    """Write it, and say where. Raises `AudioError`."""
    try:
        figure.savefig(out)
    except OSError as error:
        raise AudioError(f"{out} cannot be written: {error.strerror}. Name another.") from error
    notes.print(f"The picture: {out}", soft_wrap=True)
