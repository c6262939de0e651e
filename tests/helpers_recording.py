"""Records a scripted scene into a folder."""

import asyncio

from voice_kit.audio.microphone import FileMicrophone
from voice_kit.audio.speaker import SilentSpeaker
from voice_kit.converse.conversation import Conversation
from voice_kit.converse.recorded import read_recording
from voice_kit.converse.recording import Recorder
from voice_kit.converse.virtual import run
from voice_kit.settings import Settings

LONGEST = 100_000.0


def nobody(stage, spec, settings):
    """A `make` for replays in which no engine may be asked."""
    raise AssertionError(f"{stage} was asked anew")


def record(
    folder,
    engines,
    sound,
    settings=None,
    *,
    during=None,
    speaker=None,
    fast=True,
    reads=True,
    microphone=FileMicrophone,
    cost=lambda stage, seconds: seconds,
    **parts,
):
    """What came of this sound, as it can be read from the folder. `during(talk)` begins it."""

    async def hold():
        with Recorder(folder) as recorder:
            async with (
                asyncio.timeout(LONGEST),
                Conversation(
                    recorder.engines(engines), speaker or SilentSpeaker(16_000), settings, **parts
                ) as talk,
            ):
                if during:
                    during(talk)
                recorder.follow(talk)
                await talk.listen(recorder.microphone(microphone(sound)))
                await talk.idle()

    settings = settings or Settings()
    run(hold(), fast=fast, cost=cost)
    return read_recording(folder) if reads else None
