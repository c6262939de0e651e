"""Notebook 10: tools and memory."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from voice_kit.workshop.exercises.exercise import Exercise, Function, given_back, sure


def _water(plant: str, litres: float, gently: bool = True) -> str:
    """Water one of the plants.

    The can holds ten litres.
    """
    raise AssertionError("describing a tool must not use it")


# In a notebook annotations are types, and here only text unless this is done.
_water.__annotations__ = inspect.get_annotations(_water, eval_str=True)


def _describe(describe: Function) -> None:
    try:
        found = describe(_water)
    except AssertionError:
        sure(False, "it calls the function to describe it, and the plant is under water. Only look")
    given_back(found)
    sure(isinstance(found, dict), "it should give a dictionary")
    sure(found.get("name") == "_water", "the name of a function is function.__name__")
    told = str(found.get("description") or "")
    sure(told, "the description is missing: function.__doc__, or better inspect.getdoc(function)")
    sure(
        told.startswith("Water one of the plants.") and "\n    " not in told,
        "the description still has the indentation of the code: inspect.getdoc takes it out",
    )
    given = found.get("parameters")
    sure(
        isinstance(given, dict) and "return" not in given,
        "`parameters` should be a dictionary of the arguments alone, without “return”",
    )
    sure(
        list(given or {}) == ["plant", "litres", "gently"],
        f"the arguments are plant, litres and gently, not {', '.join(map(str, given or {}))}",
    )
    sure(
        (given or {}) == {"plant": "str", "litres": "float", "gently": "bool"},
        f"as JSON, types have to be written by name, such as “str”; it gives {given}. "
        "inspect.get_annotations(function, eval_str=True) gives the types, .__name__ their names",
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory() as made:
        folder = Path(made).resolve() / "notes"
        folder.mkdir()
        yield folder


def _inside(inside: Function) -> None:
    with _folder() as folder:
        (folder.parent / "notes of others").mkdir()
        fine = inside(folder, "milk.md")
        sure(fine is not None, "it gives nothing back for “milk.md”. Is there a `return`?")
        sure(
            Path(fine) == folder / "milk.md",
            f"“milk.md” belongs to {folder / 'milk.md'}, not to {fine}",
        )
        for name, why in (
            ("../secret.md", "leaves the folder through “..”"),
            ("lists/../../secret.md", "leaves the folder through “..” in its middle"),
            ("/etc/passwd", "is a place of its own: folder / “/etc/passwd” is just that"),
            (
                "../notes of others/diary.md",
                "begins like the folder and is another: compare paths, not the letters they are "
                "written with",
            ),
        ):
            try:
                found = inside(folder, name)
            except ValueError:
                continue
            sure(False, f"“{name}” is allowed, as {found}. It {why}; raise ValueError")
        try:
            (folder / "door").symlink_to(folder.parent)
        except OSError:  # Windows without the right to
            return
        try:
            inside(folder, "door/secret.md")
        except ValueError:
            return
        sure(
            False,
            "“door” is a link out of the folder, and is followed. Path.resolve() says where a path "
            "really is",
        )


EXERCISES = (
    Exercise(
        name="describe",
        notebook="10",
        where="A tool is a function",
        try_out=_describe,
        hints=(
            "All of it is written at the function already: its name, its docstring, its types.",
            "inspect.getdoc(function), and inspect.get_annotations(function, eval_str=True).",
            "{name: type.__name__ for name, type in annotations.items() if name != 'return'}",
        ),
        given={"inspect": inspect},
    ),
    Exercise(
        name="inside",
        notebook="10",
        where="Safety",
        try_out=_inside,
        hints=(
            "Where does the path really lead? Ask that first, and judge then.",
            "path = (folder / name).resolve(), and path.is_relative_to(folder.resolve()).",
            "if not path.is_relative_to(folder.resolve()): raise ValueError(name)",
        ),
        given={"Path": Path},
    ),
)
