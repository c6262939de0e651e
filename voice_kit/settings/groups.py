"""The settings of each part."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Endpointing(BaseModel):
    """When a sound becomes a turn. Durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start_above: float = Field(default=0.5, gt=0, lt=1)
    """A frame whose chance of speech is higher may begin it."""
    stop_below: float = Field(default=0.35, gt=0, lt=1)
    """One whose chance is lower is quiet. Lower than `start_above`, or a soft vowel ends a turn."""
    shortest: float = Field(default=0.128, ge=0.032, le=2)
    """Shorter sounds are no speech: a click, a cough. A spoken “no” has about 0.2 s of it."""
    misfire: float = Field(default=0.2, ge=0.032, le=2)
    """A sound too short to be speech is forgotten after this much quiet."""
    eager: float = Field(default=0.064, ge=0, le=10)
    """After this much quiet an answer begins behind a closed gate, and the judge is asked. 0 never
    does either: every turn waits for `stop`."""
    stop: float = Field(default=0.5, ge=0.064, le=10)
    """After this much quiet it is our turn, unless the judge knows better."""
    finished: float = Field(default=0.2, ge=0.064, le=10)
    """The same after a finished sentence. 0.2 is the gap between people (Stivers et al. 2009,
    doi:10.1073/pnas.0903616106)."""
    unfinished: float = Field(default=1.5, ge=0.064, le=30)
    """The same after an unfinished one, and the longest wait for the judge."""
    preroll: float = Field(default=0.2, ge=0, le=2)
    """Kept from before the trigger, or first consonants are lost."""
    longest: float = Field(default=30.0, gt=1, le=300)
    """A turn ends here even without quiet: a fan or a radio never pauses."""


class Interruption(BaseModel):
    """What speech does while we speak. Durations in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["evidence", "any", "never"] = "evidence"
    """“evidence” pauses at once, then stops or goes on; “any” stops at the first sound."""
    after: float = Field(default=0.5, ge=0)
    """This much speech is an interruption, whatever its words are."""
    guard: bool = True
    """Whether we keep from hearing ourselves: our voice is taken out of what the microphone hears,
    where the loudspeaker can say what it plays (a browser does this itself), and words that we
    just said are no reason to stop."""


class Wake(BaseModel):
    """When the conversation sleeps, and what wakes it. A change counts from the next one on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phrase: str = ""
    """Such as “hey computer”, of four syllables or more; empty never sleeps."""
    after: float = Field(default=30.0, gt=0)
    """Seconds of quiet after which it sleeps again."""


class Tools(BaseModel):
    """What the assistant may do, beside talking."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow: tuple[str, ...] = ()
    """Tools that touch this machine, by name: open_app, open_page, screenshot, volume."""
    offer: tuple[str, ...] = ()
    """Tools that a language model is told of, by name; none is all. A small model chooses better,
    and answers sooner, among few."""
    apps: dict[str, tuple[str, ...]] = {}
    """What “open …” may start: a spoken name, and the command as a list of words."""
    notes: str = ""
    """The folder of the notes; "" is `notes` in VOICE_KIT_HOME or ~/.voice-kit."""
    search: Literal["auto", "off"] = "auto"
    """Whether questions of today go out to a search engine; everything else stays here."""
    servers: dict[str, dict[str, Any]] = {}
    """MCP servers, by name: `{command = […]}` or `{url = "…"}`, and `env` or `headers`."""
    sure: float = Field(default=0.6, ge=0, le=1)
    """A route of less confidence than this is answered by talking, never by acting."""


class Memory(BaseModel):
    """What is kept of conversations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int = Field(default=2000, ge=100)
    """How many tokens of the conversation the language model is shown."""
    store: str = ""
    """Where it is kept: "" forgets at the end, "sqlite:PATH", "redis://HOST:PORT/0"."""
    name: str = "default"
    """Which conversation goes on."""


class Timeouts(BaseModel):
    """How long one step of an engine may take before the turn goes on without it. Seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vad: float = Field(default=1.0, gt=0)
    """Also how long no frame may come."""
    stt: float = Field(default=15.0, gt=0)
    judge: float = Field(default=0.5, gt=0)
    llm: float = Field(default=20.0, gt=0)
    """To the first token, and between two of them."""
    tts: float = Field(default=10.0, gt=0)
