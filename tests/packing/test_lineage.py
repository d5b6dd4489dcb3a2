from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import MissingError, TrustError, UsageError
from bundle.format.release import GENESIS
from bundle.packing.lineage import Lineage, trace
from bundle.state.keydir import load_signer
from tests.bundles import STREAM, Site, snapshot, trust_files

if TYPE_CHECKING:
    from pathlib import Path


def _trace(site: Site, name: str = STREAM, after: Path | None = None) -> Lineage:
    signer = load_signer(site.key_directory, site.now)
    return trace(site.sender, signer, name, after)


def test_looking_writes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.key_directory.is_dir()
    before = snapshot(tmp_path)
    lineage = _trace(site)
    assert (lineage.seq, lineage.prev, lineage.before) == (1, GENESIS, None)
    assert len(lineage.id) == 32
    assert snapshot(tmp_path) == before


def test_a_new_stream_has_its_own_id_until_one_is_kept(tmp_path: Path) -> None:
    site = Site(tmp_path)
    first, second = _trace(site), _trace(site)
    assert first.id != second.id
    assert first.burn() == 1
    assert _trace(site).id == first.id
    with pytest.raises(TrustError, match="another packer has started the stream"):
        second.burn()


def test_a_number_that_somebody_took_meanwhile_is_not_given_twice(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.packed()
    first, second = _trace(site), _trace(site)
    assert (first.seq, second.seq) == (2, 2)
    assert first.burn() == 2
    assert second.burn() == 3


def test_what_was_finished_is_what_the_next_follows(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.packed()
    report = site.pack(tmp_path / "tree")
    lineage = _trace(site)
    assert lineage.prev == report.release
    assert lineage.before is not None
    assert lineage.before.seq == lineage.seq - 1 == 2


def test_streams_of_one_name_under_two_roots_are_two(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.packed()
    other = Site(tmp_path / "other", keys=trust_files((11,), root=2), key=11)
    signer = load_signer(other.key_directory, other.now)
    assert trace(site.sender, signer, STREAM, None).seq == 1


def test_going_on_from_what_is_not_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for after in (tmp_path / "nothing", tmp_path):
        with pytest.raises(MissingError):
            _trace(site, after=after)


def test_going_on_from_another_name_is_a_mistake_also_on_a_new_machine(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    with pytest.raises(UsageError, match="is a release of models-prod") as caught:
        _trace(Site(tmp_path / "new"), "other", site.packed())
    assert "name that stream" in caught.value.advice
