"""What stays of what a target was given."""

from __future__ import annotations

import pytest

from bundle.target.ledger import Applied, Given
from bundle.target.retention import divide, newest

A = Given("tree", "a", "blake3:" + "a" * 64)
A2 = Given("tree", "a", "blake3:" + "b" * 64)
B = Given("tree", "b", "blake3:" + "c" * 64)


def applied(stream: str, seq: int, *artifacts: Given) -> Applied:
    return Applied(stream * 32, stream, seq, f"{stream}{seq}", artifacts)


def test_each_stream_keeps_its_newest_in_the_order_of_publication() -> None:
    releases = (
        applied("1", 1, A),
        applied("2", 1, B),
        applied("1", 2, A),
        applied("1", 3, A),
    )
    assert [one.digest for one in newest(releases, 2)] == ["21", "12", "13"]
    assert [one.digest for one in newest(releases, 1)] == ["21", "13"]


def test_what_a_kept_release_has_stays() -> None:
    releases = (applied("1", 1, A, B), applied("1", 2, A2), applied("1", 3, A2))
    division = divide(releases, 2, in_place=False)
    assert set(division.kept) == {A2}
    assert set(division.gone) == {A, B}
    assert division.forgotten == {"11"}
    assert divide(releases, 3, in_place=False).gone == frozenset()


def test_in_place_only_the_newest_form_of_an_artifact_stays() -> None:
    releases = (applied("1", 1, A, B), applied("1", 2, A2))
    division = divide(releases, 2, in_place=True)
    assert set(division.kept) == {A2, B}
    assert set(division.gone) == {A}
    assert division.forgotten == frozenset()


@pytest.mark.parametrize("in_place", [False, True])
def test_another_stream_keeps_what_this_one_lost(*, in_place: bool) -> None:
    releases = (applied("1", 1, A), applied("2", 1, A), applied("1", 2, B))
    division = divide(releases, 1, in_place=in_place)
    assert division.gone == frozenset()
    assert division.forgotten == {"11"}
