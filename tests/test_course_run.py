"""The course is executed as a whole: times, figures, pages, and failures with their cell."""

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from voice_kit.errors import VoiceKitError
from voice_kit.workshop import course_report
from voice_kit.workshop.course_figures import figures, of_line

pytestmark = [pytest.mark.needs("jupyter"), pytest.mark.timeout(300)]

HEARD = "first sound after your last word"
PARAMETERS = 'LIVE = False\nENGINES = "offline"'
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
WATERFALL = """\
print("“What is it?”: first sound 733 ms after your last word")
print("waiting, if you go on     ·····██████  512 ms")
print("silence              650 ms      733 ms")
print("100 ms      52%      128 ms")
print("engines:", ENGINES)"""
WRONG = """\
from voice_kit.workshop.checks import check
def rms_dbfs(frame):
    return 0
check(rms_dbfs)"""


def notebook(folder, name, *cells):
    """A notebook and its solution, which are the same."""
    title = new_markdown_cell(f"# {name[3:].capitalize()}")
    parameters = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    whole = new_notebook(cells=[title, parameters, *cells], metadata=KERNEL)
    (folder / "solutions").mkdir(exist_ok=True)
    for place in (folder, folder / "solutions"):
        nbformat.write(whole, place / f"{name}.ipynb")


def voice_kit(*arguments, **env):
    command = [sys.executable, "-m", "voice_kit.cli", "notebooks", "run", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **env}
    )


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A course of five notebooks, run once: two go well, three fail."""
    folder = tmp_path_factory.mktemp("course")
    look = """\
import os
from pathlib import Path
from IPython.display import Audio
print(ENGINES, sorted(name for name in os.environ if name.startswith("VOICE_KIT")))
print("keys", (Path(os.environ["VOICE_KIT_HOME"]) / "exercises").exists(), Path.cwd().name)
Audio([0.0] * 800, rate=8000)"""
    notebook(folder, "01_sound", new_code_cell(look))
    notebook(folder, "02_times", new_markdown_cell("## Where it went"), new_code_cell(WATERFALL))
    broken = new_code_cell('raise ValueError("the <b>third</b> cell is broken")')
    notebook(folder, "03_broken", new_markdown_cell("## A bad place"), broken)
    notebook(folder, "04_endless", new_code_cell("while True:\n    pass"))
    notebook(folder, "05_wrong", new_code_cell(WRONG))
    home = tmp_path_factory.mktemp("home")
    (home / "exercises").mkdir()
    out = tmp_path_factory.mktemp("out") / "report"
    env = {"VOICE_KIT_HOME": str(home), "VOICE_KIT_ROOM": "http://127.0.0.1:9/abc"}
    done = voice_kit("--course", folder, "--out", out, "--at-once", 2, "--cell-seconds", 8, **env)
    return done, out, folder, home


def of(ran, number):
    notebooks = json.loads((ran[1] / "report.json").read_text())["notebooks"]
    (found,) = [each for each in notebooks if each["name"].startswith(number)]
    return found


def test_a_failing_notebook_is_named_with_its_cell_and_error_and_the_exit_code_is_1(ran):
    done = ran[0]
    assert done.returncode == 1
    problem = of(ran, "03")["problem"]
    assert problem["cell"] == 4 and problem["heading"] == "A bad place"
    assert problem["error"] == "ValueError: the <b>third</b> cell is broken"
    assert "cell 4, “A bad place”: ValueError: the <b>third</b>" in done.stdout
    assert "2 of 5 notebooks ran" in done.stdout
    assert [of(ran, number)["state"] for number in ("01", "02")] == ["ran", "ran"]


def test_the_latency_figures_that_were_printed_stand_in_one_table(ran):
    found = {each["name"]: each["ms"] for each in of(ran, "02")["figures"]}
    assert found == {
        "first sound after your last word": 733,
        "waiting, if you go on": 512,
        "silence": 733,
    }
    assert re.search(r"waiting, if you go on +512\.0 ms", ran[0].stdout)
    assert of(ran, "02")["figures"][0]["heading"] == "Where it went"


def test_a_notebook_runs_in_a_world_of_its_own(ran):
    cells = json.loads((ran[1] / "01_sound.ipynb").read_text())["cells"]
    printed = "".join(
        "".join(out.get("text", "")) for cell in cells for out in cell.get("outputs", [])
    )
    seen = re.search(r"offline (\[.*\])", printed)[1]
    assert set(re.findall(r"VOICE_KIT_\w+", seen)) - {"VOICE_KIT_REQUIRE"} == {
        "VOICE_KIT_HOME",
        "VOICE_KIT_STRICT",
    }
    assert "keys False work" in printed
    assert [path.name for path in ran[3].iterdir()] == ["exercises"]


def test_the_pages_ask_nothing_of_the_network(ran):
    pages = sorted(ran[1].glob("*.html"))
    assert [page.name for page in pages] == [
        *("01_sound.html", "02_times.html", "03_broken.html", "04_endless.html"),
        *("05_wrong.html", "index.html"),
    ]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text.lower() and "<link" not in text
        assert not re.search(r"""(src|data)=["']?https?:|@import|url\(["']?http""", text)
    assert "<audio" in (ran[1] / "01_sound.html").read_text(encoding="utf-8")


def test_the_index_leads_to_each_notebook_and_says_what_went_wrong(ran):
    index = (ran[1] / "index.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"]+)"', index)
    assert links[:3] == ["01_sound.html", "02_times.html", "03_broken.html"]
    assert "2 of 5 notebooks ran" in index
    assert "the &lt;b&gt;third&lt;/b&gt; cell" in index and "<b>third" not in index
    assert "color-scheme: light dark" in index and 'scope="row"' in index


def test_another_machine_is_compared_in_what_both_have_run(ran):
    there = json.loads((ran[1] / "report.json").read_text())
    for each in there["notebooks"]:
        each["seconds"] = 3e5
        each["figures"] = [{**figure, "ms": figure["ms"] / 2} for figure in each["figures"]]
    other = ran[1].parent / "other"
    other.mkdir()
    (other / "report.json").write_text(json.dumps(there))
    out = ran[1].parent / "again"
    more = ("--compare", other, "--engines", "best")
    done = voice_kit("02", "--course", ran[2], "--out", out, *more)
    assert done.returncode == 0, done.stderr
    assert "engines: best" in (out / "02_times.ipynb").read_text(encoding="utf-8")
    assert "The engines are not the same" in done.stdout
    assert re.search(r"02 Times .* times as long there", done.stdout)
    assert re.search(
        r"first sound after your last word +733\.0 ms +366\.5 ms +2\.0 times as long here",
        done.stdout,
    )
    assert "03 Broken" not in done.stdout
    assert "Beside another machine" in (out / "index.html").read_text(encoding="utf-8")


def test_a_cell_that_never_ends_is_stopped_and_named(ran):
    assert of(ran, "04")["state"] == "failed"
    assert of(ran, "04")["problem"]["cell"] == 3


def test_a_check_that_does_not_pass_is_a_failure(ran):
    assert "NotPassedError" in of(ran, "05")["problem"]["error"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 9}', '{"version": 1}'])
def test_what_is_no_report_is_said_before_anything_is_run(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(VoiceKitError, match="report"):
        course_report.read(tmp_path)
    done = voice_kit("--compare", tmp_path, "--out", "out")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    done = voice_kit("--out", tmp_path / "file")
    assert done.returncode == 1 and "Use another --out" in done.stderr


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (
            "“Hello 5 ms”: first sound 733 ms after your last word",
            ("first sound after your last word", 733),
        ),
        ("first sound   100 ms    7 ms", ("first sound", 7)),
        ("after  192 ms of quiet: turns end at 2.30 s", None),
        ("Quickest: as it was. People answer after 200 ms", None),
        ("set_timer {'minutes': 3}   23.1 ms", ("set_timer", 23.1)),
        ("speech to text            ···██···   43 ms", ("speech to text", 43)),
        ("text                  100 ms      120 ms", ("text", 120)),
        ("by hand:       612 ms of silence", ("by hand", 612)),
        ("  1300 ms       0%     1312 ms", None),
        ("“only said, 12 ms”", None),
        ("speech 0.8–2.9 s", None),
        ("", None),
    ],
)
def test_a_figure_is_a_name_and_its_last_milliseconds(line, found):
    assert of_line(line) == found


def test_a_cell_of_text_has_no_figures():
    assert not list(figures({"cell_type": "markdown", "source": ["It takes 20 ms."]}))
