"""`python -m voice_kit.cli` is `voice-kit`."""

from voice_kit.cli import main

main()
