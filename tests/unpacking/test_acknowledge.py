"""What a receipt says of several targets, and of what is lost since."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.errors import TargetError
from bundle.target.hf_cache import HuggingFaceTarget
from bundle.target.tree import TreeTarget
from bundle.trust.receipts import read_receipt
from tests.bundles import Site, write_tree

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.format.receipt import Receipt
    from bundle.target.base import Target

FILES = {"a": b"some text\n" * 40}


def given(site: Site, bundle: Path, *targets: Target) -> Receipt:
    report = site.unpack(
        bundle,
        *targets,
        trust=site.enrolled(site="lab-1"),
        receipt_to=site.path / "receipts",
    )
    assert report.receipt is not None
    receipt = read_receipt(report.receipt.read_bytes(), None).receipt
    assert report.receipt.name == receipt.name
    assert receipt.site == "lab-1"
    return receipt


def seqs(receipt: Receipt) -> list[int]:
    return [one.seq for stream in receipt.streams for one in stream.releases]


def test_several_targets_are_one_store_of_their_own(tmp_path: Path) -> None:
    site = Site(tmp_path)
    bundle = site.packed(FILES)

    def targets() -> list[TreeTarget]:
        return [TreeTarget(tmp_path / name) for name in ("one", "two")]

    both = given(site, bundle, *targets())
    assert both.store.generation == 2
    assert seqs(both) == [1]
    one = given(site, bundle, targets()[0])
    assert one.outcome == "already-applied"
    assert one.store.generation == 1
    again = given(site, bundle, *reversed(targets()))
    assert again.store == both.store
    assert one.store.id not in (both.store.id, given(site, bundle, targets()[1]).store)


def test_what_one_target_lost_another_still_holds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    first = site.packed(FILES)
    given(site, first, TreeTarget(tmp_path / "one"), TreeTarget(tmp_path / "two"))
    second = site.bundle(write_tree(tmp_path / "tree", {"a": b"other text\n" * 40}))
    later = given(site, second, TreeTarget(tmp_path / "one"))
    assert (seqs(later), later.store.generation) == ([2], 2)
    third = given(
        site, second, TreeTarget(tmp_path / "one"), TreeTarget(tmp_path / "2")
    )
    assert seqs(third) == [2]


def test_what_was_removed_is_not_said_to_be_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    given(site, site.packed(FILES))
    other = site.bundle(
        write_tree(tmp_path / "other", {"b": b"more\n" * 90}), stream="docs"
    )
    (site.target / "a").unlink()
    receipt = given(site, other)
    assert [one.name for one in receipt.streams] == ["docs"]
    assert receipt.store.generation == 2


def test_what_no_target_takes_is_not_acknowledged(tmp_path: Path) -> None:
    site = Site(tmp_path)
    cache = HuggingFaceTarget("hf-home:hf", tmp_path / "hf", home=True, copy=False)
    report = site.unpack(
        site.packed(FILES), cache, trust=site.enrolled(), receipt_to=tmp_path / "to"
    )
    assert report.left == ("tree tree: no target takes it",)
    assert report.receipt is None
    assert not (tmp_path / "to").exists()


def test_a_receipt_that_cannot_be_written_says_that_the_rest_is_done(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    (tmp_path / "receipts").write_text("in the way")
    with pytest.raises(TargetError) as caught:
        given(site, site.packed(FILES))
    assert "everything is published" in caught.value.advice
    assert (site.target / "a").exists()
    (tmp_path / "receipts").unlink()
    shutil.rmtree(tmp_path / "tree")
    assert given(site, site.out / "models-prod-000001").outcome == "already-applied"
