"""Releases out of a store into targets, with no bundle at hand."""

from __future__ import annotations

import asyncio
import random
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError, MissingError
from bundle.progress import Reporter
from bundle.publisher import PublishReport, PublishRequest, publish
from bundle.store.local import LocalStore
from bundle.target.tree import TreeTarget
from tests.bundles import Site, no_flushing, snapshot, write_tree
from tests.test_ingester import take

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bundle.format.release import Artifact

FILES = {
    "noise": random.Random(5).randbytes(3_000_000),
    "text": b"a line\n" * 50_000,
    "small": b"!",
    "empty": b"",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path)


def give(
    root: Path,
    release: str,
    target: Path,
    selected: Callable[[Artifact], bool] = lambda _: True,
) -> PublishReport:
    """Publish a release of the store at ``root`` into a tree."""
    with closing(LocalStore(root)) as store:
        request = PublishRequest(
            store=store,
            release=release,
            targets=(TreeTarget(target),),
            selected=selected,
        )
        return asyncio.run(publish(request, Reporter()))


def published(root: Path) -> dict[str, tuple[object, ...]]:
    return {
        path: entry
        for path, entry in snapshot(root).items()
        if path.partition("/")[0] != ".bundle"
    }


def test_a_release_of_the_store_becomes_the_files_it_was_packed_from(
    site: Site, tmp_path: Path
) -> None:
    release = take(site, site.packed(FILES), tmp_path / "store").release
    report = give(tmp_path / "store", release, site.target)
    assert published(site.target) == snapshot(tmp_path / "tree")
    assert [one.written_files for one in report.placed] == [4]
    again = give(tmp_path / "store", release, site.target)
    assert [one.written_files for one in again.placed] == [0]


def test_an_earlier_release_is_published_again_without_transfer(
    site: Site, tmp_path: Path
) -> None:
    first = take(site, site.packed(FILES), tmp_path / "store").release
    before = snapshot(tmp_path / "tree")
    changed = {**FILES, "text": b"another line\n" * 50_000}
    second = take(site, site.packed(changed), tmp_path / "store").release
    give(tmp_path / "store", second, site.target)
    assert published(site.target) == snapshot(tmp_path / "tree")
    give(tmp_path / "store", first, site.target)
    assert published(site.target) == before


def test_what_is_not_selected_is_as_if_it_were_not_listed(
    site: Site, tmp_path: Path
) -> None:
    trees = [write_tree(tmp_path / name, {name: name.encode()}) for name in "ab"]
    release = take(site, site.bundle(*trees), tmp_path / "store").release
    report = give(
        tmp_path / "store", release, site.target, lambda artifact: artifact.name == "b"
    )
    assert set(published(site.target)) == {"b"}
    assert [one.name for one in report.placed] == ["b"]
    whole = give(tmp_path / "store", release, site.target)
    assert set(published(site.target)) == {"a", "b"}
    assert whole.stays == ()


def test_what_left_the_stream_is_named(site: Site, tmp_path: Path) -> None:
    trees = [write_tree(tmp_path / name, {name: name.encode()}) for name in "ab"]
    first = take(site, site.bundle(*trees), tmp_path / "store").release
    second = take(site, site.bundle(trees[0]), tmp_path / "store").release
    give(tmp_path / "store", first, site.target)
    report = give(tmp_path / "store", second, site.target)
    assert report.stays == (f"tree b: left the stream, stays at tree:{site.target}",)


def test_a_release_that_is_not_held_changes_nothing(site: Site, tmp_path: Path) -> None:
    take(site, site.packed(FILES), tmp_path / "store")
    with pytest.raises(MissingError, match="is not whole in the store"):
        give(tmp_path / "store", "blake3:" + "0" * 64, site.target)
    assert not site.target.exists()


def test_a_store_that_lost_bytes_changes_nothing(site: Site, tmp_path: Path) -> None:
    release = take(site, site.packed(FILES), tmp_path / "store").release
    pack = next(path for path in (tmp_path / "store").rglob("*.bdv"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    with pytest.raises(BundleError):
        give(tmp_path / "store", release, site.target)
    assert published(site.target) == {}
