"""Skills that touch this machine: applications, pages, its volume, a picture of its screen.

They are off until the setting `tools.allow` names them.
"""

from __future__ import annotations

import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field

from voice_kit.errors import install
from voice_kit.think.skills.kinds import KINDS
from voice_kit.think.skills.numbers import listed, number
from voice_kit.think.skills.phrases import Kind, words_from
from voice_kit.think.skills.room import Room
from voice_kit.think.skills.skill import Phrased, skill
from voice_kit.think.tools import ToolError

_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]{1,2000}")
_SPOKEN_PAGE = re.compile(r"(?:https?://)?[a-z0-9-]+(?: ?(?:dot|\.) ?[a-z0-9-]+)+(?:/\S*)?")
_OPEN = "(open | start | launch | run | bring up)"
_USUAL = (
    *("calculator", "browser", "web browser", "terminal", "text editor", "editor", "file manager"),
    *("files", "camera", "calendar", "mail", "email", "music player", "photo album", "settings"),
    *("spreadsheet", "word processor"),
)
"""Applications that people ask for: understood, so that who may not open them can say so."""
_QUIET: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
_QUIET |= {"stderr": subprocess.DEVNULL}


def machine_skills(
    room: Room,
    pictures: Path,
    apps: Mapping[str, Sequence[str]],
    browse: Callable[[str], bool] = webbrowser.open,
) -> list[Phrased]:
    """Those that touch this machine. `apps` says what may be started, by its spoken name."""
    commands = {" ".join(name.lower().split()): tuple(words) for name, words in apps.items()}
    known = words_from({name: name for name in (*_USUAL, *commands)})
    page = Kind(_SPOKEN_PAGE.pattern, _spoken_page)
    started: list[subprocess.Popen[bytes]] = []

    @skill(
        f"{_OPEN} [the | my] {{name:app}} [app | application]",
        kinds={"app": known},
        can="open applications",
        off=True,
    )
    def open_app(name: str) -> str:
        """Start an application by its name."""
        wanted = " ".join(name.lower().split())
        if wanted not in commands:
            have = listed(list(commands)) or "nothing: tools.apps is empty"
            raise ToolError(f"I may not open that. I may open {have}.")
        started[:] = [each for each in started if each.poll() is None]
        try:
            # A list of words, none of them from what was said: no shell ever reads it.
            command = list(commands[wanted])
            started.append(subprocess.Popen(command, start_new_session=True, **_QUIET))
        except (OSError, ValueError, IndexError) as error:
            fix = f"Mend tools.apps.{wanted} in voice-kit.toml."
            raise ToolError(f"{wanted.capitalize()} cannot be started. {fix}") from error
        return f"Opening {wanted}."

    @skill(
        "(open | go to | show [me] | visit | browse to) [the] [page | website | site] {url:page}",
        kinds={"page": page},
        can="open pages of the web",
        off=True,
    )
    def open_page(url: str) -> str:
        """Open a page of the web in the browser: url="https://example.org"."""
        try:
            parts = urlsplit(url)
            safe = parts.scheme in ("http", "https") and bool(parts.hostname)
            safe = safe and parts.username is None and bool(_URL.fullmatch(url))
        except ValueError:
            safe = False
        if not safe:
            raise ToolError("I open pages only whose address begins with http or https.")
        if not browse(url):
            raise ToolError("There is no browser here. Install one, or set BROWSER.")
        return f"Opening {parts.hostname}."

    @skill(
        "(take | make | save) [a | another] (screenshot | screen shot | picture of the screen)",
        "[a] screenshot",
        "capture (the | my) screen",
        can="take screenshots",
        off=True,
    )
    def screenshot() -> str:
        """Save a picture of the whole screen."""
        try:
            import mss
            import mss.tools
        except ImportError as error:
            raise ToolError(f"mss is missing. Try: {install('screen')}") from error
        file = pictures / f"screen-{room.local():%Y-%m-%d-%H%M%S}.png"
        try:
            pictures.mkdir(parents=True, exist_ok=True)
            with mss.MSS() as screen:
                shot = screen.grab(screen.monitors[0])
            mss.tools.to_png(shot.rgb, shot.size, output=str(file))
        except (mss.ScreenShotError, OSError) as error:
            raise ToolError("There is no screen that I can see. Start me in a desktop.") from error
        return f"Saved as {file.name}."

    @skill(
        "(set | turn | put | change) [the] [system | computer | master] volume (to | at | up to"
        " | down to) {percent}",
        "[system | computer | master] volume [to | at] {percent}",
        ("(mute | silence) [the] (computer | system | speakers | sound | volume)", {"percent": 0}),
        kinds={"percent": Kind(rf"{KINDS['number'].pattern}(?: percent| ?%)?", _percent)},
        off=True,
    )
    def volume(percent: Annotated[int, Field(ge=0, le=100)]) -> str:
        """Set the volume of this machine, in percent."""
        commands = [each for each in _volume_commands(percent) if which(each[0])]
        if not commands:
            raise ToolError("I do not know how to set the volume here. Install pactl or amixer.")
        for command in commands:
            try:
                subprocess.run(command, check=True, timeout=5.0, **_QUIET)
                return f"The volume is at {percent} percent."
            except (OSError, subprocess.SubprocessError):
                continue  # the next program may know how
        raise ToolError("The volume cannot be set. Is there a sound card?")

    return [open_app, open_page, screenshot, volume]


def _volume_commands(percent: int) -> list[list[str]]:
    if sys.platform == "darwin":
        return [["osascript", "-e", f"set volume output volume {percent}"]]
    return [
        ["wpctl", "set-volume", "@DEFAULT_AUDIO_SINK@", f"{percent / 100}"],
        ["pactl", "set-sink-volume", "@DEFAULT_SINK@", f"{percent}%"],
        ["amixer", "-q", "set", "Master", f"{percent}%"],
    ]


def _percent(words: str) -> int | None:
    value = number(words.removesuffix("%").removesuffix("percent").strip())
    return int(value) if value is not None and value.denominator == 1 else None


def _spoken_page(words: str) -> str | None:
    """ "wikipedia dot org" as an address."""
    url = words.replace(" dot ", ".").replace(" . ", ".")
    if " " in url or "." not in url:
        return None
    return url if url.startswith(("http://", "https://")) else f"https://{url}"
