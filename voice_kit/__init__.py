"""Build a real-time voice assistant step by step, then run it for real."""

import sys
from importlib import import_module

from voice_kit.errors import VoiceKitError
from voice_kit.types import FRAME, RATE, Audio, Message, Samples, Speech, Transcript, Word

__version__ = "0.1.0"

__all__ = [
    "FRAME",
    "RATE",
    "Audio",
    "Message",
    "Samples",
    "Speech",
    "Transcript",
    "VoiceKitError",
    "Word",
    "__version__",
]

if "IPython" in sys.modules:  # in a notebook, a sound shows itself as a player and a picture
    import_module("voice_kit.show.sound").show_in(sys.modules["IPython"].get_ipython())
