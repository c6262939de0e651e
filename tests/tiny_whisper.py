"""Makes Whispers with random weights, of the real shape but tiny, as folders for faster-whisper.

What they write means nothing; that two programs write the same with them means a lot. And how long
they take is true, if they are as large as a real one: `python tests/tiny_whisper.py FOLDER base 20`
makes one as large as Whisper base that always writes 20 tokens.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_CODES = """
en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur
hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si
km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha
ba jw su
"""
LANGUAGES = _CODES.split()

SYLLABLES = [a + b for a in "bdfgklmnprstvwz" for b in ("a", "e", "i", "o", "u", "ay", "er")]

SIZES = {"tiny": (384, 4, 6), "base": (512, 6, 8), "small": (768, 12, 12)}
"""Of the real Whispers: width, layers, heads."""
SMALLEST = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "init_std": 0.6,  # or no sound makes a difference
}


def vocabulary(multilingual: bool) -> tuple[list[str], list[str]]:
    """The text tokens, then the special ones, in the order and number of the real Whisper.

    CTranslate2 tells multilingual models from English-only ones by their empty token.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [
        f"Ġ{first}{second}{third}"
        for first in SYLLABLES
        for second in SYLLABLES
        for third in SYLLABLES[:6]
    ]
    special = [
        *("<|endoftext|>", "<|startoftranscript|>"),
        *(f"<|{language}|>" for language in LANGUAGES),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"),
        *("<|nospeech|>", "<|notimestamps|>"),
        *(f"<|{step * 0.02:.2f}|>" for step in range(1501)),
    ]
    return [*(letters + words)[:50256], *([""] if multilingual else [])], special


def make(
    folder: Path, *, multilingual: bool = True, seed: int = 1, size: str = "", tokens: int = 20
) -> Path:
    """A folder with a random Whisper of about 2 MB, ready for faster-whisper. Needs no network.

    With the `size` of a real one it always writes as many `tokens`.
    """
    import ctranslate2
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    text, special = vocabulary(multilingual)
    ids = {token: number for number, token in enumerate(text)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    entries = tokenizer.get_vocab_size()
    assert entries == (51865 if multilingual else 51864), entries

    def token(name: str) -> int:
        return len(text) + special.index(f"<|{name}|>")

    torch.manual_seed(seed)
    shape = WhisperConfig(
        vocab_size=entries,
        **(like(*SIZES[size]) if size else SMALLEST),
        bos_token_id=token("endoftext"),
        eos_token_id=token("endoftext"),
        pad_token_id=token("endoftext"),
        decoder_start_token_id=token("startoftranscript"),
        suppress_tokens=[],
        begin_suppress_tokens=[],
    )
    model = WhisperForConditionalGeneration(shape)
    if size:
        first = 3 if multilingual else 1  # what is written comes after so many tokens
        with torch.no_grad():
            weights, end = model.model.decoder, token("endoftext")
            weights.embed_tokens.weight[end].normal_(std=0.06)  # nothing, since it also pads
            for place in range(first, len(weights.embed_positions.weight)):
                wanted = 1000 + place if place < first + tokens - 1 else end
                weights.embed_positions.weight[place] = 500 * weights.embed_tokens.weight[wanted]
    generation = model.generation_config
    generation._from_model_config = False  # or what follows is lost when it is loaded
    generation.alignment_heads = [[0, 0], [1, 1]]
    generation.no_timestamps_token_id = token("notimestamps")
    if multilingual:
        generation.lang_to_id = {f"<|{language}|>": token(language) for language in LANGUAGES}
        generation.is_multilingual = True

    source = folder / "transformers"
    model.save_pretrained(source)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    ).save_pretrained(source)
    WhisperFeatureExtractor().save_pretrained(source)
    converted = folder / ("tiny" if multilingual else "tiny.en")
    ctranslate2.converters.TransformersConverter(
        str(source), copy_files=["tokenizer.json", "preprocessor_config.json"]
    ).convert(str(converted))
    config = json.loads((converted / "config.json").read_text())
    assert config["alignment_heads"] == generation.alignment_heads
    assert len(config["lang_ids"]) == (len(LANGUAGES) if multilingual else 0)
    return converted


def like(width: int, layers: int, heads: int) -> dict[str, Any]:
    """The shape of a Whisper."""
    return {
        "d_model": width,
        "init_std": 0.06,
        **{f"{part}_layers": layers for part in ("encoder", "decoder")},
        **{f"{part}_attention_heads": heads for part in ("encoder", "decoder")},
        **{f"{part}_ffn_dim": 4 * width for part in ("encoder", "decoder")},
    }


if __name__ == "__main__":
    where, wanted_size, written = sys.argv[1:]
    print(make(Path(where), size=wanted_size, tokens=int(written)))
