"""Any pair of states: the second travels as what the first lacks, and no more."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from bundle.limits import KIB, MIB
from bundle.packing.holdings import FarSide
from tests.bundles import Site, no_flushing, snapshot
from tests.deltas import Medium, Stream, chunks_of
from tests.test_round_trip import Content, Tree

if TYPE_CHECKING:
    from pathlib import Path

NAMES: Final = ("a", "b/c", "b/d.safetensors", "model.safetensors", "e", "f.txt")
SIZES: Final = (0, 1, 128, 129, 16 * KIB, 256 * KIB, MIB, MIB + 1, 3 * MIB)

_contents = st.builds(
    Content,
    kind=st.sampled_from(["random", "text", "zeros", "repeats", "safetensors"]),
    size=st.sampled_from(SIZES),
    seed=st.integers(0, 2),
)
_trees = st.builds(
    Tree,
    st.dictionaries(st.sampled_from(NAMES), _contents, min_size=1, max_size=5),
)


def _check_delta(path: Path, before: Tree, after: Tree, jobs: int) -> None:
    """Pack both, the second also as a delta; compare, and apply one after the other."""
    site = Site(path)
    stream = Stream(site)
    serial = itertools.count()

    def pack(tree: Tree, far: FarSide | None = None) -> Medium:
        source = tree.write(path / f"{next(serial)}" / "tree")
        return stream.pack(source, far=far, jobs=jobs)

    one = pack(before)
    full = pack(after)
    delta = pack(after, FarSide(have=stream.receipt(one)))
    held = chunks_of(one.recipes)
    assert one.carried == held
    assert one.required == full.required == set()
    assert {**one.recipes, **delta.recipes}.keys() >= full.recipes.keys()
    assert full.recipes.keys() - delta.recipes.keys() <= one.recipes.keys()
    assert not delta.recipes.keys() & one.recipes.keys()
    needed = chunks_of(delta.recipes)
    assert delta.carried == needed - held
    assert delta.required == needed & held
    assert full.carried == delta.carried | (chunks_of(full.recipes) & held)
    assert delta.manifest.contents == full.manifest.contents
    trust = site.enrolled()
    for medium in (one, delta):
        site.unpack(medium.path, trust=trust, jobs=jobs)
    found = snapshot(site.target)
    wanted = snapshot(path / "2" / "tree")
    assert {name: found.get(name) for name in wanted} == wanted


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(before=_trees, after=_trees, jobs=st.integers(1, 2))
@pytest.mark.timeout(120)
def test_any_delta_covers_exactly(
    tmp_path_factory: pytest.TempPathFactory, before: Tree, after: Tree, jobs: int
) -> None:
    with no_flushing():
        _check_delta(tmp_path_factory.mktemp("delta"), before, after, jobs)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(
    max_examples=1000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(before=_trees, after=_trees, jobs=st.integers(1, 3))
def test_any_delta_covers_exactly_in_full(
    tmp_path_factory: pytest.TempPathFactory, before: Tree, after: Tree, jobs: int
) -> None:
    with no_flushing():
        _check_delta(tmp_path_factory.mktemp("delta"), before, after, jobs)
