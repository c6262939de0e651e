"""The command line: one command for each brick, then the whole assistant."""

from __future__ import annotations

import atexit
import errno
import io
import json
import os
import sys
import threading
from contextlib import suppress
from typing import Annotated

import typer

from voice_kit import __version__
from voice_kit.cli import (
    answering,
    bench,
    course,
    hearing,
    lab,
    load,
    models,
    replaying,
    room,
    room_view,
    scenario,
    serving,
    token,
    whole,
)
from voice_kit.cli.options import put
from voice_kit.errors import VoiceKitError

app = typer.Typer(
    name="voice-kit",
    help="Build a real-time voice assistant step by step, then run it for real.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"voice-kit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    pass


for module in (
    whole,
    hearing,
    answering,
    room,
    lab,
    scenario,
    replaying,
    bench,
    load,
    course,
    models,
    room_view,
    serving,
    token,
):
    module.add_to(app)


def main() -> None:
    """Run the command line and leave with its exit code: 0, or 1 with a sentence on stderr."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads starve the others
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # where “█” cannot be written, “?” is
            stream.reconfigure(errors="replace")
    try:
        code = app(standalone_mode=False)
    except VoiceKitError as error:
        if "--json" in sys.argv:
            put(json.dumps({"error": str(error)}))
        print(error, file=sys.stderr)
        code = 1
    except typer.Exit as leave:
        code = leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:
        if error.errno not in FULL:
            raise
        _let_go_of_stdout()  # or Python would try once more at its exit
        print(f"The output cannot be written: {error.strerror}. Free some space.", file=sys.stderr)
        code = 1
    except Exception as error:
        code = _usage(error)
    if any(thread.daemon for thread in threading.enumerate()):
        _end_with_threads(code or 0)
    sys.exit(code)


FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO}


def _end_with_threads(code: int) -> None:
    """End while an engine still computes in its thread: C++ aborts in Python's usual way out."""
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _let_go_of_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: Exception) -> int:
    """Show a wrong command line as typer does; anything else is a bug and is raised."""
    show = getattr(error, "show", None)
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", 2))
