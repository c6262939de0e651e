"""What is watched while the gateway runs, beside its conversations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from voice_kit.hear.batch import Batch
from voice_kit.serve.metrics import metrics_of
from voice_kit.serve.shared import Shared
from voice_kit.serve.tracing import Tracing


@asynccontextmanager
async def observed(shared: Shared) -> AsyncIterator[None]:
    """While this is open it is counted how late the event loop is and how long frames wait for
    each other, and every turn is traced where `serve.otlp` says where to."""
    metrics, vad = metrics_of(shared), shared.engines.vad
    if isinstance(vad.current, Batch):
        vad.current = metrics.timed(vad.current)
    tracing = Tracing(shared.serve.otlp)
    metrics.tracing = tracing or None
    async with asyncio.TaskGroup() as watching:
        watch = watching.create_task(metrics.watch_loop())
        try:
            yield
        finally:
            watch.cancel()
            metrics.tracing = None
            await asyncio.to_thread(tracing.close)
