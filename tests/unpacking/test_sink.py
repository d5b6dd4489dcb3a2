from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bundle.errors import TargetError
from bundle.format.recipe import Recipe
from bundle.unpacking import sink
from bundle.unpacking.contents import Contents
from bundle.unpacking.sink import Discard, Staging
from tests.attacks.forgery import chunks, recipe

if TYPE_CHECKING:
    from pathlib import Path

CHUNKS = [bytes([number]) * (100 + number) for number in range(6)]


def _contents(count: int, *places: Path) -> Contents:
    """Return files of six chunks each, to be staged below each of ``places``."""
    files = {f"{n}": [bytes([n]) + CHUNKS[0], *CHUNKS[1:]] for n in range(count)}
    found = Recipe.parse(
        recipe(
            {path: [chunks(*parts)] for path, parts in files.items()},
            plain={path: b"".join(parts) for path, parts in files.items()},
        )
    )
    contents = Contents()
    for index in range(count):
        content = contents.add(found, index)
        content.places.extend(place / f"{index}" for place in places)
    contents.settle()
    return contents


def _plain(contents: Contents, row: int) -> bytes:
    number = int(contents.owners[row])
    first = contents.all[number].first_row
    return bytes([number]) + CHUNKS[0] if row == first else CHUNKS[row - first]


def _write(staging: Staging, contents: Contents, row: int) -> None:
    owner = contents.all[contents.owners[row]]
    staging.write(owner, int(contents.offsets[row]), _plain(contents, row))


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_many_files_are_put_together_with_few_of_them_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(sink, "OPEN_FILES", limit)
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        root.mkdir()
    contents = _contents(10, *roots)
    staging = Staging(contents)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names of descriptors
    rows = range(len(contents.lengths))
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda row: _write(staging, contents, row), reversed(rows)):
            assert (
                len(os.listdir("/proc/self/fd")) <= before + limit + 5  # noqa: PTH208
            )
    for row in rows:
        assert staging.read(row) == _plain(contents, row)
    for content in contents.all:
        staging.conclude(content)
    staging.close()
    staging.close()
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208 - as above
    for root in roots:
        for number in range(10):
            expected = bytes([number]) + b"".join(CHUNKS)
            assert (root / f"{number}").read_bytes() == expected


def test_everything_is_flushed_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def flushing(file: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{file}"))  # noqa: PTH115 - no path
        fsync(file)

    monkeypatch.setattr(os, "fsync", flushing)
    contents = _contents(1, tmp_path)
    staging = Staging(contents)
    _write(staging, contents, 0)
    staging.conclude(contents.all[0])
    assert flushed == [str(tmp_path / "0")]


def test_a_link_that_was_planted_in_staging_is_not_written_through(
    tmp_path: Path,
) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "0").symlink_to("precious")
    contents = _contents(1, tmp_path)
    with pytest.raises(TargetError):
        _write(Staging(contents), contents, 0)
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_a_flush_that_fails_is_an_error_of_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = _contents(1, tmp_path)
    staging = Staging(contents)
    _write(staging, contents, 0)

    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(TargetError, match="Input/output error"):
        staging.conclude(contents.all[0])
    staging.close()


def test_discarding_keeps_nothing_and_fetches_again() -> None:
    contents = _contents(1)
    asked: list[int] = []

    def fetch(row: int) -> bytes:
        asked.append(row)
        return _plain(contents, row)

    discard = Discard(fetch)
    discard.write(contents.all[0], 0, b"gone")
    discard.conclude(contents.all[0])
    assert discard.read(3) == CHUNKS[3]
    assert asked == [3]
    discard.close()
