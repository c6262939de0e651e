"""A room's models: fetched with resume and checksums, packed for a stick, unpacked with care."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hub_server import COMMIT, LARGE, HubServer
from ollama_server import OllamaServer
from scripted_server import refusing_url
from tiny_smart_turn import make

from voice_kit.engines import choose
from voice_kit.errors import VoiceKitError
from voice_kit.hear.judge_smart_turn import SmartTurn
from voice_kit.hear.stt_whisper_models import in_cache
from voice_kit.settings import Settings
from voice_kit.workshop import models, models_fetch, models_pack, models_unpack

BASE = "Systran/faster-whisper-base.en"
WEIGHTS = bytes(range(256)) * 400
WHISPER = {
    "model.bin": WEIGHTS,
    "config.json": b"{}",
    "tokenizer.json": b'{"a": 1}',
    "vocabulary.txt": b"a\nb\n",
    "README.md": b"not needed",
}
KOKORO = {
    "config.json": b'{"k": 1}',
    "kokoro-v1_0.pth": WEIGHTS[::-1],
    "voices/af_heart.pt": b"h" * LARGE,
    "voices/am_michael.pt": b"m" * 20,
    "voices/bf_emma.pt": b"e" * 20,
}


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """Caches of this test alone: for the hub, for files put by hand, and for Ollama."""
    return set_places(tmp_path / "here", monkeypatch)


def set_places(root, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(root / "hub"))
    monkeypatch.setenv("VOICE_KIT_HOME", str(root / "kit"))
    monkeypatch.setenv("OLLAMA_MODELS", str(root / "ollama"))
    return root


def voice_kit(*arguments, url="http://127.0.0.1:9", ollama="http://127.0.0.1:9", **env):
    """The command in its own process: huggingface_hub reads its address when it is imported."""
    env = {"HF_ENDPOINT": url, "HF_HUB_OFFLINE": "0", "OLLAMA_HOST": ollama, **env}
    command = [sys.executable, "-m", "voice_kit.cli", "models", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **env}
    )


def files_below(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


# fetch


@pytest.mark.parametrize(("stage", "engine"), [("stt", "whisper"), ("judge", "smart-turn")])
def test_what_an_engine_without_its_model_asks_for_can_be_fetched(stage, engine):
    better = choose(stage, Settings()).better
    command, name = re.search(r"(voice-kit models fetch) (\S+)", better).groups()
    assert models.wanted(name).repo and name.startswith(f"{engine}:")
    done = voice_kit(*command.split()[2:], name)
    assert "does not answer" in done.stderr  # it is known, and only the network is missing


@pytest.fixture(scope="module")
def turn(tmp_path_factory):
    path = tmp_path_factory.mktemp("turn") / "tiny.onnx"
    return make(path, np.zeros((1, 80, 800))).read_bytes()


def test_the_whole_set_is_fetched_and_its_engines_find_it(turn):
    repos = {
        BASE: WHISPER,
        "hexgrad/Kokoro-82M": KOKORO,
        "pipecat-ai/smart-turn-v3": {"smart-turn-v3.2-cpu.onnx": turn, "other.onnx": b"o"},
    }
    with HubServer(repos) as hub, OllamaServer(models=()) as ollama:
        done = voice_kit("fetch", url=hub.url, ollama=ollama.url)
        assert done.returncode == 0, done.stderr
        assert ollama.asked("/api/pull")
        again = voice_kit("fetch", "--json", url=hub.url, ollama=ollama.url)
    assert done.stdout.count("fetched") == len(models.ROOM) and "MB to fetch" in done.stderr
    states = [json.loads(line)["state"] for line in again.stdout.splitlines()]
    assert states == ["here already"] * len(models.ROOM)
    folder = in_cache(BASE)
    assert (folder / "model.bin").read_bytes() == WEIGHTS
    assert not (folder / "README.md").exists()
    assert SmartTurn(model="v3.2-cpu").name == "smart-turn:v3.2-cpu"
    assert models.usable("kokoro:af_heart,am_michael,bf_emma")


def test_a_download_that_breaks_off_goes_on_where_it_stopped():
    with HubServer({BASE: WHISPER}, cut=30_000, cuts=2) as hub:
        done = voice_kit("fetch", "whisper:base.en", url=hub.url)
        assert done.returncode == 0, done.stderr
        assert hub.ranged == [
            ("model.bin", "bytes=30000-"),
            ("model.bin", "bytes=60000-"),
        ]
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS


def test_a_fetch_that_was_ended_goes_on_in_the_next_one():
    (file,) = files_to_come = [models_fetch.File(BASE, COMMIT, "model.bin", len(WEIGHTS), sha())]
    file.part.parent.mkdir(parents=True)
    file.part.write_bytes(WEIGHTS[:70_000])
    assert [each.lacking for each in files_to_come] == [len(WEIGHTS) - 70_000]
    with HubServer({BASE: WHISPER}) as hub:
        assert voice_kit("fetch", "whisper:base.en", url=hub.url).returncode == 0
        assert hub.ranged == [("model.bin", "bytes=70000-")]
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS
    assert not file.part.exists()


def sha():
    return hashlib.sha256(WEIGHTS).hexdigest()


def test_a_server_that_heeds_no_range_begins_again_and_nothing_is_twice():
    file = models_fetch.File(BASE, COMMIT, "model.bin", len(WEIGHTS), sha())
    file.part.parent.mkdir(parents=True)
    file.part.write_bytes(b"x" * 70_000)
    with HubServer({BASE: WHISPER}, ranges=False) as hub:
        assert voice_kit("fetch", "whisper:base.en", url=hub.url).returncode == 0
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_what_comes_damaged_is_never_used(name):
    with HubServer({BASE: WHISPER}, damaged=[name]) as hub:
        done = voice_kit("fetch", "whisper:base.en", url=hub.url)
    assert done.returncode == 1 and "came damaged" in done.stderr
    assert in_cache(BASE) is None


def test_without_a_hub_one_sentence_names_the_stick():
    done = voice_kit("fetch", "whisper:base.en", "smart-turn:v3.2-cpu", url=refusing_url())
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert "does not answer" in sentence and "voice-kit models unpack FILE.tar" in sentence
    assert done.stdout.count("not fetched") == 2
    done = voice_kit("fetch", "whisper:base.en", HF_HUB_OFFLINE="1")
    assert done.returncode == 1 and "HF_HUB_OFFLINE is set" in done.stderr


def test_one_model_that_cannot_be_had_does_not_keep_the_others():
    with HubServer({BASE: WHISPER}) as hub:
        done = voice_kit("fetch", "ollama:qwen3:1.7b", "whisper:base.en", url=hub.url)
    assert done.returncode == 1
    assert "ollama serve" in done.stderr
    assert in_cache(BASE) is not None


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(tmp_path):
    with pytest.raises(VoiceKitError, match="Free some space"):
        models_fetch.room_for(10**17, tmp_path / "not" / "yet" / "there")
    models_fetch.room_for(1000, tmp_path)


@pytest.mark.parametrize(
    "name", ["whisper:huge", "kokoro:nobody", "kokoro", "smart-turn:v9", "llama", ""]
)
def test_a_model_that_nobody_knows_is_said_with_those_there_are(name):
    done = voice_kit("fetch", name)
    assert done.returncode == 1 and "The room's set is whisper:base.en" in done.stderr


# pack and unpack


def put_whisper(commit=COMMIT, weights=WEIGHTS, when=1_700_000_000):
    """Whisper as huggingface_hub would have put it: contents as blobs, and links to them."""
    folder = models.base("hub") / models.repo_folder(BASE)
    snapshot = folder / "snapshots" / commit
    for place in (folder / "blobs", folder / "refs", snapshot):
        place.mkdir(parents=True, exist_ok=True)
    for name, content in {**WHISPER, "model.bin": weights}.items():
        blob = folder / "blobs" / hashlib.sha256(content).hexdigest()
        blob.write_bytes(content)
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    ref = folder / "refs" / "main"
    ref.write_text(commit)
    os.utime(ref, (when, when))
    return snapshot


def put_ollama(layer=b"weights of a model", when=1_700_000_000):
    store = models.base("ollama")
    digests = []
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    for content in (b"config", layer):
        digest = hashlib.sha256(content).hexdigest()
        (store / "blobs" / f"sha256-{digest}").write_bytes(content)
        digests.append(f"sha256:{digest}")
    manifest = store / models.LIBRARY / "qwen3" / "1.7b"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [{"digest": digests[1]}]
    manifest.write_text(json.dumps({"config": {"digest": digests[0]}, "layers": layers}))
    os.utime(manifest, (when, when))
    return manifest


@pytest.fixture
def stick(tmp_path, turn):
    """A pack of a Whisper, a Smart Turn put by hand, and a model of Ollama."""
    put_whisper()
    put_ollama()
    by_hand = models.base("smart-turn")
    by_hand.mkdir(parents=True)
    (by_hand / "smart-turn-v3.2-cpu.onnx").write_bytes(turn)
    file = tmp_path / "models.tar"
    models_pack.pack(models_pack.choose(models.stored(), []), file, lambda *_: None)
    return file


def test_a_pack_brings_every_model_to_another_computer(stick, tmp_path, monkeypatch):
    before = files_below(tmp_path / "here" / "ollama")
    there = set_places(tmp_path / "there", monkeypatch)
    done = voice_kit("unpack", stick, "--json")
    assert done.returncode == 0, done.stderr
    states = {each["model"]: each["state"] for each in map(json.loads, done.stdout.splitlines())}
    assert states == dict.fromkeys(
        ["whisper:base.en", "smart-turn:v3.2-cpu", "ollama:qwen3:1.7b"], "put in place"
    )
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS
    assert SmartTurn().name == "smart-turn:v3.2-cpu"
    assert files_below(there / "ollama") == before
    assert not list(there.rglob(f"{models_unpack.TEMPORARY}*"))
    assert {each.name for each in models.stored()} == set(states)


def test_a_second_time_everything_is_here_already(stick):
    done = voice_kit("unpack", stick)
    assert done.returncode == 0 and done.stdout.count("here already") == 3


def test_the_command_packs_what_is_here_and_says_how_to_unpack_it(stick, tmp_path):
    done = voice_kit("pack", tmp_path / "again.tar")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("MB") == 3 and "models unpack again.tar" in done.stderr
    assert files_below(tmp_path)["again.tar"] == files_below(tmp_path)["models.tar"]


def test_the_manifest_comes_first_with_a_checksum_of_each_file(stick):
    with tarfile.open(stick) as tar:
        first, *others = tar.getmembers()
        told = json.load(tar.extractfile(first))
        sums = {each["path"]: each["sha256"] for one in told["models"] for each in one["files"]}
        assert first.name == "manifest.json" and len(others) == len(sums) > 8
        for member in others:
            content = tar.extractfile(member).read()
            assert hashlib.sha256(content).hexdigest() == sums[member.name]


def test_what_is_newer_here_is_kept(stick):
    newer = "beef" * 10
    put_whisper(newer, b"newer", when=1_800_000_000)
    put_ollama(b"newer weights", when=1_800_000_000)
    states = dict(models_unpack.unpack(stick, lambda *_: None))
    assert (
        states["whisper:base.en"] == states["ollama:qwen3:1.7b"] == ("kept: what is here is newer")
    )
    assert in_cache(BASE).name == newer
    assert (in_cache(BASE) / "model.bin").read_bytes() == b"newer"


def test_what_is_older_here_makes_way_and_is_not_lost(stick):
    older = "beef" * 10
    snapshot = put_whisper(older, b"older", when=1_600_000_000)
    states = dict(models_unpack.unpack(stick, lambda *_: None))
    assert states["whisper:base.en"] == "put in place"
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS
    assert (snapshot / "model.bin").read_bytes() == b"older"


def test_a_damaged_file_that_is_here_is_mended(stick):
    weights = in_cache(BASE) / "model.bin"
    weights.unlink()
    weights.write_bytes(WEIGHTS[:-1] + b"?")
    states = dict(models_unpack.unpack(stick, lambda *_: None))
    assert states["whisper:base.en"] == "put in place"
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS


def test_one_that_is_damaged_on_the_stick_is_not_used(stick, tmp_path, monkeypatch):
    content = bytearray(stick.read_bytes())
    at = content.index(WEIGHTS[:2000]) + 500
    content[at] ^= 1
    stick.write_bytes(content)
    set_places(tmp_path / "there", monkeypatch)
    done = voice_kit("unpack", stick)
    assert done.returncode == 1 and "damaged" in done.stderr
    assert in_cache(BASE) is None
    assert not list((tmp_path / "there").rglob("model.bin"))


def test_a_plug_that_is_pulled_leaves_each_model_whole_or_out_of_use(stick, tmp_path, monkeypatch):
    class PulledError(BaseException):
        pass

    monkeypatch.setattr(models_unpack, "PIECE", 10_000)
    with tarfile.open(stick) as tar:
        contents = {tar.extractfile(member).read() for member in tar}
    total = sum(model_size(model) for model in models.stored())
    for number, limit in enumerate(range(0, total, total // 7)):
        there = set_places(tmp_path / f"there{number}", monkeypatch)
        copied = 0

        def told(what, count, limit=limit):
            nonlocal copied
            copied += count
            if copied > limit:
                raise PulledError

        with pytest.raises(PulledError):
            list(models_unpack.unpack(stick, told))
        for name, content in files_below(there).items():
            assert content in contents or name.endswith("refs/main"), f"{name} is cut"
        list(models_unpack.unpack(stick, lambda *_: None))
        assert len(models.stored()) == 3


def model_size(model):
    return sum(path.stat().st_size for path in model.files.values())


def evil(tmp_path, path, *, kind="hub", member=None, revision=COMMIT):
    """A pack with one file, which its manifest wants at this path."""
    content = b"evil"
    about = {"path": path, "bytes": 4, "sha256": hashlib.sha256(content).hexdigest()}
    model = {"name": "x", "kind": kind, "revision": revision, "when": 0, "files": [about]}
    manifest = {"format": "voice-kit models", "version": 1, "models": [model]}
    file = tmp_path / "evil.tar"
    with tarfile.open(file, "w") as tar:
        for info, data in (
            (tarfile.TarInfo("manifest.json"), json.dumps(manifest).encode()),
            (member or tarfile.TarInfo(path), content),
        ):
            info.size = len(data) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(data))
    return file


HUB = f"hub/models--Systran--faster-whisper-base.en/snapshots/{COMMIT}"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"{HUB}/../../../../../../etc/passwd", "hub"),
        (f"{HUB}/..", "hub"),
        ("/etc/passwd", "hub"),
        (f"hub/models--evil--model/snapshots/{COMMIT}/model.bin", "hub"),
        (f"hub/models--Systran--faster-whisper-base.en/refs/{COMMIT}/main", "hub"),
        (f"{HUB}/a\\..\\b", "hub"),
        (f"{HUB}/c:evil", "hub"),
        (f"{HUB}/x\n", "hub"),
        ("smart-turn/../../.bashrc", "smart-turn"),
        ("smart-turn/smart-turn-/../x.onnx", "smart-turn"),
        ("ollama/manifests/registry.ollama.ai/library/../../x", "ollama"),
        (f"ollama/blobs/sha256-{'0' * 64}", "ollama"),
    ],
)
def test_a_pack_cannot_write_anywhere_else(tmp_path, own_places, path, kind):
    revision = COMMIT if kind == "hub" else ""
    with pytest.raises(VoiceKitError, match="no pack of models"):
        list(models_unpack.unpack(evil(tmp_path, path, kind=kind, revision=revision), print))
    assert not files_below(tmp_path / "here") and [each.name for each in tmp_path.iterdir()]


def test_a_link_in_a_pack_is_not_followed(tmp_path):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
        link = tarfile.TarInfo(f"{HUB}/model.bin")
        link.type, link.linkname = kind, "/etc/passwd"
        with pytest.raises(VoiceKitError, match="no pack of models"):
            list(models_unpack.unpack(evil(tmp_path, f"{HUB}/model.bin", member=link), print))
    assert not list(models.base("hub").rglob("model.bin"))


def test_a_folder_that_leads_elsewhere_is_not_written_through(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = models.base("hub") / models.repo_folder(BASE)
    folder.mkdir(parents=True)
    (folder / "snapshots").symlink_to(elsewhere, target_is_directory=True)
    with pytest.raises(VoiceKitError, match="no pack of models"):
        list(models_unpack.unpack(evil(tmp_path, f"{HUB}/model.bin"), print))
    assert not files_below(elsewhere)


@pytest.mark.parametrize("content", [b"", b"no tar at all", b"\0" * 10240])
def test_what_is_no_pack_is_said_in_a_sentence(tmp_path, content):
    file = tmp_path / "x.tar"
    file.write_bytes(content)
    done = voice_kit("unpack", file)
    assert done.returncode == 1
    assert "damaged or no pack" in done.stderr and len(done.stderr.splitlines()) == 1
    done = voice_kit("unpack", tmp_path / "nothing.tar")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_a_pack_that_is_cut_is_damaged_and_a_whole_model_in_it_stays(stick, tmp_path, monkeypatch):
    content = stick.read_bytes()
    set_places(tmp_path / "there", monkeypatch)
    with tarfile.open(stick) as tar:
        end = next(member for member in tar if member.name.startswith("ollama/")).offset_data
    stick.write_bytes(content[: end + 3])
    with pytest.raises(VoiceKitError, match="damaged"):
        list(models_unpack.unpack(stick, lambda *_: None))
    assert (in_cache(BASE) / "model.bin").read_bytes() == WEIGHTS
    assert not (models.base("ollama") / models.LIBRARY).exists()


def test_packing_overwrites_nothing_and_leaves_no_half_a_file(stick, tmp_path):
    content = stick.read_bytes()
    done = voice_kit("pack", stick)
    assert done.returncode == 1 and "is there already" in done.stderr
    assert stick.read_bytes() == content
    done = voice_kit("pack", tmp_path / "none" / "models.tar")
    assert done.returncode == 1 and "no folder" in done.stderr
    chosen = models_pack.choose(models.stored(), [])

    def told(what, count):
        if what == "writing":
            raise OSError(28, "No space left on device")

    with pytest.raises(VoiceKitError, match="No space left"):
        models_pack.pack(chosen, tmp_path / "new.tar", told)
    assert not list(tmp_path.glob("new.tar*"))


def test_of_ollama_only_the_rooms_model_is_packed_unless_another_is_named(stick, tmp_path):
    other = models.base("ollama") / models.LIBRARY / "huge" / "70b"
    other.parent.mkdir(parents=True)
    other.write_bytes(put_ollama().read_bytes())
    stored = models.stored()
    assert "ollama:huge:70b" in [each.name for each in stored]
    assert "ollama:huge:70b" not in [each.name for each in models_pack.choose(stored, [])]
    (named,) = models_pack.choose(stored, ["ollama:huge:70b"])
    assert named.name == "ollama:huge:70b"
    with pytest.raises(VoiceKitError, match="The models here are: whisper"):
        models_pack.choose(stored, ["ollama:none"])


def test_where_there_are_no_models_the_way_to_them_is_told(tmp_path):
    done = voice_kit("pack", tmp_path / "models.tar")
    assert done.returncode == 1 and "voice-kit models fetch" in done.stderr
    assert not Path(tmp_path / "models.tar").exists()
