"""What is remembered of a destination, and that losing it costs no more than bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bundle.errors import FormatError
from bundle.format.receipt import HeldRelease, StoreState
from bundle.state.destination import (
    MAX_SENT,
    Acknowledged,
    Destination,
    destinations_in,
    load_destination,
    save_destination,
)
from bundle.state.files import names_in

if TYPE_CHECKING:
    from pathlib import Path


def digest(number: int) -> str:
    return f"blake3:{number:064x}"


def acknowledged(
    created: str = "2026-01-01T00:00:00Z", store: str = "ab" * 16, generation: int = 1
) -> Acknowledged:
    held = (HeldRelease(2, digest(2)), HeldRelease(1, digest(1)))
    return Acknowledged("lab", StoreState(store, generation), created, held)


def test_nothing_is_known_of_a_new_destination(tmp_path: Path) -> None:
    assert load_destination(tmp_path, "lab") == Destination()
    assert destinations_in(tmp_path) == []
    assert names_in(tmp_path) == []


def test_what_is_saved_is_there_again(tmp_path: Path) -> None:
    one = Destination().with_sent(3, digest(3)).with_acknowledged(acknowledged())
    save_destination(tmp_path, "lab", one)
    assert load_destination(tmp_path, "lab") == one
    assert destinations_in(tmp_path) == [one]


def test_the_newest_that_were_sent_are_kept() -> None:
    one = Destination()
    for number in (*range(2, MAX_SENT + 5), 1):
        one = one.with_sent(number, digest(number))
    assert [sent.seq for sent in one.sent] == [*range(MAX_SENT + 4, 4, -1)]


def test_a_number_is_sent_once() -> None:
    one = Destination().with_sent(1, digest(1)).with_sent(1, digest(2))
    assert one.sent == (HeldRelease(1, digest(2)),)


LATER, EARLIER = "2026-01-02T00:00:00Z", "2025-12-31T00:00:00Z"

FOLLOWS = {
    "nothing before it": (acknowledged(), None, True),
    "itself again": (acknowledged(), acknowledged(), True),
    "an earlier one": (acknowledged(LATER), acknowledged(), True),
    "a later one": (acknowledged(EARLIER), acknowledged(), False),
    "one of a generation before": (
        acknowledged(EARLIER, generation=2),
        acknowledged(),
        True,
    ),
    "one of a generation after": (
        acknowledged(LATER),
        acknowledged(generation=2),
        False,
    ),
    "an earlier one of another store": (
        acknowledged(LATER, store="cd" * 16),
        acknowledged(generation=9),
        True,
    ),
    "a later one of another store": (
        acknowledged(EARLIER, store="cd" * 16, generation=9),
        acknowledged(),
        False,
    ),
}


@pytest.mark.parametrize(
    ("news", "before", "follows"), FOLLOWS.values(), ids=FOLLOWS.keys()
)
def test_news_follows(
    news: Acknowledged, before: Acknowledged | None, *, follows: bool
) -> None:
    assert news.follows(before) is follows


@pytest.mark.parametrize("data", [b"", b"{", b'{"sent": 1}', b"[]"])
def test_a_damaged_file_is_refused_and_named(tmp_path: Path, data: bytes) -> None:
    save_destination(tmp_path, "lab", Destination())
    (tmp_path / "to/lab.json").write_bytes(data)
    with pytest.raises(FormatError, match=r"lab\.json: damaged") as caught:
        load_destination(tmp_path, "lab")
    assert "remove it" in caught.value.advice
    save_destination(tmp_path, "other", Destination())
    (tmp_path / "to/.lab.json.12345678.tmp").touch()
    assert destinations_in(tmp_path) == [Destination()]


@pytest.mark.parametrize("name", ["", "..", "a/b", "Lab"])
def test_a_destination_is_a_slug(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"rule 2\.2"):
        load_destination(tmp_path, name)
