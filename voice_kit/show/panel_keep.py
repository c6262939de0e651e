"""Where the recording of a conversation is kept, if it is to be."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

from voice_kit.errors import AudioError

FOLDER = "recordings"


class Kept:
    """A folder for the conversation under way: chosen at any time, filled when it is over."""

    def __init__(self) -> None:
        self.folder: Path | None = None

    def choose(self, folder: str | Path | None = "") -> Path | None:
        """Keep it in `folder`, or under the time of now; None keeps nothing.

        Raises `AudioError` if there is something in that folder.
        """
        if folder is None:
            self.folder = None
            return None
        chosen = Path(folder) if folder else Path(FOLDER) / f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
        if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
            raise AudioError(f"{chosen} holds something already. Choose another folder.")
        self.folder = chosen
        return chosen

    def save(self, recording: Path) -> str:
        """Copy the recording there, and say whether that worked; "" if none is to be kept."""
        folder, self.folder = self.folder, None
        if folder is None:
            return ""
        try:
            shutil.copytree(recording, folder, dirs_exist_ok=True)
        except (OSError, shutil.Error):
            return f"The conversation cannot be kept in {folder}. Choose another folder."
        return f"The conversation is kept in {folder}: voice-kit replay {folder}"
