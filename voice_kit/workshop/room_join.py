"""A seat in the room: tells the teacher's screen which checks pass, and how long turns took.

Only for who joins, and never a word of what was said. Where the room is slow or gone, nothing here
is held up by it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from voice_kit.errors import VoiceKitError
from voice_kit.remote.servers import ask, near
from voice_kit.settings import home
from voice_kit.workshop.room_turns import names, turns_in

ROOM = "VOICE_KIT_ROOM"
EVERY = 2.0
"""Seconds between two looks for new turns."""
ANSWER = 2.0
"""Seconds that a room has to answer."""
ALIVE = 60.0
"""Seconds after which the same is told again, so that nobody counts as away."""
TODAY = 12 * 3600.0
"""Seconds for which a room that was joined in one notebook is gone on with in the others."""
SLOWER = 5
"""How often the pause is doubled while the room does not answer: to a minute."""

_ADDRESS = re.compile(
    r"(?:http://)?(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})/(?P<code>\w+)/?"
)


class Seat:
    """Tells the room of what changes, from a thread of its own, until `leave`."""

    def __init__(self, address: str, key: str, name: str = "") -> None:
        self.room = address
        self._key, self._name = key, name
        self._checks: dict[str, str] = {}
        self._news, self._left = threading.Event(), threading.Event()
        self._sent: dict[str, Any] = {}
        self._forgotten = True
        self._at = 0.0

    def start(self) -> None:
        """Tell from now on. The thread ends with Python."""
        threading.Thread(target=self._go_on, name="voice-kit-room", daemon=True).start()

    def tell(self, check: str, state: str) -> None:
        """A check has come to this. Returns at once."""
        self._checks[check] = state
        self._news.set()

    def leave(self, *, forgotten: bool = True) -> None:
        """Tell nothing any more, and have the room forget this seat, unless another goes on."""
        self._forgotten = forgotten
        self._left.set()
        self._news.set()

    def send(self) -> int | None:
        """Tell what is new, and give the seat's number; None when nothing was. Raises `OSError`."""
        now = self._now()
        if now == self._sent and time.monotonic() - self._at < ALIVE:
            return None
        number = int(ask(f"{self.room}/seat", within=ANSWER, body=now)["seat"])
        self._sent, self._at = now, time.monotonic()
        return number

    def _now(self) -> dict[str, Any]:
        if self._left.is_set():
            return {"seat": self._key, "leaves": True}
        told = {"seat": self._key, "checks": dict(self._checks), "turns": turns_in(names())}
        return {**told, "name": self._name} if self._name else told

    def _go_on(self) -> None:
        missed = 0
        while True:
            if missed < SLOWER:
                self._news.wait(EVERY * 2**missed)
            else:
                self._left.wait(EVERY * 2**SLOWER)
            self._news.clear()
            last = self._left.is_set()
            if last and not self._forgotten:
                return
            try:
                self.send()
                missed = 0
            except Exception:  # a room that is gone, or speaks nonsense, is nobody's concern here
                missed = min(missed + 1, SLOWER)
            if last:
                return


_seat: Seat | None = None
_asked = False


def join(address: str = "", name: str = "", *, told: Mapping[str, str] | None = None) -> None:
    """Take a seat in the room of this address, such as "192.168.1.5:8770/k7m2p9", and say so.

    Without one VOICE_KIT_ROOM names it. `told` is how the checks stand. Never raises.
    """
    global _seat, _asked
    _asked = True
    try:
        room = address_of(address or os.environ.get(ROOM, ""))
    except VoiceKitError as error:
        print(error)
        return
    _stop(next_room=room)
    seat = _seat = Seat(room, _kept_key(room), name[:24])
    for check, state in (told or {}).items():
        seat.tell(check, state)
    try:
        number = seat.send()
        print(f"You have seat {number} in the room. It sees which checks pass and how long your")
        print("turns take, never a word. To end that: checks.leave()")
    except Exception as error:
        why = _why(error)
        print(f"The room {why}. Your notebook goes on without it, and tries again by itself.")
    seat.start()


def leave() -> None:
    """Give the seat back; VOICE_KIT_ROOM is not followed any more either."""
    room = _seat.room if _seat else os.environ.get(ROOM, "")
    _stop()
    if room:
        _keep({"room": room, "key": "", "left": True})
    print("You have left the room: it is told nothing, and shows nothing of you.")


def follow(standing: Callable[[], Mapping[str, str]]) -> None:
    """Go on in the room of VOICE_KIT_ROOM, or in the one joined in another notebook today.

    `standing` says how the checks stand. Returns at once; looks only the first time.
    """
    global _seat, _asked
    if _asked:
        return
    _asked = True
    kept = _kept()
    joined = str(kept.get("room", "")) if _today(kept) and not kept.get("left") else ""
    if not (typed := os.environ.get(ROOM) or joined):
        return
    try:
        room = address_of(typed)
    except VoiceKitError as error:
        print(error)
        return
    if kept.get("left") and kept.get("room") == room:
        return
    _seat = Seat(room, _kept_key(room))
    for each, stands in standing().items():
        _seat.tell(each, stands)
    _seat.start()
    print("You sit in the room: it sees which checks pass and how long your turns take,")
    print("never a word. To end that: checks.leave()")


def tell(check: str, state: str) -> None:
    """A check has come to this, for the room that was joined, if any. Returns at once."""
    if _seat is not None:
        _seat.tell(check, state)


def address_of(text: str) -> str:
    """A room's address as typed, in full. Raises `VoiceKitError` when it is none, or far away."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise VoiceKitError(
            "That is no address of a room. Copy it from the teacher's screen, such as "
            "192.168.1.5:8770/k7m2p9."
        )
    room = f"http://{found['host']}:{found['port']}/{found['code']}"
    if not near(room):
        raise VoiceKitError(
            f"{found['host']} is not in the local network, and nothing is told to anyone further "
            "away. Copy the room's address from the teacher's screen."
        )
    return room


def _stop(next_room: str = "") -> None:
    global _seat
    if _seat is not None:
        _seat.leave(forgotten=_seat.room != next_room)
    _seat = None


def _why(error: Exception) -> str:
    match getattr(error, "code", 0):
        case 403:
            return "has another code"
        case 503:
            return "is full"
        case 429:
            return "hears too much at the moment"
    return "does not answer"


# One seat in all notebooks of a person, another one in each room


def _kept_key(room: str) -> str:
    kept = _kept()
    if kept.get("room") == room and re.fullmatch("[0-9a-f]{16}", str(kept.get("key"))):
        return str(kept["key"])
    key = secrets.token_hex(8)
    _keep({"room": room, "key": key, "when": time.time()})
    return key


def _today(kept: Mapping[str, Any]) -> bool:
    when = kept.get("when", 0)
    return isinstance(when, int | float) and 0 <= time.time() - when < TODAY


def _kept() -> dict[str, Any]:
    try:
        found = json.loads((home() / "room.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _keep(what: dict[str, Any]) -> None:
    try:
        home().mkdir(parents=True, exist_ok=True)
        (home() / "room.json").write_text(json.dumps(what), encoding="utf-8")
    except OSError:
        pass  # then it is another seat in the next notebook
