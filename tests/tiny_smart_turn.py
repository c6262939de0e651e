"""Writes a network of Smart Turn's shape that says sigmoid(bias + the sum of weights * x)."""

import numpy as np


def make(path, weights, bias=0.0, *, name="input_features", sigmoid=True):
    """An ONNX file, encoded by hand: `weights` of shape (1, 80, 800) are all there is in it."""
    weights = np.asarray(weights, np.float32)
    nodes = [
        node("Mul", [name, "weights"], "product"),
        node("ReduceSum", ["product"], "sum"),
        node("Flatten", ["sum"], "flat"),
        node("Add", ["flat", "bias"], "logits" if sigmoid else "chance"),
    ]
    if sigmoid:
        nodes.append(node("Sigmoid", ["logits"], "chance"))
    graph = b"".join(
        [
            *(field(1, each) for each in nodes),
            field(2, b"tiny"),
            field(5, tensor("weights", weights)),
            field(5, tensor("bias", np.array([[bias]], np.float32))),
            field(11, value(name, weights.shape)),
            field(12, value("chance", (1, 1))),
        ]
    )
    path.write_bytes(number(1, 6) + field(7, graph) + field(8, field(1, b"") + number(2, 11)))
    return path


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(tag, value):
    return varint(tag << 3) + varint(value)


def field(tag, content):
    return varint(tag << 3 | 2) + varint(len(content)) + content


def node(kind, inputs, output):
    return b"".join(field(1, name.encode()) for name in inputs) + b"".join(
        [field(2, output.encode()), field(4, kind.encode())]
    )


def tensor(name, array):
    dims = b"".join(number(1, size) for size in array.shape)
    return dims + number(2, 1) + field(8, name.encode()) + field(9, array.astype("<f4").tobytes())


def value(name, shape):
    dims = b"".join(field(1, number(1, size)) for size in shape)
    return field(1, name.encode()) + field(2, field(1, number(1, 1) + field(2, dims)))
