"""The wire by itself: what is understood, what is refused, and what is said."""

import ast
import base64
import json
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from voice_kit.errors import SettingsError
from voice_kit.serve import protocol
from voice_kit.serve.mouth import Mouth
from voice_kit.serve.protocol import (
    HEADER,
    KNOWN,
    BadMessageError,
    Control,
    Heard,
    ServerEvent,
    Silence,
    Sound,
    parse,
    parse_bytes,
    said,
)
from voice_kit.serve.turn_notes import in_header
from voice_kit.serve.wishes import Wishes, described, wished
from voice_kit.settings import Settings
from voice_kit.types import FRAME

SETTINGS = Settings()
MODULES = sorted(Path(protocol.__file__).parent.glob("*.py"))


def text(**message):
    return json.dumps(message)


def item(**changes):
    content = [{"type": "input_text", "text": "What time is it?"}]
    return {"type": "message", "role": "user", "content": content, **changes}


def refused(message):
    with pytest.raises(BadMessageError) as caught:
        parse_bytes(message) if isinstance(message, bytes) else parse(message)
    return caught.value


def test_frames_of_sound_are_read_with_their_number():
    frames = np.arange(2 * FRAME, dtype="<i2").reshape(2, FRAME)
    sound = parse_bytes(HEADER.pack(1, 0, 2, 7) + frames.tobytes())
    assert isinstance(sound, Sound)
    assert sound.number == 7
    assert np.array_equal(sound.frames, frames)


def test_silence_is_eight_bytes():
    assert parse_bytes(HEADER.pack(2, 0, 65_535, 4_294_967_295)) == Silence(4_294_967_295, 65_535)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01",
        HEADER.pack(1, 0, 1, 0),
        HEADER.pack(1, 0, 0, 0),
        HEADER.pack(2, 0, 0, 0),
        HEADER.pack(2, 0, 1, 0) + b"\0\0",
        HEADER.pack(1, 0, 2, 0) + bytes(2 * FRAME),
        HEADER.pack(1, 1, 1, 0) + bytes(2 * FRAME),
        HEADER.pack(3, 0, 1, 0) + bytes(2 * FRAME),
    ],
)
def test_bytes_that_are_no_frames_are_refused(data):
    assert refused(data).code == "bad_frame"


@pytest.mark.parametrize("message", ["", "{", "[]", "null", '"hello"', "NaN", "[" * 100_000])
def test_text_that_is_no_json_object_is_refused(message):
    assert refused(message).code == "invalid_json"


@pytest.mark.parametrize("kind", [None, 7, [], {}, "", "conversation.item.retrieve", "session"])
def test_an_unknown_event_is_refused_with_those_that_are_known(kind):
    error = refused(text(type=kind, event_id="mine"))
    assert error.code == "unknown_event"
    assert error.event_id == "mine"
    assert "input_audio_buffer.append" in str(error)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "session.update"}, "invalid_event"),
        ({"type": "session.update", "session": []}, "invalid_event"),
        ({"type": "session.authenticate", "token": 7}, "invalid_event"),
        ({"type": "input_audio_buffer.append", "audio": ""}, "invalid_event"),
        ({"type": "input_audio_buffer.append", "audio": "§"}, "invalid_base64"),
        ({"type": "input_audio_buffer.append", "audio": "AAAA"}, "invalid_audio"),
        ({"type": "conversation.item.create", "item": item(role="system")}, "unsupported_item"),
        ({"type": "conversation.item.create", "item": item(type="function_call")},
         "unsupported_item"),
        ({"type": "conversation.item.create", "item": item(content=[{"type": "input_audio"}])},
         "unsupported_item"),
        ({"type": "conversation.item.create", "item": item(content=7)}, "invalid_event"),
        ({"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": "x"},
         "invalid_event"),
        ({"type": "response.create", "response": 3}, "invalid_event"),
        ({"type": "voice_kit.heard", "heard": [{}]}, "invalid_event"),
        ({"type": "voice_kit.heard", "heard": [[]]}, "invalid_event"),
        ({"type": "voice_kit.heard",
          "heard": [{"id": 1, "samples": 1, "audible": 1e9, "final": False}]}, "invalid_event"),
    ],
)  # fmt: skip
def test_a_message_with_wrong_fields_is_refused(message, code):
    assert refused(text(**message)).code == code


def test_a_number_that_is_too_great_is_refused():
    message = '{"type":"conversation.item.truncate","item_id":"i","audio_end_ms":1e999}'
    assert refused(message).code == "invalid_event"


def test_what_no_other_side_could_encode_is_replaced():
    message = '{"type":"conversation.item.create","item":{"type":"message","role":"user",' \
        '"content":[{"type":"input_text","text":"a\\ud800b"}]}}'  # fmt: skip
    assert parse(message).text == "a?b"


def test_a_typed_line_is_cut_before_it_fills_a_prompt():
    long = item(content=[{"type": "input_text", "text": "x" * 9_000}])
    asked = parse(text(type="conversation.item.create", item=long))
    assert len(asked.text) == protocol.LONGEST


def test_a_report_of_what_was_heard_is_read():
    heard = [{"id": 3, "samples": 1200, "audible": 0.02, "final": False}]
    assert parse(text(type="voice_kit.heard", heard=heard)).heard == (Heard(3, 1200, 0.02, False),)


def test_sound_as_text_is_read():
    audio = base64.b64encode(b"\1\0\2\0").decode()
    assert parse(text(type="input_audio_buffer.append", audio=audio)).audio == b"\1\0\2\0"


def test_the_token_is_shown_by_nothing_that_prints_a_message():
    assert "s3cret" not in repr(parse(text(type="session.authenticate", token="s3cret")))


@given(st.binary(max_size=3 * FRAME))
def test_any_bytes_are_read_or_refused(data):
    try:
        assert isinstance(parse_bytes(data), Sound | Silence)
    except BadMessageError as error:
        assert error.code == "bad_frame"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda some: (
        st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "session",
        "audio",
        "item",
        "item_id",
        "token",
        "heard",
        "response",
        "audio_end_ms",
        "event_id",
    ]
)


@given(st.sampled_from(KNOWN), st.dictionaries(NAMES, JSON, max_size=4))
def test_any_fields_are_read_or_refused(kind, fields):
    try:
        assert parse(text(type=kind, **fields)).type == kind
    except BadMessageError as error:
        assert error.code


@given(JSON, JSON)
def test_any_wish_is_granted_or_refused(audio, ours):
    try:
        wished({"audio": audio, "voice_kit": ours}, Wishes(), SETTINGS)
    except (BadMessageError, SettingsError):
        return


def test_speech_has_a_header_and_its_samples():
    data = protocol.speech(5, np.array([1, -2, 3], np.int16))
    assert HEADER.unpack_from(data) == (3, 0, 3, 5)
    assert np.frombuffer(data, "<i2", offset=HEADER.size).tolist() == [1, -2, 3]


def test_what_is_said_are_events_of_openai():
    told = []
    mouth = Mouth(told.append)
    mouth.error("a_code", "A sentence.", "event_of_theirs")
    mouth.typed("item_1", "user", "hello")
    mouth.say("response.created", response=protocol.response("resp_1", "in_progress", []))
    session = described(Wishes(), SETTINGS, "sess_1", "conversation", "a voice")
    mouth.say("session.created", session=session)
    schema = TypeAdapter(RealtimeServerEvent)
    for message in told:
        assert schema.validate_json(message).type == json.loads(message)["type"]
    assert len(told) == 5


def said_in(*names):
    """The texts that stand first in calls of a function so named, in all of the gateway's modules;
    of a variable there, those that it was annotated with."""
    found = set()
    for path in MODULES:
        tree = ast.parse(path.read_text("utf-8"))
        called = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
        firsts = [each.args[0] for each in called if each.args and name_of(each.func) in names]
        variables = {each.id for each in firsts if isinstance(each, ast.Name)}
        for each in ast.walk(tree):
            if isinstance(each, ast.AnnAssign) and name_of(each.target) in variables:
                firsts.append(each.value)
        found |= {each.value for each in firsts if isinstance(each, ast.Constant)}
    return found


def name_of(node):
    return getattr(node, "attr", getattr(node, "id", ""))


def test_all_that_the_gateway_says_is_in_the_protocol_and_nothing_else_is():
    assert len(MODULES) > 50
    assert said_in("say", "_doubt", "said") == set(get_args(ServerEvent))
    assert said_in("_control") == set(get_args(Control))


def wish(**session):
    return wished(session, Wishes(), SETTINGS)


def test_a_client_sets_how_long_a_pause_ends_its_turn():
    detection = {"type": "server_vad", "threshold": 0.7, "silence_duration_ms": 800}
    _, settings = wish(audio={"input": {"turn_detection": detection}})
    assert settings.hear.start_above == 0.7
    assert settings.hear.stop == settings.hear.finished == settings.hear.unfinished == 0.8


def test_a_client_may_say_itself_when_it_has_finished():
    wishes, _ = wish(audio={"input": {"turn_detection": None}})
    assert wishes.manual
    told = described(wishes, SETTINGS, "sess_1", "c", "v")
    assert told["audio"]["input"]["turn_detection"] is None


def test_a_client_that_is_not_to_be_interrupted_is_not():
    detection = {"type": "server_vad", "interrupt_response": False}
    _, settings = wish(audio={"input": {"turn_detection": detection}})
    assert settings.interrupt.mode == "never"


def test_a_client_that_wants_turns_and_no_answers_is_told_that_there_is_another_way():
    detection = {"type": "server_vad", "create_response": False}
    with pytest.raises(BadMessageError, match="turn_detection null"):
        wish(audio={"input": {"turn_detection": detection}})
    _, settings = wish(audio={"input": {"turn_detection": {**detection, "create_response": True}}})
    assert settings == SETTINGS


def test_instructions_are_the_persona():
    assert wish(instructions="Speak like a pirate.")[1].persona == "Speak like a pirate."


def test_a_voice_of_openai_is_the_gateways_own():
    assert wish(audio={"output": {"voice": "marin"}})[0].voice == ""


@pytest.mark.parametrize("voice", ["../../etc/passwd", "a b", "", "x" * 65, {"id": "a/b"}])
def test_a_voice_is_no_path(voice):
    if voice == "":
        assert wish(audio={"output": {"voice": voice}})[0].voice == ""
        return
    with pytest.raises(BadMessageError):
        wish(audio={"output": {"voice": voice}})


def test_a_client_changes_nothing_that_costs_others():
    for name in ("tools.allow", "stt", "memory.store", "timeouts.llm", "options.ollama.host"):
        with pytest.raises(SettingsError):
            wish(voice_kit={"settings": {name: "x"}})
    _, settings = wish(voice_kit={"settings": {"hear.stop": 0.7}})
    assert settings.hear.stop == 0.7


def test_a_client_is_told_what_it_may_change_and_what_that_is():
    told = described(Wishes(), SETTINGS, "sess_1", "c", "v")["voice_kit"]["settings"]
    assert told["hear.stop"] == SETTINGS.hear.stop and told["persona"] == SETTINGS.persona
    assert not any(name.startswith(("tools", "memory", "options", "stt")) for name in told)
    same = wish(voice_kit={"settings": json.loads(json.dumps(told))})[1]
    assert same == SETTINGS, "what is told can be sent back as it is"
    changed = wish(voice_kit={"settings": {"hear.stop": 0.7, "interrupt.mode": "any"}})[1]
    told = described(Wishes(), changed, "sess_1", "c", "v")["voice_kit"]["settings"]
    assert (told["hear.stop"], told["interrupt.mode"]) == (0.7, "any")


def test_views_that_there_are_none_of_are_left_out():
    assert wish(voice_kit={"views": ["orb", "nothing"], "binary": True})[0] == Wishes(
        binary=True, views=("orb",)
    )


def test_half_a_pair_of_surrogates_keeps_no_message_from_being_sent():
    told = said("response.output_audio_transcript.delta", "event_1", delta="Hel\ud83dlo ö")
    assert json.loads(told.encode())["delta"] == "Hel?lo ö"
    assert unquote(in_header("Hel\ud83dlo")) == "Hel?lo"
