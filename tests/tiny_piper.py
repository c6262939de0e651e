"""A Piper voice with random weights, written as an ONNX file by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

HOP = 256
FRAMES = 4  # of HOP samples for each phoneme, at the ordinary speed

# ONNX is protocol buffers: a number (kind 0) or bytes (kind 2) under each field's number.


def _number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(data)) + data


def _node(kind: str, inputs: str, output: str, **numbers: int) -> bytes:
    attributes = (
        _field(5, _field(1, name) + _field(3, value) + _field(20, 2))
        for name, value in numbers.items()
    )
    named = [_field(1, name) for name in inputs.split()]
    return _field(1, b"".join([*named, _field(2, output), _field(4, kind), *attributes]))


def _tensor(name: str, array: np.ndarray) -> bytes:
    kind = {"float32": 1, "int64": 7}[array.dtype.name]
    dims = b"".join(_field(1, size) for size in array.shape)
    return _field(5, dims + _field(2, kind) + _field(8, name) + _field(9, array.tobytes()))


def _value(where: int, name: str, kind: int, *dims: str | int) -> bytes:
    shape = b"".join(_field(1, _field(1 if isinstance(dim, int) else 2, dim)) for dim in dims)
    return _field(where, _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape))))


def write_piper(
    folder: Path, name: str = "en_US-tiny-medium", *, espeak: str = "en-us", timed: bool = False
) -> Path:
    """A voice whose phonemes each sound as one random wave; `timed` ones also give their times."""
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP as IDS

    symbols = 1 + max(number for numbers in IDS.values() for number in numbers)
    waves = np.random.default_rng(7).uniform(-0.5, 0.5, (symbols, HOP)).astype(np.float32)
    graph = [
        _tensor("waves", waves),
        _tensor("frames", np.array([FRAMES], np.float32)),
        _tensor("length_index", np.array([1], np.int64)),
        _tensor("one", np.array([1], np.int64)),
        _tensor("two", np.array([2], np.int64)),
        _tensor("line", np.array([1, 1, -1], np.int64)),
        _node("Gather", "scales length_index", "length", axis=0),
        _node("Mul", "length frames", "many"),
        _node("Ceil", "many", "whole"),
        _node("Cast", "whole", "times", to=7),
        _node("Gather", "waves input", "spoken", axis=0),
        _node("Unsqueeze", "spoken two", "apart"),
        _node("Concat", "one one times one", "repeats", axis=0),
        _node("Tile", "apart repeats", "long"),
        _node("Reshape", "long line", "output"),
        _node("Cast", "input", "numbers", to=1),
        _node("Mul", "numbers zero_f", "nothing"),
        _node("Add", "nothing whole", "durations"),
        _tensor("zero_f", np.array([0], np.float32)),
        _value(11, "input", 7, "batch", "phonemes"),
        _value(11, "input_lengths", 7, "batch"),
        _value(11, "scales", 1, 3),
        _value(12, "output", 1, 1, 1, "samples"),
        *([_value(12, "durations", 1, "batch", "phonemes")] if timed else []),
    ]
    model = _field(1, 8) + _field(7, _field(2, "tiny") + b"".join(graph))
    file = folder / f"{name}.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model + _field(8, _field(1, "") + _field(2, 13)))
    config = {
        "audio": {"sample_rate": 22050},
        "espeak": {"voice": espeak},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "language": {"code": name.partition("-")[0], "family": name[:2]},
        "num_symbols": symbols,
        "num_speakers": 1,
        "hop_length": HOP,
        "phoneme_id_map": IDS,
    }
    Path(f"{file}.json").write_text(json.dumps(config), encoding="utf-8")
    return file
