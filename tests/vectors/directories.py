"""Vectors that are read from files: volumes and whole bundles."""

from __future__ import annotations

import asyncio
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from blake3 import blake3

from bundle.errors import BundleError
from bundle.format.shards import Shards, serialize_shards
from bundle.format.stream import serialize_entry
from bundle.limits import SHARD
from bundle.medium.chunks import ChunkReader
from bundle.medium.files import ShardedFile
from bundle.progress import Reporter
from bundle.state.receiver import TrustChoice, enrol
from bundle.target.tree import TreeTarget
from bundle.unpacker import UnpackRequest, unpack
from bundle.unpacking.contents import Contents
from bundle.unpacking.run import assemble
from bundle.unpacking.sink import Staging
from bundle.unpacking.stream import BUFFER, FrameStream
from bundle.verifier import verify
from bundle.wire import read_moment, write_json
from spec.vectors.generator.container import Link, Vector, joined, parse
from tests.bundles import no_flushing, snapshot
from tests.vectors.trust import files_of, mark_of, warned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bundle.unpacker import UnpackReport
    from bundle.verifier import VerifyReport


@contextmanager
def opened(vector: Vector, scratch: Path) -> Iterator[ShardedFile]:
    """Open the volume in a vector, as ``vol-00001.bdv`` with right shards."""
    assert isinstance(vector.body, bytes | tuple)
    data = joined(vector.body)
    path = scratch / "vol-00001.bdv"
    path.write_bytes(data)
    pieces = [data[start : start + SHARD] for start in range(0, len(data), SHARD)]
    digests = b"".join(blake3(piece).digest() for piece in pieces)
    file = ShardedFile(path, len(data), Shards.parse(serialize_shards(digests)), 0)
    try:
        yield file
    finally:
        file.close()


def read_volume(vector: Vector, scratch: Path) -> dict[str, Any]:
    """Read a volume from its first byte to its last, as unpack does."""
    contents = Contents()
    with opened(vector, scratch) as file:
        work = assemble(
            [file], contents, Staging(contents), jobs=1, reporter=Reporter()
        )
        asyncio.run(work)
    with opened(vector, scratch) as file:
        stream, offset, frames = FrameStream([file]), 64, []
        buffer = memoryview(bytearray(BUFFER))
        while found := stream.fill(buffer):
            for one in found:
                ids = [name.tobytes().hex() for name in one.header.ids]
                frames.append({"offset": offset, "ids": ids})
                offset += one.header.size
    return {"number": 1, "frames": frames}


def read_chunk(vector: Vector, scratch: Path) -> dict[str, Any]:
    """Look one chunk up through tail and index, as cat does."""
    chunk = bytes.fromhex(vector.given["chunk"])
    with opened(vector, scratch) as file:
        return {"plain": ChunkReader([file]).fetch(chunk).hex()}


@dataclass(frozen=True)
class Medium:
    """A bundle of a vector on a disk, and whoever is to read it."""

    bundle: Path
    target: Path
    choice: TrustChoice
    clock: float

    def verify(self) -> VerifyReport:
        return asyncio.run(verify(self.bundle, self.choice, 1, Reporter(), self.clock))

    def unpack(self) -> UnpackReport:
        request = UnpackRequest(
            bundle=self.bundle,
            targets=(TreeTarget(self.target),),
            trust=self.choice,
            clock=lambda: self.clock,
            jobs=1,
        )
        return asyncio.run(unpack(request, Reporter()))


def medium(vector: Vector, vectors: Path, scratch: Path) -> Medium:
    """Lay the bundle of a vector out below ``scratch``; a stream is no directory."""
    bundle, state = scratch / "bundle", scratch / "state"
    files = {} if vector.kind == "stream" else files_of(vector, vectors)
    for name, content in files.items():
        path = bundle / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            path.symlink_to(content.target)
        else:
            path.write_bytes(content)
    if crowd := vector.given.get("crowd"):
        for number in range(1, 4096):
            (bundle / crowd / str(number)).touch()
    given = vector.given["receiver"]
    clock = float(read_moment(given["clock"], rule="8.3.7"))
    root = scratch / "root.json"
    if given["root"]:
        held = parse((vectors / given["root"]).read_text())
        assert isinstance(held.body, bytes)
        root.write_bytes(held.body)
    choice = TrustChoice(None, state, given["site"], given["strict"])
    if given["marks"] is None:
        choice = TrustChoice(root, state, given["site"], given["strict"])
    elif given["root"]:
        enrol(state, root.read_bytes())
        for mark in map(mark_of, given["marks"]):
            directory = state / "streams" / mark.stream
            directory.mkdir(parents=True)
            (directory / f"{mark.seq:016d}.json").write_bytes(write_json(mark))
    return Medium(bundle, scratch / "target", choice, clock)


def read_bundle(vector: Vector, vectors: Path, scratch: Path) -> dict[str, Any]:
    """Verify a bundle and unpack it; both agree, and change nothing on the medium."""
    laid = medium(vector, vectors, scratch)
    crowded = "crowd" in vector.given
    before = {} if crowded else snapshot(laid.bundle)
    try:
        with no_flushing():
            return _read(laid, vector.given.get("reader"))
    finally:
        assert crowded or snapshot(laid.bundle) == before
        if vector.exit:
            assert vector.given.get("reader") == "verify" or not laid.target.exists()


def _read(laid: Medium, reader: str | None) -> dict[str, Any]:
    if reader == "unpack":
        laid.unpack()
    try:
        report = laid.verify()
    except BundleError as error:
        if reader != "verify":
            assert_unpack_agrees(laid, error)
        raise
    value: dict[str, Any] = {
        "release": report.release,
        "signed": list(report.signers),
        "artifacts": {f"{one.kind}/{one.name}": one.state for one in report.artifacts},
        "warnings": warned(report.warnings),
    }
    if reader != "verify":
        laid.unpack()
        value["files"] = unpacked(laid.target)
    return value


def assert_unpack_agrees(laid: Medium, refusal: BundleError) -> None:
    """Unpack what a verifier refused, and see it refused for the same reason."""
    with pytest.raises(type(refusal)) as caught:
        laid.unpack()
    assert caught.value.exit_code == refusal.exit_code
    assert getattr(caught.value, "rule", None) == getattr(refusal, "rule", None)


def read_stream(vector: Vector, vectors: Path, scratch: Path) -> dict[str, Any]:
    """Unpack the files of a vector, which come as entries through a pipe."""
    files = files_of(vector, vectors)
    whole = b""
    for name in vector.given["entries"]:
        data = files[name] if name else b""
        assert isinstance(data, bytes)
        whole += serialize_entry(name, len(data)) + data
    whole = whole[: vector.given.get("size")]
    laid = medium(vector, vectors, scratch)
    request = UnpackRequest(
        bundle=scratch / "nowhere",
        targets=(TreeTarget(laid.target),),
        trust=laid.choice,
        clock=lambda: laid.clock,
        jobs=1,
        stream=io.BytesIO(whole),
    )
    try:
        with no_flushing():
            report = asyncio.run(unpack(request, Reporter()))
    except BundleError:
        assert not laid.target.exists()
        raise
    return {
        "stream": blake3(whole).hexdigest(),
        "release": report.release,
        "files": unpacked(laid.target),
    }


def unpacked(target: Path) -> dict[str, str]:
    """Return the content of every file that was published."""
    return {
        path.relative_to(target).as_posix(): path.read_bytes().hex()
        for path in sorted(target.rglob("*"))
        if path.is_file() and ".bundle" not in path.parts
    }
