"""The notebooks are as their sources say, and run from top to bottom with nothing but this."""

import ast
import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from helpers_browser import drawn
from helpers_papermill import executed_by_papermill

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
SOURCES = sorted((NOTEBOOKS / "source").glob("[0-9][0-9]_*.py"))
NAMES = [source.with_suffix(".ipynb").name for source in SOURCES]
AS_IN_A_CELL = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
LONGEST = 60
"""Seconds for a cell, and for a whole notebook on a machine that does little else."""

pytestmark = pytest.mark.needs("jupyter")


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def text(cell):
    return "".join(cell["source"])


def code(cells):
    return [cell for cell in cells if cell["cell_type"] == "code"]


# The notebooks that are there


def test_there_are_notebooks():
    assert len(NAMES) >= 1


def test_the_notebooks_are_as_their_sources_say():
    check = [sys.executable, NOTEBOOKS / "build.py", "--check"]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for folder in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        assert sorted(path.name for path in folder.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_carries_no_outputs(name):
    cells = code([cell for path in both(name) for cell in read(path)["cells"]])
    assert cells
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_says_what_it_is_for_and_what_was_built(name):
    cells = read(NOTEBOOKS / name)["cells"]
    first, parameters, last = text(cells[0]), cells[1], text(cells[-1])
    assert len(re.findall(r"^# ", first, re.MULTILINE)) == 1
    for promise in ("You will build", "Needs", "Time", "→"):
        assert promise in first
    assert parameters["metadata"]["tags"] == ["parameters"]
    assert "LIVE = False" in text(parameters) and 'ENGINES = "offline"' in text(parameters)
    assert last.startswith("## What you built")


@pytest.mark.parametrize(("name", "following"), pairwise(NAMES))
def test_a_notebook_ends_with_the_way_to_the_next(name, following):
    for path in both(name):
        assert f"]({following})" in text(read(path)["cells"][-1])


@pytest.mark.parametrize("name", NAMES)
def test_headings_skip_no_level(name):
    prose = [
        text(cell) for cell in read(NOTEBOOKS / name)["cells"] if cell["cell_type"] == "markdown"
    ]
    levels = [len(marks) for marks in re.findall(r"^(#+) ", "\n".join(prose), re.MULTILINE)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", NAMES)
def test_the_hint_that_a_check_offers_can_be_asked_for(name):
    cells = [text(cell) for cell in code(read(NOTEBOOKS / name)["cells"])]
    checks = [at for at, cell in enumerate(cells) if re.search(r"^check\(", cell, re.MULTILINE)]
    assert not checks or "hint" in names(cells[: checks[0] + 1], ast.Store)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_goes_on_needs_an_optional_section(name):
    optional, left_out, goes_on = False, [], []
    for cell in read(NOTEBOOKS / name)["cells"]:
        for heading in re.findall(r"^##? .*", text(cell), re.M):
            optional = "OPTIONAL" in heading if cell["cell_type"] == "markdown" else optional
        if cell["cell_type"] == "code":
            (left_out if optional else goes_on).append(text(cell))
    missing = names(left_out, ast.Store) - names(goes_on, ast.Store)
    assert not missing & names(goes_on, ast.Load)


def test_some_notebooks_have_optional_sections_with_code():
    assert sum("## OPTIONAL" in source.read_text(encoding="utf-8") for source in SOURCES) > 5


def names(cells, use):
    """The names that these cells bind, or read."""
    found = set()
    for cell in cells:
        python = "\n".join(line for line in cell.splitlines() if not line.startswith("%"))
        for node in ast.walk(compile(python, "cell", "exec", AS_IN_A_CELL)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, use):
                found.add(node.id)
            elif use is ast.Store and isinstance(node, ast.alias):
                found.add((node.asname or node.name).partition(".")[0])
            elif use is ast.Store and hasattr(node, "body") and hasattr(node, "name"):
                found.add(node.name)
    return found


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """Runs a notebook of this folder with its defaults, and gives how that ended and what it
    became."""

    def run(name, folder):
        out = tmp_path_factory.mktemp("ran") / name
        strict = {"VOICE_KIT_STRICT": "1"} if folder == "solutions" else {}
        limit = ("--execution-timeout", str(LONGEST))
        done = executed_by_papermill(NOTEBOOKS / folder / name, out, *limit, **strict)
        return done, out

    return run


@pytest.fixture(scope="module")
def executed(request, execute):
    """What each chosen notebook becomes when it is run: two at once, for they mostly wait."""
    with ThreadPoolExecutor(2) as pool:
        runs = {
            (item.callspec.params["name"], item.callspec.params.get("folder", "solutions")): None
            for item in request.session.items
            if item.function in RUN
        }
        yield {run: pool.submit(execute, *run) for run in runs}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("folder", ["solutions", "."])
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom(name, folder, executed):
    done, out = executed[name, folder].result()
    assert done.returncode == 0, done.stderr[-3000:]
    ran = [cell for cell in read(out)["cells"] if cell["cell_type"] == "code"]
    assert ran
    assert all(cell["execution_count"] for cell in ran if text(cell).strip())
    state = "passed" if folder == "solutions" else "not yet"
    for cell in ran:
        if "check" in cell["metadata"].get("tags", []):
            shown = "".join(line for out in cell["outputs"] for line in out["data"]["text/plain"])
            assert f": {state}." in shown


@pytest.mark.timeout(300)
@pytest.mark.parametrize("folder", ["solutions", "."])
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_asks_no_other_machine_and_warns_of_nothing(name, folder, executed):
    _, out = executed[name, folder].result()
    reached = out.parent / "reached.txt"
    assert not reached.exists(), reached.read_text(encoding="utf-8")
    said = ["".join(each["text"]) for each in outputs(out) if each.get("name") == "stderr"]
    assert not said


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_notebook_draws_is_there_and_is_said_in_words_too(name, executed):
    _, out = executed[name, "solutions"].result()
    shown = [each["data"] for each in outputs(out) if "data" in each]
    pictures = [data for data in shown if "image/png" in data]
    assert len(pictures) == PICTURES.get(name[:2], 0)
    for data in pictures:
        png = base64.b64decode("".join(data["image/png"]))
        assert drawn(png) > 0.01, "a picture is blank"
    for data in shown:
        if {"image/png", "text/html"} & data.keys():
            words = "".join(data["text/plain"])
            assert len(words.split()) >= 5 and "object at 0x" not in words, words


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_notebook_takes_less_than_a_minute(name, executed, execute):
    """By papermill's clock, its kernel's start included. Others run beside it here: one that took
    longer among them has to be quick enough once they have ended. A machine that has twice as
    much to do as it has cores may take twice as long."""
    times = [seconds(executed[name, "solutions"].result()[1])]
    while times[-1] >= LONGEST and len(times) < 3:
        for other in executed.values():
            other.result()
        times.append(seconds(execute(name, "solutions")[1]) / crowded())
    assert 0 < min(times) < LONGEST, times


def crowded():
    """How many times as much this machine has had to do, in the last minute, as it has cores."""
    waiting = getattr(os, "getloadavg", lambda: (0.0,))()[0]  # which Windows does not tell
    return max(1.0, waiting / os.cpu_count())


def seconds(path):
    """How long a notebook took, as papermill wrote it down."""
    return read(path)["metadata"]["papermill"]["duration"]


RUN = (
    test_a_notebook_runs_from_top_to_bottom,
    test_a_whole_notebook_takes_less_than_a_minute,
    test_a_notebook_asks_no_other_machine_and_warns_of_nothing,
    test_what_a_notebook_draws_is_there_and_is_said_in_words_too,
)
"""The tests that need notebooks to have run."""

PICTURES = {
    **{"01": 2, "02": 6, "03": 3, "04": 2, "05": 2, "06": 2, "07": 3, "08": 1},
    **{"12": 1, "13": 2},
}
"""How many pictures each notebook draws."""


def outputs(path):
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    return [each for cell in cells for each in cell["outputs"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_in_the_text_says_what_it_shows_and_every_link_leads_somewhere(name):
    for path in both(name):
        cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "markdown"]
        pictures_and_links("\n".join(map(text, cells)), path.parent)


def pictures_and_links(prose, folder):
    for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", prose):
        assert len(words.split()) >= 3, f"{target} has no alt text"
    for target in re.findall(r"\]\(([^)#\s]+)", prose):
        if "://" not in target:
            assert (folder / target).exists(), f"{target} is not there"
    assert "<img" not in prose


def both(name):
    return [NOTEBOOKS / name, NOTEBOOKS / "solutions" / name]


# build.py itself

SOURCE = '''\
# %% [markdown]
# # Loudness

# %% tags=["exercise"]
def louder(sound, times):
    """The sound, so many times as loud."""
    ### BEGIN SOLUTION
    return sound * times
    ### END SOLUTION


# %% [markdown] tags=["solution"]
# Times two is 6 dB.

# %%
print("done")
'''


@pytest.fixture
def course(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "01_loudness.py").write_text(SOURCE, encoding="utf-8")
    return tmp_path


def cells_of(course, folder="."):
    return [text(cell) for cell in read(course / folder / "01_loudness.ipynb")["cells"]]


def test_an_exercise_hides_what_its_solution_shows(build, course):
    assert build.main([], course) == 0
    exercise, solution = "\n".join(cells_of(course)), "\n".join(cells_of(course, "solutions"))
    assert "sound * times" in solution and "sound * times" not in exercise
    assert "# Your code here.\n    raise NotImplementedError" in exercise
    assert "6 dB" in solution and "6 dB" not in exercise
    assert '"""The sound, so many times as loud."""' in exercise
    assert "SOLUTION" not in exercise + solution


def test_building_again_changes_no_byte(build, course):
    def everything():
        return {path: path.read_bytes() for path in course.rglob("*.ipynb")}

    build.main([], course)
    first = everything()
    assert len(first) == 2
    build.main([], course)
    assert everything() == first
    assert build.main(["--check"], course) == 0


def test_an_inserted_cell_leaves_the_names_of_the_others(build, course):
    def ids():
        return [cell["id"] for cell in read(course / "01_loudness.ipynb")["cells"]]

    build.main([], course)
    before = ids()
    source = course / "source" / "01_loudness.py"
    source.write_text("# %%\nprint(1)\n\n" + SOURCE, encoding="utf-8")
    build.main([], course)
    assert ids()[1:] == before


def test_two_equal_cells_have_two_names(build, course):
    source = course / "source" / "01_loudness.py"
    source.write_text("# %%\nprint(1)\n\n# %%\nprint(1)\n", encoding="utf-8")
    assert build.main([], course) == 0
    first, second = read(course / "01_loudness.ipynb")["cells"]
    assert first["id"] != second["id"]


def test_check_finds_a_stale_notebook_and_writes_nothing(build, course, capsys):
    build.main([], course)
    source = course / "source" / "01_loudness.py"
    source.write_text(SOURCE.replace("done", "over"), encoding="utf-8")
    before = (course / "01_loudness.ipynb").read_bytes()
    assert build.main(["--check"], course) == 1
    assert "01_loudness.ipynb is stale" in capsys.readouterr().out
    assert (course / "01_loudness.ipynb").read_bytes() == before


def test_check_finds_a_notebook_that_was_never_built(build, course, capsys):
    assert build.main(["--check"], course) == 1
    assert "01_loudness.ipynb is missing" in capsys.readouterr().out


def test_check_finds_a_notebook_without_a_source(build, course, capsys):
    build.main([], course)
    (course / "solutions" / "02_mine.ipynb").write_text("{}", encoding="utf-8")
    assert build.main(["--check"], course) == 1
    assert "02_mine.ipynb has no source" in capsys.readouterr().out


@pytest.mark.parametrize(
    "marks",
    [
        "### BEGIN SOLUTION\nx = 1",
        "x = 1\n### END SOLUTION",
        "### END SOLUTION\nx = 1\n### BEGIN SOLUTION",
        "### BEGIN SOLUTION\nx = 1\n### BEGIN SOLUTION\ny = 2\n### END SOLUTION",
    ],
)
def test_a_marker_without_its_partner_is_refused(build, course, capsys, marks):
    source = course / "source" / "01_loudness.py"
    source.write_text(SOURCE + f"\n# %%\n{marks}\n", encoding="utf-8")
    assert build.main([], course) == 1
    assert "01_loudness.py, cell 5: a solution marker" in capsys.readouterr().err
    assert not list(course.rglob("*.ipynb"))


def test_a_fake_engine_is_refused(build, course, capsys):
    source = course / "source" / "01_loudness.py"
    source.write_text(SOURCE + "\n# %%\nfrom voice_kit.workshop.fakes import X\n", encoding="utf-8")
    assert build.main([], course) == 1
    assert "workshop.fakes" in capsys.readouterr().err


def test_a_folder_without_sources_is_an_error(build, tmp_path, capsys):
    assert build.main(["--check"], tmp_path) == 1
    assert "there is no NN_title.py" in capsys.readouterr().err
