"""Small valid structures, and ways to damage them that leave their checks right."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from blake3 import blake3

from bundle.codec.encoding import Encoding
from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, TruncatedError
from bundle.format.descriptor import (
    APPROVAL,
    RECIPE,
    RECIPES,
    RELEASE,
    SHARDS,
    VOLUME,
    Descriptor,
)
from bundle.format.index import serialize_index
from bundle.format.manifest import Manifest, Requires, Volume
from bundle.format.recipe import Mode, Recipe, SegmentKind
from bundle.format.recipe_builder import ChunkRun, Literal, RecipeBuilder
from bundle.format.recipe_layout import COLUMNS, Layout
from bundle.format.recipes import serialize_recipes
from bundle.format.release import Artifact, Budgets, Release, Stream, TrustVersion
from bundle.format.shards import serialize_shards
from bundle.format.volume import (
    VolumeHeader,
    VolumeTail,
    frame_of,
    serialize_frame,
    serialize_volume_header,
    serialize_volume_tail,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    from _typeshed import ReadableBuffer

HELLO = b"hello, air gap\n"
HELLO_ID = blake3(HELLO).digest()


def ids_of(*chunks: bytes) -> npt.NDArray[np.uint8]:
    joined = b"".join(blake3(chunk).digest() for chunk in chunks)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def run_of(*chunks: bytes) -> ChunkRun:
    return ChunkRun(ids_of(*chunks), np.array([len(c) for c in chunks], np.uint32))


def tiny_volume() -> bytes:
    """Return the volume of the worked example: one raw frame of one chunk."""
    header = serialize_volume_header(VolumeHeader(1))
    frame = frame_of((Encoding.RAW, 0, 0), *_columns(HELLO), HELLO)
    body = header + b"".join(serialize_frame(frame, HELLO))
    zero = np.zeros(1, np.uint32)
    index = serialize_index(frame.ids, zero + 64, zero, frame.lengths)
    tail = VolumeTail(len(body), 1, 1, digest_of(index))
    return body + index + serialize_volume_tail(tail)


def _columns(*chunks: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint32]]:
    run = run_of(*chunks)
    return run.ids, run.lengths


def tiny_recipe() -> bytes:
    """Return the recipe of the worked example: a literal and a run of one chunk."""
    builder = RecipeBuilder()
    add(builder, "config.json", b"{}\n", [Literal(b"{}\n")])
    add(builder, "data/hello.txt", HELLO, [run_of(HELLO)])
    return builder.finish()


def tiny_recipes() -> bytes:
    """Return the recipes.bdr of the worked example: the recipe above, no ids."""
    contents = sample_release().contents
    return b"".join(serialize_recipes(contents, [tiny_recipe()], ids_of()))


def rich_recipe() -> bytes:
    """Return a recipe with every mode, every kind of segment and awkward paths."""
    one, two, three = b"1" * 1000, b"2" * 2000, b"3" * 300
    builder = RecipeBuilder()
    add(builder, "b/run", one + two, [run_of(one, two)], Mode.EXECUTABLE)
    add(
        builder,
        "b-/mixed",
        one + b"##" + two,
        [run_of(one), Literal(b"##"), run_of(two)],
    )
    add(builder, "b/again", two, [run_of(two)])
    add(builder, "a", b"", [])
    add(builder, "größe/日本語", three, [run_of(three)])
    add(builder, "b/literals", b"xyz", [Literal(b"x"), Literal(b"yz")])
    builder.add(
        "git", Mode.FILE, 3, bytes(range(32)), bytes(range(20)), [Literal(b"abc")]
    )
    builder.add_directory("hollow/inside")
    return builder.finish()


def add(
    builder: RecipeBuilder,
    path: str,
    content: bytes,
    parts: Sequence[ChunkRun | Literal],
    mode: Mode = Mode.FILE,
) -> None:
    builder.add(path, mode, len(content), hashlib.sha256(content).digest(), None, parts)


def rebuilt(recipe: Recipe) -> bytes:
    """Return what the writer makes of everything that the reader found."""
    builder = RecipeBuilder()
    for file in range(recipe.files):
        parts: list[ChunkRun | Literal] = []
        for segment in recipe.segments(file):
            rows = slice(segment.start, segment.start + segment.count)
            parts.append(
                ChunkRun(recipe.chunk_ids[rows], recipe.chunk_lengths[rows])
                if segment.kind == SegmentKind.CHUNKS
                else Literal(recipe.literal(segment))
            )
        builder.add(
            recipe.path(file),
            int(recipe.modes[file]),
            int(recipe.sizes[file]),
            recipe.sha256[file].tobytes(),
            recipe.git_sha1[file].tobytes(),
            parts,
        )
    return builder.finish()


def patched(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def rechecked(data: bytes) -> bytes:
    """Return ``data`` with the check of its leading record made right again."""
    return patched(data, 56, blake3(data[:56]).digest(8))


def with_field(data: bytes, offset: int, layout: str, value: int) -> bytes:
    """Return ``data`` with one field of its leading record changed, check right."""
    return rechecked(patched(data, offset, struct.pack(layout, value)))


def with_cell(data: bytes, name: str, row: int, value: int) -> bytes:
    """Return a recipe with one value of a column changed."""
    layout = Layout.parse(memoryview(data))
    kind = next(column for column in COLUMNS if column.name == name)
    size = kind.row
    start = layout.starts[name] + size * row
    return patched(data, start, value.to_bytes(size, "little"))


def assert_refused(
    parse: Callable[[bytes], object], data: bytes, rule: str, at: int | None = None
) -> None:
    with pytest.raises(FormatError) as caught:
        parse(data)
    assert caught.value.rule == rule, caught.value
    if at is not None:
        assert caught.value.offset == at


def assert_whole(parse: Callable[[bytes], object], data: bytes) -> None:
    """Check a decoder with the case whole, cut at every byte, and with a tail."""
    parse(data)
    for end in range(len(data)):
        with pytest.raises(TruncatedError):
            parse(data[:end])
    for tail in (b"\0", b"\0" * 64, b"more"):
        with pytest.raises(FormatError):
            parse(data + tail)


def assert_prefix(
    parse: Callable[[ReadableBuffer], object], data: bytes, size: int
) -> None:
    """Check a decoder that needs ``size`` bytes and leaves what follows alone."""
    for end in range(size):
        with pytest.raises(TruncatedError):
            parse(data[:end])
    for buffer in (
        data[:size],
        data[:size] + b"tail",
        bytearray(data),
        memoryview(data),
    ):
        parse(buffer)


def sample_artifact(name: str = "acme/tiny", kind: str = "hf-model") -> Artifact:
    recipe = Recipe.parse(tiny_recipe())
    return Artifact(
        kind=kind,
        name=name,
        source="https://huggingface.co/acme/tiny",
        revision="3f0c0c1a9d5bb0f0a5b8a6c6f7f7c2a1e0d4b3c2",
        recipe=Descriptor.of(RECIPE, tiny_recipe()),
        bytes=recipe.total,
        files=recipe.files,
        chunks=recipe.chunks,
        licence="apache-2.0",
        warnings=(),
    )


def sample_release(*artifacts: Artifact) -> Release:
    held = artifacts or (sample_artifact(),)
    return Release(
        stream=Stream("000102030405060708090a0b0c0d0e0f", "models-prod"),
        seq=1,
        prev="genesis",
        audience=("site-a",),
        created="2026-01-31T12:00:00Z",
        expires=None,
        trust_version=TrustVersion(1, 1),
        artifacts=held,
        budgets=Budgets.of(held, depth=2, name_bytes=11),
    )


def sample_manifest() -> Manifest:
    payload = sample_release().serialize()
    volume, recipe, recipes = tiny_volume(), tiny_recipe(), tiny_recipes()
    shards = serialize_shards(blake3(recipes).digest() + blake3(volume).digest())
    approval = b"# models-prod 1\n"
    return Manifest(
        release=Descriptor.of(RELEASE, payload),
        contents=str(sample_release().contents),
        recipes=Descriptor.of(RECIPES, recipes),
        carried=(str(digest_of(recipe)),),
        volumes=(Volume(VOLUME, str(digest_of(volume)), len(volume), "vol-00001.bdv"),),
        shards=Descriptor.of(SHARDS, shards),
        approval=Descriptor.of(APPROVAL, approval),
        requires=Requires.of(b""),
        bytes=len(recipes) + len(volume) + len(shards) + len(approval),
    )


NOTHING = Digest(bytes(32))
