"""Draws the figures that notebooks and slides share into notebooks/figures; --check only looks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import figures_engines as engines
import figures_loop as loop
from svg import Drawing

FOLDER = Path(__file__).parents[1] / "notebooks" / "figures"
FIGURES: list[Callable[[], Drawing]] = [
    *(loop.flow, loop.architecture, loop.turn_end, loop.gate, loop.interruption, loop.gateway),
    *(loop.scale, engines.detector, engines.recogniser, engines.aligned, engines.arena),
    *(engines.voice, engines.first_sentence, engines.routes, engines.tool_call),
]


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Draw, or check. 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args(arguments).check
    texts = {folder / f"{draw.__name__}.svg": draw().file() for draw in FIGURES}
    if not check:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8", newline="\n")
    stale = [
        f"{path.name} is not as slides/figures.py draws it: run it"
        for path, text in texts.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    stale += [
        f"{path.name} is drawn by nobody" for path in folder.glob("*.svg") if path not in texts
    ]
    print(*stale or [f"{len(texts)} figures are as they are drawn"], sep="\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
