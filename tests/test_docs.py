"""What the README and its neighbours say is so."""

import json
import re
import shlex
import shutil
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
    assert len(README[: first.start()].splitlines()) <= 8


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
    date = citation["date-released"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\n## {PROJECT['version']} - {date}\n" in changes
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    deployed = [path for path in (ROOT / "voice_kit/serve/deploy").rglob("*") if path.is_file()]
    images = re.findall(
        r"(?:voice-kit:|newTag: )(\d[\w.]*)", "".join(path.read_text("utf-8") for path in deployed)
    )
    assert len(images) > 5 and set(images) == {PROJECT["version"]}


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


# Commands


PROGRAMS = r"(?:make|voice-kit|uv|conda|py|pip|python|sudo|ollama|ssh|\.venv[/\\]\S+)"


def commands(page):
    """Every command of a page: the lines of its blocks, and what stands between `backticks`."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    parts = [part.strip() for each in [*lines, *spans] for part in each.split(" && ")]
    return sorted({part for part in parts if re.match(rf"{PROGRAMS} \S", part)})


TESTS = Path(__file__).parent
RUN_BY = dict(
    line.split("\t")
    for line in (TESTS / "readme_commands.tsv").read_text(encoding="utf-8").splitlines()
)
"""The test that runs each command of the README, or what stands behind it."""


def test_every_command_of_the_readme_is_run_by_a_test():
    named = set(commands(ROOT / "README.md"))
    assert len(named) > 40
    assert named == RUN_BY.keys()


@pytest.mark.parametrize("test", sorted(set(RUN_BY.values())))
def test_the_test_that_runs_a_command_exists(test):
    file, _, name = test.rpartition("::")
    text = (TESTS / (file or Path(__file__).name)).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@pytest.mark.parametrize(
    "command", [each for each in RUN_BY if re.match(r"(?:\.venv.)?\S*voice-kit ", each)]
)
def test_every_command_exists_with_these_words_and_options(command, tmp_path):
    import typer

    from voice_kit.cli import app

    Path("FILES").write_text("")
    Path("me.wav").write_bytes(b"")
    Path("DIR").mkdir()
    words = shlex.split(command.replace("\\", "/"))[1:]
    at = typer.main.get_command(app)
    while words and hasattr(at, "commands"):
        assert words[0] in at.commands, f"there is no {words[0]}"
        at = at.commands[words.pop(0)]
    at.make_context(command, words, resilient_parsing=False)  # fails at a wrong option


def run(*words, **more):
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **more
    )


def test_the_other_ways_to_install_lead_to_what_is_here(tmp_path):
    """Of what they name, everything is here already: no network is needed to say so."""
    asked = [each for each in RUN_BY if " -e " in each]
    assert len(asked) == 3
    for command in asked:
        wanted = shlex.split(command.partition("pip install ")[2].replace("\\", "/"))
        assert wanted[:2] == ["-c", "constraints.txt"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--dry-run"]
    offline = ["--no-index", "--no-build-isolation", "-c", "constraints.txt", "-e"]
    done = run(*pip, *offline, ".[workshop,llamacpp,piper]", cwd=ROOT)
    if "No matching distribution" in done.stderr:
        pytest.skip("not every extra is installed here: run make test")
    assert done.returncode == 0, done.stderr
    assert "does not provide the extra" not in done.stderr
    assert "Would install voice-kit" in done.stdout
    made = run(sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv")
    assert made.returncode == 0 and (tmp_path / ".venv" / "pyvenv.cfg").exists()


def test_the_sound_devices_are_listed_or_it_says_that_there_are_none():
    done = run(sys.executable, "-m", "voice_kit.cli", "devices")
    if done.returncode:
        assert "PortAudio" in done.stderr
    else:
        assert "number" in done.stdout or "There is no sound device here" in done.stderr


def test_others_programs_take_what_they_are_told():
    asked = {
        "apt-get": ["install", "--simulate", "libportaudio2"],
        "ssh": ["-G", "-L", "8888:localhost:8888", "there"],
    }
    here = [name for name in asked if shutil.which(name)]
    if not here:
        pytest.skip("neither apt-get nor ssh is here")
    for name in here:
        done = run(name, *asked[name])
        if "Unable to locate package" not in done.stderr:  # no list of packages was fetched yet
            assert done.returncode == 0, done.stderr


def test_the_echo_is_measured_by_the_command_that_is_named():
    """Its first trial is there, then it is let go: the whole table takes minutes."""
    command = [sys.executable, "-m", "voice_kit.workshop.echo", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as measuring:
        trial = json.loads(measuring.stdout.readline())
        measuring.kill()
    assert {"guard", "echo"} & trial.keys(), trial


def test_the_table_of_contents_is_the_one_that_was_asked_for():
    """One sentence, one picture, two commands, what you see, the notebooks; then the rest."""
    wanted = [
        "<img ",
        "```bash",
        "**You should now see**",
        "| notebook | minutes |",
        "## The package",
        ENGINES,
        "## When something is wrong",
        "## How it compares",
        "## How to contribute",
    ]
    places = [README.find(part) for part in wanted]
    assert -1 not in places and places == sorted(places)
    sentence, _, picture = README.split("\n")[2:5]
    assert sentence.count(". ") == 0 and sentence.endswith(".")
    path = ROOT / re.fullmatch(r'<img .*src="(\S+)" alt="[^"]{80,}">', picture)[1]
    assert path.stat().st_size < 150_000
    assert "badge" not in README and "shields" not in README


def test_every_part_of_the_package_is_on_the_map():
    listed = {name for row in table("## The package") for name in re.findall(r"`(\w+)`", row[0])}
    parts = {
        path.stem
        for path in (ROOT / "voice_kit").iterdir()
        if not path.name.startswith("_") and path.suffix in ("", ".py")
    }
    assert listed == parts - {"sounds", "cli", "engines", "remote"}
