"""How long skills take to understand a sentence, to do what it asks, and to begin the answer.

`python -m voice_kit.workshop.bench_skills [--json]`. Times are p50 and p99, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import numpy as np

from voice_kit.converse.question import Question
from voice_kit.settings import Settings
from voice_kit.settings.groups import Tools as ToolSettings
from voice_kit.think.brain import Acting
from voice_kit.think.history import History
from voice_kit.think.router_examples import ExamplesRouter
from voice_kit.think.skills import Alarms, Folder, Room, Skills, all_skills
from voice_kit.think.tools import Tools
from voice_kit.workshop.fakes import Script, ScriptedModel, scripted

SENTENCES = (
    "what time is it",
    "Could you tell me what time it is in New York, please?",
    "what is three hundred and ten times twelve",
    "how many feet are there in five and a half miles",
    "set a pasta timer for twenty five minutes",
    "how much time is left",
    "cancel the pasta timer",
    "add oat milk to my shopping list",
    "what is on my shopping list",
    "what can you do",
    "tell me a story about a timer that would not ring",
)
"""In this order: what one sets, the next one finds. The last is none of ours: a model answers it,
here one that answers at once."""


def measured(rounds: int = 200) -> dict[str, list[float]]:
    """p50 and p99 in milliseconds of understanding each sentence, of doing it as well, and from the
    transcript to the first token: through the router, the brain and the tool in its thread."""
    with tempfile.TemporaryDirectory() as folder:
        room = Room()
        alarms = Alarms(Folder(Path(folder)), room)
        skills = all_skills(room, ToolSettings(notes=f"{folder}/notes"), alarms=alarms)
        tools = Tools(skills.tools)
        found = {words: _timed(partial(skills.find, words), rounds) for words in SENTENCES}
        whole: dict[str, list[float]] = {words: [] for words in SENTENCES}
        for _ in range(rounds // 10):
            for words in SENTENCES:
                whole[words].append(_done(skills, tools, words))
        brain = Acting(ExamplesRouter(understood=skills.find), skills, tools)
        answered = asyncio.run(_answered(brain, rounds // 10))
    spreads = {
        words: [_spread(times[words][1:]) for times in (found, whole, answered)]
        for words in SENTENCES
    }
    return {
        words: [round(each, 3) for two in both for each in two] for words, both in spreads.items()
    }


async def _answered(brain: Acting, rounds: int) -> dict[str, list[float]]:
    """Seconds to the first token of each sentence, each time."""
    llm, certain = scripted(Script(), llm=ScriptedModel({}, first=0.0)).llm, asyncio.Event()
    certain.set()
    found: dict[str, list[float]] = {words: [] for words in SENTENCES}
    for _ in range(rounds):
        for words in SENTENCES:
            asked = Question(words, Settings(), History(), llm, certain, lambda *event: None)
            began = time.perf_counter()
            async with aclosing(brain.answer(asked)) as tokens:
                async for _token in tokens:
                    found[words].append(time.perf_counter() - began)
                    break
    return found


def _done(skills: Skills, tools: Tools, words: str) -> float:
    began = time.perf_counter()
    call = skills.find(words)
    if call is not None:
        tool, arguments = tools.prepared(call)
        if tool.stops != "async":
            tool.work(**arguments)
    return time.perf_counter() - began


def _timed(work: Callable[[], object], rounds: int) -> list[float]:
    work()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def _spread(times: Sequence[float]) -> list[float]:
    return [float(each) * 1000 for each in np.percentile(times, [50, 99])]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    figures = measured()
    if parser.parse_args().json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{'sentence':56} {'understood':>15} {'and done':>15} {'first token':>15}")
    for words, times in figures.items():
        print(f"{words:56} " + " ".join(f"{each:7.2f}" for each in times))


if __name__ == "__main__":
    main()
