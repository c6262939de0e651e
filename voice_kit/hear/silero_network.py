"""Silero's network written out in numpy, for the frames of many streams at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

CONTEXT = 64
"""Samples of the frame before, which the network reads again."""
WINDOW, HOP, STEPS = 256, 128, 4
"""Each frame becomes four spectra of 256 samples."""
BINS = WINDOW // 2 + 1
MEMORY = 128
"""Numbers in each half of the network's memory: its output `h`, and its cell `c`."""
STATE = CONTEXT + 2 * MEMORY
"""Numbers in a stream's state: the end of the frame before, h, c."""
BLOCK = 32
"""Streams computed at once. More would spill out of the caches, and be slower for each."""

BASIS = "encoder.feature_extractor.forward_basis_buffer"
SHAPES = {
    BASIS: (2 * BINS, 1, WINDOW),
    "encoder.conv_layers.0.weight": (128, BINS, 3),
    "encoder.conv_layers.0.bias": (128,),
    "encoder.conv_layers.1.weight": (64, 128, 3),
    "encoder.conv_layers.1.bias": (64,),
    "encoder.conv_layers.2.weight": (64, 64, 3),
    "encoder.conv_layers.2.bias": (64,),
    "encoder.conv_layers.3.weight": (128, 64, 3),
    "encoder.conv_layers.3.bias": (128,),
    "onnx::LSTM_209": (1, 4 * MEMORY, 128),
    "onnx::LSTM_210": (1, 4 * MEMORY, MEMORY),
    "onnx::LSTM_211": (1, 8 * MEMORY),
    "decoder.conv1d.weight": (1, MEMORY, 1),
    "decoder.conv1d.bias": (1,),
}


class Network:
    """Silero v6 with the weights of its ONNX file, equal to onnxruntime on it within rounding.

    It computes in the thread that calls it. BLAS would wake its threads, which then burn a core
    while they wait for more, for any product of 2^19 multiplications or 9216 with a single row:
    so every matrix is cut into stripes for which that is not worth while. This way nobody's
    number of threads has to be changed.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        """Raises `ValueError` when these are not the weights of this network."""
        for name, shape in SHAPES.items():
            found = weights[name].shape if name in weights else None
            if found != shape:
                raise ValueError(f"Silero's {name} has the shape {found}, not {shape}.")
        self._window = _window(weights[BASIS][:, 0])
        kernels = [weights[f"encoder.conv_layers.{n}.weight"] for n in range(4)]
        self._bias = [weights[f"encoder.conv_layers.{n}.bias"] for n in range(4)]
        gates = np.concatenate([weights[f"onnx::LSTM_{n}"][0] for n in (209, 210)], axis=1)
        gates_bias = weights["onnx::LSTM_211"][0].reshape(2, -1).sum(axis=0)
        self._last = weights["decoder.conv1d.weight"].reshape(-1)
        self._last_bias = weights["decoder.conv1d.bias"]
        self._first = _stripes(_matrix(kernels[0]), 4 * BLOCK)
        self._second = _stripes(_matrix(kernels[1]), 2 * BLOCK)
        # Now a frame is one step: what a kernel has for its neighbours would meet zeros.
        self._third = _stripes(_matrix(kernels[2][:, :, 1:]), BLOCK)
        self._fourth = _stripes(_matrix(kernels[3][:, :, 1:2]), BLOCK)
        # σ(x) = (1 + tanh(x / 2)) / 2 makes one function of all four gates.
        scale = np.repeat(np.array([0.5, 0.5, 0.5, 1], np.float32), MEMORY)
        self._gates = _stripes((gates * scale[:, np.newaxis]).T, BLOCK)
        self._gates_bias = gates_bias * scale

    def __call__(self, frames: Array, states: Array) -> tuple[Array, Array]:
        """Chance of speech in the next frame of each stream, and the states after it.

        `frames` has shape (B, 512), `states` (B, 320), of zeros at first; neither is changed.
        """
        count = len(frames)
        chances, after = np.empty(count, np.float32), np.empty((count, STATE), np.float32)
        blocks = -(-count // BLOCK)
        for n in range(blocks):
            part = slice(n * count // blocks, (n + 1) * count // blocks)
            chances[part] = self._compute(frames[part], states[part], after[part])
        return chances, after

    def _compute(self, frames: Array, states: Array, after: Array) -> Array:
        count = len(frames)
        turned = frames[:, -2 : -CONTEXT - 2 : -1]  # the last window is turned back at the end
        sound = np.concatenate((states[:, :CONTEXT], frames, turned), axis=1)
        spectra = np.fft.rfft(_windows(sound) * self._window)
        loudness = np.zeros((count, STEPS + 2, BINS), np.float32)  # with a step of zeros around
        np.abs(spectra, out=loudness[:, 1:-1])

        hidden = np.zeros((count, STEPS + 1, 128), np.float32)
        threes = _times(_threes(loudness, STEPS, 1), self._first)
        threes += self._bias[0]
        np.maximum(threes.reshape(count, STEPS, 128), 0, out=hidden[:, 1:])
        twos = _relu(_times(_threes(hidden, 2, 2), self._second), self._bias[1])
        one = _relu(_times(twos.reshape(count, 128), self._third), self._bias[2])
        read = np.empty((count, 2 * MEMORY), np.float32)
        np.maximum(_times(one, self._fourth) + self._bias[3], 0, out=read[:, :MEMORY])
        read[:, MEMORY:] = states[:, CONTEXT:-MEMORY]

        gates = _times(read, self._gates)
        gates += self._gates_bias
        np.tanh(gates, out=gates)
        chances = gates[:, : 3 * MEMORY]
        chances += 1
        chances *= 0.5
        take, show, keep, new = (gates[:, n * MEMORY : (n + 1) * MEMORY] for n in range(4))
        new *= take
        h, c = after[:, CONTEXT:-MEMORY], after[:, -MEMORY:]
        after[:, :CONTEXT] = frames[:, -CONTEXT:]
        np.multiply(states[:, -MEMORY:], keep, out=c)
        c += new
        np.tanh(c, out=h)
        h *= show
        speech: Array = np.tanh((np.maximum(h, 0) @ self._last + self._last_bias) / 2)
        speech += 1
        speech *= 0.5
        return speech


def _windows(sound: Array) -> Array:
    """The four overlapping windows of each stream's sound, without a copy: (B, 4, 256)."""
    stream, sample = sound.strides
    return np.ndarray(
        (len(sound), STEPS, WINDOW), np.float32, sound, 0, (stream, HOP * sample, sample)
    )


def _window(basis: Array) -> Array:
    """What is laid over the sound before its spectrum is taken.

    The file has a matrix for both in one; a Fourier transform is the same in a fifth of the time.
    """
    window: Array = basis[0].copy()
    spectra = np.fft.rfft(np.eye(WINDOW)).T
    fourier = np.concatenate((spectra.real, spectra.imag)) * window
    if np.abs(basis - fourier).max() > 1e-6:
        raise ValueError("Silero's network begins with something else than a spectrum.")
    return window


def _matrix(kernel: Array) -> Array:
    """A convolution's kernel as a matrix from its steps' channels, one after the other."""
    return kernel.transpose(2, 1, 0).reshape(-1, len(kernel))


def _stripes(matrix: Array, rows: int) -> Array:
    """A matrix (K, N) cut into stripes (n, K, N / n), to be multiplied with at most `rows` rows."""
    height, width = matrix.shape
    while height * width > 9216 or rows * height * width >= 2**19:
        width //= 2
    return np.ascontiguousarray(matrix.reshape(height, -1, width).transpose(1, 0, 2))


def _times(rows: Array, stripes: Array) -> Array:
    """The matrix product of `rows` with a matrix in stripes."""
    count, _, width = stripes.shape
    product = np.empty((len(rows), count, width), np.float32)
    np.matmul(rows, stripes, out=product.transpose(1, 0, 2))
    return product.reshape(len(rows), -1)


def _threes(steps: Array, count: int, stride: int) -> Array:
    """Every `stride`th three neighbouring steps of (B, T, C), side by side: (B · count, 3 · C)."""
    batch, _, channels = steps.shape
    first, second, third = steps.strides
    shape, strides = (batch, count, 3 * channels), (first, stride * second, third)
    return np.ndarray(shape, np.float32, steps, 0, strides).reshape(-1, 3 * channels)


def _relu(product: Array, bias: Array) -> Array:
    product += bias
    return np.maximum(product, 0, out=product)
