"""A notebook run by papermill as its readers have it, but for the network, which is blocked."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def executed_by_papermill(notebook, out, *options, **env):
    """How it ended. It runs in the folder of `out`; what it reached for outside is listed there in
    reached.txt."""
    blocked = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "no_network"), str(ROOT)]),
        "VOICE_KIT_REACHED": str(out.parent / "reached.txt"),
        "VOICE_KIT_HOME": str(out.parent / "home"),
    }
    command = [sys.executable, "-m", "papermill", notebook, out, "--kernel", "python3"]
    return subprocess.run(
        [*command, "--cwd", out.parent, *options, "--no-progress-bar"],
        env={**os.environ, **blocked, **env},
        capture_output=True,
        text=True,
        check=False,
    )
