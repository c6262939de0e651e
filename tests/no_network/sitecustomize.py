"""On the path of a Python, it keeps that from reaching another machine, and notes who tried.

VOICE_KIT_REACHED names the file. It is for subprocesses, whose own subprocesses have it too.
"""

import os
import socket
import traceback
from pathlib import Path

HERE = ("127.", "::1", "localhost", "0.0.0.0")
REACHED = os.environ.pop("VOICE_KIT_REACHED", "") or os.environ.get("NO_NETWORK_LOG", "")
os.environ["NO_NETWORK_LOG"] = REACHED


def _refuse(host):
    trace = "".join(traceback.format_stack(limit=12)[:-2])
    with Path(REACHED).open("a", encoding="utf-8") as log:
        log.write(f"{host}\n{trace}\n")
    raise OSError(f"This test may not reach {host}.")


def _allowed(host):
    return not host or str(host).startswith(HERE)


class _Socket(socket.socket):
    def connect(self, address):
        if isinstance(address, tuple) and not _allowed(address[0]):
            _refuse(address[0])
        return super().connect(address)

    def connect_ex(self, address):
        if isinstance(address, tuple) and not _allowed(address[0]):
            _refuse(address[0])
        return super().connect_ex(address)


def _getaddrinfo(host, *more, **named):
    if isinstance(host, bytes):
        host = host.decode()
    if not _allowed(host) and host != socket.gethostname():
        _refuse(host)
    return _resolve(host, *more, **named)


if REACHED:
    _resolve = socket.getaddrinfo
    socket.getaddrinfo = _getaddrinfo
    socket.socket = _Socket
