"""A store of ten million chunks: memory, and the time of look-ups.

Run as ``python -m benchmarks.store``; exits 1 where a bar is missed. The chunks
are ids alone: packs are empty files, since a look-up never opens one.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from bundle.store.index import Index
from bundle.store.local import LocalStore
from bundle.store.segment import ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bundle.store.segment import Table

CHUNKS: Final = 10_000_000
"""Chunks of 64 KiB to 1 MiB: a store of 1 to 10 TB."""

ASKED: Final = 1_000_000
SHARES: Final = (0.5, 0.25, 0.12, 0.07, 0.04, 0.02)
"""Parts of the chunks by segment, as merging leaves them."""

MOST_MIB: Final = 400
MOST_SECONDS: Final = 2.0


def main() -> int:
    """Make the store in one process and ask it in another."""
    parser = argparse.ArgumentParser(prog="benchmarks.store", description=__doc__)
    parser.add_argument("--chunks", type=int, default=CHUNKS)
    parser.add_argument("--asked", type=int, default=ASKED)
    parser.add_argument("--ask", type=Path, help="ask the store that is there")
    options = parser.parse_args()
    if options.ask is not None:
        return ask(options.ask, options.asked)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "store"
        make(root, options.chunks)
        words = ["--ask", str(root), "--asked", str(options.asked)]
        command = [sys.executable, "-m", "benchmarks.store", *words]
        return subprocess.run(command, check=False).returncode


def make(root: Path, chunks: int) -> None:
    """Make a store of this many chunks in segments of unlike sizes."""
    start = time.perf_counter()
    LocalStore.make(root)
    (root / "packs").mkdir()
    index = Index(root / "indexes")
    for pack, share in enumerate(SHARES, 1):
        (root / "packs" / f"{pack:010d}.bdv").touch()
        index.set_live(np.arange(1, pack + 1, dtype=np.uint32))
        index.add([pack], _buckets(int(chunks * share), pack))
    print(f"made {chunks:,} chunks in {time.perf_counter() - start:.1f} s")


def _buckets(count: int, seed: int) -> Iterator[Table]:
    random = np.random.default_rng(seed)
    for first in range(256):
        table = np.zeros(count // 256, ENTRY)
        table["id"] = random.integers(0, 256, (len(table), 32), dtype=np.uint8)
        table["id"][:, 0] = first
        table["pack"] = seed
        table["length"] = 1 << 16
        yield table


def ask(root: Path, asked: int) -> int:
    """Look up ids, half of them held, in one batch and in small ones."""
    store = LocalStore(root)
    ids = _asked(store, asked)
    opened = _peak()
    start, busy = time.perf_counter(), time.process_time()
    held = asyncio.run(store.has_many(ids))
    whole, busy = time.perf_counter() - start, time.process_time() - busy
    start = time.perf_counter()
    for first in range(0, len(ids), 10_000):
        store.vault.holds(ids[first : first + 10_000])
    parts = time.perf_counter() - start
    chunks = sum(len(segment) for segment in store.vault.index.segments)
    print(f"{chunks:,} chunks in {len(store.vault.index.segments)} segments")
    print(f"{len(ids):,} look-ups, {int(held.sum()):,} held:")
    print(f"{whole:.2f} s in one batch, {busy:.2f} s of a processor")
    print(f"{parts:.2f} s in batches of 10,000")
    print(f"peak RSS {_peak():.0f} MiB, {opened:.0f} MiB of it before the look-ups")
    bars = (whole < MOST_SECONDS, _peak() < MOST_MIB)
    print("kept" if all(bars) else "MISSED", f"{MOST_SECONDS} s, {MOST_MIB} MiB")
    return 0 if all(bars) else 1


def _asked(store: LocalStore, count: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(99)
    ids = random.integers(0, 256, (count, 32), dtype=np.uint8)
    at = 0
    for segment, share in zip(store.vault.index.segments, SHARES, strict=False):
        rows = np.sort(random.integers(0, len(segment), int(count / 2 * share)))
        for part in np.array_split(rows, 16):
            ids[at : at + len(part)] = segment.table["id"][part]
            at += len(part)
            segment.release()
    random.shuffle(ids)
    return ids


def _peak() -> float:
    """Return the most memory this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
