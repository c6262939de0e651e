"""The arrows between the folders, the size of the core, and the manners a parser can see."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "voice_kit"

NOUNS = {"types", "errors", "settings", "tables", "remote"}
VERBS = {"hear", "think", "speak"}
CORE = NOUNS | {"audio", "engines"} | VERBS | {"converse"}
EVERYTHING = CORE | {"show", "serve", "workshop", "cli", "sounds"}
MAY_IMPORT = {
    "types": set(),
    "errors": set(),
    "settings": {"errors", "settings"},
    "tables": set(),
    "remote": {"types", "errors", "remote"},
    "audio": NOUNS | {"audio"},
    "hear": NOUNS | {"audio", "hear"},
    "think": NOUNS | {"audio", "think"},
    "speak": NOUNS | {"audio", "speak"},
    "engines": NOUNS,
    "converse": CORE,
    "sounds": NOUNS | {"audio"},
    "show": CORE | {"show", "sounds"},
    "serve": CORE | {"show", "serve", "sounds"},
    "workshop": CORE | {"show", "serve", "workshop", "sounds"},
    "cli": EVERYTHING,
    "__main__": EVERYTHING,
    "__init__": NOUNS,
}
ADAPTER = re.compile(r"(card|vad|stt|llm|tts|judge|wake)_\w+\.py")
MODULE_LINES = 250
NOUN_LINES = 420  # types.py: one list, read from top to bottom
TO_READ = {"types", "audio"} | VERBS | {"converse"}
READ_FROM = [("converse", "conversation"), ("converse", "timeline"), ("audio", "microphone")]
CORE_LINES = 2000


@cache
def modules():
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) >= 20, "the package was not found"
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in found]


def dotted(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def part(path):
    """The folder or module of voice_kit that this file belongs to; cli_talk.py belongs to cli."""
    name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "cli" if name.startswith("cli_") else name


def own_imports(path, tree):
    """Every module of voice_kit that this file names, as ("voice_kit", "hear", "ears")."""
    package = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            base = (*start, *(node.module or "").split(".")) if node.module else tuple(start)
            names = [(*base, alias.name) for alias in node.names]
        else:
            continue
        yield from (name for name in names if name[0] == "voice_kit")


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_part_of_the_package_has_its_place_in_the_order():
    parts = {part(path) for path, _ in modules()}
    assert parts >= CORE, "the core was not found"
    assert parts <= MAY_IMPORT.keys()


def test_imports_follow_the_arrows():
    wrong = []
    for path, tree in modules():
        for name in own_imports(path, tree):
            target = name[1] if len(name) > 1 else "__init__"
            target = "cli" if target.startswith("cli_") else target
            if target in MAY_IMPORT and target not in MAY_IMPORT[part(path)] | {"__init__"}:
                wrong.append(f"{path.relative_to(ROOT)} imports {'.'.join(name)}")
    assert not wrong


def test_an_engine_imports_only_nouns_sound_and_its_own_folder():
    adapters = [
        (path, tree)
        for path, tree in modules()
        if part(path) in VERBS and ADAPTER.fullmatch(path.name)
    ]
    assert adapters, "no engine was found"
    wrong = []
    for path, tree in adapters:
        verb = part(path)
        for name in own_imports(path, tree):
            if name[1] not in NOUNS | {"audio", verb}:
                wrong.append(f"{path.relative_to(ROOT)} imports {'.'.join(name)}")
    assert not wrong


def test_an_engine_loads_its_library_only_when_it_is_made():
    heavy = {
        *("faster_whisper", "ctranslate2", "onnxruntime", "pocketsphinx", "webrtcvad", "torch"),
        *("kokoro", "misaki", "piper", "espeakng_loader", "xllamacpp", "litellm", "openai"),
        *("ollama", "elevenlabs", "silero_vad", "transformers", "sklearn", "av", "matplotlib"),
    }
    adapters = [path for path, _ in modules() if ADAPTER.fullmatch(path.name)]
    assert adapters, "no engine was found"
    names = [".".join(dotted(path)) for path in adapters]
    loaded = loads(*names)
    assert not loaded & heavy


def test_importing_the_package_loads_numpy_and_nothing_heavier():
    ours = loads("voice_kit")
    numpys = loads("numpy")
    standard = set(sys.stdlib_module_names)
    more = {name for name in ours - numpys - standard if not name.startswith("_")}
    assert more <= {"voice_kit"}, f"import voice_kit also loads {more - {'voice_kit'}}"


def loads(*names):
    """The top-level modules that importing these leaves in a fresh Python."""
    code = f"import {', '.join(names)}, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def imported(names):
    """Which threads run once these are imported, and which could not be, with the reason."""
    code = (
        "import importlib, json, sys, threading\n"
        "missing = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ModuleNotFoundError as error:\n"
        "        missing[name] = error.name\n"
        "    except Exception as error:\n"
        "        if type(error).__name__ != 'MissingEngineError':\n"
        "            raise\n"
        "        missing[name] = str(error)\n"
        "print(json.dumps([[each.name for each in threading.enumerate()], missing]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of_a_peer(name):
    """Which peer of the bench this module needs: one that lives in an environment of its own."""
    found = re.fullmatch(r"voice_kit\.workshop\.peers\.(livekit|pipecat)_\w+", name)
    return found and found[1]


def names_to_import():
    return [".".join(dotted(path)) for path, _ in modules() if path.name != "__main__.py"]


def test_importing_any_module_starts_no_thread():
    names = [name for name in names_to_import() if not of_a_peer(name)]
    threads, missing = imported(names)
    assert threads == ["MainThread"]
    ours = {name: lacks for name, lacks in missing.items() if lacks.startswith("voice_kit")}
    assert not ours
    if missing:
        pytest.skip(f"an extra is missing, the others were imported: {missing}")


@pytest.mark.parametrize("peer", ["livekit", "pipecat"])
def test_importing_what_compares_us_with_a_peer_starts_no_thread(peer):
    names = [name for name in names_to_import() if of_a_peer(name) == peer]
    assert len(names) == 2
    pytest.importorskip(peer, reason=f"{peer} is in an environment of its own")
    assert imported(names) == [["MainThread"], {}]


def test_a_module_fits_into_one_head():
    long = {
        path.name: lines(path)
        for path, _ in modules()
        if lines(path) > (NOUN_LINES if path.name == "types.py" else MODULE_LINES)
    }
    assert not long


def test_a_learner_can_read_the_whole_core():
    sizes = {
        path.relative_to(PACKAGE).as_posix(): statements(path, tree)
        for path, tree in to_read()
        if part(path) in TO_READ
    }
    assert len(sizes) >= 20, "the core was not found"
    print(*(f"{count:5} {name}" for name, count in sorted(sizes.items())), sep="\n")
    assert sum(sizes.values()) <= CORE_LINES, f"{sum(sizes.values())} lines to read"


def to_read():
    """The loop, its timeline, a microphone, and all that these import, as one would read them.

    Engines and loudspeakers are met as protocols only.
    """
    files = {dotted(path): (path, tree) for path, tree in modules()}
    waiting, found = [("voice_kit", *name) for name in READ_FROM], {}
    while waiting:
        name = waiting.pop()
        if name in files and name not in found and not ADAPTER.fullmatch(files[name][0].name):
            found[name] = path, tree = files[name]
            waiting += [used for full in own_imports(path, tree) for used in (full, full[:-1])]
    return found.values()


def statements(path, tree):
    """Lines of code: no blank lines, comments or docstrings, which are there to be read easily."""
    said = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
        for number in range(node.lineno, node.end_lineno + 1)
    }
    text = path.read_text(encoding="utf-8").splitlines()
    return sum(
        1
        for number, line in enumerate(text, 1)
        if number not in said and line.strip() and not line.strip().startswith("#")
    )


def test_no_error_is_swallowed():
    def broad(handler):
        caught = handler.type
        return caught is None or getattr(caught, "id", "") in {"Exception", "BaseException"}

    swallowed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and broad(node)
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]
    assert not swallowed


def test_no_test_waits_for_time():
    tests = sorted((ROOT / "tests").glob("*.py"))
    assert len(tests) >= 5, "the tests were not found"
    sleepy = []
    for path in tests:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        virtual = any(keyword.arg == "fast" for call in calls for keyword in call.keywords)
        for call in calls:
            if getattr(call.func, "attr", "") != "sleep":
                continue
            gives_way = call.args and getattr(call.args[0], "value", None) == 0
            on_the_loop = getattr(call.func.value, "id", "") == "asyncio"
            if not (on_the_loop and (gives_way or virtual)):  # a virtual clock leaps over it
                sleepy.append(f"{path.name}:{call.lineno}")
    assert not sleepy


def test_no_file_names_a_machine_or_a_registry():
    tracked = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout.split("\n")
    files = [ROOT / name for name in tracked if name and (ROOT / name).is_file()]
    if not files:
        pytest.skip("this is no git checkout")
    paths = "|".join(
        [
            "/" + "work/",
            "/" + "root/",
            "/home/" + r"\w+/",
            "/opt/" + "wheels",
        ]
    )
    hosts = "|".join(
        [
            r"pypi\." + "org",
            r"pythonhosted\." + "org",
            r"npmjs\." + "org",
            r"download\." + "pytorch",
        ]
    )
    pattern = re.compile(f"(?<![\\w.~-])({paths})|({hosts})")
    wrong = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a sound or a picture
        wrong += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    assert not wrong
