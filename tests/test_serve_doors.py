# ruff: noqa: E402
"""Who may come in to the gateway, and what everybody else is told."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
jwt = pytest.importorskip("jwt", reason="the serve extra is not installed")

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from voice_kit.errors import VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.doors import Doors, Guest, guest, is_loopback
from voice_kit.serve.headers import SafeHeaders, behind
from voice_kit.serve.jwts import NEW_SECRET, issue
from voice_kit.serve.refused import OverLimit, Refused, tell_refusals

SECRET = "a secret of thirty-two bytes, or more"
NOT_OURS = "another secret that is long enough, too"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    if hasattr(key, "private_bytes"):
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


PUBLIC = pem(RSA.public_key())


def doors(**given):
    return Doors(Serve(**given))


def signed(key=SECRET, algorithm="HS256", headers=None, **claims):
    """A token that is good but for these claims; None leaves one out."""
    full = {"sub": "alice", "aud": "voice-kit", "exp": time.time() + 600} | claims
    full = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(full, key, algorithm=algorithm, headers=headers)


def by_hand(header, claims, sign):
    parts = [
        base64.urlsafe_b64encode(each if isinstance(each, bytes) else json.dumps(each).encode())
        for each in (header, claims)
    ]
    body = b".".join(part.rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(sign(body)).rstrip(b"=")
    return (body + b"." + signature).decode()


def hs256(key):
    return lambda body: hmac.new(key.encode(), body, hashlib.sha256).digest()


def good_claims():
    return {"sub": "alice", "aud": "voice-kit", "exp": int(time.time()) + 600}


def refusal(at, credential):
    with pytest.raises(Refused) as caught:
        at.admit(credential)
    assert credential == "" or credential not in str(caught.value)
    assert caught.value.status == 401 and caught.value.close == 4401
    return caught.value


# The local token


def test_on_this_machine_a_random_token_opens():
    one, other = doors(), doors()
    assert len(one.token) >= 40 and one.token != other.token
    assert one.admit(one.token) == Guest("local", None)
    assert not one.jwts


def test_another_token_a_part_of_it_or_none_does_not_open():
    at = doors()
    for wrong in ("x", at.token[:-1], at.token + "x", at.token.swapcase(), "ü", "\ud800", "\0"):
        assert refusal(at, wrong).code == "invalid_api_key"
    assert refusal(at, "").code == "missing_api_key"


def test_a_token_of_ones_own_stays_the_same():
    assert doors(token="mine").admit("mine").subject == "local"


def test_an_endless_credential_is_not_even_looked_at():
    assert "too long" in str(refusal(doors(), "x" * 10_000))
    assert "too long" in str(refusal(doors(secret=SECRET), signed(sub="x" * 20_000)))


# Public addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.20", "8.8.8.8", "example.org", ""])
def test_an_address_that_others_reach_is_refused_without_a_sign_in_and_says_what_helps(host):
    with pytest.raises(VoiceKitError) as caught:
        doors(host=host)
    assert "--host 127.0.0.1" in str(caught.value)
    assert NEW_SECRET in str(caught.value)


def test_the_command_it_names_makes_a_secret_that_is_good_enough():
    made = re.search(r'"\$\((.*)\)"', NEW_SECRET)[1].replace("python3", sys.executable)
    secret = subprocess.run(made, shell=True, capture_output=True, text=True, check=True).stdout
    assert doors(host="0.0.0.0", secret=secret.strip()).jwts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"])
def test_this_machine_alone_needs_no_sign_in(host):
    assert is_loopback(host)
    assert doors(host=host).token


def test_a_name_that_begins_like_this_machines_is_not_this_machine():
    assert not is_loopback("127.0.0.1.example.org")
    assert not is_loopback("localhost.example.org")


def test_phones_of_the_local_network_come_in_by_the_token():
    assert doors(host="192.168.1.20", lan=True).token
    assert doors(host="0.0.0.0", lan=True).token


def test_a_local_network_is_not_the_internet_and_its_token_cannot_be_guessed():
    with pytest.raises(VoiceKitError, match="no address of a local network"):
        doors(host="8.8.8.8", lan=True)
    with pytest.raises(VoiceKitError, match="can be guessed") as caught:
        doors(host="192.168.1.20", lan=True, token="sesame")
    assert "sesame" not in str(caught.value)


def test_asking_for_jwts_without_a_key_says_how_to_make_one():
    with pytest.raises(VoiceKitError, match="token_urlsafe"):
        doors(sign_in="jwt")


def test_a_short_secret_is_refused_and_not_shown():
    with pytest.raises(VoiceKitError, match="token_urlsafe") as caught:
        doors(secret="hunter2")
    assert "hunter2" not in str(caught.value)
    assert doors(secret="x" * 32).jwts
    with pytest.raises(VoiceKitError):
        doors(secret="x" * 31)


def test_a_key_file_is_no_secret():
    with pytest.raises(VoiceKitError, match="PUBLIC_KEY"):
        doors(secret=PUBLIC)


# JWTs


def test_a_good_token_says_who_it_is_and_until_when():
    expires = int(time.time()) + 600
    at = doors(secret=SECRET)
    assert at.token == ""
    assert at.admit(signed(exp=expires, name="Alice")) == Guest("alice", expires, "Alice")


def test_the_local_token_opens_no_door_that_asks_for_jwts():
    at = doors(secret=SECRET, token="mine")
    refusal(at, "mine")
    refusal(at, "")


@pytest.mark.parametrize(
    "key",
    [PUBLIC, PUBLIC.replace("\n", "\\n")],
    ids=["with lines", "as in a .env file"],
)
def test_a_token_signed_with_the_private_key_opens(key):
    at = doors(public_key=key)
    assert at.admit(signed(RSA, "RS256")).subject == "alice"


def test_the_public_key_may_be_a_file(tmp_path):
    file = tmp_path / "public.pem"
    file.write_text(PUBLIC)
    assert doors(public_key=str(file)).admit(signed(RSA, "RS256")).subject == "alice"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_that_says_it_needs_no_signature_is_refused(algorithm):
    for sign in (lambda body: b"", hs256(SECRET), hs256("")):
        token = by_hand({"alg": algorithm, "typ": "JWT"}, good_claims(), sign)
        refusal(doors(secret=SECRET), token)
        refusal(doors(public_key=PUBLIC), token)
    assert by_hand({"alg": "HS256"}, good_claims(), hs256(SECRET))  # and only for that:
    doors(secret=SECRET).admit(by_hand({"alg": "HS256"}, good_claims(), hs256(SECRET)))


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused():
    for text in (PUBLIC, PUBLIC.strip(), PUBLIC.replace("\n", "\\n")):
        token = by_hand({"alg": "HS256", "typ": "JWT"}, good_claims(), hs256(text))
        refusal(doors(public_key=PUBLIC), token)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "RS256"])
def test_a_token_does_not_choose_how_it_is_checked(algorithm):
    key = RSA if algorithm == "RS256" else SECRET
    refusal(doors(secret=SECRET), signed(key, algorithm))


def test_a_token_does_not_bring_its_own_key():
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key()))
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key()))
    for headers in ({"jwk": own}, {"jku": "https://example.org/keys"}, {"kid": "../../dev/null"}):
        refusal(doors(public_key=PUBLIC), signed(other, "RS256", headers))
    assert public != own


def test_a_token_with_a_condition_that_we_do_not_know_is_refused():
    refusal(doors(secret=SECRET), signed(headers={"crit": ["only-on-mondays"]}))


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"exp": time.time() - 60}, "has expired"),
        ({"exp": None}, "says no “exp”"),
        ({"exp": "tomorrow"}, "not one of ours"),
        ({"exp": float("inf")}, "not one of ours"),
        ({"exp": 10**400}, "not one of ours"),
        ({"exp": True}, "has expired"),
        ({"aud": "another-service"}, "for another service"),
        ({"aud": ["another", "third"]}, "for another service"),
        ({"aud": {"voice-kit": 1}}, "for another service"),
        ({"aud": None}, "says no “aud”"),
        ({"nbf": time.time() + 1e6}, "not valid yet"),
        ({"iat": time.time() + 1e6}, "not valid yet"),
        ({"sub": None}, "says no “sub”"),
        ({"sub": ""}, "is empty"),
        ({"sub": " .. "}, "is empty"),
        ({"sub": "local"}, "is “local”"),
        ({"sub": "x" * 201}, "is longer than"),
        ({"sub": "a\nb"}, "cannot be printed"),
        ({"sub": "\ud800"}, "cannot be printed"),
    ],
)
def test_a_token_is_refused_that(claims, says):
    assert says in str(refusal(doors(secret=SECRET), signed(**claims)))


@pytest.mark.parametrize("subject", [7, ["alice"], {"name": "alice"}, True])
def test_a_subject_that_is_no_text_is_refused(subject):
    claims = good_claims() | {"sub": subject}
    refusal(doors(secret=SECRET), by_hand({"alg": "HS256"}, claims, hs256(SECRET)))


def test_two_clocks_may_differ_by_some_seconds_and_not_by_a_minute():
    at = doors(secret=SECRET)
    assert at.admit(signed(exp=time.time() - 3)).subject == "alice"
    assert at.admit(signed(nbf=time.time() + 5)).subject == "alice"
    refusal(at, signed(exp=time.time() - 30))


def test_a_token_for_several_services_opens_ours():
    assert doors(secret=SECRET).admit(signed(aud=["x", "voice-kit"])).subject == "alice"
    assert doors(secret=SECRET, audience="x").admit(signed(aud="x")).subject == "alice"


def test_a_token_of_another_secret_or_changed_by_one_letter_is_refused():
    at, token = doors(secret=SECRET), signed()
    refusal(at, signed(NOT_OURS))
    assert at.admit(token)
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        if place == len(token) - 1:
            continue  # its last letter has bits that mean nothing
        refusal(at, token[:place] + other + token[place + 1 :])


def test_deeply_nested_headers_are_refused_as_any_other():
    deep = b'{"alg":"HS256","x":' + b"[" * 5000
    refusal(doors(secret=SECRET), by_hand(deep[:5000], good_claims(), hs256(SECRET)))
    refusal(doors(secret=SECRET), by_hand({"alg": "HS256"}, b"[" * 5000, hs256(SECRET)))


@given(st.text() | st.from_regex(r"[\w-]{0,9}\.[\w-]{0,9}\.[\w-]{0,9}") | st.binary().map(repr))
@settings(max_examples=100, deadline=None)
def test_whatever_is_shown_is_admitted_or_refused(credential):
    for at in (LOCAL_DOORS, JWT_DOORS, RSA_DOORS):
        with pytest.raises(Refused):
            at.admit(credential)


LOCAL_DOORS, JWT_DOORS, RSA_DOORS = doors(), doors(secret=SECRET), doors(public_key=PUBLIC)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
@settings(max_examples=50, deadline=None)
def test_whatever_a_signed_token_claims_is_admitted_or_refused(value):
    for name in ("sub", "aud", "exp", "nbf", "iat", "iss", "jti", "name"):
        token = by_hand({"alg": "HS256"}, good_claims() | {name: value}, hs256(SECRET))
        try:
            found = JWT_DOORS.admit(token)
        except Refused:
            continue
        assert found.subject and isinstance(found.name, str)


def test_no_two_subjects_become_one_and_none_reaches_into_another():
    at = doors(secret=SECRET)
    subjects = ["a", "a/b", "a%2Fb", "A", "a b", "a+b", "{a}", "auth0|7", "jürgen@example.org", "*"]
    keys = [at.admit(signed(sub=subject)).subject for subject in subjects]
    assert len(set(keys)) == len(subjects)
    assert keys[0] == "a" and keys[7] == "auth0|7"
    assert not [key for key in keys if set(key) & set("/{}*? \n")]


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (pem(RSA), "private key"),
        ("no-such-file.pem", "no file"),
        ("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----", "cannot be read"),
        (pem(rsa.generate_private_key(65537, 1024).public_key()), "2048 bits"),
        (pem(ec.generate_private_key(ec.SECP256R1()).public_key()), "RSA"),
    ],
)
def test_a_key_that_protects_nothing_is_refused(key, says):
    with pytest.raises(VoiceKitError, match=says):
        doors(public_key=key)


def test_one_gateway_checks_by_one_algorithm():
    with pytest.raises(VoiceKitError, match="not both"):
        doors(public_key=PUBLIC, secret=SECRET)


# Making tokens


def token_command(*words, **environment):
    import os

    given = {f"VOICE_KIT_SERVE_{name.upper()}": value for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, "-m", "voice_kit.cli", "token", *words],
        capture_output=True,
        text=True,
        env=os.environ | given,
        check=False,
    )


def test_the_command_makes_a_token_that_opens_and_nothing_else_on_its_output():
    done = token_command("--subject", "alice", "--hours", "2", "--name", "Al", secret=SECRET)
    assert done.returncode == 0, done.stderr
    found = doors(secret=SECRET).admit(done.stdout.strip())
    assert (found.subject, found.name) == ("alice", "Al")
    assert abs(found.expires - time.time() - 7200) < 60
    assert "alice" in done.stderr and done.stdout.strip() not in done.stderr


def test_the_command_for_programs_says_it_all_in_one_line():
    done = token_command("--subject", "alice", "--json", secret=SECRET)
    told = json.loads(done.stdout)
    assert doors(secret=SECRET).admit(told["token"]).subject == told["subject"] == "alice"
    assert done.stderr == ""


def test_the_command_refuses_a_short_secret_with_the_one_that_makes_a_good_one():
    done = token_command("--subject", "alice", secret="hunter2")
    assert done.returncode == 1 and NEW_SECRET in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "subject", "hours", "says"),
    [
        ({}, "alice", 8, "no secret"),
        ({"public_key": PUBLIC}, "alice", 8, "private key"),
        ({"secret": SECRET}, "local", 8, "without signing in"),
        ({"secret": SECRET}, "", 8, "empty"),
        ({"secret": SECRET}, "alice", 0, "--hours 8"),
        ({"secret": SECRET}, "alice", float("nan"), "--hours 8"),
        ({"secret": SECRET}, "alice", 1e9, "--hours 8"),
    ],
)
def test_no_token_is_made_that_would_not_open(given, subject, hours, says):
    with pytest.raises(VoiceKitError, match=says):
        issue(Serve(**given), subject, hours)


# Origins


@pytest.mark.parametrize(
    ("origin", "host", "may"),
    [
        (None, "127.0.0.1:8765", True),
        ("http://127.0.0.1:8765", "127.0.0.1:8765", True),
        ("http://127.0.0.1:8766", "127.0.0.1:8765", False),
        ("http://localhost:8765", "127.0.0.1:8765", False),
        ("https://talk.example.org", "talk.example.org", True),
        ("https://TALK.example.org:443", "talk.example.org", True),
        ("https://talk.example.org", "talk.example.org:443", True),
        ("https://talk.example.org.evil.example", "talk.example.org", False),
        ("https://talk.example.org@evil.example", "talk.example.org", False),
        ("https://evil.example", "talk.example.org", False),
        ("https://friend.example", "talk.example.org", True),
        ("http://friend.example", "talk.example.org", False),
        ("http://[::1]:8765", "[::1]:8765", True),
        ("null", "talk.example.org", False),
        ("", "talk.example.org", False),
        ("http://", "", False),
        ("https://talk.example.org:bad", "talk.example.org:bad", False),
        ("file://", "talk.example.org", False),
        ("chrome-extension://abc", "abc", False),
    ],
)
def test_a_page_may_speak_to_its_own_host_and_to_one_that_names_it(origin, host, may):
    at = doors(secret=SECRET, origins=("https://friend.example",))
    assert at.same_origin(origin, host) is may


# In an app


def app_at(at, **given):
    app = FastAPI()
    app.state.shared = SimpleNamespace(doors=at)
    tell_refusals(app)

    @app.get("/")
    async def page(request: Request):
        return at.enter(request) or {"page": "is here"}

    @app.get("/who")
    @app.post("/who")
    async def who(found: Guest = Depends(guest)):  # noqa: B008
        return {"subject": found.subject}

    @app.get("/full")
    async def full():
        raise OverLimit("too_much_sound", "Enough.", 1.2)

    @app.websocket("/socket")
    async def socket(it: WebSocket):
        try:
            found = at.guest(it)
        except Refused as error:
            await it.close(error.close)
            return
        await it.accept()
        await it.send_json({"subject": found.subject})
        await it.close()

    return SafeHeaders(behind(app, given.get("proxies", ())))


def client(at, base="http://127.0.0.1:8765", **given):
    return TestClient(app_at(at, **given), base_url=base, follow_redirects=False)


def test_a_request_without_a_token_gets_401_in_openais_shape():
    answer = client(doors()).get("/who")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert error["code"] == "missing_api_key" and error["type"] == "invalid_request_error"
    assert error["message"].endswith(".") and set(error) == {"message", "type", "param", "code"}


def test_header_address_and_cookie_all_open_and_the_header_counts_first():
    at = doors()
    web = client(at)
    assert web.get("/who", headers={"Authorization": f"Bearer {at.token}"}).is_success
    assert web.get("/who", headers={"Authorization": f"bearer  {at.token}"}).is_success
    assert web.get("/who", params={"token": at.token}).is_success
    assert web.get("/who", headers={"Cookie": f"voice-kit-8765={at.token}"}).is_success
    wrong = {"Authorization": "Bearer no", "Cookie": f"voice-kit-8765={at.token}"}
    assert web.get("/who", params={"token": at.token}, headers=wrong).status_code == 401


def test_a_cookie_for_another_port_of_this_machine_does_not_open():
    at = doors()
    assert client(at).get("/who", headers={"Cookie": f"voice-kit-8766={at.token}"}).is_error


def test_the_page_opened_with_a_token_keeps_a_cookie_and_loses_the_token():
    at = doors()
    web = client(at)
    answer = web.get("/", params={"token": at.token, "conversation": "a b&c"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?conversation=a+b%26c"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and "Path=/" in cookie
    assert "Secure" not in cookie and "Max-Age" not in cookie
    assert "no-store" in answer.headers["cache-control"]
    assert web.get("/").json() == {"page": "is here"}
    assert web.get("/who").json() == {"subject": "local"}


def test_over_tls_the_cookie_never_goes_without_and_for_a_jwt_it_ends_with_it():
    web = client(doors(secret=SECRET), "https://talk.example.org")
    cookie = web.get("/", params={"token": signed()}).headers["set-cookie"]
    assert cookie.startswith("__Host-voice-kit-8765=") and "Secure" in cookie
    assert 500 < int(re.search(r"Max-Age=(\d+)", cookie)[1]) <= 600


def test_a_wrong_token_on_the_page_sets_no_cookie():
    answer = client(doors()).get("/", params={"token": "wrong"})
    assert answer.status_code == 401 and "set-cookie" not in answer.headers


def test_the_way_back_from_the_page_never_leads_to_another_host():
    at = doors()
    answer = client(at).get("/", params={"token": at.token, "next": "//evil.example"})
    assert answer.headers["location"].startswith("/?next=%2F%2Fevil")
    query = f"token={at.token}".encode()
    scope = {"type": "http", "path": "//evil.example", "query_string": query, "headers": []}
    there = at.enter(Request(scope | {"server": ("127.0.0.1", 8765), "scheme": "http"}))
    assert there.headers["location"] == "/evil.example"


def test_a_browser_without_a_token_sees_a_form_and_a_program_sees_json():
    web = client(doors())
    answer = web.get("/", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 401 and "<form" in answer.text and 'for="token"' in answer.text
    assert "script" not in answer.text
    assert web.get("/").json()["error"]["code"] == "missing_api_key"


def test_a_foreign_page_cannot_act_with_the_browsers_cookie():
    at = doors()
    web = client(at)
    cookie = {"Cookie": f"voice-kit-8765={at.token}"}
    ours = {"Origin": "http://127.0.0.1:8765"}
    theirs = {"Origin": "https://evil.example"}
    assert web.post("/who", headers=cookie | ours).is_success
    answer = web.post("/who", headers=cookie | theirs)
    assert answer.status_code == 403 and answer.json()["error"]["code"] == "origin_not_allowed"
    assert web.post("/who", headers=cookie).status_code == 403
    assert web.get("/who", headers=cookie | theirs).status_code == 403
    assert web.post("/who", headers={"Authorization": f"Bearer {at.token}"}).is_success


def test_a_socket_opens_by_header_or_cookie_and_to_no_foreign_page():
    from starlette.websockets import WebSocketDisconnect

    at = doors()
    web = client(at)
    bearer = {"Authorization": f"Bearer {at.token}"}
    ours = {"Origin": "http://127.0.0.1:8765", "Cookie": f"voice-kit-8765={at.token}"}
    for headers in (bearer, ours):
        with web.websocket_connect("ws://127.0.0.1:8765/socket", headers=headers) as it:
            assert it.receive_json() == {"subject": "local"}
    for headers, code in [
        (ours | {"Origin": "https://evil.example"}, 4403),
        ({"Authorization": "Bearer no"}, 4401),
        ({}, 4401),
    ]:
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            web.websocket_connect("ws://127.0.0.1:8765/socket", headers=headers),
        ):
            pass
        assert closed.value.code == code


def test_an_old_cookie_is_as_none_at_all_so_that_another_way_may_be_tried():
    at = doors()

    asked = SimpleNamespace(
        scope={"type": "websocket"},
        headers={},
        query_params={},
        cookies={"voice-kit-8765": "of last week"},
        client=None,
    )
    with pytest.raises(Refused) as caught:
        at.guest(asked)
    assert caught.value.code == "missing_api_key"


def test_over_a_limit_http_says_when_to_come_back():
    answer = client(doors()).get("/full")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "2"
    error = answer.json()["error"]
    assert error["code"] == "rate_limit_exceeded" and error["param"] == "too_much_sound"


def test_who_tries_wrong_tokens_is_in_the_log_and_a_flood_of_them_is_not(caplog):
    web = client(doors())
    for _ in range(50):
        web.get("/who", params={"token": "wrong"})
    web.get("/who")  # nobody's mistake
    lines = [each.voice_kit for each in caplog.records if hasattr(each, "voice_kit")]
    assert lines == 5 * [{"event": "refused", "code": "invalid_api_key", "address": "testclient"}]


# Headers


def test_every_answer_keeps_strangers_out_of_the_page():
    web = client(doors())
    for path in ("/", "/nothing", "/full"):
        headers = web.get(path).headers
        policy = headers["content-security-policy"]
        for part in ("default-src 'self'", "script-src 'self' blob:", "frame-ancestors 'none'"):
            assert part in policy.split("; ")
        assert "unsafe-inline" not in re.search(r"script-src[^;]*", policy)[0]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "microphone=(self)" in headers["permissions-policy"]
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers


def test_https_is_kept_to_by_name_only():
    assert "strict-transport-security" in client(doors(), "https://a.example").get("/").headers
    for base in ("http://a.example", "https://192.168.1.20:8765", "https://localhost:8765"):
        assert "strict-transport-security" not in client(doors(), base).get("/").headers


def test_a_proxy_is_believed_only_where_it_is_named():
    at = doors(secret=SECRET)
    told = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    plain = TestClient(app_at(at), "http://a.example", client=("10.0.0.7", 1))
    assert "Strict-Transport-Security" not in plain.get("/", headers=told).headers
    for proxies, secure in [((), False), (("10.0.0.0/8",), True), (("10.9.9.9",), False)]:
        web = TestClient(
            app_at(at, proxies=proxies),
            "http://a.example",
            client=("10.0.0.7", 1),
            follow_redirects=False,
        )
        cookie = web.get("/", params={"token": signed()}, headers=told).headers["set-cookie"]
        assert ("Secure" in cookie) is secure


# The whole gateway

OPEN = {"/", "/health", "/ready", "/metrics", "/docs", "/docs/oauth2-redirect", "/redoc"} | {
    "/openapi.json"
}
"""What shows nothing of anybody. /metrics is open to this machine only, see its own tests."""


@pytest.fixture(scope="module")
def gateway():
    from helpers_serve import served

    with served() as address:
        yield address


def routes_of(address):
    """Every method and path that the gateway answers, as its own description names them."""
    import httpx

    described = httpx.get(f"{address}/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, ways in described.items() for method in ways]


def test_no_route_answers_a_stranger(gateway):
    import httpx

    routes = [each for each in routes_of(gateway) if each[1] not in OPEN]
    assert len(routes) >= 8
    for method, path in routes:
        url = str(gateway) + re.sub(r"\{\w+\}", "x", path)
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "voice-kit-0=wrong"}):
            answer = httpx.request(method, url, headers=headers)
            assert answer.status_code == 401, f"{method} {path}"
            assert answer.json()["error"]["message"], f"{method} {path}"


def test_no_route_does_what_a_foreign_page_asks_with_the_guests_cookie(gateway):
    import httpx

    cookie = f"{gateway.shared.doors.cookie(SimpleNamespace(scope={}))}={gateway.token}"
    routes = [each for each in routes_of(gateway) if each[1] not in OPEN]
    for method, path in routes:
        url = str(gateway) + re.sub(r"\{\w+\}", "x", path)
        headers = {"Cookie": cookie, "Origin": "https://evil.example"}
        answer = httpx.request(method, url, headers=headers)
        assert answer.status_code == 403, f"{method} {path}"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_everything_in_the_app_is_described_or_known_to_be_open(gateway):
    described = {path for _, path in routes_of(gateway)}
    paths = {getattr(each, "path", "") for each in gateway.app.routes}
    assert paths - described - OPEN <= {"/static", "/static/show", "/v1/realtime", ""}


def test_a_socket_of_the_gateway_opens_to_no_stranger_and_to_no_foreign_page(gateway):
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    bare = gateway.realtime.partition("?")[0]
    for url, origin, message, code in [
        (bare + "?token=wrong", None, None, 4401),
        (bare, None, {"type": "session.authenticate", "token": "wrong"}, 4401),
        (bare, None, {"type": "session.update", "session": {}}, 4401),
        (gateway.realtime, "https://evil.example", None, 4403),
    ]:
        with connect(url, origin=origin) as it, pytest.raises(ConnectionClosed) as closed:
            if message:
                it.send(json.dumps(message))
            while True:
                told = json.loads(it.recv(timeout=20))
                assert told["type"] == "error", told
        assert closed.value.rcvd.code == code


def test_a_socket_of_the_gateway_opens_by_its_first_message(gateway):
    from websockets.sync.client import connect

    with connect(gateway.realtime.partition("?")[0]) as it:
        it.send(json.dumps({"type": "session.authenticate", "token": gateway.token}))
        assert json.loads(it.recv(timeout=20))["type"] == "session.created"
