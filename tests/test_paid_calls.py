"""Engines behind servers that bill each call are not called in vain, unless that is asked for."""

from importlib.util import find_spec

import pytest
from scenes import Scene

from voice_kit.converse.captions import Captions
from voice_kit.engines import make
from voice_kit.hear.stt_openai import OpenAITranscriber
from voice_kit.settings import Settings
from voice_kit.speak.tts_elevenlabs import ElevenLabs
from voice_kit.speak.tts_openai import OpenAISpeech
from voice_kit.types import Abandoned, TurnFinished
from voice_kit.workshop.fakes import Script, ScriptedTranscriber, scripted

FAR, NEAR = "https://api.example.com/v1", "http://localhost:9/v1"


def openai_model(**options):
    pytest.importorskip("openai", reason="no client: pip install 'voice-kit[openai]'")
    from voice_kit.think.llm_openai import OpenAIModel

    if options["base_url"] == NEAR:
        pytest.skip("a near one is asked for its models at once: see test_llm_openai.py")
    return OpenAIModel("m", **options)


def litellm_model(*, base_url, **options):
    if find_spec("litellm") is None:  # importing it goes out to the internet
        pytest.skip("no LiteLLM: pip install 'voice-kit[litellm]'")
    from voice_kit.think.llm_litellm import LiteLLM

    return LiteLLM("openai/m", api_base=base_url, **options)


MADE = [OpenAITranscriber, OpenAISpeech, ElevenLabs, openai_model, litellm_model]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize(
    "url, asked, wanted",
    [
        (FAR, {}, False),
        (NEAR, {}, True),
        (FAR, {"speculative": True}, True),
        (NEAR, {"speculative": False}, False),
    ],
)
def test_a_far_server_is_called_once_the_turn_is_certain_unless_it_is_asked_sooner(
    made, url, asked, wanted
):
    assert made(base_url=url, api_key="k", **asked).speculative is wanted


def test_an_early_start_with_a_far_recogniser_does_not_send_it_the_words_so_far():
    engine = OpenAITranscriber(base_url=FAR, api_key="k", speculative=True)
    assert (engine.speculative, engine.partials) == (True, False)
    assert OpenAITranscriber(base_url=FAR, api_key="k", partials=True).partials
    assert OpenAITranscriber(base_url=NEAR).partials


def test_it_is_an_option_in_the_settings_of_whatever_the_server_does():
    options = {"openai": {"base_url": FAR, "api_key": "k", "speculative": True, "partials": True}}
    settings = Settings().changed({"options": options})
    assert make("stt", "openai:whisper-1", settings).partials
    assert make("stt", "openai:whisper-1", settings).speculative
    assert make("tts", "openai:nova", settings).speculative


@pytest.mark.parametrize("options, calls, abandoned", [({}, 1, 0), ({"speculative": True}, 2, 1)])
def test_what_a_turn_with_a_breath_costs(options, calls, abandoned):
    paid = OpenAITranscriber(base_url=FAR, api_key="k", **options)
    script = Script()
    stt = ScriptedTranscriber(script, 0.05)
    stt.speculative, stt.partials = paid.speculative, paid.partials
    scene = Scene(
        *(script, 0.5, ("one", 2.0), 0.3, ("two", 2.0), 3.0),
        engines=scripted(script, stt=stt),
        during=lambda talk, events: talk.observers.append(Captions(talk)),
    )
    assert len(stt.seconds) == calls
    assert len(scene.all(Abandoned)) == abandoned
    assert scene.one(TurnFinished).heard == "one two"
