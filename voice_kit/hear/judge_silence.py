"""No judge at all: every pause that ends a turn is equally long."""

from __future__ import annotations

from voice_kit.types import Audio, Stops, Transcript


class Silence:
    """Cannot tell, whatever was said: `hear.stop` seconds of quiet end a turn."""

    name = "silence"
    stops: Stops = "steps"
    needs_words = False
    direct = True

    def finished(self, audio: Audio, transcript: Transcript) -> float:
        """0.5, always."""
        return 0.5
