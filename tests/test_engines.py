import pytest

from voice_kit import engines
from voice_kit.converse.loading import load_engines
from voice_kit.engines import BUILT_IN, LINE, STAGES, choose, engine_class, in_line, make, names
from voice_kit.errors import (
    LanguageError,
    MissingEngineError,
    SettingsError,
    UnknownEngineError,
)
from voice_kit.settings import Settings


def test_every_built_in_engine_can_be_looked_up_without_its_library():
    found = [engine_class(stage, name) for stage in STAGES for name in BUILT_IN[stage]]
    assert len(found) >= 15
    detectors, others = found[: len(BUILT_IN["vad"])], found[len(BUILT_IN["vad"]) :]
    assert all(cls.direct for cls in detectors)
    assert all(cls.stops in ("async", "steps", "never") for cls in others)


def test_an_unknown_engine_is_named_with_those_that_are_known():
    with pytest.raises(UnknownEngineError, match=r"whisperr.*sphinx.*whisper"):
        make("stt", "whisperr:base", Settings())


def test_what_was_asked_for_is_not_second_guessed():
    choice = choose("stt", Settings().changed({"stt": "whisper:base.en"}))
    assert choice.spec == "whisper:base.en"
    assert choice.why == "as you asked"


@pytest.mark.parametrize(
    ("stage", "embedded"),
    [("vad", "silero"), ("stt", "sphinx"), ("llm", "handbook"), ("tts", "espeak")],
)
def test_on_an_empty_machine_auto_takes_the_embedded_engine_and_says_how_to_get_a_better_one(
    stage, embedded
):
    choice = choose(stage, Settings())
    assert choice.spec == embedded
    assert choice.why
    assert bool(choice.better) == (stage != "vad")
    assert "\n" not in str(choice)


def test_auto_takes_the_best_that_is_here(monkeypatch):
    best = engine_class("stt", "whisper")
    monkeypatch.setattr(best, "here", classmethod(lambda cls, **_: "small.en"))
    choice = choose("stt", Settings())
    assert (choice.spec, choice.why, choice.better) == ("whisper:small.en", "the best there is", "")


def test_an_engine_that_does_not_know_the_language_says_so_when_chosen():
    french = Settings().changed({"language": "fr", "stt": "sphinx"})
    with pytest.raises(LanguageError, match=r"sphinx.*fr.*en"):
        choose("stt", french)


def test_a_language_that_nothing_here_understands_is_told_with_the_fixes():
    with pytest.raises(MissingEngineError, match="fr"):
        choose("stt", Settings().changed({"language": "fr"}))


def test_those_who_take_over_come_after_the_one_that_was_chosen():
    choice = choose("llm", Settings().changed({"llm": "llamacpp:x.gguf"}))
    assert list(in_line(choice)) == ["llamacpp:x.gguf", "handbook"]
    other = choose("llm", Settings().changed({"llm": "openai:gpt"}))
    assert list(in_line(other)) == ["openai:gpt", "handbook"]


def test_nothing_sends_words_to_another_company_unasked():
    assert not {"openai", "elevenlabs", "litellm"} & {
        name for line in LINE.values() for name in line
    }


def test_an_option_that_an_engine_does_not_have_is_named_with_those_it_has():
    settings = Settings().changed({"options": {"espeak": {"sped": 2}}})
    with pytest.raises(SettingsError, match=r"espeak has no option “sped”.*speed"):
        make("tts", "espeak", settings)


def test_an_engine_that_hears_thinks_and_speaks_is_given_each_stage_its_own_options():
    options = {"openai": {"base_url": "http://127.0.0.1:9/v1", "model_id": "tts-9"}}
    settings = Settings().changed({"options": options})
    assert make("tts", "openai:nova", settings).name.startswith("openai")
    assert make("stt", "openai:any", settings).name.startswith("openai")


def test_an_option_of_a_wrong_kind_is_named_and_no_traceback():
    settings = Settings().changed({"options": {"espeak": {"speed": "quick"}}})
    with pytest.raises(SettingsError, match=r"espeak cannot be made.*options\.espeak"):
        load_engines(settings.changed({"tts": "espeak"}))


def test_an_option_reaches_its_engine():
    usual = make("tts", "espeak", Settings())
    fast = make("tts", "espeak", Settings().changed({"options": {"espeak": {"speed": 2.0}}}))
    text = "This takes a while to say."
    seconds = [sum(part.audio.seconds for part in voice.speak(text)) for voice in (usual, fast)]
    assert seconds[1] < 0.75 * seconds[0]


def test_where_auto_was_mistaken_the_next_engine_is_taken(monkeypatch):
    whisper = engine_class("stt", "whisper")
    monkeypatch.setattr(whisper, "here", classmethod(lambda cls, **_: "/no/such/folder"))
    loaded = load_engines(Settings())
    assert loaded.stt.name.startswith("sphinx")
    chosen = next(choice for choice in loaded.choices if choice.stage == "stt")
    assert chosen.better


def test_what_was_asked_for_and_cannot_be_had_is_an_error_and_no_substitute():
    with pytest.raises(MissingEngineError):
        load_engines(Settings().changed({"stt": "whisper:/no/such/folder"}))


def test_every_stage_has_engines():
    assert all(len(names(stage)) >= (1 if stage == "judge" else 3) for stage in STAGES)
    assert set(engines.STAGES) == set(BUILT_IN) == set(LINE)
