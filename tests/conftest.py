"""Every test starts in an empty home, offline; a missing part is a named skip, or a failure."""

from __future__ import annotations

import atexit
import importlib.util
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
"""Recordings and tokenizers that lie beside the checkout on the development machines."""

# Libraries read these when they are imported, so they are set before any test is.
CACHES = Path(tempfile.mkdtemp(prefix="voice-kit-tests-"))
atexit.register(shutil.rmtree, CACHES, ignore_errors=True)
os.environ |= {
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning threads slow everything down by ten on shared cores
    "OMP_NUM_THREADS": "2",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HOME": str(CACHES / "huggingface"),
    "TORCH_HOME": str(CACHES / "torch"),
    "MPLCONFIGDIR": str(CACHES / "matplotlib"),
    "MPLBACKEND": "agg",
    "XDG_CACHE_HOME": str(CACHES / "cache"),
    "JUPYTER_CONFIG_DIR": str(CACHES / "jupyter"),
    "IPYTHONDIR": str(CACHES / "ipython"),
}

REQUIRE = {part for part in os.environ.get("VOICE_KIT_REQUIRE", "").split(",") if part}


# Parts that not every machine has


def _package(*names: str) -> Callable[[], str]:
    def missing() -> str:
        gone = [name for name in names if importlib.util.find_spec(name) is None]
        return f"no {' and '.join(gone)} in this Python: run make test" if gone else ""

    return missing


def _program(*names: str, package: str) -> Callable[[], str]:
    def missing() -> str:
        if any(shutil.which(name) for name in names):
            return ""
        return f"no {names[0]} program: on Debian, apt-get install {package}"

    return missing


def _beside(path: str) -> Callable[[], str]:
    def missing() -> str:
        return "" if (SHARED / path).exists() else f"no shared/{path} beside the checkout"

    return missing


def _portaudio() -> str:
    code = "import sounddevice"  # in a process of its own: it opens the sound system
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    return "no PortAudio: on Debian, apt-get install libportaudio2" if done.returncode else ""


def _in_a_network() -> str:
    from voice_kit.errors import VoiceKitError
    from voice_kit.serve.lan import choose

    try:
        choose()
    except VoiceKitError:
        return "no local network that this machine is in"
    return ""


PARTS: dict[str, Callable[[], str]] = {
    "flite": _program("flite", package="flite"),
    "portaudio": _portaudio,
    "chromium": _program(
        "chromium", "chromium-browser", "google-chrome", "chrome", package="chromium"
    ),
    "redis": _program("redis-server", package="redis-server"),
    "sounds": _beside("sounds/manifest.json"),
    "whisper": _beside("models/whisper_tokenizer/tokenizer.json"),
    "voices": _beside("models/kokoro_voices/af_heart.bin"),
    "torch": _package("torch"),
    "kokoro": _package("kokoro", "torch"),
    "jupyter": _package("jupyterlab", "nbclient", "jupytext"),
    "xllamacpp": _package("xllamacpp"),
    "piper": _package("piper"),
    "litellm": _package("litellm"),
    "openai": _package("openai"),
    "serve": _package("fastapi", "uvicorn"),
    "lan": _in_a_network,
    "ray": _package("ray"),
}
"""Each says why it is missing, or nothing."""


@cache
def why_missing(part: str) -> str:
    return PARTS[part]()


def need(*parts: str) -> None:
    """Skip this test, or fail it where VOICE_KIT_REQUIRE names the part."""
    __tracebackhide__ = True
    for part in parts:
        if part not in PARTS:
            pytest.fail(f"There is no part “{part}”. The parts are: {', '.join(PARTS)}.")
        reason = why_missing(part)
        if reason and part in REQUIRE:
            pytest.fail(f"VOICE_KIT_REQUIRE names {part}, but there is {reason}")
        if reason:
            pytest.skip(reason)


@pytest.fixture
def require() -> Callable[..., None]:
    """`require("flite")` in the middle of a test; `@pytest.mark.needs("flite")` before it."""
    return need


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a real Redis of this module's own."""
    need("redis")
    pytest.importorskip("redis")
    from redis_server import redis_server

    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real Redis Cluster of this module's own is."""
    need("redis")
    pytest.importorskip("redis")
    from helpers_redis import redis_cluster

    with redis_cluster(tmp_path_factory.mktemp("cluster")) as ports:
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports[:2])


def pytest_configure(config: pytest.Config) -> None:
    if unknown := REQUIRE - PARTS.keys():
        raise pytest.UsageError(
            f"VOICE_KIT_REQUIRE names {', '.join(sorted(unknown))}, which is no part. "
            f"The parts are: {', '.join(PARTS)}."
        )
    socket.socket.connect = _connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = _getaddrinfo


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        need(*mark.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2]).removeprefix("Skipped: ")
        if isinstance(report.longrepr, tuple)
        else str(report.longrepr)
        for report in skipped
    )
    terminalreporter.section("what was skipped, and why")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5}  {reason}")
    if not reasons:
        terminalreporter.line("    0  nothing was skipped")


# No network beyond this machine. A refused attempt fails its test even when the code under test
# takes the refusal for a server that is down.

_attempts: list[str] = []
_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_getaddrinfo = socket.getaddrinfo


class BeyondThisMachineError(ConnectionRefusedError):
    """A test tried to reach another machine."""


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if not name or not isinstance(name, str) or name in {"localhost", socket.gethostname()}:
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified or _is_ours(address)


@cache
def _is_ours(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it belongs to a network card of this machine: only such can be listened on."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family) as sock:
        try:
            sock.bind((str(address), 0))
        except OSError:
            return False
        return True


def _refuse(host: object) -> BeyondThisMachineError:
    test = os.environ.get("PYTEST_CURRENT_TEST", "something outside of a test")
    _attempts.append(f"{test} tried to reach {host}")
    return BeyondThisMachineError(f"Tests stay on this machine, but {_attempts[-1]}")


def _goes_out(sock: socket.socket, address: object) -> bool:
    inet = sock.family in {socket.AF_INET, socket.AF_INET6}
    return inet and isinstance(address, tuple) and not _is_here(address[0])


def _connect(sock: socket.socket, address: object) -> None:
    if _goes_out(sock, address):
        raise _refuse(address)
    _real_connect(sock, address)  # type: ignore[arg-type]


def _connect_ex(sock: socket.socket, address: object) -> int:
    if _goes_out(sock, address):
        raise _refuse(address)
    return _real_connect_ex(sock, address)  # type: ignore[arg-type]


def _getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
    if isinstance(host, str) and host.endswith(".invalid"):  # a name that exists nowhere: RFC 6761
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if not _is_here(host):
        raise _refuse(host)
    return _real_getaddrinfo(host, *args, **kwargs)  # type: ignore[arg-type]


# Every test's own small world


@pytest.fixture(autouse=True)
def a_world_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty working folder in an empty home, and no settings from outside."""
    home = tmp_path_factory.mktemp("home")
    work = home / "work"
    work.mkdir()
    for name in list(os.environ):
        if name.startswith("VOICE_KIT_"):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "LOCALAPPDATA", "APPDATA"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.chdir(work)
    before = len(_attempts)
    yield home
    if len(_attempts) > before:
        pytest.fail(f"Tests stay on this machine, but {'; '.join(_attempts[before:])}")


@pytest.fixture
def soak() -> Callable[[int, int], int]:
    """`soak(short, whole)`: how much of it to do, now and in `make soak`."""
    return lambda short, whole: whole if os.environ.get("SOAK") == "whole" else short
