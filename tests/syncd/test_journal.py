from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bundle.errors import TargetError
from syncd import journal as module
from syncd.journal import Journal
from syncd.phases import Event, Need, Phase
from syncd.plan import Placement, Return

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCAL = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal.open(tmp_path, LOCAL)) as opened:
        yield opened


def test_a_bundle_goes_its_way(journal: Journal) -> None:
    journal.appeared("b", "/m/1", "x", 5.0)
    journal.happened("b", Event.BEGUN)
    lacking = {
        "need": Need.MEDIA,
        "reason": "need vol-00002",
        "name": "models",
        "seq": 3,
    }
    journal.happened("b", Event.LACKING, **lacking)
    (waiting,) = journal.arrivals()
    assert (waiting.phase, waiting.need, waiting.seq) == (Phase.WAITING, Need.MEDIA, 3)
    journal.appeared("b", "/m/2", "y", 6.0)
    (seen,) = journal.arrivals()
    assert (seen.phase, seen.places, seen.seen_at) == (
        Phase.SEEN,
        ("/m/1", "/m/2"),
        5.0,
    )
    journal.happened("b", Event.BEGUN)
    journal.happened("b", Event.TAKEN)
    journal.vanished("/m/1")
    (taken,) = journal.arrivals()
    assert (taken.phase, taken.need, taken.places) == (Phase.INGESTED, None, ("/m/2",))


def test_what_cannot_happen_changes_nothing(journal: Journal) -> None:
    journal.appeared("b", "/m", "x", 5.0)
    before = journal.arrivals()
    with pytest.raises(
        ValueError, match="taken cannot happen to a bundle that is seen"
    ):
        journal.happened("b", Event.TAKEN)
    with pytest.raises(ValueError, match="was never seen"):
        journal.happened("other", Event.BEGUN)
    assert journal.arrivals() == before


def test_a_directory_has_one_bundle_at_a_time(journal: Journal) -> None:
    journal.appeared("a", "/m", "x", 1.0)
    journal.appeared("b", "/m", "y", 2.0)
    assert [one.places for one in journal.arrivals()] == [(), ("/m",)]
    assert journal.stamps() == {"/m": ("b", "y")}


def test_together_is_all_or_nothing(journal: Journal) -> None:
    def fail() -> None:
        with journal.together():
            journal.write_note("a", "1")
            journal.placed(Placement("s", "t", "r"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert journal.note("a") == ""
    assert journal.placements() == ()


def test_it_is_there_again_after_it_was_closed(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path, LOCAL)) as journal:
        journal.placed(Placement("s", "t", "r", 2, 9.0, "why", "next"))
        journal.returned(Return("s", "r", 4))
        journal.ask("retry", {"bundle": "b"}, 1.0)
        journal.tell("seen", {"bundle": "b"}, 2.0)
    with closing(Journal.open(tmp_path, LOCAL)) as journal:
        assert journal.placements() == (
            Placement("s", "t", "r", 2, 9.0, "why", "next"),
        )
        assert journal.returns() == (Return("s", "r", 4),)
        assert journal.history() == [{"at": 2.0, "kind": "seen", "bundle": "b"}]
        ((number, verb, members),) = journal.requests()
        assert (verb, members) == ("retry", {"bundle": "b"})
        journal.answered(number)
        assert journal.requests() == []


def test_the_oldest_events_go(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    for number in range(10):
        journal.tell("seen", {"number": number}, float(number))
    assert [one["number"] for one in journal.history()] == [9, 8, 7]


def test_a_network_file_system_is_refused(tmp_path: Path) -> None:
    mounts = LOCAL + f"2 1 0:9 / {tmp_path} rw - nfs4 nas:/x rw\n"
    with pytest.raises(TargetError, match="a journal on nfs4 is not safe"):
        Journal.open(tmp_path, mounts)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(TargetError, match=r"journal\.sqlite: file is not a database"):
        Journal.open(tmp_path, LOCAL)
