"""A real gateway on loopback, of the routers that a test names, on scripted engines."""

import asyncio
import io
import threading
import wave
from contextlib import contextmanager

import httpx
import numpy as np
import uvicorn
from fastapi import FastAPI

from voice_kit.audio.files import to_wav
from voice_kit.serve.config import Serve
from voice_kit.serve.problems import tell_problems
from voice_kit.serve.refused import tell_refusals
from voice_kit.serve.shared import Shared
from voice_kit.settings import Settings
from voice_kit.workshop.fakes import HummingVoice, Script, ScriptedModel, ScriptedTranscriber

TOKEN = "a-token-for-the-tests"


def quick(script, answers=None, **more):
    """Scripted engines that take no time."""
    from voice_kit.workshop.fakes import scripted

    given = {
        "stt": ScriptedTranscriber(script, delay=0.0),
        "llm": ScriptedModel(answers or {}, first=0.0),
        "tts": HummingVoice(delay=0.0),
        **more,
    }
    return scripted(script, **given)


def shared_with(engines=None, settings=None, folder=None, **serve):
    settings = (settings or Settings()).changed({"router": "off", "tools.search": "off"})
    serve = Serve(**{"token": TOKEN, "sound_per_minute": 100_000.0, **serve})
    return Shared(settings, serve, engines or quick(Script()), folder=folder)


def app_of(shared, *routers):
    app = FastAPI()
    app.state.shared = shared
    tell_refusals(app)
    tell_problems(app)
    for router in routers:
        app.include_router(router)
    return app


@contextmanager
def serving(app):
    """The address of a real server, which runs in a thread."""
    config = uvicorn.Config(
        app, port=0, log_level="error", lifespan="off", access_log=False, proxy_headers=False
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([socket])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


def client_of(url, **more):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False, **more)


def wav(audio):
    return to_wav(audio)


def samples_of(data):
    """Rate and samples of a WAV file, also of one whose length was not known."""
    if data[4:8] == b"\xff\xff\xff\xff":
        assert data[:4] == b"RIFF"
        assert data[40:44] == b"\xff\xff\xff\xff"
        rate = int.from_bytes(data[24:28], "little")
        return rate, np.frombuffer(data[44:], "<i2")
    with wave.open(io.BytesIO(data)) as file:
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
