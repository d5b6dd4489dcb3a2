"""zstd frames made by hand, and how a test watches memory."""

from __future__ import annotations

from pathlib import Path

import pytest

MAGIC = bytes.fromhex("28b52ffd")
SKIPPABLE = bytes.fromhex("502a4d18") + b"\4\0\0\0skip"
RAW, RLE = 0, 1


def block(kind: int, size: int, body: bytes, *, last: bool = False) -> bytes:
    """Return one block; ``size`` is what its header says."""
    return (int(last) | kind << 1 | size << 3).to_bytes(3, "little") + body


def run(byte: bytes, count: int) -> bytes:
    """Return ``count`` blocks of 128 KiB of one byte each, the last one marked."""
    one = block(RLE, 128 << 10, byte)
    return one * (count - 1) + block(RLE, 128 << 10, byte, last=True)


def frame(declared: int, blocks: bytes, *, flags: int = 0xA0) -> bytes:
    """Return a single segment that declares its content size in four bytes."""
    return MAGIC + bytes([flags]) + declared.to_bytes(4, "little") + blocks


def windowed(declared: int, blocks: bytes, *, exponent: int) -> bytes:
    """Return a frame with a window of 2 to the 10 + ``exponent`` bytes."""
    return frame(declared, blocks, flags=0x80).replace(
        MAGIC + b"\x80", MAGIC + b"\x80" + bytes([exponent << 3]), 1
    )


def forget_peak() -> None:
    """Make ``peak`` start again from what is in use now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("this system does not tell the peak of memory in use")


def peak() -> int:
    """Return the bytes of memory that were in use at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no peak")
