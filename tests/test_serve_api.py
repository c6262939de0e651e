"""Everything that the description of the HTTP API allows, and much that it does not."""

import io
import os

import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")
schemathesis = pytest.importorskip("schemathesis", reason="no schemathesis: run make test")

import av  # noqa: E402
import numpy as np  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402
from helpers_http import TOKEN, quick, shared_with  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

from voice_kit.serve.app import create_app  # noqa: E402
from voice_kit.types import RATE, Transcript  # noqa: E402
from voice_kit.workshop.fakes import Script  # noqa: E402

SOAK = os.environ.get("SOAK") == "whole"
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}
OPEN = {"GET /health", "GET /ready"}
"""Routes for whoever keeps the gateway running, which tell nothing of anybody."""


class Something:
    """Hears something in every sound."""

    name, stops = "something", "async"

    async def transcribe(self, audio):
        assert np.isfinite(audio.samples).all()
        return Transcript("Something.")


def rules(short, whole):
    return settings(
        max_examples=whole if SOAK else short,
        deadline=None,
        derandomize=not SOAK,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    engines = quick(Script(), stt=Something())
    return create_app(shared_with(engines, folder=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def operations(app):
    api = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = [each.ok() for each in api.get_all_operations()]
    assert {"POST /v1/turn", "POST /v1/chat/completions"} <= {each.label for each in found}
    assert len(found) >= 8
    return found


def recording(form):
    """A second of sound in a file of this form."""
    file = io.BytesIO()
    codec = {"wav": "pcm_s16le", "flac": "flac", "ogg": "libopus", "mp3": "libmp3lame"}[form]
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        hum = np.full((1, RATE), 256, np.int16)
        frame = av.AudioFrame.from_ndarray(hum, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


RECORDINGS = {form: recording(form) for form in ("wav", "flac", "ogg", "mp3")}
EDITS = st.tuples(
    st.sampled_from(["change", "lose", "double", "cut"]),
    st.one_of(st.integers(0, 100), st.integers(0, 32_000)),
    st.integers(1, 2_000),
    st.binary(min_size=4, max_size=4),
)


def damaged(form, edits):
    """A sound file in which some bytes were changed, lost or doubled."""
    data = bytearray(RECORDINGS[form])
    for what, place, count, other in edits:
        at = place % (len(data) + 1)
        match what:
            case "change":
                data[at : at + 4] = other
            case "lose":
                del data[at : at + count % 64]
            case "double":
                data[at:at] = data[at : at + count]
            case "cut":
                del data[at + 1 :]
    return bytes(data)


@pytest.mark.soak
def test_no_request_breaks_the_gateway_and_every_answer_is_as_described(operations):
    broken = {}
    for operation in operations:

        @rules(10, 300)
        @given(case=operation.as_strategy())
        def ask(case):
            # Bytes that are no sound, or a tool's message without its call, have the right form.
            unasked = [positive_data_acceptance]
            case.call_and_validate(headers=SIGNED_IN, excluded_checks=unasked)

        try:
            ask()
        except (AssertionError, BaseExceptionGroup) as error:
            broken[operation.label] = str(error)
    assert not broken, "\n\n".join(f"{name}: {why}" for name, why in broken.items())


def test_no_route_answers_who_has_no_token(operations, app):
    with TestClient(app) as client:
        for operation in operations:
            method, path = operation.label.split(" ")
            answer = client.request(method, path.replace("{", "").replace("}", ""), json={})
            if operation.label in OPEN:
                assert answer.status_code == 200
            else:
                assert answer.status_code in (401, 403), operation.label
                assert answer.json()["error"]["code"]


@pytest.mark.soak
def test_no_damaged_recording_breaks_the_gateway(app):
    with TestClient(app) as client:

        @rules(40, 5_000)
        @given(form=st.sampled_from(sorted(RECORDINGS)), edits=st.lists(EDITS, max_size=8))
        def hear(form, edits):
            data = damaged(form, edits)
            for answer in (
                client.post(
                    "/v1/turn", content=data, headers={**SIGNED_IN, "content-type": "audio/wav"}
                ),
                client.post(
                    "/v1/audio/transcriptions", files={"file": ("a", data)}, headers=SIGNED_IN
                ),
            ):
                assert answer.status_code in (200, 400, 413), answer.text
                if answer.status_code != 200:
                    assert answer.json()["error"]["message"].endswith(".")

        hear()


def test_the_api_describes_itself(app):
    with TestClient(app) as client:
        described = client.get("/openapi.json").json()
        assert client.get("/docs").status_code == 200
    turn = described["paths"]["/v1/turn"]["post"]
    assert "audio/wav" in turn["responses"]["200"]["content"]
    assert "audio/wav" in turn["requestBody"]["content"]
    assert "curl" in turn["description"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing"
