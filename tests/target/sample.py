"""Recipes of a few files, and the smallest unpacker there can be."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bundle.digest import digest_of
from bundle.errors import TargetError
from bundle.format.descriptor import RECIPE, Descriptor
from bundle.format.recipe import Recipe
from bundle.format.recipe_builder import ChunkRun, RecipeBuilder
from bundle.format.recipe_layout import Mode
from bundle.format.release import Artifact
from bundle.target.base import Published
from bundle.target.room import require_space

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from bundle.target.base import Target

ONE = "1" * 40
TWO = "2" * 40
XET = "e" * 64


@dataclass(frozen=True)
class Sample:
    """An artifact, its recipe, and the content that a bundle would carry."""

    artifact: Artifact
    recipe: Recipe
    content: dict[str, bytes]


def git_sha1(data: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).digest()  # noqa: S324


def sample(
    kind: str,
    name: str,
    content: Mapping[str, bytes],
    *,
    executable: Collection[str] = (),
    directories: Iterable[str] = (),
    large: Collection[str] = (),
) -> Sample:
    """Return an artifact; a file of under 1 KiB that is not ``large`` has a Git SHA-1,
    as on the hub.
    """
    builder = RecipeBuilder()
    for path, data in content.items():
        chunk = np.frombuffer(digest_of(data).raw, np.uint8).reshape(1, 32)
        run = ChunkRun(chunk, np.array([len(data)], np.uint32))
        builder.add(
            path,
            Mode.EXECUTABLE if path in executable else Mode.FILE,
            len(data),
            hashlib.sha256(data).digest(),
            None
            if kind == "tree" or path in large or len(data) > 1023
            else git_sha1(data),
            [run] if data else [],
        )
    for path in directories:
        builder.add(path, Mode.DIRECTORY, 0, bytes(32), None, [])
    data = builder.finish()
    artifact = Artifact(
        kind=kind,
        name=name,
        source="generated",
        revision=ONE,
        recipe=Descriptor.of(RECIPE, data),
        bytes=sum(map(len, content.values())),
        files=len(content),
        chunks=0,
        licence=None,
        warnings=(),
    )
    return Sample(artifact, Recipe.parse(data), dict(content))


def repository(
    snapshots: Mapping[str, Mapping[str, bytes]],
    refs: Mapping[str, str],
    *,
    name: str = "org/model",
    kind: str = "hf-model",
    no_exist: Collection[str] = (),
    listings: bool = True,
) -> Sample:
    """Return a repository of the hub with a listing for each snapshot."""
    content: dict[str, bytes] = {}
    for commit, files in snapshots.items():
        content |= {f"snapshots/{commit}/{path}": data for path, data in files.items()}
        if listings:
            content[f"trees/{commit}.json"] = listing(files)
        content |= {f".no_exist/{commit}/{path}": b"" for path in no_exist}
    content |= {f"refs/{ref}": commit.encode() for ref, commit in refs.items()}
    return sample(kind, name, content)


def listing(files: Mapping[str, bytes]) -> bytes:
    """Return what a client of version 2 writes, with the hash of another store."""
    entries = {
        path: {
            "size": len(data),
            "blob_id": git_sha1(data).hex(),
            "lfs_sha256": hashlib.sha256(data).hexdigest(),
            "lfs_size": len(data),
            "xet_hash": XET,
        }
        for path, data in files.items()
    }
    return json.dumps({"format_version": 1, "files": entries}, indent=1).encode()


def unpack(target: Target, *samples: Sample) -> Published:
    """Do what an unpacker does, in its order."""
    return asyncio.run(_unpack(target, samples))


async def _unpack(target: Target, samples: tuple[Sample, ...]) -> Published:
    missing = {
        index: await target.missing(item.artifact, item.recipe)
        for index, item in enumerate(samples)
    }
    require_space(
        (target, samples[index].recipe, lacking) for index, lacking in missing.items()
    )
    await target.begin()
    done = Published(0, 0, 0)
    try:
        for index, item in enumerate(samples):
            staged = {
                i: stage(target.staging, item.content[item.recipe.path(i)])
                for i in missing[index]
            }
            done += await target.publish(item.artifact, item.recipe, staged.get)
    except TargetError:
        await target.abandon()
        raise
    await target.finish("blake3:" + "0" * 64)
    return done


def stage(directory: Path, data: bytes) -> Path:
    """Stage content once, whatever number of files has it."""
    path = directory / hashlib.sha256(data).hexdigest()
    marker = path.with_suffix(".staged")
    if not marker.exists():
        path.write_bytes(data)
        marker.write_bytes(b"")
    return path


def listing_of(directory: Path) -> dict[str, tuple[object, ...]]:
    """Return every name below a directory and all that would change by a write."""
    return {
        path.relative_to(directory).as_posix(): (
            path.lstat().st_mode,
            path.lstat().st_ino,
            path.lstat().st_mtime_ns,
        )
        for path in sorted(directory.rglob("*"))
    }
