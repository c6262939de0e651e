"""What every engine promises, whatever it does. It needs no pytest, but is written for it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from voice_kit.engines import arguments
from voice_kit.errors import VoiceKitError
from voice_kit.settings import Settings
from voice_kit.workshop.contracts.around import LogLines, Surroundings, loads_heavy
from voice_kit.workshop.contracts.asking import SECRET, one_sentence

HERE = 0.5
"""Seconds that `here()` may take."""

AT_ONCE = 0.005
"""Seconds that an engine which is called in place may take: a millisecond, and room for noise."""

TOGETHER = 3
"""Threads that ask at once."""


class EngineContract:
    """Promises of every engine. Each test is given one engine, and leaves it usable."""

    trained = True
    """Set it to False for random weights: what they hear and how they sound is anything."""

    def use(self, engine: Any) -> Any:
        """What comes of one small task, in a form that can be compared."""
        raise NotImplementedError

    def secrets(self, outcome: Any) -> set[str]:
        """Words of that task which must not be logged."""
        return {SECRET}

    def test_it_has_a_name(self, engine: Any) -> None:
        """Logs and timelines show it."""
        name = getattr(engine, "name", None)
        assert isinstance(name, str) and name.strip(), f"its `name` is {name!r}, no text"

    def test_it_says_how_its_work_ends_early(self, engine: Any) -> None:
        """`stops` is one of three words, and one that never stops can be aborted, even idle."""
        stops = getattr(engine, "stops", None)
        assert stops in ("async", "steps", "never"), f"its `stops` is {stops!r}"
        if stops == "never":
            assert callable(getattr(engine, "abort", None)), "it never stops and has no abort()"
            engine.abort()
            self.use(engine)

    def test_its_languages_are_codes(self, engine: Any) -> None:
        """`languages` is absent, None, or a frozenset such as {"en", "de"}."""
        known = getattr(engine, "languages", None)
        if known is not None:
            assert isinstance(known, frozenset) and known, "its `languages` is no frozenset"
            odd = [code for code in known if not (isinstance(code, str) and code.islower())]
            assert not odd, f"these are no ISO 639 codes: {odd}"

    def test_it_is_made_from_keywords_with_defaults(self, engine: Any) -> None:
        """Everything but `model` has a default, and can be named in `[options.NAME]`."""
        for name, given in inspect.signature(type(engine)).parameters.items():
            if given.kind in (given.VAR_KEYWORD, given.VAR_POSITIONAL):
                continue
            assert given.kind is not given.POSITIONAL_ONLY, f"{name} cannot be given by name"
            assert name == "model" or given.default is not given.empty, f"{name} has no default"

    def test_what_is_here_is_known_at_once(self, engine: Any) -> None:
        """`here()` says within half a second which model can be used, or what is missing."""
        ask = getattr(type(engine), "here", None)
        if ask is None:
            return
        given, took = arguments(type(engine).__name__, "", ask, Settings()), []
        for _ in range(3):
            began = time.perf_counter()
            try:
                model = ask(**given)
                assert isinstance(model, str), f"here() gives back {model!r}, no text"
            except VoiceKitError as error:
                one_sentence(error)
            took.append(time.perf_counter() - began)
        assert min(took) <= HERE, f"here() takes {min(took):.1f} s"

    def test_it_may_be_asked_from_several_threads(self, engine: Any) -> None:
        """What it gives back is what it would give to one alone, if that is always the same."""
        alone = self.use(engine)
        repeats = alone == self.use(engine)
        with ThreadPoolExecutor(TOGETHER) as threads:
            together = list(threads.map(self.use, [engine] * TOGETHER))
        for outcome in together if repeats else []:
            assert outcome == alone, "threads get each other's answers"

    def test_its_work_changes_nothing_global(self, engine: Any) -> None:
        """Logging, signals and the network settings of the process stay as they were."""
        with Surroundings() as around:
            self.use(engine)
            changed = around.changed()
        assert not changed, f"it changed {', '.join(changed)}"

    def test_nothing_that_is_said_is_logged(self, engine: Any) -> None:
        """Not even for who looks at everything."""
        with LogLines() as lines:
            outcome = self.use(engine)
        text = " ".join(lines.said).lower()
        assert not [word for word in self.secrets(outcome) if word.lower() in text], (
            "words that were said are in a log message"
        )

    def test_importing_its_module_loads_nothing_heavy(self, engine: Any) -> None:
        """Its library is loaded when an engine is made, not when its module is looked at."""
        module = type(engine).__module__
        loaded = loads_heavy(module)
        assert not loaded, f"importing {module} loads {', '.join(sorted(loaded))}"

    def direct_is_quick(self, engine: Any, once: Callable[[], object]) -> None:
        """One that says `direct = True` is called in place: it must not hold up the loop."""
        if getattr(engine, "direct", False):
            took = []
            for _ in range(25):
                began = time.perf_counter()
                once()
                took.append(time.perf_counter() - began)
            wrong = f"it is `direct`, but takes {1000 * median(took):.0f} ms"
            assert median(took) < AT_ONCE, wrong


def broken(contract: type[EngineContract], engine: Any) -> list[str]:
    """The promises that the engine does not keep, with what was seen; none for a good one."""
    found, kind = [], contract()
    for name in sorted(name for name in dir(kind) if name.startswith("test_")):
        try:
            getattr(kind, name)(engine)
        except Exception as error:
            promise = name.removeprefix("test_").replace("_", " ")
            found.append(f"{promise}: {error or type(error).__name__}")
    return found
