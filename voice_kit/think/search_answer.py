"""The answer to a question of today: from the web, or honestly from what was known before."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from voice_kit.think.protocols import Thought
from voice_kit.think.search import Searcher, query_from, search_tool, site
from voice_kit.think.search_prompt import search_prompt
from voice_kit.think.tools import Before, Tools
from voice_kit.types import Message, Source, ToolCall

READ_ALOUD = 240
"""Characters of a page that are read out where there is no model to sum it up."""
UNREACHED = {
    "en": "I cannot search the web right now, so this may be out of date.",
    "de": "Ich kann gerade nicht im Netz suchen, das kann also veraltet sein.",
    "fr": "Je ne peux pas chercher sur le web en ce moment, c'est donc peut-être dépassé.",
    "it": "Ora non posso cercare sul web, quindi potrebbe non essere aggiornato.",
    "es": "Ahora no puedo buscar en la web, así que esto puede estar anticuado.",
}
NOTHING = {
    "en": "The web gave me nothing on that, so this may be out of date.",
    "de": "Das Netz hat dazu nichts hergegeben, das kann also veraltet sein.",
    "fr": "Le web n'a rien donné à ce sujet, c'est donc peut-être dépassé.",
    "it": "Il web non ha dato nulla, quindi potrebbe non essere aggiornato.",
    "es": "La web no ha dado nada, así que esto puede estar anticuado.",
}
BY_HEART = (
    "The web could not be searched for this question, and the user has just been told so. Answer "
    "in one or two short sentences from what you know, without inventing anything about today. "
    "If only today's news could answer it, say that you do not know."
)


class Searching:
    """Answers with a search: its result is an event, with the sources, and data for the model.

    The model that reads them is given no tools, so that nothing on a page can have anything done.
    """

    def __init__(
        self,
        searcher: Searcher,
        *,
        reads: Callable[[], bool] = lambda: True,
        before: Before | None = None,
    ) -> None:
        """`reads` says whether the language model of the moment can sum up what it is given;
        `before` is told of each search, and may refuse it."""
        self.tool = search_tool(searcher)
        """For models that call tools themselves."""
        self._tools = Tools([self.tool], before=before)
        self._reads = reads

    async def answer(self, thought: Thought) -> AsyncGenerator[str, None]:
        """The answer, token by token. Searches once the turn is certain, in bounded time."""
        call = ToolCall("search", {"query": query_from(thought.words)})
        result = await self._tools.use(thought, call, asyncio.get_running_loop().time)
        *before, question = thought.prompt()
        if result.worked and result.sources and not self._reads():
            thought.by = "search"
            yield read_aloud(result.sources)
            return
        if result.worked and result.sources:
            messages = search_prompt(question.content, result.sources, before)
        else:
            known = NOTHING if result.worked else UNREACHED
            yield known.get(thought.settings.language, known["en"]) + " "
            messages = [*_with_rule(before, BY_HEART), question]
        async with aclosing(thought.model(messages)) as tokens:
            async for token in tokens:
                if isinstance(token, str):
                    yield token


def read_aloud(sources: Sequence[Source]) -> str:
    """The beginning of the best page, and whose words they are."""
    best = next((each for each in sources if each.text), sources[0])
    said = best.text or best.title
    if len(said) > READ_ALOUD:
        ends = [each.end() for each in re.finditer(r"[.!?](?= )", said[:READ_ALOUD])]
        said = said[: ends[-1]] if ends else said[:READ_ALOUD].rpartition(" ")[0] + " …"
    return f"{site(best)} says: {said}"


def _with_rule(before: Sequence[Message], rule: str) -> list[Message]:
    if before and before[0].role == "system":
        return [Message("system", f"{before[0].content}\n\n{rule}"), *before[1:]]
    return [Message("system", rule), *before]
