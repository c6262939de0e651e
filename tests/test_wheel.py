"""The wheel alone is the whole kit: installed somewhere empty, it talks, answers and serves."""

import json
import os
import subprocess
import sys
import sysconfig
import threading
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EMBEDDED = ["--stt", "sphinx", "--llm", "handbook", "--tts", "espeak"]
BIN = "Scripts" if sys.platform == "win32" else "bin"
FOLDERS = {
    "sounds",
    "think/handbook",
    "show",
    "serve/static",
    "serve/deploy",
    "workshop/room_page",
    "workshop/scenarios",
}
"""Some of those that hold what is no Python: a wheel that left one out would be seen."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    pytest.importorskip("hatchling", reason="no hatchling in this Python: run make test")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(
        [*build, "--no-build-isolation", "--wheel-dir", folder, ROOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def tracked():
    """The names of the package's files that are committed."""
    done = subprocess.run(
        ["git", "ls-files", "voice_kit"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    names = [name for name in done.stdout.split("\n") if name and (ROOT / name).exists()]
    if not names:
        pytest.skip("this is no git checkout")
    return names


def test_the_wheel_holds_every_file_of_the_package_as_it_is(wheel, tracked):
    data = [name for name in tracked if not name.endswith(".py")]
    assert {name for name in FOLDERS if any(f"/{name}/" in each for each in data)} == FOLDERS
    with zipfile.ZipFile(wheel) as inside:
        assert not set(tracked) - set(inside.namelist())
        changed = [name for name in tracked if inside.read(name) != (ROOT / name).read_bytes()]
    assert not changed


def test_the_wheel_holds_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    about = [name for name in names if ".dist-info/" in name]
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= {
        name.partition(".dist-info/")[2] for name in about
    }
    rest = set(names) - set(about)
    assert {name.partition("/")[0] for name in rest} == {"voice_kit"}
    assert not [name for name in rest if "__pycache__" in name or "node_modules" in name]


class Installed:
    """A Python in which the wheel is installed, and an empty folder to work in."""

    def __init__(self, folder):
        self.folder = folder / "env"
        venv.create(self.folder, symlinks=sys.platform != "win32")
        self.work = folder / "work"
        self.work.mkdir()
        self.home = folder / "home"
        self.home.mkdir()

    def path(self, name):
        return str(self.folder / BIN / name)

    @property
    def environment(self):
        own = {"HOME": str(self.home), "USERPROFILE": str(self.home)}
        left = ("PYTHONPATH", "VIRTUAL_ENV")
        return {name: os.environ[name] for name in os.environ if name not in left} | own

    def run(self, *command, **more):
        done = subprocess.run(
            [self.path(command[0]), *map(str, command[1:])],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.work,
            env=self.environment,
            **more,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel in a new environment that borrows what it needs, but not this checkout's kit."""
    place = Installed(tmp_path_factory.mktemp("installed"))
    pip = [sys.executable, "-m", "pip", "--python", place.path("python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(place.run("python", "-c", code).strip())
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def test_what_is_installed_is_the_wheel_and_not_this_checkout(installed):
    code = "import voice_kit; print(voice_kit.__file__)"
    assert Path(installed.run("python", "-c", code).strip()).is_relative_to(installed.folder)


def assert_the_demo_runs(place):
    """All its turns are answered, and its three files lie where it was called."""
    told = place.run("voice-kit", "demo", "--fast", "--json", *EMBEDDED)
    turns = json.loads(told.splitlines()[-1])["summary"]["turns"]
    assert len(turns) >= 6
    assert all(turn["heard"] and turn["said"] for turn in turns)
    assert any(turn["interrupted"] for turn in turns)
    made = {path.name for path in (place.work / "voice-kit-demo").iterdir()}
    assert made == {"conversation.wav", "timeline.png", "events.jsonl"}


@pytest.mark.timeout(300)
def test_the_demo_runs_from_the_wheel(installed):
    assert_the_demo_runs(installed)


@pytest.mark.needs("serve")
def test_the_gateway_serves_its_page_from_the_wheel(installed):
    command = [installed.path("voice-kit"), "serve", "--port", "0", "--json", *EMBEDDED]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=installed.work,
        env=installed.environment,
    ) as gateway:
        too_late = threading.Timer(60, gateway.kill)
        too_late.start()
        try:
            url = json.loads(gateway.stdout.readline())["url"]
            assert "<html" in read(url)
            for path in ("conversations.js", "show/mic.js"):
                assert "export" in read(f"{url.partition('?')[0]}static/{path}")
        finally:
            too_late.cancel()
            gateway.terminate()


def read(url):
    """The text at an address, as a browser gets it: the token becomes a cookie."""
    cookies = urllib.request.HTTPCookieProcessor()
    browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
    with browser.open(url, timeout=60) as answer:
        return answer.read().decode()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_wheel_installs_alone_into_an_empty_environment(wheel, tmp_path):
    if os.environ.get("SOAK") != "whole":
        pytest.skip("fetches everything the kit needs: SOAK=whole")
    place = Installed(tmp_path)
    place.run("python", "-m", "ensurepip", "--upgrade")
    place.run(*("python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel))
    place.run("python", "-m", "pip", "check")
    assert_the_demo_runs(place)
