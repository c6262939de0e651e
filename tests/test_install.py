"""Two commands set everything up: what they install agrees, and they say what they do."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
FOR_TESTS = re.search(r"^EXTRAS := (.*)$", MAKEFILE, re.MULTILINE)[1]


def pins():
    """Every line of constraints.txt, by canonical name; some packages have one for each Python."""
    found = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    assert len(found) > 200, "constraints.txt was not read"
    return found


def pinned(requirement):
    """The version that is installed here for a requirement."""
    for pin in pins().get(canonicalize_name(requirement.name), []):
        if pin.marker is None or pin.marker.evaluate():
            (version,) = pin.specifier
            return Version(version.version)
    return None


# What is installed


def test_every_pin_is_one_exact_version_without_a_build_of_its_own():
    for name, lines in pins().items():
        for pin in lines:
            specifiers = list(pin.specifier)
            assert len(specifiers) == 1 and specifiers[0].operator == "==", name
            assert Version(specifiers[0].version).local is None, f"{name} exists on one index only"


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_dependency_is_pinned_within_its_bounds(extra):
    wanted = EXTRAS[extra] if extra else PROJECT["dependencies"]
    assert wanted
    for line in wanted:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        if requirement.name == PROJECT["name"]:  # another extra of ours, held to this as well
            assert requirement.extras and requirement.extras <= EXTRAS.keys()
            continue
        version = pinned(requirement)
        assert version is not None, f"{line} is not in constraints.txt: make constraints"
        assert requirement.specifier.contains(version, prereleases=True), line


def test_the_pins_cover_everything_that_comes_along():
    """Walk what is installed here from the package's own requirements to the last of theirs."""
    extras = [""] + [name for name in EXTRAS if have_all(EXTRAS[name])]
    to_visit = [("voice-kit", tuple(extras))]
    seen = set()
    while to_visit:
        name, extras = to_visit.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        for line in found.requires or []:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in extras or ("",)):
                continue
            known = requirement.name == PROJECT["name"] or pinned(requirement)
            assert known, f"{name} brings {requirement.name}, which has no pin"
            to_visit.append((requirement.name, ("", *sorted(requirement.extras))))
    assert len(seen) > 50, "nothing was installed to look at"


def have_all(lines):
    try:
        return [distribution(Requirement(line).name) for line in lines]
    except PackageNotFoundError:
        return []


def test_the_core_needs_neither_torch_nor_jupyter():
    core = {Requirement(line).name for line in PROJECT["dependencies"]}
    assert not core & {"torch", "transformers", "kokoro", "silero-vad", "jupyterlab", "ipykernel"}


def test_torch_is_the_one_version_whose_wheel_needs_no_cuda_at_hand():
    assert "torch==2.13.0" in EXTRAS["workshop"]
    assert str(pinned(Requirement("torch"))) == "2.13.0"


def test_every_dependency_says_why_or_says_it_with_its_name():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    core = text.partition("dependencies = [")[2].partition("]")[0].strip().splitlines()
    assert len(core) == len(PROJECT["dependencies"])
    silent = [line for line in core if "#" not in line and "numpy" not in line]
    assert not silent


def test_conda_installs_the_same_as_make_lab():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *plain, from_pip = environment["dependencies"]
    assert plain == [f"python{PROJECT['requires-python']}", "pip"]
    assert from_pip == {"pip": ["-c constraints.txt", "-e .[workshop]"]}
    assert re.search(r"call install,\.\[workshop\],", MAKEFILE)


def test_make_test_installs_every_extra():
    assert sorted(FOR_TESTS.split(",")) == sorted(EXTRAS)


# The Makefile, with a Python that only writes down what it is asked


@pytest.fixture
def kitchen(tmp_path):
    """A folder with the Makefile, and a stand-in for Python that logs instead of installing."""
    if shutil.which("make") is None or sys.platform == "win32":
        pytest.skip("no make here, or no shell scripts")
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).write_text("")
    stand_in = folder / "stand-in"
    stand_in.write_text(
        f"""#!/bin/sh
case "$*" in
  *"print("*) echo 3.12 ;;
  *ensurepip*) exit 0 ;;
  --version) echo Python 3.12.9 ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "{stand_in}" .venv/bin/python ;;
  *) echo "$*" >> "{folder}/log"; [ ! -e "{folder}/offline" ] ;;
esac
"""
    )
    stand_in.chmod(0o755)
    return Kitchen(folder)


class Kitchen:
    def __init__(self, folder):
        self.folder = folder

    def make(self, *words, python="./stand-in", path=None):
        python = [f"PYTHON={python}"] if python else []
        env = {"PATH": path or f"{self.folder}:/usr/bin:/bin", "HOME": str(self.folder)}
        return subprocess.run(
            [shutil.which("make"), "PAUSE=0", *python, *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=env,
        )

    def installs(self):
        """What pip was asked to install of ours since the last question."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[-1] for line in lines if " -e " in line]

    def log(self):
        """Every call of Python and of the kit's command since the last question."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def install(self, *stamps):
        """Let everything be installed; the kit's command then only writes down its words."""
        done = self.make(*stamps)
        assert done.returncode == 0, done.stderr
        self.log()
        command = self.folder / ".venv/bin/voice-kit"
        command.write_text(f'#!/bin/sh\necho "voice-kit $*" >> "{self.folder}/log"\n')
        command.chmod(0o755)


def test_make_demo_installs_the_core_and_plays_it(kitchen):
    kitchen.install(".venv/.core")
    assert kitchen.make("demo").returncode == 0
    assert kitchen.log() == ["voice-kit demo"]
    kitchen.make("demo", "ARGS=--fast")
    assert kitchen.log() == ["voice-kit demo --fast"]


def test_make_lab_examines_the_machine_and_opens_the_notebooks(kitchen):
    (kitchen.folder / "notebooks").mkdir()
    kitchen.install(".venv/.workshop")
    done = kitchen.make("lab", "LAB=--port=1234")
    assert done.returncode == 0, done.stderr
    examined, opened = kitchen.log()
    assert examined == "voice-kit doctor"
    assert opened.startswith("-m jupyterlab --port=1234")
    if "No browser on this machine" in done.stdout:
        assert opened.endswith("--no-browser")


def test_the_terminals_and_cells_of_jupyterlab_find_the_kits_commands(kitchen):
    (kitchen.folder / "notebooks").mkdir()
    kitchen.install(".venv/.workshop")
    python = kitchen.folder / ".venv/bin/python"
    asks = f'case "$*" in *jupyterlab*) command -v voice-kit >> "{kitchen.folder}/log" ;; esac\n'
    python.write_text(python.read_text() + asks)
    done = kitchen.make("lab")
    assert done.returncode == 0, done.stderr
    assert kitchen.log()[-1] == str(kitchen.folder / ".venv/bin/voice-kit")


def test_what_the_doctor_finds_keeps_nobody_from_the_notebooks(kitchen):
    (kitchen.folder / "notebooks").mkdir()
    kitchen.install(".venv/.workshop")
    (kitchen.folder / ".venv/bin/voice-kit").write_text("#!/bin/sh\nexit 1\n")
    done = kitchen.make("lab")
    assert done.returncode == 0
    assert "The notebooks work all the same" in done.stdout
    assert "jupyterlab" in kitchen.log()[-1]


def test_make_bench_measures_us_and_the_others(kitchen):
    kitchen.install(".venv/.test")
    assert kitchen.make("bench").returncode == 0
    ours, words, peers = kitchen.log()
    assert ours.strip() == "voice-kit bench"
    assert words.strip() == "-m voice_kit.workshop.wer"
    assert peers.strip() == "-m voice_kit.workshop.peers.run"


def test_wheels_are_fetched_for_a_room_without_a_network(kitchen):
    assert kitchen.make("wheels").returncode == 0
    (line,) = [line for line in kitchen.log() if "wheel" in line]
    assert "--wheel-dir .wheels" in line and line.endswith(".[workshop]")


def test_make_clean_leaves_what_was_cloned(kitchen):
    before = sorted(path.name for path in kitchen.folder.iterdir())
    kitchen.install(".venv/.core")
    (kitchen.folder / "voice-kit-demo").mkdir()
    assert kitchen.make("clean").returncode == 0
    assert sorted(path.name for path in kitchen.folder.iterdir()) == before


def test_a_second_run_installs_nothing(kitchen):
    assert kitchen.make(".venv/.core").returncode == 0
    assert kitchen.installs() == ["."]
    again = kitchen.make(".venv/.core")
    assert again.returncode == 0, again.stderr
    assert kitchen.installs() == []


def test_a_changed_pin_is_installed(kitchen):
    kitchen.make(".venv/.core")
    kitchen.installs()
    newer = (kitchen.folder / ".venv/.core").stat().st_mtime + 10
    (kitchen.folder / "constraints.txt").write_text("six==1.0\n")
    os.utime(kitchen.folder / "constraints.txt", (newer, newer))
    kitchen.make(".venv/.core")
    assert kitchen.installs() == ["."]


def test_the_workshop_holds_the_core_and_not_the_other_way_round(kitchen):
    kitchen.make(".venv/.core")
    kitchen.make(".venv/.workshop")
    assert kitchen.installs() == [".", ".[workshop]"]
    kitchen.make(".venv/.core", ".venv/.workshop")
    assert kitchen.installs() == []


def test_everything_for_the_tests_holds_the_workshop(kitchen):
    kitchen.make(".venv/.test")
    kitchen.make(".venv/.core", ".venv/.workshop", ".venv/.test")
    assert kitchen.installs() == [f".[{FOR_TESTS}]"]


def test_a_venv_that_was_moved_or_is_for_another_python_is_made_anew(kitchen):
    kitchen.make(".venv/.core")
    kitchen.installs()
    (kitchen.folder / ".venv/.made").write_text("3.11 /elsewhere\n")
    done = kitchen.make(".venv/.core")
    assert "Making .venv" in done.stdout
    assert kitchen.installs() == ["."]


def test_a_venv_made_by_hand_is_kept(kitchen):
    subprocess.run(["./stand-in", "-m", "venv", ".venv"], check=True, cwd=kitchen.folder)
    (kitchen.folder / ".venv/mine").write_text("")
    done = kitchen.make(".venv/.core", python=None)
    assert done.returncode == 0, done.stderr
    assert "Using the .venv that is here" in done.stdout
    assert (kitchen.folder / ".venv/mine").exists()


def test_an_install_is_tried_three_times_and_then_says_what_to_do(kitchen):
    kitchen.make(".venv/.made")
    (kitchen.folder / "offline").write_text("")
    done = kitchen.make(".venv/.core")
    assert done.returncode != 0
    assert len((kitchen.folder / "log").read_text().splitlines()) == 3
    assert "Check the network, then run make again." in done.stdout
    assert not (kitchen.folder / ".venv/.core").exists()


def test_wheels_that_were_fetched_before_need_no_network(kitchen):
    (kitchen.folder / ".wheels").mkdir()
    kitchen.make(".venv/.core")
    for line in (kitchen.folder / "log").read_text().splitlines():
        assert "--no-index --find-links .wheels" in line


def test_a_python_that_does_not_fit_is_refused_in_one_sentence(kitchen):
    done = kitchen.make(".venv/.core", python="/bin/false")
    assert done.returncode != 0
    sentence = done.stderr.splitlines()[0]
    assert sentence.startswith("voice-kit needs Python 3.11 or 3.12")
    assert "/bin/false is not that" in sentence
    assert "make PYTHON=" in sentence


def test_the_python_that_is_here_is_named_with_its_number(kitchen):
    other = kitchen.folder / "other"
    other.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.13.0\n')
    other.chmod(0o755)
    done = kitchen.make(".venv/.core", python="./other")
    assert "./other is not that but Python 3.13.0. Install" in done.stderr


def test_without_any_python_it_says_where_to_get_one(kitchen):
    tools = kitchen.folder / "tools"
    tools.mkdir()
    for tool in ("bash", "cat", "uname", "id"):
        (tools / tool).symlink_to(shutil.which(tool))
    done = kitchen.make(".venv/.core", python=None, path=str(tools))
    assert done.returncode != 0
    assert "none is on the PATH" in done.stderr
    assert "apt install python3" in done.stderr


def test_make_alone_lists_its_commands(kitchen):
    done = kitchen.make()
    assert done.returncode == 0
    for command in ("demo", "lab", "test", "bench", "soak", "clean"):
        assert re.search(rf"^  {command} +\w", done.stdout, re.MULTILINE), command


def test_ci_calls_make_test_and_nothing_cleverer():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    code = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert code[-1].startswith("exec make test")
    assert len(code) <= 4
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    assert {name.partition("-")[0] for name in job["strategy"]["matrix"]["os"]} == {
        "ubuntu",
        "macos",
        "windows",
    }
    assert any(step.get("run", "").startswith("make test") for step in job["steps"])


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(kitchen):
    with closed(kitchen.folder):
        done = kitchen.make(".venv/.core")
    assert done.returncode != 0
    (sentence, *_) = done.stderr.splitlines()
    assert "Copy the folder to where you may write" in sentence
    assert kitchen.installs() == []


@contextmanager
def closed(folder):
    """While this lasts, nothing can be written there, not even by root."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    bind = ["mount", "--bind", str(folder), str(folder)]
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("place", ["folder", "temporary"])
def test_a_disk_that_is_too_small_is_refused_before_it_is_full(kitchen, tmp_path, place):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=50m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        if place == "folder":
            kitchen.folder = shutil.copytree(kitchen.folder, small / "here")
            done = kitchen.make(".venv/.core")
        else:
            done = kitchen.make(".venv/.core", f"TMPDIR={small}")
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
    assert done.returncode != 0
    (sentence, *_) = done.stderr.splitlines()
    assert sentence.startswith("This needs about 1 GB of disk in ")
    assert str(small) in sentence
    assert ("another disk and run make" if place == "folder" else "TMPDIR") in sentence
    assert kitchen.installs() == []


def test_an_old_pip_is_replaced_by_the_one_that_python_brings(kitchen):
    subprocess.run(["./stand-in", "-m", "venv", ".venv"], check=True, cwd=kitchen.folder)
    python, asked = kitchen.folder / ".venv/bin/python", kitchen.folder / "asked"
    old = f'''  *"import sys, pip"*) exit 1 ;;
  "-m ensurepip --upgrade") touch "{asked}" ;;
  *ensurepip*)'''
    python.write_text(python.read_text().replace("  *ensurepip*)", old))
    done = kitchen.make(".venv/.core", python=None)
    assert done.returncode == 0, done.stderr
    assert asked.exists()


# A newcomer


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.environ.get("SOAK") != "whole", reason="installs everything: SOAK=whole")
def test_a_newcomer_hears_the_demo_and_has_the_notebooks_open(tmp_path):
    clone, home = tmp_path / "voice-kit", tmp_path / "home"
    home.mkdir()
    if subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=False).returncode:
        pytest.skip("this is no git checkout")
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PIP_"))}
    world = kept | {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "runtime")}
    command = ["make", "demo", "ARGS=--fast --json", f"PYTHON={sys.executable}"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=clone, env=world, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"summary"' in done.stdout.splitlines()[-1]
    assert (clone / "voice-kit-demo" / "conversation.wav").stat().st_size > 100_000
    with subprocess.Popen(
        ["make", "lab", "LAB=--no-browser --port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=clone,
        env=world,
        start_new_session=True,
    ) as lab:
        try:
            said = []
            for line in lab.stdout:
                said.append(line)
                if re.search(r"http://(?:127\.0\.0\.1|localhost):\d+/lab\?token=\w+", line):
                    break
            else:
                pytest.fail("".join(said))
        finally:
            os.killpg(lab.pid, signal.SIGKILL)
    examined = "".join(said)
    assert "ok    Python" in examined and "Everything needed is here." in examined
