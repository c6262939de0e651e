"""What a live panel holds on to while people talk to it for long: words, and not the sound.

Nothing here is collected as a cycle. Python does that too rarely for sound: before it does, the
process has grown by the answers of thirty turns, and what was freed is not given back.
"""

import asyncio
import contextlib
import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from test_panel import Page

from voice_kit.converse.virtual import run
from voice_kit.settings import Settings
from voice_kit.types import FRAME, RATE, Audio, PlaybackStarted, Speech, TurnFinished, Word
from voice_kit.workshop.fakes import Script, ScriptedModel, scripted

pytest.importorskip("anywidget", reason="no anywidget in this Python: run make test")

from voice_kit.show import Panel

LONG = 6
ANSWER = "Word. " * LONG
KEPT = 50_000
"""Bytes that a turn may leave behind: its words, its times, and what was decided."""


class Voice:
    """A hum of a second for each sentence; knows how much of all that is still held."""

    name, stops, in_loop_time = "hum", "async", True

    def __init__(self, *, fails_after=None):
        self.fails_after, self.made = fails_after, 0
        self.held = 0
        """Sentences whose sound is still somewhere."""

    async def speak(self, text):
        if self.fails_after is not None and self.made % LONG >= self.fails_after:
            self.made += 1
            raise RuntimeError
        self.made += 1
        wave = np.full(RATE, 0.1, np.float32)
        self.held += 1
        weakref.finalize(wave, self._gone)
        yield Speech(text, Audio(wave, RATE), (Word(text, 0.0, 1.0),))

    def _gone(self):
        self.held -= 1


class Listener(Page):
    """A page that also plays what it is sent, and says how much of it was heard."""

    def __init__(self, panel):
        super().__init__(panel)
        self.speaker = panel.board.speaker
        self.sent, self.heard, self.paused = {}, {}, set()
        self.frames = 0
        self.speaker.send = self._told
        self.speaker._received(None, {"kind": "here", "page": "page"}, [])

    def _told(self, content, buffers=None):
        match content:
            case {"kind": "sound", "id": number}:
                self.sent[number] = self.sent.get(number, 0) + len(buffers[0]) // 2
            case {"kind": "pause", "id": number}:
                self.paused.add(number)
            case {"kind": "go_on", "id": number}:
                self.paused.discard(number)
            case {"kind": "stop", "id": number} if self.sent.pop(number, 0):
                self._say(number, final=True)

    async def speak(self, sound):
        for start in range(0, len(sound.samples) - FRAME + 1, FRAME):
            await asyncio.sleep(FRAME / RATE)
            frame = np.ascontiguousarray(sound.samples[start : start + FRAME])
            message = {"kind": "frames", "run": f"run {self.runs}", "seq": self.frames}
            self.mic._received(None, message, [memoryview(frame)])
            self.frames += 1

    async def play(self):
        while True:
            await asyncio.sleep(0.05)
            for number in [each for each in self.sent if each not in self.paused]:
                was = self.heard.get(number, 0)
                self.heard[number] = min(self.sent[number], was + 1200)
                if self.heard[number] > was:
                    self._say(number, audible=None if was else 0.0)

    def _say(self, number, *, audible=None, final=False):
        said = {"id": number, "samples": self.heard.get(number, 0)}
        said |= {"audible": audible, "final": final}
        self.speaker._received(None, {"kind": "heard", "page": "page", "heard": [said]}, [])


@pytest.fixture(autouse=True)
def nothing_is_collected():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@contextlib.asynccontextmanager
async def talking(panel):
    """The panel live, with a page that hears and plays."""
    await panel.start().ready()
    page = Listener(panel)
    playing = asyncio.create_task(page.play())
    page.press()
    try:
        yield page
    finally:
        playing.cancel()
        page.state("off")
        await panel.stop()


def made(tmp_path, voice, observe=lambda event: None, answer=ANSWER):
    script = Script(["what is it"])
    engines = scripted(script, tts=voice, llm=ScriptedModel({"what is it": answer.strip()}))
    panel = Panel(Settings(), engines=engines, notes=tmp_path / "notes", observers=[observe])
    return panel, script.sound(("what is it", 0.5), 2.0)


ENDINGS = ["interrupted", "hushed", "heard to its end", "failed"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_sound_of_a_turn_is_let_go_soon_after_it(tmp_path, ending):
    voice = Voice(fails_after=3 if ending == "failed" else None)
    held, hushing = [], ending == "hushed"

    def observe(event):
        if isinstance(event, TurnFinished):
            held.append(voice.held)
        if isinstance(event, PlaybackStarted) and hushing:
            panel.talk.hush()

    short = ending == "heard to its end"
    panel, question = made(tmp_path, voice, observe, "Word. Word." if short else ANSWER)

    async def scene():
        async with talking(panel) as page:
            for _ in range(10):
                await page.speak(question)

    run(scene(), fast=True)
    assert len(held) >= 8 and voice.made > len(held)
    assert max(held) <= 2 * (2 if short else LONG), held


def test_a_further_turn_leaves_only_its_words_behind(tmp_path):
    begin, first, last, sizes = 3, 6, 16, []
    panel, question = made(tmp_path, Voice())

    async def scene():
        async with talking(panel) as page:
            for count in range(last + 1):
                if count == begin:
                    tracemalloc.start()
                await page.speak(question)
                if count in (first, last):
                    sizes.append(tracemalloc.get_traced_memory()[0])
            assert len(panel.turns) >= last

    try:
        run(scene(), fast=True)
    finally:
        tracemalloc.stop()
    each = (sizes[1] - sizes[0]) / (last - first)
    assert each < KEPT, f"{each:.0f} bytes a turn"
