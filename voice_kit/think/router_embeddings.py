"""Routes by what the phrases mean: the nearest examples, by embeddings of an Ollama server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice_kit.errors import MissingEngineError, need
from voice_kit.remote.clients import PerLoop, quiet
from voice_kit.remote.servers import CONNECT, near
from voice_kit.think.llm_ollama_models import address, how_to_start
from voice_kit.think.router_examples import PHRASES, read_phrases
from voice_kit.types import Route, RouteKind, Stops

MODEL = "nomic-embed-text"
NEAREST = 7
"""How many examples vote."""
BATCH = 64


class EmbeddingsRouter:
    """Decides by the examples that are nearest in meaning. The first question embeds them all.

    Confidence is the share of the nearest, weighted by likeness, that agree.
    """

    stops: Stops = "async"

    def __init__(
        self, model: str = MODEL, *, host: str | None = None, phrases: str | Path = ""
    ) -> None:
        need("Ollama's client", "ollama", fix="pip install ollama")
        import ollama

        self.name = f"embeddings ({model})"
        self._model, self._url = model, address(host)
        listed = read_phrases(PHRASES) | (read_phrases(Path(phrases)) if phrases else {})
        self._phrases: list[str] = list(listed)
        self._kinds: list[RouteKind] = list(listed.values())
        self._known: list[NDArray[np.float64]] = []  # as many as are embedded by now
        self._lock = asyncio.Lock()

        def client() -> ollama.AsyncClient:
            import httpx

            timeout = httpx.Timeout(None, connect=CONNECT)
            return ollama.AsyncClient(self._url, timeout=timeout, trust_env=not near(self._url))

        self._clients = PerLoop(client, ollama.AsyncClient.close)

    async def route(self, words: str) -> Route:
        """The way to answer these words. Raises `MissingEngineError` without server or model."""
        known = await self._examples()
        (asked,) = await self._embedded([words])
        alike = known @ asked
        nearest = np.argsort(-alike)[:NEAREST]
        votes: dict[RouteKind, float] = {}
        for place in nearest:
            kind = self._kinds[place]
            votes[kind] = votes.get(kind, 0.0) + max(float(alike[place]), 0.0)
        best = max(votes, key=lambda kind: votes[kind])
        share = votes[best] / (sum(votes.values()) or 1.0)
        return Route(best, share, f"like “{self._phrases[nearest[0]]}”")

    async def _examples(self) -> NDArray[np.float64]:
        """Every example, shape (phrases, dimensions). One call that is cut short helps the next."""
        async with self._lock:
            while (first := len(self._known) * BATCH) < len(self._phrases):
                self._known.append(await self._embedded(self._phrases[first : first + BATCH]))
            return np.concatenate(self._known)

    async def _embedded(self, texts: list[str]) -> NDArray[np.float64]:
        client: Any = await self._clients.get()
        try:
            with quiet():
                given = await client.embed(model=self._model, input=texts)
            rows = np.asarray(given.embeddings, np.float64)
        except Exception as error:
            fix = f"ollama pull {self._model}, or {how_to_start(self._url)}"
            raise MissingEngineError(self.name, fix=fix) from error
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.maximum(norms, 1e-9))
