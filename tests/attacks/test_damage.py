"""Any byte that is flipped, cut off or added is noticed, before anything changes.

What a reader uses is refused by every reader. What lies beside it (``copy/``,
``sig/``, trust files that the receiver has already) is refused by ``verify``
alone, and an unpack gives the very same files.
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bundle.errors import (
    BundleError,
    FormatError,
    IntegrityError,
    MissingError,
    TrustError,
)
from bundle.format import layout
from bundle.format.columns import RECORD_SIZE
from bundle.limits import MAX_APPROVAL, MAX_SHARDS_FILE
from bundle.medium import reader
from bundle.medium.lists import read_listed, read_recipes
from bundle.medium.surroundings import check_surroundings
from bundle.progress import Reporter
from bundle.target.tree import TreeTarget
from bundle.trust.envelope import RELEASE_TYPE, parse, sign_detached
from bundle.unpacker import UnpackRequest, unpack
from bundle.unpacking.stream import BUFFER, FrameStream
from bundle.verifier import verify
from tests.bundles import Site, no_flushing, snapshot, write_tree
from tests.trust.ceremony import key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILES = {"chunk": b"weights " * 20, "literal": b"few"}
USED = (
    "release.json",
    "bundle.json",
    "recipes.bdr",
    "shards.bds",
    "approval.md",
    "vol-00001.bdv",
)
BESIDE = (
    "copy/release.json",
    "copy/bundle.json",
    "trust/1.root.json",
    "trust/1.roles.json",
    f"sig/{key(10).public.keyid}.json",
)
REFUSED = (FormatError, IntegrityError, TrustError)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with one bundle, and a target that something else is in."""
    site = Site(tmp_path_factory.mktemp("damage"))
    with no_flushing():
        bundle = site.packed(FILES)
    payload = parse((bundle / "release.json").read_bytes(), limit=1 << 20).payload
    (bundle / "sig").mkdir()
    (bundle / BESIDE[-1]).write_bytes(sign_detached(payload, RELEASE_TYPE, key(10)))
    write_tree(site.target, {"chunk": b"the one before", "mine": b"not yours"})
    return site


@contextmanager
def _damaged(site: Site, name: str) -> Iterator[tuple[Path, bytes, Path]]:
    """Give the bundle, the bytes of one file, and where to put others in its place."""
    bundle = next(site.out.iterdir())
    path = bundle / name
    data = path.read_bytes()
    try:
        with no_flushing():
            yield bundle, data, path
    finally:
        path.write_bytes(data)


async def _refused(site: Site, name: str, mutants: Iterable[bytes]) -> None:
    """No mutant is read by the part of a reader that reads it.

    Now and then one is put before the whole of ``verify`` and ``unpack``.
    """
    before = snapshot(site.target), snapshot(site.key_directory)
    with _damaged(site, name) as (bundle, _, path):
        whole = reader.open_bundle(bundle, site.stateless, site.now)
        for number, mutant in enumerate(mutants):
            path.write_bytes(mutant)
            with pytest.raises(REFUSED) as caught:
                _read(path, whole)
            _check_reason(caught.value)
            if number % 61 == 0:
                with pytest.raises(REFUSED) as caught:
                    await verify(bundle, site.stateless, 1, Reporter(), site.now)
                assert caught.value.exit_code in (10, 11, 12)
                with pytest.raises(REFUSED) as caught:
                    await _unpack(site)
                _check_reason(caught.value)
    assert (snapshot(site.target), snapshot(site.key_directory)) == before
    assert not site.receiver.exists()


def _read(path: Path, whole: reader.OpenBundle) -> None:
    """Read one file as every reader does, by what the others said of it."""
    manifest = whole.manifest
    match path.name:
        case layout.RELEASE:
            whole.trust.verify_release(path.read_bytes())
        case layout.MANIFEST:
            whole.trust.verify_manifest(path.read_bytes())
        case layout.APPROVAL:
            read_listed(path, manifest.approval, MAX_APPROVAL)
        case layout.SHARDS:
            read_listed(path, manifest.shards, MAX_SHARDS_FILE)
        case layout.RECIPES:
            read_recipes(path.parent, whole.release, manifest, whole.shards)
        case _:
            with whole.volumes() as volumes:
                stream = FrameStream(volumes)
                while stream.fill(_BUFFER):
                    pass


_BUFFER = memoryview(bytearray(BUFFER))


async def _unpack(site: Site) -> None:
    request = UnpackRequest(
        bundle=next(site.out.iterdir()),
        targets=(TreeTarget(site.target),),
        trust=site.stateless,
        clock=lambda: site.now,
        jobs=1,
    )
    await unpack(request, Reporter())


def _check_reason(error: BundleError) -> None:
    """One line that names a rule, and the exit code of the class."""
    assert error.exit_code in (10, 11, 12)
    assert re.search(r"\(rule \d+(\.\d+)+\)$", str(error)), str(error)
    assert str(error).isprintable()


def _bytes_of(site: Site, name: str) -> bytes:
    return (next(site.out.iterdir()) / name).read_bytes()


def _flipped(data: bytes, masks: Iterable[int] | None = None) -> Iterator[bytes]:
    """Give ``data`` with each byte changed: one bit of it, another one each time."""
    mutant = bytearray(data)
    for position in range(len(data)):
        for mask in masks or (1 << position % 8,):
            mutant[position] ^= mask
            yield bytes(mutant)
            mutant[position] ^= mask


def _doubled(data: bytes) -> Iterator[bytes]:
    """Give ``data`` with each byte there twice."""
    for position in range(len(data)):
        yield data[: position + 1] + data[position:]


def _grown(data: bytes) -> Iterator[bytes]:
    for more in (b"\0", b" ", b"\n", b"\r\n", b"}", b"\0" * RECORD_SIZE, data[-64:]):
        yield data + more
        yield more + data
        for position in range(1, len(data), 97):
            yield data[:position] + more + data[position:]


# Single changes, at every byte of every file that a reader uses.


@pytest.mark.parametrize("name", USED)
async def test_a_flipped_bit_in_any_byte(site: Site, name: str) -> None:
    await _refused(site, name, _flipped(_bytes_of(site, name)))


@pytest.mark.parametrize("name", USED)
async def test_a_file_that_ends_at_any_byte(site: Site, name: str) -> None:
    data = _bytes_of(site, name)
    await _refused(site, name, (data[:length] for length in range(len(data))))


@pytest.mark.parametrize("name", USED)
async def test_a_byte_that_is_there_twice(site: Site, name: str) -> None:
    await _refused(site, name, _doubled(_bytes_of(site, name)))


@pytest.mark.parametrize("name", USED)
async def test_bytes_added_anywhere(site: Site, name: str) -> None:
    await _refused(site, name, _grown(_bytes_of(site, name)))


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", USED)
async def test_every_bit_of_any_byte(site: Site, name: str) -> None:
    masks = [1 << bit for bit in range(8)] + [0xFF, 0x20, 0x2A, 0x55]
    await _refused(site, name, _flipped(_bytes_of(site, name), masks))


# What lies beside.


@pytest.mark.parametrize("name", BESIDE)
async def test_damage_beside_is_refused_by_verify(site: Site, name: str) -> None:
    with _damaged(site, name) as (bundle, data, path):
        whole = reader.open_bundle(bundle, site.stateless, site.now)
        for mutant in [*_flipped(data), *_grown(data), data[:-1], data[1:], b""]:
            path.write_bytes(mutant)
            try:
                check_surroundings(whole)
            except REFUSED as error:
                _check_reason(error)
            else:
                assert name.startswith("trust/")
                assert _same_metadata(mutant, data)
        path.write_bytes(data[:-1])
        with pytest.raises(REFUSED):
            await verify(bundle, site.stateless, 1, Reporter(), site.now)


def _same_metadata(mutant: bytes, data: bytes) -> bool:
    """Whether two trust files say the same under the same signatures.

    They are JSON that others write too. Signatures cover a canonical form of it,
    so a blank between members, or a capital among a signature's digits, says nothing.
    """
    one, other = json.loads(mutant), json.loads(data)
    for signature in one["signatures"]:
        signature["sig"] = bytes.fromhex(signature["sig"]).hex()
    return bool(one == other)


@pytest.mark.parametrize("name", BESIDE)
async def test_damage_beside_changes_nothing_that_is_unpacked(
    site: Site, name: str
) -> None:
    """Or it is refused: a reader may use a trust file that it did not have."""
    with _damaged(site, name) as (_, data, path):
        for mutant in [*[*_flipped(data)][::131], b"", data[:-1], data + b"\0"]:
            path.write_bytes(mutant)
            try:
                await _unpack(site)
            except REFUSED as error:
                assert name.startswith("trust/")
                _check_reason(error)
            else:
                assert (site.target / "chunk").read_bytes() == FILES["chunk"]
            write_tree(site.target, {"chunk": b"the one before"})
            (site.target / "literal").unlink(missing_ok=True)
    shutil.rmtree(site.target / ".bundle", ignore_errors=True)


@pytest.mark.parametrize("name", [*USED, "trust/1.roles.json"])
@pytest.mark.parametrize("verb", ["verify", "unpack"])
def test_a_file_that_is_not_there(site: Site, name: str, verb: str) -> None:
    """The roles are missing in another way: whom to trust is not known without."""
    before = snapshot(site.target)
    with _damaged(site, name) as (bundle, _, path):
        path.unlink()
        with pytest.raises((MissingError, TrustError)) as caught:
            getattr(site, verb)(bundle)
    assert caught.value.exit_code == (12 if name.startswith("trust/") else 13)
    assert str(caught.value).isprintable()
    assert path.stem in str(caught.value) or name.startswith("trust/")
    assert snapshot(site.target) == before
