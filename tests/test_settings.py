from pathlib import Path

import pytest

from voice_kit.errors import SettingsError
from voice_kit.settings import Settings, home, load_settings, names


def test_defaults_then_file_then_environment_then_flags(tmp_path, monkeypatch):
    file = tmp_path / "voice-kit.toml"
    file.write_text('stt = "sphinx"\nllm = "handbook"\ntts = "espeak"\n[hear]\nstop = 0.4\n')
    monkeypatch.setenv("VOICE_KIT_LLM", "ollama:gemma3")
    monkeypatch.setenv("VOICE_KIT_TTS", "kokoro")
    settings = load_settings({"tts": "piper"}, file)
    assert (settings.vad, settings.stt, settings.llm, settings.tts) == (
        "auto",
        "sphinx",
        "ollama:gemma3",
        "piper",
    )
    assert settings.hear.stop == 0.4
    assert settings.hear.eager == Settings().hear.eager


def test_the_file_of_the_working_folder_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voice-kit.toml").write_text('language = "fr"\n')
    assert load_settings().language == "fr"


def test_a_group_in_the_environment_is_written_with_two_underscores(monkeypatch):
    monkeypatch.setenv("VOICE_KIT_HEAR__STOP", "0.3")
    monkeypatch.setenv("VOICE_KIT_OPTIONS__OLLAMA__HOST", "http://other:1")
    settings = load_settings()
    assert settings.hear.stop == 0.3
    assert settings.options["ollama"]["host"] == "http://other:1"


def test_a_file_keeps_what_the_environment_does_not_change(tmp_path, monkeypatch):
    file = tmp_path / "mine.toml"
    file.write_text("[hear]\nstop = 0.4\neager = 0.1\n")
    monkeypatch.setenv("VOICE_KIT_HEAR__STOP", "0.3")
    settings = load_settings(file=file)
    assert (settings.hear.stop, settings.hear.eager) == (0.3, 0.1)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"hear.stp": 1}, ["hear.stp", "Did you mean “hear.stop”?", "hear.eager"]),
        ({"langauge": "fr"}, ["langauge", "Did you mean “language”?"]),
        ({"hear.stop": "soon"}, ["hear.stop", "'soon'", "number"]),
        ({"hear.stop": 99}, ["hear.stop", "99", "10"]),
        ({"interrupt.mode": "sometimes"}, ["interrupt.mode", "evidence", "any", "never"]),
        ({"language": "English"}, ["language", "English"]),
    ],
)
def test_a_wrong_flag_is_named_with_what_is_allowed(flags, words):
    with pytest.raises(SettingsError) as error:
        load_settings(flags)
    assert all(word in str(error.value) for word in words)


def test_a_wrong_key_in_the_file_is_named_with_the_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[hear]\nstp = 1\n")
    with pytest.raises(SettingsError, match=r"mine\.toml.*hear\.stp.*hear\.stop"):
        load_settings(file=file)


def test_a_wrong_name_in_the_environment_is_not_passed_over(monkeypatch):
    monkeypatch.setenv("VOICE_KIT_STTT", "sphinx")
    with pytest.raises(SettingsError, match=r"sttt.*Did you mean “stt”"):
        load_settings()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"[hear\n", b"stop = = 1"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"broken\.toml"):
        load_settings(file=file)


def test_a_file_that_was_asked_for_must_be_there(tmp_path):
    missing = r"nowhere\.toml cannot be read: No such file or directory\. Check the name"
    with pytest.raises(SettingsError, match=missing):
        load_settings(file=tmp_path / "nowhere.toml")


@pytest.mark.parametrize("eager", [float("inf"), 1e300])
def test_a_pause_that_never_comes_is_refused_before_anyone_listens(eager):
    with pytest.raises(SettingsError, match=r"hear\.eager.*less than or equal to 10"):
        Settings().changed({"hear.eager": eager})


def test_an_option_of_an_engine_is_set_only_in_a_table():
    with pytest.raises(
        SettingsError, match=r"options\.ollama\.host cannot .* make “ollama” a table"
    ):
        Settings().changed({"options.ollama": 5, "options.ollama.host": "x"})


def test_settings_never_change_but_give_changed_copies():
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.language = "fr"
    changed = settings.changed({"hear.stop": 0.3, "language": "fr"})
    assert (changed.hear.stop, changed.language) == (0.3, "fr")
    assert (settings.hear.stop, settings.language) == (0.5, "en")


def test_the_environment_does_not_leak_into_settings_made_in_code(monkeypatch):
    monkeypatch.setenv("VOICE_KIT_LANGUAGE", "de")
    assert Settings().language == "en"
    assert Settings().changed({"hear.stop": 0.3}).language == "en"


def test_every_setting_can_be_changed_by_its_name():
    assert "hear.stop" in names()
    assert len(names()) > 20
    tree = Settings().model_dump()
    for name in names():
        value = tree
        for part in name.split("."):
            value = value[part]
        assert Settings().changed({name: value}) == Settings()


def test_models_put_there_by_hand_lie_in_one_folder_of_the_home_or_where_one_says(monkeypatch):
    monkeypatch.delenv("VOICE_KIT_HOME", raising=False)
    assert home() == Path.home() / ".voice-kit"
    monkeypatch.setenv("VOICE_KIT_HOME", "")
    assert home() == Path.home() / ".voice-kit"
    monkeypatch.setenv("VOICE_KIT_HOME", "~/models of mine")
    assert home() == Path.home() / "models of mine"
