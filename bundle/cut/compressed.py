"""Content that is compressed already: fixed steps (spec §11.5)."""

from __future__ import annotations

from typing import Final

_MAGIC: Final = (
    (0, b"\x1f\x8b\x08"),  # gzip
    (0, b"\x28\xb5\x2f\xfd"),  # zstd
    (0, b"\xfd7zXZ\x00"),  # xz
    (4, b"1AY&SY"),  # bzip2
    (0, b"\x04\x22\x4d\x18"),  # lz4
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),  # JPEG
    (0, b"GIF8"),
    (8, b"WEBP"),
    (4, b"ftyp"),  # MP4, QuickTime, AVIF, HEIC
    (0, b"\x1a\x45\xdf\xa3"),  # Matroska, WebM
    (0, b"OggS"),
    (0, b"fLaC"),
    (0, b"ID3"),  # MP3 with a tag
    (0, b"wOF2"),
)
_NAMES: Final = (".aac", ".br", ".lzma", ".mp3")
"""Formats that start like anything else."""


def recognised(head: bytes, name: str) -> bool:
    """Tell whether a file that starts with ``head`` is compressed."""
    if any(head.startswith(magic, offset) for offset, magic in _MAGIC):
        return True
    return name.lower().endswith(_NAMES)
