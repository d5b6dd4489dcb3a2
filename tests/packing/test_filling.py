"""A want is answered with the same release, carrying just what it names."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundle.digest import Digest, digest_of
from bundle.errors import FormatError, MissingError, UsageError
from bundle.format.want import Want
from bundle.limits import KIB
from bundle.packing.holdings import FarSide
from tests.bundles import Site, write_tree
from tests.deltas import Medium, Stream, chunks_of


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return Stream(Site(tmp_path))


def tree(stream: Stream, name: str = "tree", count: int = 3) -> Path:
    """Write a tree of files that share no chunk."""
    source = random.Random(name)
    files = {f"{name}-{n}.bin": source.randbytes(600 * KIB) for n in range(count)}
    return write_tree(stream.site.path / name, files)


def rows(ids: set[bytes]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return ids as the sorted rows of a want."""
    return np.frombuffer(b"".join(sorted(ids)), np.uint8).reshape(-1, 32)


def want(
    stream: Stream,
    medium: Medium,
    chunks: set[bytes],
    recipes: set[str] | None = None,
    release: Digest | None = None,
) -> Path:
    """Write a want of a medium's release."""
    digests = {Digest.parse(digest).raw for digest in recipes or ()}
    named = release or Digest.parse(medium.digest)
    path = stream.site.path / "want.bdw"
    path.write_bytes(Want(named, rows(digests), rows(chunks)).serialize())
    return path


def some(ids: set[bytes], count: int = 2) -> set[bytes]:
    return set(sorted(ids)[:count])


def test_it_carries_exactly_what_is_wanted(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    wanted = some(one.carried)
    answer = stream.pack(source, fill=want(stream, one, wanted))
    assert answer.carried == wanted
    assert (answer.required, answer.recipes) == (set(), {})
    assert answer.path.name == "models-prod-000001-fill-1"
    envelopes = [(one.path / "release.json"), (answer.path / "release.json")]
    assert envelopes[0].read_bytes() == envelopes[1].read_bytes()
    stream.site.verify(answer.path)


def test_a_wanted_recipe_comes_with_all_that_it_uses(stream: Stream) -> None:
    first, second = tree(stream), tree(stream, "second")
    one = stream.pack(first, second)
    digest = next(iter(one.recipes))
    answer = stream.pack(first, second, fill=want(stream, one, set(), {digest}))
    assert [*answer.recipes] == [digest]
    assert answer.carried == chunks_of(answer.recipes) < one.carried


def test_it_burns_no_number(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    for number in (1, 2):
        answer = stream.pack(source, fill=want(stream, one, some(one.carried)))
        assert answer.path.name.endswith(f"-fill-{number}")
    assert stream.pack(source).release.seq == 2


def test_a_want_of_a_release_before_the_last_is_answered(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    stream.pack(source, tree(stream, "second"))
    wanted = some(one.carried)
    answer = stream.pack(source, fill=want(stream, one, wanted))
    assert (answer.release.seq, answer.carried) == (1, wanted)


def test_a_dry_run_writes_nothing(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, some(one.carried))
    report = stream.site.pack(source, fill=path, dry_run=True)
    assert report.bundle is None
    assert 0 < report.new_bytes < 600 * KIB
    assert [path.name for path in stream.site.out.iterdir()] == [one.path.name]


def test_sources_that_lack_a_wanted_chunk_are_refused(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, one.carried)
    (source / "tree-1.bin").write_bytes(b"another content")
    with pytest.raises(MissingError, match="wanted chunks are not in these sources"):
        stream.pack(source, fill=path)
    assert [path.name for path in stream.site.out.iterdir()] == [one.path.name]


def test_a_release_that_is_not_remembered_is_refused(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, some(one.carried), release=digest_of(b"another"))
    with pytest.raises(MissingError, match="not remembered here"):
        stream.pack(source, fill=path)


def test_a_recipe_of_another_release_is_refused(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, set(), {str(digest_of(b"another"))})
    with pytest.raises(MissingError, match="recipes that release 1 does not have"):
        stream.pack(source, fill=path)


def test_a_recipe_that_is_lost_is_refused(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, set(), {*one.recipes})
    for recipe in stream.site.sender.rglob("*.bdr"):
        recipe.unlink()
    with pytest.raises(MissingError, match="not remembered here"):
        stream.pack(source, fill=path)


def test_what_is_no_want_is_refused(stream: Stream) -> None:
    source = tree(stream)
    stream.pack(source)
    with pytest.raises(FormatError):
        stream.pack(source, fill=source / "tree-1.bin")


@pytest.mark.parametrize(
    "more",
    [{"add": True}, {"after": Path("x")}, {"far": FarSide(dest="lab")}],
    ids=["--add", "--after", "--dest"],
)
def test_it_goes_with_nothing_that_makes_a_new_release(
    stream: Stream, more: dict[str, Any]
) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, some(one.carried))
    with pytest.raises(UsageError):
        stream.pack(source, fill=path, **more)


def test_an_interrupted_fill_leaves_nothing_finished(stream: Stream) -> None:
    source = tree(stream)
    one = stream.pack(source)
    path = want(stream, one, some(one.carried))
    (source / "gone.bin").symlink_to("nowhere")
    with pytest.raises(Exception, match=r"gone\.bin"):
        stream.pack(source, fill=path)
    (source / "gone.bin").unlink()
    assert stream.pack(source, fill=path).path.name.endswith("-fill-1")
