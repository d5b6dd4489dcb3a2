"""Bundles into a local store, also when the process is killed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bundle.errors import BundleError, IntegrityError, MissingError, SpaceError
from bundle.ingester import IngestReport, ingest
from bundle.limits import MIN_VOLUME
from bundle.medium.reader import open_bundle
from bundle.progress import Reporter
from bundle.store.check import check
from bundle.store.local import LocalStore
from tests.bundles import Site, no_flushing, write_tree
from tests.cli.shell import Shell
from tests.crossing.killed import KILLED, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_AGO = 1_700_000_000.0
"""When a bundle is made that the command reads by the clock on the wall."""

FILES = {
    f"part-{number}": random.Random(number).randbytes(300_000) for number in range(6)
}


def take(site: Site, bundle: Path, root: Path) -> IngestReport:
    """Take a bundle into the store at ``root``."""
    opened = open_bundle(bundle, site.stateless, site.now)
    store = LocalStore.make(root)
    try:
        return asyncio.run(ingest(opened, store, Reporter()))
    finally:
        store.close()


def state(root: Path) -> dict[str, str]:
    """What a store is, but for what is made at random: names and content."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in {"id", "lock"}
    }


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with no_flushing():
        yield Site(tmp_path)


def test_every_chunk_of_a_bundle_is_read_again(site: Site, tmp_path: Path) -> None:
    bundle = site.packed(FILES)
    report = take(site, bundle, tmp_path / "store")
    assert (report.volumes, report.kept, report.recipes) == (1, 0, 1)
    store = LocalStore(tmp_path / "store")
    (release,) = asyncio.run(store.releases())
    assert release.digest == report.release
    assert release.envelope == (bundle / "release.json").read_bytes()
    assert store.papers.load(release.digest) == {
        name: (bundle / name).read_bytes()
        for name in ("approval.md", "trust/1.root.json", "trust/1.roles.json")
    }
    opened = open_bundle(bundle, site.stateless, site.now)
    for digest, recipe in opened.recipes.items():
        assert asyncio.run(store.recipe(digest)) == bytes(recipe.data)
        for row in recipe.chunk_ids:
            assert asyncio.run(store.read(row.tobytes()))
    assert check(store).problems == ()


def test_again_is_the_same(site: Site, tmp_path: Path) -> None:
    bundle = site.packed(FILES)
    take(site, bundle, tmp_path / "store")
    before = state(tmp_path / "store")
    assert take(site, bundle, tmp_path / "store").kept == 1
    assert state(tmp_path / "store") == before


def test_a_damaged_volume_leaves_nothing(site: Site, tmp_path: Path) -> None:
    bundle = site.packed(FILES)
    volume = bundle / "vol-00001.bdv"
    data = bytearray(volume.read_bytes())
    data[len(data) // 2] ^= 1
    volume.write_bytes(data)
    with pytest.raises(IntegrityError):
        take(site, bundle, tmp_path / "store")
    store = LocalStore(tmp_path / "store")
    assert asyncio.run(store.releases()) == ()
    assert not list((tmp_path / "store/tmp").iterdir())
    assert not (tmp_path / "store/packs").exists()


def test_a_volume_that_is_not_here_is_named(site: Site, tmp_path: Path) -> None:
    bundle = site.packed(FILES)
    (bundle / "vol-00001.bdv").unlink()
    with pytest.raises(MissingError, match="vol-00001"):
        take(site, bundle, tmp_path / "store")


def test_no_room_is_said_before_anything_is_copied(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = site.packed(FILES)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SpaceError, match="1000 are free"):
        take(site, bundle, tmp_path / "store")
    assert not (tmp_path / "store/packs").exists()


class Killing:
    """The second release on its way into a store that has the first."""

    def __init__(self, path: Path) -> None:
        with no_flushing():
            site = Site(path, now=LONG_AGO)
            first = site.packed(FILES)
            changed = {**FILES, "part-0": b"other" * 60_000}
            second = site.bundle(write_tree(path / "tree", changed))
            self.base, self.run = path / "base", path / "run"
            take(site, first, self.base / "store")
            self.variables = {"BUNDLE_TRUST": str(site.root)}
            self.words = ("store", "add", second, self.run / "store")
            shutil.copytree(self.base, self.run)
            take(site, second, self.run / "store")
            self.wanted = state(self.run / "store")

    def fresh(self) -> Shell:
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.base, self.run)
        return Shell(self.run, dict(self.variables))

    def at(self, stage: Stage, call: int) -> None:
        """Kill it at one call, look at what is left, and do it again."""
        shell = self.fresh()
        assert stage.run(shell, *self.words, at=call).code == KILLED
        left = LocalStore(self.run / "store")
        seqs = [one.seq for one in asyncio.run(left.releases())]
        assert seqs in ([1], [1, 2]), call
        assert check(left, quick=True).lost == (), call
        left.close()
        done = stage.run(shell, *self.words)
        assert done.code == 0, (call, done.out)
        assert state(self.run / "store") == self.wanted, call


def kill(path: Path, count: int, seed: int) -> None:
    scene = Killing(path)
    with Stage() as stage:
        calls = stage.calls(scene.fresh(), *scene.words)
        assert len(calls) > 10
        some = random.Random(seed)
        more = some.choices(calls, k=max(0, count - len(calls)))
        for call in [*some.sample(calls, min(count, len(calls))), *more]:
            scene.at(stage, call)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", range(3))
def test_killed_at_any_call_it_ends_the_same(tmp_path: Path, part: int) -> None:
    kill(tmp_path, 10, 100 + part)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(20))
def test_killed_at_many_calls_it_ends_the_same(tmp_path: Path, part: int) -> None:
    kill(tmp_path, 25, 2 + part)


def test_a_lie_about_a_chunk_is_refused(site: Site, tmp_path: Path) -> None:
    """A signed volume whose chunks are not what their ids say never becomes a pack."""
    bundle = site.packed(FILES)
    opened = open_bundle(bundle, site.stateless, site.now)
    assert opened.recipes
    store = LocalStore.make(tmp_path / "store")
    path = store.place.temporary()
    data = bytearray((bundle / "vol-00001.bdv").read_bytes())
    data[64 + 64] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleError):
        asyncio.run(store.adopt(path))
    assert not (tmp_path / "store/packs").exists()


def test_media_are_taken_one_after_the_other_in_any_order(
    site: Site, tmp_path: Path
) -> None:
    noise = random.Random(11).randbytes(3 * MIN_VOLUME - 1_000_000)
    tree = write_tree(tmp_path / "tree", {"noise": noise})
    media = site.pack(
        tree, volume_size=MIN_VOLUME, media_size=MIN_VOLUME * 5 // 4
    ).media
    assert len(media) == 3
    root = tmp_path / "store"
    for number, medium in enumerate(reversed(media[1:]), 1):
        with pytest.raises(MissingError, match="1 of 3 media seen; need vol-"):
            take(site, medium, root)
        with closing(LocalStore(root)) as store:
            assert asyncio.run(store.releases()) == ()
            assert len(store.vault.packs.numbers()) == number
    report = take(site, media[0], root)
    assert (report.volumes, report.kept) == (1, 2)
    with closing(LocalStore(root)) as store:
        assert [one.digest for one in asyncio.run(store.releases())] == [report.release]
