"""The conversation behind a socket, for one person or for many."""
