"""Every public name says what it is, or what comes back."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "voice_kit"
DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@cache
def modules():
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 200, "the package was not found"
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8")) for path in found
    }


def public(body):
    return [
        each
        for each in body
        if isinstance(each, DEFINED) and not each.name.startswith("_") and not _again(each)
    ]


def _again(node):
    """Whether it is another signature, or the setter, of something that has its docstring."""
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return bool(marks & {"overload", "setter"})


def promised(tree):
    """Methods of this module that are documented: a class beside may just keep the promise."""
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef)]
    return {each.name for one in classes for each in public(one.body) if ast.get_docstring(each)}


def names(tree):
    """Every public name of a module with its docstring, or None."""
    for each in public(tree.body):
        yield each.name, ast.get_docstring(each)
        if isinstance(each, ast.ClassDef):
            elsewhere = bool(each.bases)  # what it overrides is documented there
            for one in public(each.body):
                silent = elsewhere or one.name in promised(tree)
                yield f"{each.name}.{one.name}", ast.get_docstring(one) or ("" if silent else None)


def test_every_module_says_shortly_what_it_is_for():
    wrong = []
    for name, tree in modules().items():
        first = (ast.get_docstring(tree) or "").partition("\n\n")[0]
        if not first.endswith((".", ":", "?")) or len(first) > 240:
            wrong.append(name)
    assert not wrong


def test_every_public_name_has_a_docstring():
    found = [
        (f"{file}: {name}", text) for file in modules() for name, text in names(modules()[file])
    ]
    assert len(found) > 1500
    assert not [name for name, text in found if text is None]


def test_a_docstring_is_sentences_and_no_list_of_arguments():
    wrong = []
    for file, tree in modules().items():
        for name, text in names(tree):
            if not text:
                continue
            paragraph = re.split(r"\n\s*\n", text)[0].strip()
            if not paragraph.endswith((".", ":", "?", "!", ")", "”", "…")) or re.search(
                r"^\s*(Args|Arguments|Parameters|Returns|:param\b.*):", text, re.MULTILINE
            ):
                wrong.append(f"{file}: {name}")
    assert not wrong


NOUNS = ["types.py", "errors.py", "settings/__init__.py", "settings/groups.py", "engines.py"]


@pytest.mark.parametrize("file", NOUNS)
def test_a_constant_of_the_nouns_says_what_it_is(file):
    """By a string below it, or a comment beside it."""
    lines = (PACKAGE / file).read_text("utf-8").splitlines()
    body = modules()[file].body
    for each, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(each, ast.Assign | ast.AnnAssign):
            continue
        (target,) = each.targets if isinstance(each, ast.Assign) else [each.target]
        if target.id.startswith("_") or target.id == "T":
            continue
        below = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        assert below or "#" in lines[each.end_lineno - 1], f"{file}: {target.id}"
