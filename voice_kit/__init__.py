"""Build a real-time voice assistant step by step, then run it for real."""

from voice_kit.errors import VoiceKitError
from voice_kit.types import FRAME, RATE, Audio, Message, Samples, Speech, Transcript, Word

__version__ = "0.1.0.dev0"

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
