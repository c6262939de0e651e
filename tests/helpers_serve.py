"""A real gateway on a free port of this machine, with engines that cost no time."""

import asyncio
import json
import math
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from voice_kit.converse.line import Engines, Line
from voice_kit.serve.app import create_app
from voice_kit.serve.config import Serve
from voice_kit.serve.protocol import HEADER, SILENCE, SOUND
from voice_kit.serve.server import Server, config_of, listening
from voice_kit.settings import Settings
from voice_kit.types import FRAME, RATE, Audio, Speech, Transcript, Word
from voice_kit.workshop.fakes import LoudnessDetector

TOKEN = "only-for-these-tests"
STARTS = 60.0
"""Seconds in which a gateway has to start on a busy machine."""


@dataclass
class Loudness:
    """Hears how loud a sound is: one of 0.1 is “question 10”."""

    name: str = "loudness"
    stops: str = "async"
    seconds: list = field(default_factory=list)

    async def transcribe(self, audio):
        self.seconds.append(audio.seconds)
        loud = np.abs(audio.samples)[np.abs(audio.samples) > 0.004]
        return Transcript(f"question {np.median(loud) * 100:.0f}" if len(loud) else "")


@dataclass
class Parrot:
    """Repeats what was said, in a sentence; or says `answer`, and that again and again."""

    answer: str = ""
    name: str = "parrot"
    stops: str = "async"
    prompts: list = field(default_factory=list)

    async def reply(self, messages):
        self.prompts.append([(message.role, message.content) for message in messages])
        yield self.answer or f"You said {messages[-1].content}."


@dataclass
class Tone:
    """A tone for each word: `word` seconds long."""

    word: float = 0.05
    name: str = "tone"
    stops: str = "async"

    async def speak(self, text):
        words = text.split()
        count = round(len(words) * self.word * RATE)
        wave = 0.2 * np.sin(2 * math.pi * 440 * np.arange(count) / RATE)
        places = tuple(
            Word(word, index * self.word, (index + 1) * self.word)
            for index, word in enumerate(words)
        )
        yield Speech(text, Audio(wave.astype(np.float32), RATE), places)


def stubs(stt=None, llm=None, tts=None):
    """Engines that answer at once. Every sound is speech."""
    return Engines(
        Line("vad", LoudnessDetector()),
        Line("stt", stt or Loudness()),
        Line("llm", llm or Parrot()),
        Line("tts", tts or Tone()),
    )


class Address(str):
    """Where a gateway is: “http://127.0.0.1:PORT”."""

    app = server = shared = None
    token = TOKEN

    @property
    def ws(self):
        """The same for sockets."""
        return self.replace("http", "ws", 1)

    @property
    def realtime(self):
        """Its socket, with the token."""
        return f"{self.ws}/v1/realtime?token={self.token}"

    @property
    def headers(self):
        """What a request has to show."""
        return {"Authorization": f"Bearer {self.token}"}

    def stop(self):
        """As SIGTERM does."""
        self.server.should_exit = True


@contextmanager
def served(engines=None, serve=None, settings=None, app=None, tls=None, **changes):
    """A gateway in a thread, at the address that this gives; `changes` are of its `Serve`.

    It takes many connections from one address, as tests make them. `tls` tells uvicorn where the
    certificate is, and its key.
    """
    plenty = {"token": TOKEN, "port": 0, "per_address": 1000, "connects_per_second": 1000.0}
    serve = serve or Serve(**{**plenty, "drain_seconds": 2.0, **changes})
    app = app or create_app(
        settings=settings or Settings(), serve=serve, engines=engines or stubs()
    )
    sock = listening(serve)
    address = Address(f"{'https' if tls else 'http'}://127.0.0.1:{sock.getsockname()[1]}")
    config = config_of(app, serve, log_config=None, **(tls or {}))
    server = Server(config)
    address.app, address.server, address.shared = app, server, app.state.shared
    address.token = app.state.shared.doors.token
    started = threading.Event()
    startup = server.startup

    async def told(sockets=None):
        await startup(sockets)
        started.set()

    server.startup = told
    thread = threading.Thread(target=server.run, args=([sock],), name="gateway", daemon=True)
    thread.start()
    try:
        assert started.wait(STARTS), "the gateway did not start"
        yield address
    finally:
        server.should_exit = True
        thread.join(STARTS)
        assert not thread.is_alive(), "the gateway did not stop"


def command(*arguments, home, **environment):
    """`voice-kit serve` as a program of its own."""
    given = {"VOICE_KIT_HOME": str(home), "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "voice_kit.cli", "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **given},
        cwd=home,
    )


# What our own clients send


def speech_frames(seconds, level=0.1):
    """A sound that counts as speech, shape (n, 512), int16."""
    return np.full((round(seconds * RATE / FRAME), FRAME), round(level * 32767), np.int16)


def sound_message(number, frames):
    """Binary: these frames, from this number on."""
    data = np.asarray(frames, "<i2")
    return HEADER.pack(SOUND, 0, len(data), number) + data.tobytes()


def silence_message(number, count):
    """Binary: so many frames of silence."""
    return HEADER.pack(SILENCE, 0, count, number)


async def until(socket, kind, *, seconds=20.0, seen=None):
    """The next text message of this type; all before it, and speech, go into `seen`."""
    async with asyncio.timeout(seconds):
        while True:
            message = await socket.recv()
            if isinstance(message, str):
                message = json.loads(message)
                if message["type"] == kind:
                    return message
            if seen is not None:
                seen.append(message)


async def say(socket, **message):
    """Send a text message."""
    await socket.send(json.dumps(message))
