"""Keeps a notebook calm under a stream of messages from its page."""

from __future__ import annotations

from typing import Any

from ipywidgets import Widget  # type: ignore[import-untyped]


def unannounced(widget: Widget) -> None:
    """Have the kernel no longer say “busy” for each message that comes for this widget.

    It says so before it reads one, and “idle” after; with thirty a second, a notebook does little
    but redraw its sign for that: of a browser's time it was a quarter, and what is to be heard had
    to wait for it. “idle” is still told, for whoever waits for an answer. Where the kernel is not
    ipykernel, or one that is made differently, all stays as it is.
    """
    comm = widget.comm
    kernel: Any = getattr(comm, "kernel", None)
    publish = getattr(kernel, "_publish_status", None)
    if publish is None or not hasattr(kernel, "get_parent"):
        return
    known = getattr(publish, "unannounced", None)
    if known is None:
        known = set()

        def tell(status: str, channel: str, parent: Any = None) -> None:
            asked = parent or kernel.get_parent(channel) or {}
            if status == "busy" and asked.get("content", {}).get("comm_id") in known:
                return
            publish(status, channel, parent)

        tell.unannounced = known  # type: ignore[attr-defined]
        kernel._publish_status = tell
    known.add(comm.comm_id)
