"""What cannot be left out: each pass over the bytes alone, and their sums.

    python -m benchmarks.floor [--size BYTES] [--where DIR]

A verb reads, hashes, codes and writes every byte a fixed number of times, by the
format or by its rules. Here each of these passes runs by itself on one thread,
with the library that the product uses, so their sum is what a verb takes that
does nothing else. The best of several runs over each piece counts. A second
figure says how much faster two threads do it: less than twice where they share
a core.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from blake3 import blake3
from rich.console import Console
from rich.table import Table

from benchmarks.inputs import write_model
from bundle.codec import planes, zstd
from bundle.flow.pages import pages

if TYPE_CHECKING:
    from collections.abc import Callable

MIB: Final = 1 << 20
PIECES: Final = 64
RUNS: Final = 9


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass, and how often each verb makes it over all of its input."""

    name: str
    run: Callable[[int], object]
    pack: float = 0
    verify: float = 0
    unpack: float = 0


class Passes:
    """All passes over ``PIECES`` MiB of a model, for one thread."""

    def __init__(self, where: Path) -> None:
        write_model(where / "model", PIECES * MIB + 2 * 25_001_984)
        self._source = os.open(where / "model", os.O_RDONLY)
        self._out = os.open(where / "out", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self._plain = [np.frombuffer(pages(MIB), np.uint8) for _ in range(PIECES)]
        self._spare = np.empty(MIB, np.uint8)
        self._same = np.empty(MIB, np.bool_)
        self._encoder, self._decoder = zstd.plane_compressor(), zstd.decompressor()
        self._scratch = planes.Scratch()
        self._planes = np.empty((PIECES, 2, MIB // 2), np.uint8)
        for piece in range(PIECES):
            self._read(piece)
            self._split(piece)
        self._coded = [self._encode(piece) for piece in range(PIECES)]
        self._high = np.empty(MIB // 2, np.uint8)
        self._end = 0
        coded = sum(map(len, self._coded))
        self.stored = (coded + PIECES * MIB // 2) / (PIECES * MIB)

    def all(self) -> tuple[Pass, ...]:
        """Return the passes; stored bytes count as their share of plain ones."""
        stored = self.stored
        return (
            Pass("read", self._read, 1, stored, stored),
            Pass("SHA-256 of files", self._sha256, 1, 1, 1),
            Pass("BLAKE3 of chunks", self._blake3, 1, 1, 1),
            Pass("planes apart", self._split, 1),
            Pass("zstd of exponents", self._encode, 1),
            Pass("and back", self._decode, 1, 1, 1),
            Pass("planes together", self._join, 1, 1, 1),
            Pass("comparison", self._compare, 1),
            Pass(
                "BLAKE3 of frames, shards, volumes",
                self._blake3,
                3 * stored,
                3 * stored,
                2 * stored,
            ),
            Pass("write to fresh pages", self._write, stored, 0, 1),
        )

    def _read(self, piece: int) -> None:
        os.preadv(self._source, [self._plain[piece].data], 4096 + piece * MIB)

    def _sha256(self, piece: int) -> None:
        hashlib.sha256(self._plain[piece].data).digest()

    def _blake3(self, piece: int) -> None:
        blake3(self._plain[piece].data).digest()

    def _split(self, piece: int) -> None:
        words = planes.words_of(self._plain[piece], 2)
        for plane, out in enumerate(self._planes[piece]):
            planes.extract(words, plane, 1, out, self._scratch)

    def _encode(self, piece: int) -> bytes:
        return self._encoder.compress(self._planes[piece][1].data)

    def _decode(self, piece: int) -> None:
        coded = memoryview(self._coded[piece])
        zstd.decompress_into(self._decoder, coded, self._high)

    def _join(self, piece: int) -> None:
        low, high = self._planes[piece]
        planes.join([high, low], 1, planes.words_of(self._spare, 2), self._scratch)

    def _compare(self, piece: int) -> None:
        np.equal(self._plain[piece], self._spare, out=self._same).all()

    def _write(self, piece: int) -> None:
        os.pwrite(self._out, self._plain[piece].data, self._end)
        self._end += MIB


def seconds_of(one: Pass) -> float:
    """Return seconds for each MiB: of each piece the best run, of those the mean."""
    best = [float("inf")] * PIECES
    for _ in range(RUNS):
        for piece in range(PIECES):
            start = time.perf_counter()
            one.run(piece)
            best[piece] = min(best[piece], time.perf_counter() - start)
    return sum(best) / PIECES


def gain_of_two(where: Path) -> float:
    """Return how many times faster two threads go through a pack than one."""

    def go(passes: Passes) -> None:
        for piece in range(PIECES):
            for one in passes.all():
                for _ in range(round(one.pack)):
                    one.run(piece)

    crew = []
    for number in range(2):
        (where / f"{number}").mkdir()
        crew.append(Passes(where / f"{number}"))
    alone, together = float("inf"), float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        go(crew[0])
        middle = time.perf_counter()
        threads = [threading.Thread(target=go, args=(one,)) for one in crew]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        alone = min(alone, middle - start)
        together = min(together, time.perf_counter() - middle)
    return 2 * alone / together


def main() -> int:
    """Print the passes and their sums for each verb."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor")
    parser.add_argument("--size", type=int, default=1_475_123_456, help="bytes of bf16")
    parser.add_argument("--where", type=Path, default=Path("/dev/shm"))  # noqa: S108 - memory, so that no disk is measured
    options = parser.parse_args()
    table = Table(title=f"seconds of one thread for {options.size / 1e9:.2f} GB")
    for title in ("", "GB/s", "pack", "verify", "unpack"):
        table.add_column(title, justify="right" if title else "left")
    sums = [0.0] * 3
    with tempfile.TemporaryDirectory(dir=options.where, prefix="bundle-floor-") as name:
        for one in Passes(Path(name)).all():
            seconds = seconds_of(one) / MIB
            parts = [n * seconds * options.size for n in _counts(one)]
            sums = [a + b for a, b in zip(sums, parts, strict=True)]
            cells = [f"{part:.2f}" if part else "-" for part in parts]
            table.add_row(one.name, f"{1e-9 / seconds:.2f}", *cells)
        table.add_row("sum", "", *(f"{one:.2f}" for one in sums))
        gain = gain_of_two(Path(name))
    halves = [f"{one / gain:.2f}" for one in sums]
    table.add_row(f"on two threads, {gain:.2f} times faster", "", *halves)
    Console(width=100).print(table)
    return 0


def _counts(one: Pass) -> tuple[float, float, float]:
    return one.pack, one.verify, one.unpack


if __name__ == "__main__":
    sys.exit(main())
