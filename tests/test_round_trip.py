"""Any tree in, the same bytes out; the same input, the same bundle."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from bundle.errors import BundleError
from bundle.limits import KIB, MAX_NAME, MIB, MIN_VOLUME
from bundle.paths import check_distinct, check_path
from bundle.progress import Reporter
from tests.bundles import Site, no_flushing, snapshot, trust_files, write_tree

if TYPE_CHECKING:
    from pathlib import Path

SIZES: Final = (
    *(0, 1, 127, 128, 129, 4095, 4096, 4097),
    *(16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 64 * KIB, 256 * KIB),
    *(1 * MIB - 1, 1 * MIB, 1 * MIB + 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 5 * MIB),
)
"""Around the bounds of literals, chunks, shards, frames and buffers."""


@dataclass(frozen=True)
class Content:
    """Bytes of one kind; equal values are equal bytes."""

    kind: str
    size: int
    seed: int

    def bytes(self) -> bytes:
        return _bytes(self)


@cache
def _bytes(content: Content) -> bytes:
    source, size = random.Random(content.seed), content.size
    match content.kind:
        case "zeros":
            return bytes(size)
        case "text":
            line = b"%d: all work and no play\n" % content.seed
            return (line * (size // len(line) + 1))[:size]
        case "repeats":
            return (source.randbytes(64 * KIB) * (size // (64 * KIB) + 1))[:size]
        case "safetensors":
            return _safetensors(source, size)
        case _:
            return source.randbytes(size)


def _safetensors(source: random.Random, size: int) -> bytes:
    """Return a header, tensors of many sizes, and ``size`` bytes in all."""
    entries: list[str] = []
    at, left = 0, max(0, size - 2000)
    while left > 0 and len(entries) < 20:
        width = min(left, source.choice([2, 64, 6000, 20_000, 300_000, 3_000_000]))
        name = f'"t{len(entries)}"'
        place = f'"shape":[{width}],"data_offsets":[{at},{at + width}]'
        entries.append(f'{name}:{{"dtype":"U8",{place}}}')
        at, left = at + width, left - width
    header = ("{" + ",".join(entries) + "}").encode()
    data = struct.pack("<Q", len(header)) + header + source.randbytes(at)
    return data[:size] + bytes(size - len(data[:size]))


@dataclass(frozen=True)
class Tree:
    """A directory as it is to be packed."""

    files: dict[str, Content]
    executable: frozenset[str] = frozenset()
    directories: frozenset[str] = frozenset()

    def write(self, root: Path) -> Path:
        files = {path: content.bytes() for path, content in self.files.items()}
        return write_tree(
            root, files, executable=self.executable, directories=self.directories
        )


def _possible(text: str) -> bool:
    try:
        check_path(text, rule="2.3")
    except BundleError:
        return False
    return "/" not in text and text.casefold() != ".bundle"


_names = st.sampled_from(
    [
        *("a", "b", "B2", ".hidden", "-rf", "two words", "a.safetensors", "größe"),
        *("日本語", "naïve", "e\N{COMBINING ACUTE ACCENT}", "🗜", "x" * MAX_NAME),
        "é" * (MAX_NAME // 2),
    ]
) | st.text(min_size=1, max_size=8).filter(_possible)
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)
_contents = st.builds(
    Content,
    kind=st.sampled_from(["random", "text", "zeros", "repeats", "safetensors"]),
    size=st.sampled_from(SIZES) | st.integers(0, 2 * MIB),
    seed=st.integers(0, 2),
)


@st.composite
def _trees(draw: st.DrawFn) -> Tree:
    files = draw(st.dictionaries(_paths, _contents, max_size=8))
    directories = draw(st.frozensets(_paths, max_size=2))
    kept: dict[str, Content] = {}
    empty: set[str] = set()
    for path in [*files, *sorted(directories)]:
        added = {path: files[path]} if path in files and path not in empty else {}
        more = set() if added else {path}
        try:
            check_distinct([*kept, *added], empty | more, rule="2.4")
        except BundleError:
            continue
        kept |= added
        empty |= more
    leaves = {
        path
        for path in empty
        if not any(one.startswith(f"{path}/") for one in [*kept, *empty])
    }
    executable = draw(st.frozensets(st.sampled_from(sorted(kept)))) if kept else ()
    if not kept and not leaves:
        kept = {"a": Content("random", 1, 0)}
    return Tree(kept, frozenset(executable), frozenset(leaves))


class Tally(Reporter):
    """Adds up what is reported."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def started(self, _: str, total: int) -> None:
        self.total = total

    def advanced(self, size: int) -> None:
        self.done += size


def _crosses(path: Path, tree: Tree, jobs: int) -> None:
    """Pack, verify, unpack; nothing is lost, added or changed on the way."""
    site = Site(path)
    source = tree.write(path / "tree")
    before = snapshot(source)
    tally = Tally()
    report = site.pack(source, jobs=jobs, reporter=tally)
    assert report.bundle is not None
    assert report.problems == ()
    assert report.files == len(tree.files) + len(tree.directories)
    assert report.bytes == sum(content.size for content in tree.files.values())
    assert tally.total == report.bytes
    for reader in (site.verify, site.unpack):
        tally = Tally()
        reader(report.bundle, jobs=jobs, reporter=tally)
        assert tally.done == tally.total
    after = snapshot(site.target)
    assert {
        name: entry for name, entry in after.items() if not name.startswith(".bundle")
    } == before
    assert snapshot(source) == before


LARGEST: Final = Tree({str(size): Content("random", size, 1) for size in SIZES})
AGAIN: Final = Tree(
    {
        "first": Content("random", 5 * MIB, 2),
        "the same": Content("random", 5 * MIB, 2),
        "its start": Content("random", 2 * MIB, 2),
        "it repeats": Content("repeats", 4 * MIB + 1, 2),
    },
    frozenset({"the same"}),
)
NAMED_TWICE: Final = Tree(
    {
        "w.safetensors": Content("safetensors", 5 * MIB, 3),
        "w.bin": Content("safetensors", 5 * MIB, 3),
        "zeros.safetensors": Content("zeros", 4 * MIB, 0),
    }
)
HOLLOW: Final = Tree({}, directories=frozenset({"only/empty", "directories"}))


@pytest.mark.timeout(120)
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tree=_trees(), jobs=st.integers(1, 3))
@example(tree=LARGEST, jobs=3)
@example(tree=AGAIN, jobs=2)
@example(tree=NAMED_TWICE, jobs=2)
@example(tree=HOLLOW, jobs=1)
def test_any_tree_crosses(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, jobs: int
) -> None:
    with no_flushing():
        _crosses(tmp_path_factory.mktemp("tree"), tree, jobs)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(tree=_trees(), jobs=st.integers(1, 3))
def test_any_tree_crosses_in_full(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, jobs: int
) -> None:
    with no_flushing():
        _crosses(tmp_path_factory.mktemp("tree"), tree, jobs)


# -- volumes and artifacts -------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
def test_content_of_several_volumes_crosses(tmp_path: Path, jobs: int) -> None:
    site = Site(tmp_path)
    tree = Tree(
        {
            "a": Content("random", 11 * MIB, 1),
            "b": Content("text", 5 * MIB, 1),
            "c": Content("random", 9 * MIB, 2),
        }
    )
    source = tree.write(tmp_path / "tree")
    report = site.pack(source, volume_size=MIN_VOLUME, jobs=jobs)
    assert report.bundle is not None
    sizes = [path.stat().st_size for path in sorted(report.bundle.glob("*.bdv"))]
    assert len(sizes) == report.volumes == 3
    assert max(sizes) <= MIN_VOLUME
    assert site.verify(report.bundle, jobs=jobs).volumes == 3
    site.unpack(report.bundle, jobs=jobs)
    unpacked = snapshot(site.target)
    assert {path: unpacked[path] for path in tree.files} == snapshot(source)


def test_several_artifacts_share_what_they_have_in_common(tmp_path: Path) -> None:
    site = Site(tmp_path)
    shared = Content("random", 3 * MIB, 7)
    trees = [
        Tree({"one/file": shared, "one/own": Content("random", MIB, 8)}).write(
            tmp_path / "first"
        ),
        Tree({"two/file": shared, "two/void": Content("zeros", 0, 0)}).write(
            tmp_path / "second"
        ),
    ]
    report = site.pack(*trees)
    assert report.bundle is not None
    assert [one.name for one in report.artifacts] == ["first", "second"]
    assert (report.new_bytes, report.reused_bytes) == (4 * MIB, 3 * MIB)
    assert [one.new_bytes for one in report.artifacts] == [4 * MIB, 0]
    states = [one.state for one in site.verify(report.bundle).artifacts]
    assert states == ["verified", "verified"]
    placed = site.unpack(report.bundle).placed
    assert [one.written_bytes for one in placed] == [4 * MIB, 3 * MIB]
    unpacked = snapshot(site.target)
    for tree in trees:
        assert snapshot(tree).items() <= unpacked.items()


# -- the same input ----------------------------------------------------------------


def test_the_same_input_gives_the_same_volumes_and_recipes(tmp_path: Path) -> None:
    """Whoever packs it, when, into which stream, and on how many threads."""
    tree = Tree(
        {
            "w.safetensors": Content("safetensors", 5 * MIB, 1),
            "random": Content("random", 9 * MIB, 2),
            "again": Content("random", 9 * MIB, 2),
            "text": Content("text", 3 * MIB, 3),
            **{f"small/{n}": Content("text", 100 * n, n) for n in range(40)},
        }
    ).write(tmp_path / "tree")
    bundles = []
    for number, jobs in enumerate((1, 2, 3), start=1):
        site = Site(tmp_path / str(number), now=1_800_000_000.0 + number)
        if number == 3:
            site.key, site.keys = 11, trust_files((11,))
        bundles.append(
            site.bundle(
                tree, stream=f"stream-{number}", jobs=jobs, volume_size=MIN_VOLUME
            )
        )
    names = ["recipes.bdr", "shards.bds", "vol-00001.bdv", "vol-00002.bdv"]
    first, *others = ([(one / name).read_bytes() for name in names] for one in bundles)
    assert all(other == first for other in others)
    releases = {(one / "release.json").read_bytes() for one in bundles}
    assert len(releases) == 3


def test_a_dry_run_says_what_a_pack_then_does(tmp_path: Path) -> None:
    site = Site(tmp_path)
    tree = AGAIN.write(tmp_path / "tree")
    said = site.pack(tree, dry_run=True)
    done = site.pack(tree)
    for name in ("stream", "seq", "artifacts", "files", "bytes", "new_bytes"):
        assert getattr(said, name) == getattr(done, name)
    assert said.reused_bytes == done.reused_bytes
    assert said.needed_bytes >= done.new_bytes
