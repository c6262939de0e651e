"""The router that the settings ask for."""

from __future__ import annotations

from collections.abc import Callable

from voice_kit.errors import SettingsError
from voice_kit.settings import Settings
from voice_kit.think.acting import Router
from voice_kit.think.protocols import LanguageModel
from voice_kit.think.router_embeddings import EmbeddingsRouter
from voice_kit.think.router_examples import ExamplesRouter, no_skill
from voice_kit.think.router_llm import LLMRouter

ROUTERS = ("auto", "examples", "llm", "embeddings", "off")


def make_router(
    settings: Settings,
    model: LanguageModel | None = None,
    understood: Callable[[str], object] = no_skill,
) -> Router | None:
    """What `settings.router` names; None for “off”. Options come from `[options.examples]` or
    `[options.embeddings]`. What is `understood` by a skill as a whole needs no other router than
    “examples” to know so. Raises `VoiceKitError`."""
    name, _, variant = settings.router.partition(":")
    name = "examples" if name == "auto" else name
    options = settings.options.get(name, {})
    try:
        match name:
            case "examples":
                return ExamplesRouter(language=settings.language, understood=understood, **options)
            case "llm":
                if model is None:
                    raise SettingsError("The router “llm” needs a model. Try: router = auto.")
                return LLMRouter(model)
            case "embeddings":
                return EmbeddingsRouter(**({"model": variant} if variant else {}), **options)
            case "off":
                return None
    except TypeError as error:
        raise SettingsError(f"options.{name} cannot be used: {error}. Mend it.") from error
    raise SettingsError(f"There is no router “{name}”. Try one of: {', '.join(ROUTERS)}.")
