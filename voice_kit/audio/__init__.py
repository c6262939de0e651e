"""Sound in and out: microphone, loudspeaker, files, and what lies between them."""
