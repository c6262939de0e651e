"""Build the notebooks from source/: exercises beside this file, solutions in solutions/.

`build.py` writes both. `build.py --check` writes nothing, says what is stale, unclosed or without
a source, and exits 1 when something is.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

HERE = Path(__file__).parent

SOLUTION_BLOCK = re.compile(
    r"^(?P<indent>[ \t]*)### BEGIN SOLUTION\n.*?^[ \t]*### END SOLUTION[ \t]*$",
    flags=re.MULTILINE | re.DOTALL,
)
SOLUTION_MARKER = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)
STUB = r"\g<indent># Your code here.\n\g<indent>raise NotImplementedError"


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


class SourceError(Exception):
    """A source script cannot be built. The message says where and why."""


def compile_notebook(source: Path, *, solutions: bool) -> str:
    """Return the .ipynb text for one source script, with or without solutions."""
    notebook = jupytext.read(source, fmt="py:percent")
    refuse(source.name, notebook)
    notebook.metadata = NotebookNode(kernelspec=KERNEL, language_info={"name": "python"})
    cells: list[NotebookNode] = []
    taken: set[str] = set()
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "solution" in tags and not solutions:
            continue
        if cell.cell_type == "code":
            cell.source = show_or_hide(cell.source, solutions=solutions)
            cell.outputs, cell.execution_count = [], None
        elif not solutions:  # which lie beside the figures; sources and solutions one folder deeper
            cell.source = cell.source.replace("](../figures/", "](figures/")
        cell.id = stable_id(cell, taken)
        cells.append(cell)
    notebook.cells = cells
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4, indent=1) + "\n"


def show_or_hide(code: str, *, solutions: bool) -> str:
    """Drop the solution markers, or swap each solution for a stub."""
    if solutions:
        return SOLUTION_MARKER.sub("", code).rstrip()
    return SOLUTION_BLOCK.sub(STUB, code)


def stable_id(cell: NotebookNode, taken: set[str]) -> str:
    """Name a cell after its content, so that a diff shows only the cells that changed."""
    digest = hashlib.sha1(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()
    name = next(digest[n : n + 8] for n in range(32) if digest[n : n + 8] not in taken)
    taken.add(name)
    return name


def refuse(name: str, notebook: NotebookNode) -> None:
    """Raise `SourceError` for a marker without its partner, or an engine that is a fake."""
    for number, cell in enumerate(notebook.cells, 1):
        markers = re.findall(r"### (BEGIN|END) SOLUTION", cell.source)
        if markers != ["BEGIN", "END"] * (len(markers) // 2):
            raise SourceError(f"{name}, cell {number}: a solution marker without its partner")
        if "workshop.fakes" in cell.source:
            raise SourceError(f"{name}, cell {number}: workshop.fakes; offline means real engines")


def products(here: Path) -> dict[Path, str]:
    """Every notebook there should be, and its text. Raises `SourceError`."""
    sources = sorted((here / "source").glob("[0-9][0-9]_*.py"))
    if not sources:
        raise SourceError(f"there is no NN_title.py in {here / 'source'}")
    texts: dict[Path, str] = {}
    for source in sources:
        notebook = source.with_suffix(".ipynb").name
        texts[here / notebook] = compile_notebook(source, solutions=False)
        texts[here / "solutions" / notebook] = compile_notebook(source, solutions=True)
    return texts


def problems(here: Path, texts: dict[Path, str]) -> list[str]:
    """What `--check` complains about."""
    found = [
        f"{path.relative_to(here)} is {'stale' if path.exists() else 'missing'}: run build.py"
        for path, text in texts.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    built = [*here.glob("*.ipynb"), *(here / "solutions").glob("*.ipynb")]
    return found + [
        f"{path.relative_to(here)} has no source: delete it, or copy your own work into my/"
        for path in sorted(built)
        if path not in texts
    ]


def main(arguments: list[str] | None = None, here: Path = HERE) -> int:
    """Build, or check. 0 when all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if stale")
    check = parser.parse_args(arguments).check
    try:
        texts = products(here)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    if not check:
        (here / "solutions").mkdir(exist_ok=True)
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8", newline="\n")
    found = problems(here, texts)
    print(*found or [f"{len(texts)} notebooks are as their sources say"], sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
