"""Writes a tiny language model with random weights: the llama architecture in a GGUF file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeiou"]

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    "{% if enable_thinking is defined and not enable_thinking %}<quick>{% endif %}"
)


def write_tiny_gguf(
    path: Path, *, seed: int = 0, width: int = 64, layers: int = 2, context: int = 4096
) -> Path:
    """A model that answers anything with words of `WORDS`, and never comes to an end by itself.

    Its tokenizer is SentencePiece's kind, with a piece for each word and for each byte. `width`
    and `layers` make it slower.
    """
    import gguf

    random = np.random.default_rng(seed)
    kind = gguf.TokenType
    specials = [("<unk>", kind.UNKNOWN), ("<s>", kind.CONTROL), ("</s>", kind.CONTROL)]
    octets = [(f"<0x{octet:02X}>", kind.BYTE) for octet in range(256)]
    letters = [(chr(code), kind.NORMAL) for code in range(0x21, 0x7F)]
    words = [(f"\N{LOWER ONE EIGHTH BLOCK}{word}", kind.NORMAL) for word in ["", *WORDS]]
    pieces = [*specials, *octets, *letters, *words]
    heads, hidden = 4, 2 * width

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(width // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece for piece, _ in pieces])
    writer.add_token_scores([-float(rank) for rank in range(len(pieces))])
    writer.add_token_types([int(type_) for _, type_ in pieces])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template(TEMPLATE)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, width**-0.5, shape).astype(np.float32)

    # All but the words get no weight: an unlucky byte would make the answer no text.
    output = weights(len(pieces), width) * 4
    output[: len(pieces) - len(WORDS)] = 0
    writer.add_tensor("token_embd.weight", weights(len(pieces), width))
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    writer.add_tensor("output.weight", output)
    for layer in range(layers):
        block = f"blk.{layer}."
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}{name}.weight", np.ones(width, np.float32))
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}{name}.weight", weights(width, width))
        for name in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"{block}{name}.weight", weights(hidden, width))
        writer.add_tensor(f"{block}ffn_down.weight", weights(width, hidden))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
