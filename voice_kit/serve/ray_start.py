"""Starts a Ray cluster on this machine."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from voice_kit.serve.ray_cluster import QUIET

log = logging.getLogger(__name__)


def started_here(ray: Any) -> None:
    """Start a cluster on this machine. Ray gives a node half a minute, which a busy machine misses:
    then it is tried once more. Raises what Ray raises."""
    for last in (False, True):
        try:
            ray.init(_node_ip_address="127.0.0.1", include_dashboard=False, **QUIET)
            return
        except Exception as error:
            _clear_away(error)
            if last:
                raise
            log.warning("Ray did not start (%s); it is tried once more", type(error).__name__)


def _clear_away(error: BaseException) -> None:
    """End the half of a node that is there. `ray.shutdown` knows nothing of it: only the call that
    failed does (measured)."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        node: Any = frame.f_locals.get("self")
        if hasattr(node, "kill_all_processes"):
            node.kill_all_processes(check_alive=False, allow_graceful=False)
