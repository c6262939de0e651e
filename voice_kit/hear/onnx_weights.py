"""Reads the weights out of an ONNX file, without the onnx package."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Numbers of the fields, from onnx.proto.
GRAPH, INITIALIZER = 7, 5
DIMS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9
FLOAT = 1


def weights(model: bytes) -> dict[str, NDArray[np.float32]]:
    """Every float32 tensor that an ONNX model stores in itself, by name.

    Raises `ValueError` when the bytes are no such model.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for number, graph in _fields(memoryview(model)):
        if number != GRAPH or isinstance(graph, int):
            continue
        for number, tensor in _fields(graph):
            if number == INITIALIZER and not isinstance(tensor, int):
                found.update(_tensor(tensor))
    return found


def _tensor(message: memoryview) -> dict[str, NDArray[np.float32]]:
    """The tensor by its name; nothing when it is stored in another way."""
    shape: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for number, value in _fields(message):
        if number == DIMS:
            shape += [value] if isinstance(value, int) else _varints(value)
        elif number == DATA_TYPE and isinstance(value, int):
            kind = value
        elif number == NAME and not isinstance(value, int):
            name = bytes(value).decode()
        elif number == RAW_DATA and not isinstance(value, int):
            raw = value
    if kind != FLOAT or not len(raw):
        return {}
    return {name: np.frombuffer(raw, "<f4").astype(np.float32).reshape(shape)}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field of a protobuf message: its number, and its value or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(message, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("This is no ONNX model.")
        if at + length > len(message):
            raise ValueError("This ONNX model is cut off.")
        yield number, message[at : at + length]
        at += length


def _varints(message: memoryview) -> list[int]:
    values, at = [], 0
    while at < len(message):
        value, at = _varint(message, at)
        values.append(value)
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at this byte, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("This ONNX model is cut off.")
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
