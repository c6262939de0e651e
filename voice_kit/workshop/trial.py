"""Gives an engine a small task and says how it went."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import Any

import numpy as np

from voice_kit.audio.convert import convert
from voice_kit.converse.steps import call, stream
from voice_kit.engines import Stage
from voice_kit.errors import EngineFailedError
from voice_kit.hear.detection import probabilities
from voice_kit.settings import Settings
from voice_kit.sounds import clip
from voice_kit.types import RATE, Message, Transcript

SAMPLE = "question_vad"


async def tried(stage: Stage, engine: Any, settings: Settings) -> str:
    """What the engine makes of a small task, and how long that took."""
    sample = convert(clip(SAMPLE).audio(), RATE)
    limit = getattr(settings.timeouts, stage)
    began = time.perf_counter()
    match stage:
        case "vad":
            share = float(np.mean(probabilities(engine, sample) > 0.5))
            took = time.perf_counter() - began
            return f"hears speech in {share:.0%} of a spoken question, in {took * 1000:.0f} ms"
        case "stt":
            heard = await call("stt", engine, lambda: engine.transcribe(sample), limit)
            took = time.perf_counter() - began
            return f"heard “{heard.text}” in {took:.2f} s ({took / sample.seconds:.2f} × real time)"
        case "judge":
            asked = Transcript(clip(SAMPLE).text)
            chance = await call("judge", engine, lambda: engine.finished(sample, asked), limit)
            took = time.perf_counter() - began
            return f"finds a question finished at {chance:.0%}, in {took * 1000:.0f} ms"
        case "llm":
            prompt = [Message("system", settings.persona), Message("user", "Say hello.")]
            tokens = stream("llm", engine, lambda: engine.reply(prompt), limit)
            async with aclosing(tokens):
                if await anext(tokens, None) is None:
                    fix = "another model, with --set llm=NAME"
                    raise EngineFailedError(engine.name, "there was no word in its answer", fix=fix)
            return f"first word after {(time.perf_counter() - began) * 1000:.0f} ms"
        case "tts":
            first, seconds = 0.0, 0.0
            async for speech in stream("tts", engine, lambda: engine.speak("Good morning."), limit):
                first = first or time.perf_counter() - began
                seconds += speech.audio.seconds
            return f"{seconds:.1f} s of speech, the first after {first * 1000:.0f} ms"
