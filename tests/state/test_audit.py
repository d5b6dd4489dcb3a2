"""A log whose lines are bound to one another, whatever happens to it."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from bundle.digest import digest_of
from bundle.errors import IntegrityError, TargetError
from bundle.limits import MAX_AUDIT_LINE
from bundle.state import audit
from tests.trust.ceremony import NOW

if TYPE_CHECKING:
    from pathlib import Path


def lines(state: Path) -> list[bytes]:
    return (state / audit.NAME).read_bytes().splitlines(keepends=True)


def write(state: Path, found: list[bytes]) -> None:
    (state / audit.NAME).write_bytes(b"".join(found))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Five lines."""
    for number in range(5):
        audit.append(tmp_path / "state", "published", NOW + number, number=number)
    return tmp_path / "state"


def test_each_line_names_the_one_before(state: Path) -> None:
    found = [json.loads(line) for line in lines(state)]
    assert [one["seq"] for one in found] == [1, 2, 3, 4, 5]
    assert [one["number"] for one in found] == [0, 1, 2, 3, 4]
    before = [str(digest_of(line[:-1])) for line in lines(state)]
    assert [one["prev"] for one in found] == ["genesis", *before[:-1]]
    assert found[0]["time"] == "2027-01-15T08:00:00Z"
    assert audit.verify(state) == audit.Audited(5, before[-1], 0)


def test_it_is_for_its_owner_alone(state: Path) -> None:
    assert stat.S_IMODE((state / audit.NAME).stat().st_mode) == 0o600


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert audit.verify(tmp_path) == audit.Audited(0, "genesis", 0)
    with pytest.raises(IntegrityError, match=r"was cut off.*rule 27\.2\.2"):
        audit.verify(tmp_path, str(digest_of(b"x")))


@pytest.mark.parametrize("number", range(5))
def test_a_line_that_was_changed(state: Path, number: int) -> None:
    head = audit.verify(state).head
    found = lines(state)
    found[number] = found[number].replace(b"published", b"Published")
    write(state, found)
    with pytest.raises(IntegrityError, match=r"rule 27\.2\.[12]"):
        audit.verify(state, head)


@pytest.mark.parametrize("number", range(4))
def test_a_line_that_was_dropped_or_doubled_or_moved(state: Path, number: int) -> None:
    good = lines(state)
    for found in (
        good[:number] + good[number + 1 :],
        good[: number + 1] + good[number:],
        [*good[:number], good[number + 1], good[number], *good[number + 2 :]],
    ):
        write(state, found)
        with pytest.raises(IntegrityError, match=r"does not follow.*rule 27\.2\.1"):
            audit.verify(state)


def test_lines_that_were_cut_off_are_missed_by_who_noted_the_head(state: Path) -> None:
    head = audit.verify(state).head
    write(state, lines(state)[:3])
    audit.verify(state)
    with pytest.raises(IntegrityError, match=r"rule 27\.2\.2"):
        audit.verify(state, head)


def test_a_head_that_was_noted_long_ago_is_still_there(state: Path) -> None:
    head = audit.verify(state).head
    audit.append(state, "published", NOW)
    audit.verify(state, head)


def test_every_length_that_a_crash_can_leave(state: Path) -> None:
    good = b"".join(lines(state))
    last = len(lines(state)[-1])
    for size in range(len(good) - last, len(good)):
        (state / audit.NAME).write_bytes(good[:size])
        found = audit.verify(state)
        assert (found.entries, found.unfinished) == (4, size - len(good) + last)
        audit.append(state, "again", NOW)
        assert audit.verify(state).entries == 5
        assert audit.verify(state).unfinished == 0


def test_nothing_is_added_to_a_last_line_that_is_damaged(state: Path) -> None:
    write(state, [*lines(state), b"{}\n"])
    before = lines(state)
    with pytest.raises(IntegrityError, match="a line is damaged") as caught:
        audit.append(state, "published", NOW)
    assert "move this one away" in caught.value.advice
    assert lines(state) == before


def test_a_line_over_the_bound(state: Path) -> None:
    good = lines(state)
    write(state, [*good, b" " * MAX_AUDIT_LINE])
    assert audit.verify(state).unfinished == MAX_AUDIT_LINE
    for over in (b" " * (MAX_AUDIT_LINE + 1), b" " * (MAX_AUDIT_LINE + 1) + b"\n"):
        write(state, [*good, over])
        with pytest.raises(IntegrityError, match="over 65536"):
            audit.verify(state)
    write(state, [b" " * (3 * MAX_AUDIT_LINE)])
    with pytest.raises(IntegrityError, match="its end has no line"):
        audit.append(state, "published", NOW)


def test_several_that_write_at_once(tmp_path: Path) -> None:
    def write_some(number: int) -> None:
        for _ in range(20):
            audit.append(tmp_path, "published", NOW, number=number)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(write_some, number) for number in range(4)]:
            done.result()
    assert audit.verify(tmp_path).entries == 80


def test_what_is_long_is_cut(tmp_path: Path) -> None:
    audit.append(
        tmp_path,
        "refused",
        NOW,
        reason="\N{SNOWMAN}" * 5000,
        warnings=("x" * 5000,) * 100,
        signers=("\0" * 5000,) * 100,
        name="\udcff",
    )
    (line,) = lines(tmp_path)
    assert len(line) < MAX_AUDIT_LINE
    found = json.loads(line)
    assert (len(found["reason"]), len(found["warnings"])) == (1000, 32)
    assert found["name"] == "\\udcff"
    assert audit.verify(tmp_path).entries == 1


def test_a_detail_cannot_pass_for_what_every_line_has(tmp_path: Path) -> None:
    audit.append(tmp_path, "x", NOW, seq=7, prev="y", time="never")
    audit.verify(tmp_path)


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / audit.NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TargetError):
        audit.append(tmp_path, "published", NOW)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_line_that_was_not_flushed_is_no_line(tmp_path: Path) -> None:
    with (
        mock.patch.object(os, "fsync", side_effect=OSError(5, "input/output error")),
        pytest.raises(TargetError, match="input/output error"),
    ):
        audit.append(tmp_path, "published", NOW)


def test_where_there_are_no_locks_it_goes_on(tmp_path: Path) -> None:
    refusing = mock.Mock(side_effect=OSError(37, "no locks available"))
    with mock.patch("fcntl.flock", refusing):
        audit.append(tmp_path, "published", NOW)
    assert audit.verify(tmp_path).entries == 1
