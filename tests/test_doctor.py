"""The examination ends, whatever is broken, and says what to type."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
from helpers_sound_card import FakeCard

from voice_kit import engines
from voice_kit.errors import EngineFailedError
from voice_kit.settings import Settings
from voice_kit.workshop import doctor, doctor_place

EMBEDDED = {"stt": "sphinx", "llm": "handbook", "tts": "espeak"}
SETTINGS = Settings().changed(EMBEDDED)

let_go = threading.Event()


class Broken:
    """It is installed, but something in it is wrong."""

    name, stops = "broken", "steps"

    def __init__(self):
        raise ImportError("libcudnn.so.9: cannot open shared object file")


class Raises:
    name, stops = "raises", "steps"

    def reply(self, messages):
        raise ZeroDivisionError("my secret")


class Refuses:
    name, stops = "refuses", "steps"

    def reply(self, messages):
        raise EngineFailedError("refuses", "it is tired", fix="coffee")


class Mute:
    name, stops = "mute", "steps"

    def reply(self, messages):
        return iter(())


class NeverLoads:
    name, stops = "never loads", "steps"

    def __init__(self):
        let_go.wait()


def examined(settings=SETTINGS):
    return list(doctor.examine(settings, offline=True))


def of(what, findings):
    return [finding for finding in findings if finding.what == what]


@pytest.fixture
def an_engine(monkeypatch):
    """Make a class of this file an engine, and choose it."""

    def choose(stage, cls):
        monkeypatch.setitem(engines.BUILT_IN[stage], "mine", f"{__name__}:{cls.__name__}")
        return SETTINGS.changed({stage: "mine"})

    return choose


class LiveCard(FakeCard):
    """Its microphone hums `level`, its loudspeaker plays as fast as it is asked."""

    def __init__(self, level=0.25, **more):
        super().__init__(16_000, **more)
        self.level = level
        self.played = []

    def InputStream(self, **options):  # noqa: N802
        return self._running(super().InputStream(**options), self._push)

    def OutputStream(self, **options):  # noqa: N802
        return self._running(FakeCard.InputStream(self, **options), self._pull)

    def _running(self, stream, step):
        def run():
            while not stream.closed:
                if stream.started:
                    step(stream)
                threading.Event().wait(0.001)

        threading.Thread(target=run, daemon=True).start()
        return stream

    def _push(self, stream):
        stream.push(np.full(512, self.level, np.float32))

    def _pull(self, stream):
        self.played.append(stream.pull(512))


def test_every_line_that_is_not_ok_says_what_to_do():
    findings = examined()
    assert len(findings) >= 10
    assert all(finding.fix for finding in findings if finding.status != "ok")
    assert [finding.status for finding in of("stt", findings)] == ["ok"]


def test_each_engine_does_its_task_and_its_time_is_told():
    findings = examined()
    for stage, part in {
        "vad": "hears speech in ",
        "stt": "what is voice activity detection",
        "llm": "first word after",
        "tts": "of speech, the first after",
    }.items():
        (finding,) = of(stage, findings)
        assert part in finding.found
        assert finding.found.rstrip(")").endswith((" ms", "real time"))


def test_one_second_is_recorded_and_that_very_second_played_back(monkeypatch):
    card = LiveCard(level=0.25).plug_in(monkeypatch)
    findings = examined()
    (microphone,) = of("microphone", findings)
    (loudspeaker,) = of("loudspeaker", findings)
    assert (microphone.status, loudspeaker.status) == ("ok", "ok")
    assert "-12 dBFS" in microphone.found
    assert "played back" in loudspeaker.found
    played = np.concatenate(card.played)
    assert 16_000 <= np.count_nonzero(abs(played - 0.25) < 0.01) <= 16_000 + 512
    assert all(stream.closed for stream in card.streams)


def test_a_muted_microphone_is_to_be_fixed(monkeypatch):
    LiveCard(level=0.0).plug_in(monkeypatch)
    (finding,) = of("microphone", examined())
    assert finding.status == "fix"
    assert "privacy" in finding.fix


def test_a_sound_card_that_hangs_holds_nothing_up(monkeypatch):
    class Hanging(FakeCard):
        def query_devices(self, device=None, kind=None):
            let_go.wait()

    let_go.clear()
    Hanging().plug_in(monkeypatch)
    monkeypatch.setattr(doctor, "CARD", 0.2)
    findings = examined()
    let_go.set()
    assert "another program" in of("microphone", findings)[0].fix
    assert "another program" in of("loudspeaker", findings)[0].fix
    assert of("tts", findings)[0].status == "ok"


def test_a_sound_system_that_is_broken_is_a_line_and_no_traceback(monkeypatch):
    class Odd(FakeCard):
        def _check(self, **_):
            raise RuntimeError("the driver is from 1998")

        check_input_settings = check_output_settings = _check

    Odd().plug_in(monkeypatch)
    (finding,) = of("microphone", examined())
    assert finding.status == "note"
    assert "broken" in finding.fix


@pytest.mark.parametrize(
    ("stage", "cls", "part"),
    [
        ("stt", Broken, "ImportError"),
        ("llm", Raises, "ZeroDivisionError"),
        ("llm", Refuses, "coffee"),
    ],
)
def test_an_engine_that_is_there_but_broken_is_to_be_fixed(stage, cls, part, an_engine):
    findings = examined(an_engine(stage, cls))
    (finding,) = of(stage, findings)
    assert finding.status == "fix"
    assert part in finding.found + finding.fix
    assert "secret" not in finding.found + finding.fix
    assert of("tts", findings)[0].status == "ok", "the others are examined all the same"


def test_a_model_that_says_nothing_is_to_be_fixed(an_engine):
    (finding,) = of("llm", examined(an_engine("llm", Mute)))
    assert finding.status == "fix"
    assert "no word" in finding.fix


def test_an_engine_that_never_loads_is_given_up(an_engine, monkeypatch):
    let_go.clear()
    monkeypatch.setattr(doctor, "ENGINE", 5.0)
    findings = examined(an_engine("tts", NeverLoads))
    let_go.set()
    (finding,) = of("tts", findings)
    assert finding.status == "fix"
    assert "within 5 s" in finding.found


def test_a_tool_server_that_cannot_start_is_told_with_the_fix_and_the_others_are_there():
    pytest.importorskip("mcp")
    tiny = [sys.executable, str(Path(__file__).parent / "mcp_server.py")]
    servers = {
        "tiny": {"command": tiny},
        "gone": {"command": ["/nowhere/server"]},
        "quitting": {"command": [sys.executable, "-c", "raise SystemExit(1)"]},
        "afar": {"url": "http://127.0.0.1:9/mcp"},
    }
    settings = SETTINGS.changed({"tools.servers": servers})
    found = {each.what: each for each in doctor._tool_servers(settings, False)}
    assert found.keys() == {f"tool server {name}" for name in servers}
    assert found["tool server tiny"].status == "ok"
    assert "tools: " in found["tool server tiny"].found
    for name in ("gone", "quitting", "afar"):
        each = found[f"tool server {name}"]
        assert each.status == "fix"
        assert f"“{name}”" in each.fix and f"tools.servers.{name}" in each.fix
        assert each.fix.count("Try:") == 1 and "\n" not in each.fix
    offline = [each.what for each in doctor.examine(settings, offline=True)]
    assert "tool server gone" in offline and "tool server afar" not in offline
    assert not [each for each in examined() if "server" in each.what]


def test_a_mistake_in_the_settings_of_a_tool_server_is_to_be_fixed():
    settings = SETTINGS.changed({"tools.servers": {"files": {"comand": ["x"]}}})
    (found,) = doctor._tool_servers(settings, False)
    assert (found.status, "tools.servers.files" in found.fix) == ("fix", True)


def test_people_read_words_and_the_exit_code_says_whether_all_is_well():
    chosen = [word for item in EMBEDDED.items() for word in ("--set", "=".join(item))]
    command = [sys.executable, "-m", "voice_kit.cli", "doctor", "--offline"]
    well = subprocess.run([*command, *chosen], capture_output=True, text=True, check=False)
    assert well.returncode == 0
    assert "Everything needed is here." in well.stderr
    assert "ok    speech to text (stt): sphinx" in well.stdout
    ill = subprocess.run(
        [*command, "--set", "llm=llamacpp:/no/such.gguf"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ill.returncode == 1
    assert "fix   language model (llm): " in ill.stdout
    assert "1 to fix." in ill.stderr


# Where the kit lives. Each of these is really so: the folder is closed, the port is taken.


def in_its_place(check, folder=None, path="", **environment):
    """What a fresh Python finds that works in `folder`, and looks into `path` for packages."""
    code = (
        "import json; from dataclasses import asdict; from voice_kit.workshop import doctor_place; "
        f"print(json.dumps(asdict(doctor_place.{check}())))"
    )
    root = str(Path(doctor.__file__).parents[2])
    paths = os.pathsep.join(each for each in (str(path), root) if each)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths} | environment,
    )
    assert done.returncode == 0, done.stderr
    return doctor.Finding(**json.loads(done.stdout))


def one_clear_sentence_with_a_fix(finding):
    assert finding.fix and "\n" not in finding.found + finding.fix
    return finding.status


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def closed(tmp_path):
    """A folder in which nothing can be written, whoever asks."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/proc")  # other folders are open to root
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o555)
    if sys.platform == "win32":
        pytest.skip("folders cannot be closed this way here")
    return folder


def test_a_machine_in_order_has_nothing_to_fix():
    findings = list(doctor_place.place())
    names = ["Python", "pip", "packages", "disk", "folders", "ports", "JupyterLab", "espeak"]
    assert [finding.what for finding in findings] == names
    assert not [finding for finding in findings if finding.status == "fix"]


@pytest.mark.parametrize("number", [(3, 9, 2), (3, 10, 14), (3, 13, 0)])
def test_a_python_that_does_not_fit_is_named(number, monkeypatch):
    monkeypatch.setattr(sys, "version_info", number)
    finding = doctor_place.python()
    assert one_clear_sentence_with_a_fix(finding) == "fix"
    assert ".".join(map(str, number)) in finding.found and sys.executable in finding.found
    assert "make lab PYTHON=" in finding.fix


@pytest.mark.parametrize(
    ("number", "status"), [("21.2.4", "fix"), ("9.0.1", "fix"), ("22.0", "ok")]
)
def test_a_pip_that_is_too_old_is_told_how_to_grow(tmp_path, number, status):
    about = tmp_path / f"pip-{number}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: pip\nVersion: {number}\n")
    finding = in_its_place("pip", path=tmp_path)
    assert finding.status == status
    assert number in finding.found
    if status == "fix":
        assert one_clear_sentence_with_a_fix(finding) == "fix"
        assert finding.fix.endswith("-m ensurepip --upgrade")


def test_a_full_disk_is_named(small_disk):
    environment = {"TMPDIR": str(small_disk), "TMP": str(small_disk), "TEMP": str(small_disk)}
    for finding in (
        in_its_place("disk", folder=small_disk),
        in_its_place("disk", VOICE_KIT_HOME=str(small_disk / "not" / "yet")),
        in_its_place("disk", **environment),
    ):
        assert one_clear_sentence_with_a_fix(finding) == "fix"
        assert str(small_disk) in finding.found
        assert "Free some space" in finding.fix


def test_a_disk_without_room_for_models_is_a_note_that_says_what_it_is_for(monkeypatch):
    monkeypatch.setattr(doctor_place, "ROOM", 1e9)
    finding = doctor_place.disk()
    assert one_clear_sentence_with_a_fix(finding) == "note"
    assert "HF_HOME" in finding.fix


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    folder = closed(tmp_path)
    finding = in_its_place("folders", folder=folder)
    assert one_clear_sentence_with_a_fix(finding) == "fix"
    assert str(folder) in finding.found
    assert "copy this one" in finding.fix


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    folder = closed(tmp_path)
    finding = in_its_place("folders", folder=tmp_path, VOICE_KIT_HOME=str(folder / "mine"))
    assert one_clear_sentence_with_a_fix(finding) == "fix"
    assert str(folder) in finding.found
    assert "VOICE_KIT_HOME" in finding.fix


@pytest.mark.parametrize("name", doctor_place.PORTS)
def test_a_port_that_is_taken_is_named_with_the_way_around_it(name):
    number, way = doctor_place.PORTS[name]
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", number))
            other.listen()
        except OSError:
            pass  # somebody has it already: as good
        finding = doctor_place.ports()
    assert one_clear_sentence_with_a_fix(finding) == "note"
    assert f"{number}, where {name} would be, is taken" in finding.found
    assert way in finding.fix


def test_the_ports_are_those_that_the_commands_take():
    from voice_kit.cli.room_view import room
    from voice_kit.serve.config import Serve

    assert doctor_place.PORTS["voice-kit serve"][0] == Serve().port
    assert doctor_place.PORTS["voice-kit room"][0] == signature(room).parameters["port"].default


@pytest.mark.parametrize("gone", ["phontab", "phondata", "lang", "libespeak-ng.so"])
def test_a_voice_whose_data_is_not_whole_is_told_how_to_mend_it(tmp_path, gone):
    import espeakng_loader

    package = Path(espeakng_loader.__file__).parent
    data = Path(espeakng_loader.get_data_path())
    library = Path(espeakng_loader.get_library_path()).name
    copy = tmp_path / "espeakng_loader"
    (copy / data.name).mkdir(parents=True)
    for file in [*package.iterdir(), *data.iterdir()]:
        to = copy / file.relative_to(package)
        name = "libespeak-ng.so" if file.name == library else file.name
        if name != gone and file not in (data, package / "__pycache__"):
            shutil.copytree(file, to) if file.is_dir() else shutil.copy(file, to)
    finding = in_its_place("voice_data", path=tmp_path)
    assert one_clear_sentence_with_a_fix(finding) == "fix"
    assert finding.found == f"its {library if gone == 'libespeak-ng.so' else gone} is missing"
    assert "--force-reinstall espeakng-loader" in finding.fix
    if gone == "phontab":  # whoever uses it all the same reads one sentence, too
        command = [sys.executable, "-m", "voice_kit.cli", "say", "hello", "--tts", "espeak"]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        (sentence,) = done.stderr.splitlines()
        assert done.returncode == 1 and "--force-reinstall" in sentence


def test_a_voice_whose_package_is_gone_is_told_how_to_get_it(tmp_path):
    (tmp_path / "espeakng_loader.py").write_text("raise ImportError('gone')")
    finding = in_its_place("voice_data", path=tmp_path)
    assert one_clear_sentence_with_a_fix(finding) == "fix"


def test_where_nothing_temporary_can_be_written_it_says_so_and_goes_on(monkeypatch):
    def nowhere():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert doctor_place.disk().status in ("ok", "note")


def test_an_answer_that_was_kept_survives_a_full_disk(small_disk, monkeypatch, capsys):
    from voice_kit.workshop import checks

    (exercise, *_) = checks.EXERCISES.values()
    monkeypatch.setenv("VOICE_KIT_HOME", str(small_disk))
    checks.keep(exercise, "def mine():\n    return 1\n")
    kept = checks.kept_file(exercise)
    before = kept.read_text()
    with (small_disk / "the rest").open("wb", buffering=0) as rest, suppress(OSError):
        while rest.write(b"0" * 4096):
            pass
    checks.keep(exercise, "def mine():\n    return 2\n" * 1000)
    assert kept.read_text() == before
    assert list(kept.parent.iterdir()) == [kept]
    assert "Free some space" in capsys.readouterr().out
