"""What the README and its neighbours say is so."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from voice_kit.engines import BUILT_IN

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "voice_kit" / "workshop").rglob("*.md")])
TOP_LEVEL = {
    *("notebooks", "voice_kit", "slides", "environment.yml", "pyproject.toml", "README.md"),
    *("tests", "LICENSE", "Makefile", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff"),
    "constraints.txt",
}


ENGINES = "## Engines, and their licences"


def table(heading):
    """The cells of each row of the first table below a heading of the README."""
    below = README.partition(f"{heading}\n")[2]
    assert below, f"the README has no heading “{heading}”"
    rows = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)[0].splitlines()[2:]
    assert rows
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_readme_opens_with_the_two_commands():
    first = re.search(r"```bash\n(.*?)```", README, re.DOTALL)
    commands = [line.split("#")[0].strip() for line in first[1].splitlines()]
    assert commands == ["make demo", "make lab"]
    assert len(README[: first.start()].splitlines()) <= 6


def test_every_make_command_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"`make ([a-z]+)", page.read_text("utf-8"))
    }
    assert {"demo", "lab", "test"} <= named <= targets


def test_every_command_of_the_kit_is_in_the_readme_and_the_other_way_round():
    from typer.main import get_command

    from voice_kit.cli import app

    known = set(get_command(app).commands)
    listed = {
        re.match(r"`voice-kit ([\w-]+)", row[0])[1]
        for row in table("## The bricks, one command each")
    }
    assert listed == known


def test_every_engine_is_in_the_readme_with_its_licence():
    listed = {(stage, name.strip("`")) for stage, name, *_ in table(ENGINES)}
    assert listed == {(stage, name) for stage, names in BUILT_IN.items() for name in names}
    assert all(row[-1] for row in table(ENGINES))


@pytest.mark.parametrize("engine", ["kokoro", "piper", "espeak"])
def test_the_gpl_is_named_where_it_holds(engine):
    (row,) = [row for row in table(ENGINES) if row[1] == f"`{engine}`"]
    assert "**GPL-3.0**" in row[-1]


def test_every_extra_is_in_the_readme():
    listed = [row[0].strip("`") for row in table("### What each extra adds")]
    assert listed == ["(core)", *PROJECT["optional-dependencies"]]


def test_every_extra_that_a_message_names_exists():
    files = [*ROOT.glob("*.md"), *(ROOT / "voice_kit").rglob("*.py")]
    assert len(files) > 20
    named = {
        extra.strip()
        for file in files
        for extras in re.findall(r"(?:voice-kit|\.)\[([a-z, ]+)\]", file.read_text("utf-8"))
        for extra in extras.split(",")
    }
    assert "workshop" in named
    assert named <= PROJECT["optional-dependencies"].keys()


def test_every_notebook_is_in_the_readme():
    listed = set(re.findall(r"\(notebooks/(\d\d_\w+\.ipynb)\)", README))
    assert listed == {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if not (page.parent / link).exists()]
    assert not broken


def test_the_version_is_the_same_everywhere():
    import voice_kit

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] == voice_kit.__version__
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_licence_is_the_whole_apache_licence():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text


def test_nothing_but_the_planned_lies_at_the_top():
    done = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    top = {name.partition("/")[0] for name in done.stdout.split("\n") if name}
    if not top:
        pytest.skip("this is no git checkout")
    assert {name for name in top if not name.startswith(".")} <= TOP_LEVEL


def test_the_command_says_its_version():
    done = subprocess.run(
        [sys.executable, "-m", "voice_kit.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["voice-kit", PROJECT["version"]]
