"""A Kokoro with random weights: the real network and alphabet, as small as its code allows."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np

from voice_kit.speak.kokoro_words import kokoro_quiet

VOICES = ("af_heart", "am_michael", "bf_emma", "ff_siwis", "if_sara")
SPEED = 8.0
"""Untrained, each phoneme lasts 25 frames; at this speed 3, as spoken ones do."""

ALPHABET = (
    ';:,.!?__—…"()“” \u0303ʣʥʦʨᵝ\uab67AI_____O_Q_ST__W_Yᵊabcdef_hijklmnopqrstuvwxyzɑɐɒæ__βɔɕç_ɖðʤ'
    "ə_ɚɛɜ__ɟ_ɡ______ɥ_ɨɪʝ______ɯɰŋɳɲɴø_ɸθœ__ɹ_ɾɻ_ʁɽʂʃʈʧ_ʊʋ_ʌɣɤ_χʎ___ʒʔ_______ˈˌː___ʰ_ʲ____↓_→↗↘___ᵻ"
)
"""The published model's signs, each at its own number from 1; "_" stands for none."""

VOCABULARY = {sign: number for number, sign in enumerate(ALPHABET, 1) if sign != "_"}


def make_kokoro(folder: Path) -> Path:
    """Write config, random weights and random voices, as the published model's files lie."""
    with kokoro_quiet():
        import kokoro
    import torch

    config = {
        "dim_in": 64,
        "dropout": 0.2,
        "hidden_dim": 512,
        "istftnet": {
            "gen_istft_hop_size": 5,
            "gen_istft_n_fft": 20,
            "resblock_dilation_sizes": [[1, 3, 5]],
            "resblock_kernel_sizes": [3],
            "upsample_initial_channel": 512,
            "upsample_kernel_sizes": [20, 12],
            "upsample_rates": [10, 6],
        },
        "max_dur": 50,
        "n_layer": 1,
        "n_mels": 80,
        "n_token": 178,
        "plbert": {
            "dropout": 0.1,
            "hidden_size": 64,
            "intermediate_size": 64,
            "max_position_embeddings": 512,
            "num_attention_heads": 2,
            "num_hidden_layers": 1,
        },
        "style_dim": 128,
        "text_encoder_kernel_size": 5,
        "vocab": VOCABULARY,
    }
    (folder / "voices").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(4)
    torch.save({}, folder / "empty.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = kokoro.KModel("tiny", config, str(folder / "empty.pth"))
    parts = {name: part.state_dict() for name, part in network.named_children()}
    torch.save(parts, folder / "kokoro-v1_0.pth")
    (folder / "empty.pth").unlink()
    for name in VOICES:
        torch.save(torch.randn(510, 1, 256) * 0.2, folder / "voices" / f"{name}.pt")
    return folder


def raw_voice(folder: Path, name: str) -> Path:
    """The same voice as float32 without a header."""
    import torch

    pack = torch.load(folder / "voices" / f"{name}.pt", weights_only=True)
    file = folder / "voices" / f"{name}.bin"
    pack.numpy().astype(np.float32).tofile(file)
    return file
