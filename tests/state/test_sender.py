"""Numbers that are never used twice, whatever fails and whoever else packs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bundle.digest import digest_of
from bundle.errors import FormatError, MissingError, TargetError
from bundle.state.files import names_in
from bundle.state.sender import KEPT, Finished, find_stream, open_stream, streams_in
from tests.bundles import no_flushing

if TYPE_CHECKING:
    from pathlib import Path

ROOT = digest_of(b"root")


def test_a_stream_keeps_its_id(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "models-prod")
    assert open_stream(tmp_path, ROOT, "models-prod").id == stream.id
    assert len(bytes.fromhex(stream.id)) == 16


def test_looking_for_a_stream_writes_nothing(tmp_path: Path) -> None:
    assert find_stream(tmp_path, ROOT, "models-prod") is None
    assert names_in(tmp_path) == []
    stream = open_stream(tmp_path, ROOT, "models-prod")
    assert find_stream(tmp_path, ROOT, "models-prod") == stream


def test_streams_of_other_names_and_roots_are_others(tmp_path: Path) -> None:
    ids = {
        open_stream(tmp_path, root, name).id
        for root in (ROOT, digest_of(b"another"))
        for name in ("models-prod", "models-test")
    }
    assert len(ids) == 4


@pytest.mark.parametrize("name", ["", "..", "a/b", "Models", "con"])
def test_a_stream_name_is_a_slug(tmp_path: Path, name: str) -> None:
    with pytest.raises(FormatError, match=r"rule 2\.2"):
        open_stream(tmp_path, ROOT, name)
    assert names_in(tmp_path) == []


def test_numbers_rise_from_one(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    assert [stream.reserve() for _ in range(3)] == [1, 2, 3]
    assert open_stream(tmp_path, ROOT, "a").reserve() == 4


def test_asking_for_the_next_number_burns_none(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    assert [stream.next_seq(), stream.next_seq(), stream.reserve()] == [1, 1, 1]


def test_numbers_continue_after_a_release_from_elsewhere(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    assert stream.next_seq(41) == 42
    assert [stream.reserve(41), stream.reserve(41), stream.reserve()] == [42, 43, 44]
    assert stream.reserve(7) == 45


def test_a_number_is_burnt_whatever_became_of_it(tmp_path: Path) -> None:
    """A crash after the number was taken skips it; the release stays the last."""
    stream = open_stream(tmp_path, ROOT, "a")
    stream.finish(stream.reserve(), b"one")
    assert stream.reserve() == 2
    assert stream.reserve() == 3
    assert stream.last() == Finished(1, b"one")


def test_a_number_that_is_not_durable_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = open_stream(tmp_path, ROOT, "a")

    def fail(_descriptor: int) -> None:
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(TargetError):
            stream.reserve()
    assert stream.reserve() == 1


def test_packers_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    def pack(_: int) -> tuple[str, int]:
        stream = open_stream(tmp_path, ROOT, "a")
        return stream.id, stream.reserve()

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(pack, range(20)))
    assert len({identity for identity, _ in taken}) == 1
    assert sorted(number for _, number in taken) == list(range(1, 21))


def test_the_last_finished_releases_are_kept(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    assert stream.last() is None
    last = KEPT + 5
    with no_flushing():
        for number in range(1, last + 1):
            stream.finish(stream.reserve(), b"release %d" % number, keep=(2,))
    assert stream.last() == Finished(last, b"release %d" % last)
    assert stream.finished() == [2, *range(last - KEPT + 1, last + 1)]
    assert stream.read(2) == b"release 2"
    with pytest.raises(MissingError):
        stream.read(1)


def test_streams_of_all_roots_are_found(tmp_path: Path) -> None:
    assert list(streams_in(tmp_path)) == []
    made = {open_stream(tmp_path, root, "a") for root in (ROOT, digest_of(b"another"))}
    assert set(streams_in(tmp_path)) == made


def test_releases_that_finish_out_of_order(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    first, second = stream.reserve(), stream.reserve()
    stream.finish(second, b"two")
    stream.finish(first, b"one")
    assert stream.last() == Finished(2, b"two")


def test_finishing_what_was_not_begun_is_the_callers_mistake(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    with pytest.raises(ValueError, match="number 1 of a was not reserved"):
        stream.finish(1, b"")


def test_files_of_other_names_are_no_numbers(tmp_path: Path) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    for name in ("9.burnt", ".0000000000000009.burnt.ab.new", "x", "9" * 17 + ".burnt"):
        (stream.directory / name).touch()
    assert stream.reserve() == 1


@pytest.mark.parametrize("data", [b"", b"x" * 32, b"AB" * 16, b"ab" * 16 + b"\n"])
def test_a_damaged_id_is_refused(tmp_path: Path, data: bytes) -> None:
    stream = open_stream(tmp_path, ROOT, "a")
    (stream.directory / "id").write_bytes(data)
    with pytest.raises(FormatError, match=r"rule 30\."):
        open_stream(tmp_path, ROOT, "a")
