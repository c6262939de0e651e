"""Applications, pages, the screen and the volume of this machine."""

import subprocess
import sys
from pathlib import Path

import pytest
from helpers_skills import MACHINE, AtHome, Clock

from voice_kit.settings.groups import Tools as ToolSettings
from voice_kit.think.skills import Room, all_skills
from voice_kit.think.skills.machine import machine_skills
from voice_kit.think.tools import ToolError
from voice_kit.types import ToolCall

HOSTILE = [
    *("calc; rm -rf /", "calc && reboot", "$(reboot)", "`reboot`", "| sh", "../calc", "/bin/sh"),
    *("calc\n/bin/sh", "", "-c", "sh -c true", "CALC ; ls", "calc --help", "C:\\Windows\\cmd.exe"),
]


@pytest.fixture
def home(tmp_path):
    return AtHome(tmp_path, allow=MACHINE)


def tools_for(tmp_path, apps=None, browse=lambda url: True):
    skills = machine_skills(Room(Clock()), tmp_path, apps or {}, browse)
    return {each.tool.name: each.tool for each in skills}


def test_all_of_them_are_off_until_they_are_allowed(tmp_path):
    off = AtHome(tmp_path)
    assert not set(MACHINE) & {each.name for each in off.tools}
    assert set(MACHINE) <= {each.name for each in AtHome(tmp_path, allow=MACHINE).tools}
    for words in ("open the text editor", "take a screenshot", "open example dot org"):
        assert not off.use(off.skills.find(words)).worked


def test_an_application_is_started_with_its_own_words_only(tmp_path):
    done = tmp_path / "done.txt"
    code = f"import sys; open({str(done)!r}, 'w').write(repr(sys.argv[1:]))"
    odd = ["$HOME", "; reboot", "a b"]
    tool = tools_for(tmp_path, {"Odd  App": (sys.executable, "-c", code, *odd)})["open_app"]
    assert tool.work(name="odd app") == "Opening odd app."
    started = next(
        cell.cell_contents for cell in tool.work.__closure__ if isinstance(cell.cell_contents, list)
    )
    assert started[0].wait(20) == 0
    assert done.read_text() == repr(odd)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_on_the_list_is_not_opened(tmp_path, name, monkeypatch):
    def never(*_, **__):
        raise AssertionError("something was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    tool = tools_for(tmp_path, {"calc": ("calc",)})["open_app"]
    with pytest.raises(ToolError, match="I may open calc"):
        tool.work(name=name)


def test_the_list_is_empty_at_first_and_who_asks_is_told_so(tmp_path):
    with pytest.raises(ToolError, match=r"tools\.apps is empty"):
        tools_for(tmp_path)["open_app"].work(name="calc")
    skills = all_skills(Room(), ToolSettings(allow=("open_app",)))
    assert skills.find("open the calculator") == ToolCall("open_app", {"name": "calculator"})
    assert skills.find("open my heart") is None


@pytest.mark.parametrize("command", [("no-such-program-anywhere",), (), ("a\0b",)])
def test_a_program_that_is_missing_is_said(tmp_path, command):
    with pytest.raises(ToolError, match=r"Mend tools\.apps\.calc"):
        tools_for(tmp_path, {"calc": command})["open_app"].work(name="calc")


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "ftp://example.org"),
        *("http:", "http://", "https:///etc", "//example.org", "example.org", "", "-version"),
        *("http://a b", "http://example.org\n-x", 'http://x/"&calc&"', "http://x/`id`"),
        *("https://bank.example@evil.example/", "http://[", "http://x/<script>", "HTTP//x"),
        *("http://x/\0", "http://x/\u202e", "vbscript:x", "http://x/" + "a" * 3000),
    ],
)
def test_only_plain_addresses_are_opened(tmp_path, url):
    opened = []
    with pytest.raises(ToolError, match="http or https"):
        tools_for(tmp_path, browse=opened.append)["open_page"].work(url=url)
    assert opened == []


def test_a_page_is_opened(tmp_path):
    opened = []

    def browse(url):
        opened.append(url)
        return True

    tool = tools_for(tmp_path, browse=browse)["open_page"]
    assert tool.work(url="https://example.org/a?b=c&d=(e)#f") == "Opening example.org."
    assert opened == ["https://example.org/a?b=c&d=(e)#f"]
    with pytest.raises(ToolError, match="no browser"):
        tools_for(tmp_path, browse=lambda url: False)["open_page"].work(url="http://x.org")


def test_a_screenshot_says_where_it_is_or_that_there_is_no_screen(home):
    said = home.say("take a screenshot")
    pictures = list((home.folder / "notes" / "pictures").glob("*.png"))
    if pictures:
        assert said == f"Saved as {pictures[0].name}."
        assert pictures[0].read_bytes().startswith(b"\x89PNG")
    else:
        assert "no screen that I can see" in said or "mss is missing" in said


PROGRAM = """#!{python}
import pathlib, sys
pathlib.Path({done!r}).write_text(repr(sys.argv[1:]))
sys.exit({code})
"""


def program(folder: Path, name: str, code: int = 0) -> Path:
    done = folder / f"{name}.done"
    file = folder / name
    file.write_text(PROGRAM.format(python=sys.executable, done=str(done), code=code))
    file.chmod(0o755)
    return done


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="other programs there")
def test_the_volume_is_set_by_the_first_program_that_can(home, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    assert "Install pactl or amixer" in home.say("set the volume to 50%")
    broken, works = program(folder, "wpctl", 1), program(folder, "amixer")
    assert home.say("set the volume to fifty percent") == "The volume is at 50 percent."
    assert broken.exists()
    assert works.read_text() == repr(["-q", "set", "Master", "50%"])


@pytest.mark.parametrize("percent", [-1, 101, "50; reboot", None, 5.5])
def test_the_volume_is_a_percentage(home, percent):
    assert not home.use(ToolCall("volume", {"percent": percent})).worked
