"""What an engine of each kind must keep, as classes of tests: yours is right when it passes.

Give pytest the engine as a fixture, and derive a class from the contract of its kind:

    import pytest
    from voice_kit.workshop.contracts import VoiceContract

    @pytest.fixture(scope="module")
    def engine():
        return Coqui()

    class TestCoqui(VoiceContract):
        pass

Without pytest, `broken(VoiceContract, Coqui())` lists what it does not keep.
"""

from voice_kit.workshop.contracts.engine import EngineContract, broken
from voice_kit.workshop.contracts.hearing import TranscriberContract, VoiceDetectorContract
from voice_kit.workshop.contracts.judging import JudgeContract
from voice_kit.workshop.contracts.speaking import VoiceContract
from voice_kit.workshop.contracts.thinking import LanguageModelContract

CONTRACTS: dict[str, type[EngineContract]] = {
    "vad": VoiceDetectorContract,
    "stt": TranscriberContract,
    "llm": LanguageModelContract,
    "tts": VoiceContract,
    "judge": JudgeContract,
}
"""The contract of each stage."""

__all__ = [
    "CONTRACTS",
    "EngineContract",
    "JudgeContract",
    "LanguageModelContract",
    "TranscriberContract",
    "VoiceContract",
    "VoiceDetectorContract",
    "broken",
]
