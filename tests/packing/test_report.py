"""A dry run never promises less than the pack then takes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from bundle.limits import MIB, MIN_VOLUME
from tests.bundles import Site, no_flushing, write_tree

if TYPE_CHECKING:
    from pathlib import Path

NOISE = random.Random(7).randbytes(9 * MIB)
TREES = {
    "small files": {f"{i}/{i}.txt": NOISE[i : i + 200] for i in range(600)},
    "literals alone": {f"{i}": b"%d" % i for i in range(300)},
    "one file": {"weights": NOISE},
    "many copies": {f"{i}": NOISE[: MIB // 4] for i in range(400)},
    "names that markup makes longer": {"&_[]" * 40 + f"{i}": b"x" for i in range(9)},
    "nothing but an empty file": {"empty": b""},
}


@pytest.mark.parametrize("files", TREES.values(), ids=TREES)
def test_the_most_is_never_less_than_what_is_taken(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    site = Site(tmp_path)
    tree = write_tree(tmp_path / "tree", files)
    with no_flushing():
        said = site.pack(tree, dry_run=True, volume_size=MIN_VOLUME)
        done = site.pack(tree, volume_size=MIN_VOLUME)
    assert said.bundle is None
    assert done.bundle is not None
    assert done.stored_bytes == done.needed_bytes
    assert done.stored_bytes <= said.needed_bytes
    assert said.needed_bytes < 2 * done.stored_bytes + 4096


def test_an_update_is_promised_with_its_approval(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.packed({f"{i}": NOISE[i : i + 300] for i in range(200)})
    tree = write_tree(tmp_path / "tree", {f"{i}": NOISE[:99] for i in range(100)})
    said = site.pack(tree, dry_run=True)
    assert site.pack(tree).stored_bytes <= said.needed_bytes
