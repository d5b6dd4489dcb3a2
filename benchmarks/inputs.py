"""Inputs that are generated, so that anyone gets the same.

Run as a program, in a process of its own: what a process has used before it
starts another counts as memory of that one too.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np

SHAPE = (4096, 3052)
"""25 MB of bf16, about the size of a projection of a small language model."""


def write_model(path: Path, size: int, *, seed: int = 0) -> None:
    """Write a safetensors file of about ``size`` bytes of bf16.

    The weights are normal with a standard deviation of 0.02, as trained linear
    layers are: 2.65 bits in the exponent, noise below.
    """
    random = np.random.default_rng(seed)
    tensor = SHAPE[0] * SHAPE[1] * 2
    count = max(1, size // tensor)
    header = {
        f"model.layers.{number}.weight": {
            "dtype": "BF16",
            "shape": list(SHAPE),
            "data_offsets": [number * tensor, (number + 1) * tensor],
        }
        for number in range(count)
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _ in range(count):
            file.write(_tensor(random))


def change_model(path: Path, *, seed: int = 1) -> None:
    """Give one tensor in ten of such a file, at least one, other values."""
    random = np.random.default_rng(seed)
    tensor = SHAPE[0] * SHAPE[1] * 2
    size = path.stat().st_size
    with path.open("r+b") as file:
        for start in range(size % tensor, size, 10 * tensor):
            file.seek(start)
            file.write(_tensor(random))


def _tensor(random: np.random.Generator) -> bytes:
    values = random.standard_normal(SHAPE, dtype=np.float32) * np.float32(0.02)
    return (values.view(np.uint32) >> 16).astype(np.uint16).tobytes()


if __name__ == "__main__":
    if sys.argv[1] == "--change":
        change_model(Path(sys.argv[2]))
    else:
        write_model(Path(sys.argv[1]), int(sys.argv[2]))
