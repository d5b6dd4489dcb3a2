"""Writing recipes: files in any order become the one recipe they have (spec §6).

>>> builder = RecipeBuilder()
>>> builder.add("empty", Mode.FILE, 0, bytes(32), None, [])
>>> len(builder.finish())
157
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from bundle.format.columns import RECORD_SIZE
from bundle.format.recipe import Recipe
from bundle.format.recipe_layout import (
    COLUMNS,
    Layout,
    Mode,
    RecipeHeader,
    SegmentKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from bundle.format.columns import Bytes, Words

    _Piece: TypeAlias = bytes | npt.NDArray[Any]

SMALL_FILE: Final = 128
"""Bytes of the largest file that a packer carries as one literal: four ids' worth."""

_SHA256_SIZE: Final = 32
_SHA1_SIZE: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class ChunkRun:
    """Chunks in a row: a row of 32 bytes and the plain bytes of each."""

    ids: Bytes
    lengths: Words


@dataclass(frozen=True, slots=True)
class Literal:
    """Bytes that the recipe carries itself, at most 4 KiB."""

    data: bytes


Part: TypeAlias = ChunkRun | Literal


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    path: bytes
    mode: int
    size: int
    sha256: bytes
    git_sha1: bytes
    parts: tuple[Part, ...]


class RecipeBuilder:
    """Gathers files and directories; ``finish`` returns the recipe's bytes."""

    def __init__(self) -> None:
        self._rows: list[_Row] = []

    def add(
        self,
        path: str,
        mode: int,
        size: int,
        sha256: bytes,
        git_sha1: bytes | None,
        segments: Iterable[Part],
    ) -> None:
        """Add one row; runs of chunks that meet become one, empty parts vanish.

        Raises:
            ValueError: the parts are not ``size`` bytes, or a digest is too short.
        """
        parts = tuple(_joined(segments))
        found = sum(map(_part_size, parts))
        if found != size:
            raise ValueError(f"{path}: segments of {found} bytes, not {size}")
        git = git_sha1 or bytes(_SHA1_SIZE)
        if len(sha256) != _SHA256_SIZE or len(git) != _SHA1_SIZE:
            raise ValueError(f"{path}: a digest has the wrong size")
        self._rows.append(_Row(path.encode(), mode, size, sha256, git, parts))

    def add_directory(self, path: str) -> None:
        """Add a directory; it is left out again if something else is in it."""
        self.add(path, Mode.DIRECTORY, 0, bytes(_SHA256_SIZE), None, ())

    def finish(self) -> bytes:
        """Return the recipe, read back once so that what is written can be read.

        Raises:
            FormatError: a path is refused or two collide, or a chunk or a
                literal is out of bounds.
        """
        rows = _needed(sorted(self._rows, key=lambda row: row.path))
        parts = [part for row in rows for part in row.parts]
        header = RecipeHeader(
            files=len(rows),
            segments=len(parts),
            chunks=sum(len(run.lengths) for run in _runs(parts)),
            literal_bytes=sum(map(len, _literals(parts))),
            path_bytes=sum(len(row.path) for row in rows),
            total=sum(row.size for row in rows),
        )
        data = _laid_out(header, _file_values(rows) | _segment_values(parts))
        Recipe.parse(data)
        return data


def _joined(segments: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts with neighbouring runs joined and empty ones left out."""
    parts = (part for part in segments if _part_size(part))
    for kind, group in groupby(parts, key=type):
        if kind is Literal:
            yield from group
            continue
        runs = list(_runs(group))
        if len(runs) > 1:
            ids = np.concatenate([run.ids for run in runs])
            yield ChunkRun(ids, np.concatenate([run.lengths for run in runs]))
        else:
            yield from runs


def _runs(parts: Iterable[Part]) -> Iterator[ChunkRun]:
    return (part for part in parts if isinstance(part, ChunkRun))


def _literals(parts: Iterable[Part]) -> Iterator[bytes]:
    return (part.data for part in parts if isinstance(part, Literal))


def _part_size(part: Part) -> int:
    if isinstance(part, Literal):
        return len(part.data)
    return int(part.lengths.sum(dtype=np.uint64))


def _part_count(part: Part) -> int:
    return len(part.data) if isinstance(part, Literal) else len(part.lengths)


def _needed(rows: list[_Row]) -> list[_Row]:
    """Leave out the directories that other rows imply (rule 6.3.6)."""
    if all(row.mode != Mode.DIRECTORY for row in rows):
        return rows
    implied: set[bytes] = set()
    for row in rows:
        above = row.path.rpartition(b"/")[0]
        while above and above not in implied:
            implied.add(above)
            above = above.rpartition(b"/")[0]
    return [
        row for row in rows if row.mode != Mode.DIRECTORY or row.path not in implied
    ]


def _file_values(rows: Sequence[_Row]) -> dict[str, list[_Piece]]:
    return {
        "path_end": [np.cumsum([len(row.path) for row in rows], dtype="<u8")],
        "segment_end": [np.cumsum([len(row.parts) for row in rows], dtype="<u8")],
        "size": [np.array([row.size for row in rows], "<u8")],
        "mode": [np.array([row.mode for row in rows], "u1")],
        "sha256": [row.sha256 for row in rows],
        "git_sha1": [row.git_sha1 for row in rows],
        "path_table": [row.path for row in rows],
    }


def _segment_values(parts: Sequence[Part]) -> dict[str, list[_Piece]]:
    kinds = [
        SegmentKind.CHUNKS if isinstance(part, ChunkRun) else SegmentKind.LITERAL
        for part in parts
    ]
    return {
        "segment_kind": [np.array(kinds, "u1")],
        "segment_count": [np.array([_part_count(part) for part in parts], "<u4")],
        "segment_size": [np.array([_part_size(part) for part in parts], "<u8")],
        "chunk_id": [run.ids for run in _runs(parts)],
        "chunk_length": [run.lengths for run in _runs(parts)],
        "literals": list(_literals(parts)),
    }


def _laid_out(header: RecipeHeader, values: dict[str, list[_Piece]]) -> bytes:
    """Join the pieces of each column where it belongs; nothing is copied before."""
    layout = Layout.of(header)
    pieces: list[bytes | memoryview] = [header.serialize()]
    end = RECORD_SIZE
    for kind in COLUMNS:
        start, type_ = layout.starts[kind.name], np.dtype(kind.kind)
        pieces.append(bytes(start - end))
        pieces += [
            piece
            if isinstance(piece, bytes)
            else np.ascontiguousarray(piece, type_).data
            for piece in values[kind.name]
        ]
        end = start + kind.row * getattr(header, kind.counted)
    return b"".join(pieces)
