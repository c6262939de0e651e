"""A gateway with stub engines as a program of its own, so that it can be killed. Prints its URL."""

import sys
import threading

from helpers_serve import served

if __name__ == "__main__":
    with served(redis=sys.argv[1]) as address:
        print(address, flush=True)
        threading.Event().wait()
