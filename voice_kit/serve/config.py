"""How the gateway is run: defaults, then [serve] of voice-kit.toml, then VOICE_KIT_SERVE_*."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import NoDecode

from voice_kit.errors import SettingsError
from voice_kit.settings import FILE, in_environment

PREFIX = "VOICE_KIT_SERVE_"

Names = Annotated[tuple[str, ...], NoDecode]
"""Several names; in the environment with commas between them."""


class Serve(BaseModel):
    """Where the gateway listens, who may come in, and how much each may use. It never changes.

    `Serve()` is the defaults on every machine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 is every one of this machine's, and needs a sign-in."""
    port: int = Field(default=8765, ge=0, le=65535)
    """0 takes a free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that answer on this port, each with engines of its own."""
    redis: str = Field(default="", repr=False)
    """Where conversations are kept, and counted what each person uses, for several gateways; "" is
    this process."""
    ray: str = ""
    """Where engines run on a cluster: "local" starts one here; "" runs them in this process."""
    lan: bool = False
    """Whether phones in this network may be its microphone: with a certificate, over https."""
    secret: str = Field(default="", repr=False)
    """What signs the tokens (HS256): 32 random bytes or more."""
    public_key: str = ""
    """What checks the tokens (RS256): the key in PEM, or the path of its file."""
    audience: str = "voice-kit"
    """Whom the tokens must be made for."""
    token: str = Field(default="", repr=False)
    """The token that opens this gateway; "" makes a random one at every start."""
    sign_in: Literal["auto", "jwt"] = "auto"
    """“auto” asks for a JWT where `secret` or `public_key` is set, else for `token`."""
    origins: Names = ()
    """Pages of other hosts that may connect, such as https://talk.example.org."""
    proxies: Names = ()
    """Addresses or networks of our own proxies, such as 10.0.0.0/8: what they say of whom they
    speak for (X-Forwarded-For and -Proto) is believed, and nobody else's word."""
    allow: Names = ()
    """Tools that touch the machine and may be used over the network all the same."""
    max_connections: int = Field(default=200, ge=1)
    """Connections at the same time to each process."""
    per_address: int = Field(default=20, ge=1)
    """Those of them from one address."""
    connects_per_second: float = Field(default=5.0, gt=0)
    """New connections from one address, to all gateways with the same Redis."""
    session_minutes: float = Field(default=60.0, gt=0)
    """A session ends after this long; its conversation can be gone on with."""
    max_message: int = Field(default=1_000_000, ge=1_000)
    """Bytes in one message or request."""
    sound_per_minute: float = Field(default=150.0, gt=0)
    """Seconds of sound a minute that one person may send to all gateways with the same Redis, or
    one session where all who come show the same token. Two open microphones send 120."""
    tool_calls_per_minute: int = Field(default=30, ge=0)
    """Uses of tools a minute, counted for the same."""
    drain_seconds: float = Field(default=30.0, ge=0)
    """How long answers under way may take when the gateway is told to stop."""
    log: Literal["text", "json"] = "text"
    keep_days: float = Field(default=0.0, ge=0)
    """Days after which a conversation in which nothing was said is forgotten; 0 keeps it."""
    open_metrics: bool = False
    """Whether /metrics answers who is not on this machine and shows no token."""
    record: str = ""
    """A folder in which every conversation is kept, with its sound, to be replayed: its people are
    told. "" keeps none."""
    otlp: str = ""
    """Where traces go, such as http://localhost:4318; "" makes none."""

    @field_validator("origins", "proxies", "allow", mode="before")
    @classmethod
    def _with_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip())


def load_serve(flags: Mapping[str, Any] | None = None, file: str | Path | None = None) -> Serve:
    """The gateway's settings from defaults, the file, the environment and `flags`, in that order.

    Raises `SettingsError`, which names the unknown key or the bad value. A secret is never in it.
    """
    path = Path(file or FILE)
    given: dict[str, Any] = {}
    if file or path.exists():
        try:
            given = dict(tomllib.loads(path.read_text("utf-8")).get("serve", {}))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}. Mend or remove it.") from error
    _checked(given, f"[serve] of {path}")
    for key in os.environ:
        name = key.removeprefix(PREFIX).lower()
        if key.startswith(PREFIX) and name not in Serve.model_fields:
            raise SettingsError(f"In the environment: {_unknown(name)}")
    given |= in_environment(Serve, PREFIX)
    given |= dict(flags or {})
    return _checked(given, "the environment or the flags")


def _unknown(name: str) -> str:
    known = list(Serve.model_fields)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"Did you mean “{near[0]}”? " if near else ""
    return f"The gateway has no setting “{name}”. {hint}It has: {', '.join(known)}."


def _checked(given: Mapping[str, Any], where: str) -> Serve:
    try:
        return Serve.model_validate(dict(given))
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        if problem["type"] == "extra_forbidden":
            raise SettingsError(f"In {where}: {_unknown(name)}") from None
        field = Serve.model_fields.get(name)
        shown = "this" if field is not None and not field.repr else repr(problem["input"])
        raise SettingsError(f"In {where}: {name} cannot be {shown}: {problem['msg']}.") from None
