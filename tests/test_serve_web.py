"""The gateway among other pages and many requests: who may read its answers, and how many ask."""

import pytest

pytest.importorskip("fastapi", reason="no FastAPI: pip install 'voice-kit[serve]'")

import httpx
from helpers_serve import served
from websockets.sync.client import connect

from voice_kit.serve.jwts import LOCAL

FRIEND, STRANGER = "https://friend.example", "https://stranger.example"


def options(address, origin):
    wanted = {"Method": "POST", "Headers": "content-type"}
    asked = {f"Access-Control-Request-{name}": value for name, value in wanted.items()}
    return httpx.options(f"{address}/v1/turn", headers={"Origin": origin, **asked})


def test_a_page_that_is_named_may_read_the_answers_and_no_other():
    with served(origins=(FRIEND,)) as address:
        for origin, may in [(FRIEND, FRIEND), (STRANGER, None)]:
            assert options(address, origin).headers.get("access-control-allow-origin") == may
            headers = {**address.headers, "Origin": origin}
            answer = httpx.get(f"{address}/v1/conversations", headers=headers)
            assert answer.is_success is bool(may)
            assert answer.headers.get("access-control-allow-origin") == may
    with served() as address:
        assert "access-control-allow-origin" not in options(address, FRIEND).headers


def test_requests_that_compute_count_among_the_connections_of_an_address():
    body = {"model": "any", "messages": [{"role": "user", "content": "Hello."}]}
    with (
        served(per_address=1) as address,
        httpx.Client(base_url=address, headers=address.headers) as client,
    ):
        with connect(address.realtime) as socket:
            assert "session.created" in socket.recv()
            refused = client.post("/v1/chat/completions", json=body)
            assert client.get("/v1/conversations").is_success
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        while address.shared.limits.open:
            client.get("/health")
        assert client.post("/v1/chat/completions", json=body).is_success


def test_with_a_conversation_its_notes_and_timers_are_deleted():
    with served() as address, httpx.Client(base_url=address, headers=address.headers) as client:
        made = client.post("/v1/conversations", json={"title": "Mine"}).json()["id"]
        folder = address.shared.folder(LOCAL, made)
        folder.mkdir(parents=True)
        (folder / "notes.json").write_text("[]")
        assert client.delete(f"/v1/conversations/{made}").is_success
        assert not folder.exists()
