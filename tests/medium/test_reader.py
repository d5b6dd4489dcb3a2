from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bundle.errors import IntegrityError, MissingError
from bundle.format.recipe_builder import Literal
from bundle.limits import MIB, MIN_VOLUME, SHARD
from bundle.medium import lists
from bundle.medium.chunks import KEPT, ChunkReader
from bundle.medium.content import read_file
from bundle.medium.reader import OpenBundle, open_bundle
from tests.attacks.forgery import Forgery, chunks, frame, recipe, volume, whole
from tests.bundles import Site, snapshot, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.format.recipe import Recipe


def _open(site: Site, bundle: Path, *, keep: bool = True) -> OpenBundle:
    return open_bundle(bundle, site.enrolled(), site.now, keep=keep)


def test_what_was_opened_says_what_the_bundle_is(tmp_path: Path) -> None:
    site = Site(tmp_path)
    opened = _open(site, site.packed())
    assert opened.release.stream.name == "models-prod"
    assert opened.release.seq == 1
    assert opened.verification.signed == (site.signing_key.public.keyid,)
    [(digest, found)] = opened.recipes.items()
    assert opened.release.artifacts[0].recipe.digest == digest
    assert list(found.paths()) == ["a file.txt", "bin/run", "empty"]
    assert opened.warnings == ()


def test_newer_trust_files_are_kept_only_where_that_is_wanted(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    site.enrolled()
    before = snapshot(site.receiver)
    _open(site, bundle, keep=False)
    assert snapshot(site.receiver) == before
    _open(site, bundle)
    assert set(snapshot(site.receiver)) - set(before) == {"trust/1.roles.json"}


def test_all_volumes_that_are_missing_are_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    noise = np.random.default_rng(1).bytes(20 * MIB)
    bundle = site.packed({"noise": noise}, volume_size=MIN_VOLUME)
    opened = _open(site, bundle)
    with opened.volumes() as volumes:
        assert [volume.path.name for volume in volumes] == [
            f"vol-0000{number}.bdv" for number in (1, 2, 3)
        ]
    for number in (1, 3):
        (bundle / f"vol-0000{number}.bdv").unlink()
    with (
        pytest.raises(
            MissingError,
            match=r"^1 medium seen; need vol-00001, vol-00003 \([0-9.]+ MiB\)$",
        ),
        opened.volumes(),
    ):
        raise AssertionError


def test_large_recipes_are_read_out_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked in memory is what is mapped: the medium is not mapped."""
    site = Site(tmp_path)
    files = {f"{number:05}/file": b"%d" % number for number in range(20_000)}
    bundle = Forgery([_literals(files)]).write(site)
    assert (bundle / "recipes.bdr").stat().st_size > SHARD
    small = _open(site, bundle)
    monkeypatch.setattr(lists, "HELD", 1000)
    large = _open(site, bundle)
    (bundle / "recipes.bdr").unlink()
    for opened in (small, large):
        [found] = opened.recipes.values()
        assert list(found.paths()) == sorted(files)
        assert found.literal(found.segments(777)[0]) == b"777"
    data = bytearray(SHARD)
    (bundle / "recipes.bdr").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"recipes\.bdr"):
        _open(site, bundle)


def _literals(files: dict[str, bytes]) -> bytes:
    return recipe({path: [Literal(data)] for path, data in files.items()}, plain=files)


# -- single files and chunks ---------------------------------------------------


def _index_of(found: Recipe, path: str) -> int:
    return list(found.paths()).index(path)


def test_one_file_is_read_by_itself(tmp_path: Path) -> None:
    site = Site(tmp_path)
    noise = np.random.default_rng(2).bytes(9 * MIB)
    files = {
        "noise": noise,
        "text": b"all work and no play\n" * 200_000,
        "few": b"few",
        "none": b"",
        "part": noise[: 4 * MIB],
    }
    opened = _open(site, site.packed(files, volume_size=MIN_VOLUME))
    [found] = opened.recipes.values()
    for path, data in files.items():
        assert b"".join(read_file(opened, found, _index_of(found, path))) == data


def test_what_was_given_out_before_the_damage_is_right(tmp_path: Path) -> None:
    site = Site(tmp_path)
    noise = np.random.default_rng(3).bytes(9 * MIB)
    bundle = site.packed({"noise": noise})
    with (bundle / "vol-00001.bdv").open("r+b") as file:
        file.seek(6 * MIB)
        file.write(b"damage")
    opened = _open(site, bundle)
    [found] = opened.recipes.values()
    # Extending takes piece after piece, and keeps those before the one that fails.
    pieces: list[bytes] = []
    with pytest.raises(IntegrityError, match=r"rule 3\.3\.11"):
        pieces.extend(read_file(opened, found, 0))
    got = b"".join(pieces)
    assert MIB < len(got) < len(noise)
    assert noise.startswith(got)


def test_a_file_that_its_chunks_do_not_make_is_known_at_its_end(tmp_path: Path) -> None:
    site = Site(tmp_path)
    one = b"1" * 200
    forged = Forgery(
        [recipe({"file": [chunks(one)]}, plain={"file": b"2"})], [volume(frame(one))]
    )
    opened = _open(site, forged.write(site))
    [found] = opened.recipes.values()
    pieces = read_file(opened, found, 0)
    assert next(pieces) == one
    with pytest.raises(IntegrityError, match=r"rule 6\.7"):
        next(pieces)


def test_chunks_are_found_in_any_volume_and_order(tmp_path: Path) -> None:
    site = Site(tmp_path)
    data = [bytes([number]) * 500 for number in range(3 * KEPT)]
    volumes = [
        volume(*(frame(one) for one in data[number::3]), number=number + 1)
        for number in range(3)
    ]
    files = {f"{number}": one for number, one in enumerate(data)}
    opened = _open(site, Forgery([whole(files)], volumes).write(site))
    with opened.volumes() as opened_volumes:
        fetching = ChunkReader(opened_volumes)
        for one in [*data, *reversed(data), *data[::5]]:
            assert fetching.fetch(chunks(one).ids.tobytes()) == one
        with pytest.raises(MissingError, match="is not in this bundle"):
            fetching.fetch(bytes(32))


def test_a_chunk_that_an_index_has_elsewhere_is_refused(tmp_path: Path) -> None:
    """Frames and index agree with each other, and lie together."""
    site = Site(tmp_path)
    one, other = b"1" * 200, b"2" * 200
    lying = volume(frame(one, ids=chunks(other).ids))
    opened = _open(site, Forgery([whole({"file": other})], [lying]).write(site))
    with opened.volumes() as volumes:
        fetching = ChunkReader(volumes)
        with pytest.raises(IntegrityError, match=r"rule 5\.5\.6"):
            fetching.fetch(chunks(other).ids.tobytes())


def test_opening_needs_no_event_loop_and_leaves_no_file_open(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    opened = _open(site, bundle)
    assert opened.path == bundle
    write_tree(bundle, {"release.json": b"swapped after it was opened"})
    assert opened.release.seq == 1
