"""What a target published, found again in its files."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from bundle.digest import digest_of
from bundle.target.ledger import Applied, Given
from bundle.target.locate import parse_target
from bundle.target.options import TargetOptions
from tests.target.sample import ONE, TWO, repository, sample, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from bundle.target.base import Target
    from tests.target.sample import Sample

FILES = {"config.json": b"{} " * 50, "model.safetensors": b"w" * 5000}
CACHE = repository(
    {ONE: FILES, TWO: {**FILES, "README.md": b"# now\n" * 30}}, {"main": TWO}
)
TREE = sample("tree", "manuals", {"a/b": b"text\n" * 60, "c": b"more\n" * 60})


def publish(target: Target, item: Sample, seq: int = 1) -> None:
    """Unpack, and note it as the unpacker does."""
    unpack(target, item)
    target.ledger.keep(item.artifact.recipe.digest, item.recipe)
    given = Given(item.artifact.kind, item.artifact.name, item.artifact.recipe.digest)
    name = str(digest_of(b"%d" % seq))
    target.ledger.note(Applied("0" * 32, "models", seq, name, (given,)), changed=True)


def held(target: Target, item: Sample) -> set[str]:
    """Return the paths of the recipe whose content is found and read again."""
    store = target.store()

    async def look() -> set[str]:
        has = await store.has_many(item.recipe.chunk_ids)
        for row, there in zip(item.recipe.chunk_ids, has, strict=True):
            if there:
                data = await store.read(row.tobytes())
                assert digest_of(data).raw == row.tobytes()
        used = item.recipe.segments
        return {
            path
            for index, path in enumerate(item.recipe.paths())
            if all(has[one.start] for one in used(index))
        }

    return asyncio.run(look())


@pytest.mark.parametrize("copy", [False, True], ids=["links", "copies"])
@pytest.mark.parametrize("scheme", ["hf-home", "hf-cache"])
def test_everything_a_cache_was_given_is_found(
    tmp_path: Path, scheme: str, *, copy: bool
) -> None:
    target = parse_target(f"{scheme}:{tmp_path / 'hf'}", TargetOptions(copy=copy))
    publish(target, CACHE)
    again = parse_target(f"{scheme}:{tmp_path / 'hf'}", TargetOptions(copy=copy))
    # Listings too, though what a client reads there is not what was carried.
    assert held(again, CACHE) == set(CACHE.content)
    (release,) = asyncio.run(again.store().releases())
    assert release.seq == 1


def test_a_revision_that_was_removed_is_not_found(tmp_path: Path) -> None:
    target = parse_target(f"hf-cache:{tmp_path / 'hub'}")
    publish(target, CACHE)
    shutil.rmtree(next((tmp_path / "hub").glob("models--*/snapshots")) / TWO)
    found = held(target, CACHE)
    assert set(CACHE.content) - found == {f"snapshots/{TWO}/README.md"}
    assert asyncio.run(target.store().releases()) == ()


def test_a_tree_finds_what_was_not_replaced(tmp_path: Path) -> None:
    target = parse_target(f"tree:{tmp_path / 'srv'}")
    publish(target, TREE)
    assert held(target, TREE) == set(TREE.content)
    other = sample("tree", "manuals", {"a/b": b"next\n" * 60})  # as long as before
    target = parse_target(f"tree:{tmp_path / 'srv'}")
    publish(target, other, seq=2)
    assert held(target, TREE) == {"c"}
    assert [one.seq for one in asyncio.run(target.store().releases())] == [2]


def test_a_target_without_notes_holds_nothing_that_it_knows_of(tmp_path: Path) -> None:
    target = parse_target(f"tree:{tmp_path / 'srv'}")
    assert held(target, TREE) == set()
    publish(target, TREE)
    shutil.rmtree(tmp_path / "srv/.bundle")
    assert held(target, TREE) == set()
