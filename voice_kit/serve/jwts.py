"""Signed tokens that say who somebody is, until when, and for whom: JWT by HS256 or RS256."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from voice_kit.errors import VoiceKitError
from voice_kit.serve.config import Serve
from voice_kit.serve.refused import Refused

LOCAL = "local"
"""Who uses the local token. No JWT is for them: whoever has this machine has their memory."""
LEEWAY = 10.0
"""Seconds by which two machines' clocks may differ."""
SHORTEST = 32
"""Bytes in a secret: as many as HS256's own result."""
LONGEST = 200
"""Characters in a subject."""
NEW_SECRET = (
    'export VOICE_KIT_SERVE_SECRET="$(python3 -c '
    "'import secrets; print(secrets.token_urlsafe(48))')\""
)
"""The command that makes a good secret."""
AGAIN = "Ask whoever runs this gateway for a new one (voice-kit token)."


@dataclass(frozen=True)
class Key:
    """What checks tokens, by one algorithm alone, whatever a token says of itself."""

    algorithm: Literal["HS256", "RS256"]
    key: str | RSAPublicKey = field(repr=False)
    audience: str

    def read(self, token: str) -> tuple[str, float, str]:
        """A token's subject, when it expires, and the name in it. Raises `Refused`."""
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=[self.algorithm],
                audience=self.audience,
                leeway=LEEWAY,
                options={"require": ["exp", "aud", "sub"]},
            )
            expires = float(claims["exp"])
        except jwt.ExpiredSignatureError:
            raise Refused(f"This token has expired. {AGAIN}", code="token_expired") from None
        except jwt.ImmatureSignatureError:
            raise Refused("This token is not valid yet. Check both machines' clocks.") from None
        except jwt.InvalidAudienceError:
            raise Refused(f"This token is for another service. {AGAIN}") from None
        except jwt.MissingRequiredClaimError as error:
            raise Refused(f"This token says no “{error.claim}”. {AGAIN}") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise Refused(f"This token is not one of ours. {AGAIN}") from None
        subject, name = claims["sub"], claims.get("name")
        if problem := wrong_subject(subject):
            raise Refused(f"This token's subject {problem}. {AGAIN}")
        return subject, expires, name if isinstance(name, str) and len(name) <= LONGEST else ""


def wrong_subject(subject: str) -> str:
    """What is wrong with a subject, or ""."""
    if subject == LOCAL:
        return f"is “{LOCAL}”, which is whoever uses the gateway without signing in"
    if not subject.strip(" ."):
        return "is empty"
    if len(subject) > LONGEST or not subject.isprintable():
        return f"is longer than {LONGEST} characters, or has some that cannot be printed"
    return ""


def key_of(serve: Serve) -> Key | None:
    """What these settings check tokens with; None where there is one local token.

    Raises `VoiceKitError` for a secret or a key that protects nothing.
    """
    if serve.secret and serve.public_key:
        raise VoiceKitError(
            "Tokens are signed either with the secret (HS256) or for the public key (RS256). "
            "Set one of VOICE_KIT_SERVE_SECRET and VOICE_KIT_SERVE_PUBLIC_KEY, not both."
        )
    if serve.secret:
        return Key("HS256", _secret(serve), serve.audience)
    if serve.public_key:
        return Key("RS256", _public(serve.public_key), serve.audience)
    if serve.sign_in == "jwt":
        raise VoiceKitError(f"There is nothing to check tokens with. Make a secret: {NEW_SECRET}")
    return None


def issue(serve: Serve, subject: str, hours: float, name: str = "") -> tuple[str, float]:
    """A new token for this person, and when it expires, in seconds since 1970.

    Raises `VoiceKitError` where there is no secret, or one that can be guessed.
    """
    if serve.public_key and not serve.secret:
        raise VoiceKitError(
            "Here tokens are only checked. They are made by who holds the private key; to make "
            "them here, unset VOICE_KIT_SERVE_PUBLIC_KEY and set VOICE_KIT_SERVE_SECRET."
        )
    if not serve.secret:
        raise VoiceKitError(
            f"There is no secret to sign with. Make one, the same for the gateway: {NEW_SECRET}"
        )
    if problem := wrong_subject(subject):
        raise VoiceKitError(f"The subject {problem}. Try: voice-kit token --subject alice")
    if not (math.isfinite(hours) and 0 < hours <= 24 * 366):
        raise VoiceKitError("A token lasts longer than nothing, and a year at most: --hours 8")
    now = int(time.time())
    expires = now + math.ceil(hours * 3600)
    claims = {"sub": subject, "aud": serve.audience, "iat": now, "exp": expires}
    claims |= {"name": name} if name else {}
    return jwt.encode(claims, _secret(serve), algorithm="HS256"), float(expires)


def _secret(serve: Serve) -> str:
    if len(serve.secret.encode()) < SHORTEST:
        raise VoiceKitError(
            f"The secret has {len(serve.secret.encode())} bytes, which can be guessed from one "
            f"token; {SHORTEST} or more are needed. Make a good one: {NEW_SECRET}"
        )
    if "-----BEGIN" in serve.secret:
        raise VoiceKitError(
            "The secret is a key file. A public key belongs in VOICE_KIT_SERVE_PUBLIC_KEY; "
            f"to make a secret: {NEW_SECRET}"
        )
    return serve.secret


def _public(given: str) -> RSAPublicKey:
    pem = given.replace("\\n", "\n")  # how .env files write a line's end
    if "-----BEGIN" not in pem:
        try:
            pem = Path(given).expanduser().read_text("ascii")
        except (OSError, ValueError) as error:
            raise VoiceKitError(
                "The public key is no PEM, and no file that can be read. Set "
                "VOICE_KIT_SERVE_PUBLIC_KEY to the path of one (-----BEGIN PUBLIC KEY-----)."
            ) from error
    if "PRIVATE KEY" in pem:
        raise VoiceKitError(
            "That is the private key, which the gateway must not know. Take the public one: "
            "openssl pkey -in key.pem -pubout -out public.pem"
        )
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise VoiceKitError(
            "The public key cannot be read. Take it from the private one: "
            "openssl pkey -in key.pem -pubout -out public.pem"
        ) from error
    if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
        raise VoiceKitError(
            "The public key must be RSA of 2048 bits or more. Make a pair: openssl genpkey "
            "-algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key.pem"
        )
    return key
