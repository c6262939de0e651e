"""Where conversations, who serves them, and limits are kept: here, or in Redis for all gateways."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voice_kit.errors import SettingsError, VoiceKitError
from voice_kit.serve.hold import Hold
from voice_kit.think.memory.store import Store
from voice_kit.think.skills import Pages

DAY = 86400.0
PAGE = 50
"""Conversations that are listed at once, unless fewer are asked for."""
TITLE = 60
"""Characters of a title."""
RANDOM = 12
PROOF = 16
"""Characters of a conversation's name that are its own, and that tell whose it is."""


class UnknownConversationError(VoiceKitError):
    """This guest has no such conversation; somebody else may."""

    def __init__(self) -> None:
        super().__init__("You have no conversation of this name. Begin a new one.")


class AwayError(VoiceKitError):
    """What was asked for cannot be done before the server that keeps conversations is back."""


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """A conversation as its owner's list shows it. Times are seconds since 1970."""

    id: str
    title: str
    """Its first words, or what its owner calls it; "" while nothing was said."""
    created: float
    changed: float


class Places(Protocol):
    """What all sessions share. Use it as `async with places`, once, while the gateway runs.

    Nothing here waits longer than `WAIT` for a server. While that is away, conversations begin
    and go on, remembered by this process, which hands it all over once the server is back.
    """

    @property
    def problem(self) -> str:
        """Why nothing is written to the server right now, with the fix; empty when all is well."""

    async def __aenter__(self) -> Places: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def conversations(
        self, subject: str, most: int = PAGE, after: str = ""
    ) -> list[ConversationInfo]:
        """Those of this guest, last changed first; at most `most`, after the one named `after`.

        Raises `UnknownConversationError` where `after` is none of them.
        """

    async def open(self, subject: str, conversation: str | None = None) -> ConversationInfo:
        """What is known of it; a new one for None. It is listed once something was said in it.

        Raises `UnknownConversationError`, for somebody else's as for one that nobody has.
        """

    async def take(
        self, subject: str, conversation: str, let_go: Callable[[], None] | None = None
    ) -> Hold:
        """Serve it from here on. A session that served it before, anywhere, is asked to end, and
        has a second to write down what was heard; after that it writes nothing more.

        What is written through the hold's store lists the conversation, under its first words.
        `let_go` is called, once and on this event loop, when the same happens to this one: by
        another session, or because the conversation was deleted. Raises like `open`.
        """

    def pages(self, subject: str, hold: Hold | None) -> Pages | None:
        """Notes and timers of the conversation that is held, or of a guest's questions outside of
        any, where all gateways share them; None where each has them in folders. Blocks."""

    async def rename(self, subject: str, conversation: str, title: str) -> ConversationInfo:
        """As its owner calls it from now on; listed if it was not. Raises like `open`, and
        `AwayError`."""

    async def delete(self, subject: str, conversation: str) -> bool:
        """Erase what was said and noted, facts, summary, timers and listing, and end its session,
        wherever.

        Whether there was anything. Raises like `open`, and `AwayError` when it may still be there.
        """

    async def count(self, key: str, amount: float, per_seconds: float) -> float | None:
        """How much was counted under this key within about the last `per_seconds`, with this.

        Two windows, the older one in proportion to what is left of it. Asks the server: count up
        what comes many times a second, then count it here. Never raises; None where the server
        cannot be asked.
        """

    @property
    def memory(self) -> Store:
        """Reads a conversation by its name, for an export. Sessions write through their `Hold`."""


def make_places(redis_url: str = "", keep_days: float = 0.0) -> Places:
    """Places in this process, or in the Redis at this URL. Opens no connection yet.

    A conversation in which nothing was said for `keep_days` is forgotten; 0 keeps it for ever.
    Raises `SettingsError`, and `MissingEngineError` where redis-py is missing.
    """
    keep = keep_days * DAY
    if not redis_url:
        from voice_kit.serve.places_ram import RamPlaces

        return RamPlaces(keep)
    from voice_kit.serve.places_redis import RedisPlaces

    try:
        return RedisPlaces(redis_url, keep)
    except ValueError as error:
        raise SettingsError(
            "This is no address of a Redis. Try redis://localhost:6379/0, "
            "redis+sentinel://host:26379,host2:26379/mymaster/0 or redis+cluster://host:6379."
        ) from error


def new_id(subject: str) -> str:
    """A name for a conversation that tells, to whoever knows the guest, whose it is."""
    own = secrets.token_hex(RANDOM // 2)
    return own + _proof(subject, own)


def checked(subject: str, conversation: str) -> str:
    """The same name, if this guest's; without asking anyone, so that all others are refused alike.

    Raises `UnknownConversationError`.
    """
    own, proof = conversation[:RANDOM], conversation[RANDOM:]
    given = proof.encode(errors="replace")
    if not hmac.compare_digest(given, _proof(subject, own).encode()):
        raise UnknownConversationError
    return conversation


def title_of(words: str) -> str:
    """The first of these words, as a title."""
    text = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    if len(text) <= TITLE:
        return text
    cut = text[: TITLE - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"


def _proof(subject: str, own: str) -> str:
    text = f"{len(subject)}:{subject}/{own}".encode(errors="surrogatepass")
    return hashlib.sha256(b"voice-kit conversation " + text).hexdigest()[:PROOF]
