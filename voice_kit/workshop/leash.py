"""Runs a program for as long as somebody holds on to it: `python leash.py PROGRAM …`.

The first line is the program's process number, then comes what the program prints. When its own
input ends, because whoever started it has let go or is no more, the program is asked to stop, and
then made to.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

GRACE = 10.0
"""Seconds in which the program may put things in order."""


def main(command: Sequence[str]) -> int:
    """Run it to its end, and give back its exit code."""
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    print(program.pid, flush=True)
    telling = threading.Thread(target=_tell, args=(program,), daemon=True)
    for thread in (telling, threading.Thread(target=_let_go, args=(program,), daemon=True)):
        thread.start()
    code = program.wait()
    telling.join(1)  # its last words; a child of its own may hold the pipe for longer
    return code


def _tell(program: subprocess.Popen[bytes]) -> None:
    """Pass on what it prints: through our own output it could come before its number."""
    assert program.stdout is not None
    with suppress(OSError):  # nobody is there to read it any more
        while said := os.read(program.stdout.fileno(), 1 << 16):
            while said:
                said = said[os.write(1, said) :]


def _let_go(program: subprocess.Popen[bytes]) -> None:
    while os.read(0, 1):  # until nobody holds the other end; sys.stdin would be locked at our exit
        pass
    program.terminate()
    try:
        program.wait(GRACE)
    except subprocess.TimeoutExpired:
        program.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
