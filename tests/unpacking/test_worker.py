from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from bundle.errors import IntegrityError, MissingError
from bundle.format.recipe import Recipe
from bundle.format.recipe_builder import Literal
from bundle.progress import Reporter
from bundle.unpacking.contents import Content, Contents
from bundle.unpacking.sink import Sink
from bundle.unpacking.stream import FrameStream
from bundle.unpacking.worker import Assembly
from tests.attacks.forgery import chunks, recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ONE, TWO, THREE = b"1" * 10, b"2" * 20, b"3" * 30
PARTS = (ONE, TWO, THREE, b"4" * 40)


class Memory(Sink):
    """Keeps contents in memory, and notes what was concluded."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.made = {one.number: bytearray(one.size) for one in contents.all}
        self.concluded: list[int] = []
        self.read_again: list[int] = []

    def write(self, content: Content, offset: int, data: memoryview | bytes) -> None:
        assert content.number not in self.concluded
        self.made[content.number][offset : offset + len(data)] = data

    def read(self, row: int) -> bytes:
        self.read_again.append(row)
        owner, offset = self._contents.owners[row], int(self._contents.offsets[row])
        return bytes(
            self.made[owner][offset : offset + int(self._contents.lengths[row])]
        )

    def conclude(self, content: Content) -> None:
        self.concluded.append(content.number)

    def close(self) -> None:
        """Keep it."""


def _assembly(
    files: Mapping[str, Sequence[bytes]], plain: Mapping[str, bytes] | None = None
) -> tuple[Assembly, Memory]:
    """Return an assembly that has begun; parts of under ten bytes are literals."""
    parts = {
        path: [Literal(one) if len(one) < 10 else chunks(one) for one in content]
        for path, content in files.items()
    }
    joined = {path: b"".join(content) for path, content in files.items()}
    found = Recipe.parse(recipe(parts, plain={**joined, **(plain or {})}))
    contents = Contents()
    for index in range(found.files):
        contents.add(found, index)
    contents.settle()
    sink = Memory(contents)
    assembly = Assembly(FrameStream([]), contents, sink, Reporter())
    assembly.begin()
    return assembly, sink


def _arrive(assembly: Assembly, sink: Memory, *rows: int) -> None:
    """Let chunks come as a worker would bring them."""
    by_length = {len(one): one for one in PARTS}
    arrived = {}
    for row in assembly.claim([*rows]):
        data = by_length[int(assembly.contents.lengths[row])]
        owner = assembly.contents.all[assembly.contents.owners[row]]
        sink.write(owner, int(assembly.contents.offsets[row]), data)
        arrived[row] = memoryview(data)
    for content in assembly.hash(arrived):
        assembly.conclude(content)


def test_what_needs_no_chunk_is_there_at_once() -> None:
    assembly, sink = _assembly({"empty": [], "few": [b"a", b"b"], "more": [ONE]})
    assert sink.concluded == [0, 1]
    assert bytes(sink.made[1]) == b"ab"
    assert [one.number for one in assembly.unfinished()] == [2]


def test_literals_that_lie_are_found_at_once() -> None:
    with pytest.raises(IntegrityError, match=r"^few: .*rule 6\.7"):
        _assembly({"few": [b"a"]}, plain={"few": b"b"})


def test_a_file_is_complete_when_its_last_chunk_comes() -> None:
    assembly, sink = _assembly({"a": [b"head", ONE, b"-", TWO, b"tail"]})
    _arrive(assembly, sink, 1)
    assert sink.concluded == []
    _arrive(assembly, sink, 0)
    assert sink.concluded == [0]
    assert bytes(sink.made[0]) == b"head" + ONE + b"-" + TWO + b"tail"
    assembly.check_complete()


def test_what_comes_in_order_is_not_read_again() -> None:
    assembly, sink = _assembly({"a": [ONE, TWO, THREE]})
    for row in range(3):
        _arrive(assembly, sink, row)
    assert sink.read_again == []
    assembly, sink = _assembly({"a": [ONE, TWO, THREE]})
    for row in reversed(range(3)):
        _arrive(assembly, sink, row)
    assert sink.read_again == [1, 2]


def test_a_chunk_counts_once_however_often_it_comes() -> None:
    assembly, sink = _assembly({"a": [ONE, TWO]})
    _arrive(assembly, sink, 0)
    assert assembly.claim([0, 1]) == [1]
    assert assembly.claim([0, 1]) == []


def test_chunks_that_make_another_file_are_refused_at_its_end() -> None:
    assembly, sink = _assembly({"a": [ONE, TWO]}, plain={"a": TWO + ONE})
    _arrive(assembly, sink, 0)
    with pytest.raises(IntegrityError, match=r"^a: .*rule 6\.7"):
        _arrive(assembly, sink, 1)
    assert sink.concluded == []


def test_what_did_not_come_is_counted() -> None:
    assembly, sink = _assembly({"a": [ONE, TWO], "b": [THREE], "c": [TWO, ONE]})
    _arrive(assembly, sink, 0, 2)
    with pytest.raises(
        MissingError, match="2 files, the first of them a, need 3 chunks"
    ):
        assembly.check_complete()


@settings(max_examples=60, deadline=None)
@given(
    files=st.lists(
        st.lists(st.sampled_from([*PARTS, b"lit", b"x"]), max_size=6), max_size=5
    ),
    seed=st.integers(0, 1000),
    together=st.integers(1, 5),
)
def test_the_order_in_which_chunks_come_does_not_matter(
    files: list[list[bytes]], seed: int, together: int
) -> None:
    named = {str(number): content for number, content in enumerate(files)}
    assembly, sink = _assembly(named)
    rows = [*range(len(assembly.contents.lengths))]
    random.Random(seed).shuffle(rows)
    for start in range(0, len(rows), together):
        _arrive(assembly, sink, *rows[start : start + together])
    assembly.check_complete()
    assert sorted(sink.concluded) == sorted(sink.made)
    made = {bytes(one) for one in sink.made.values()}
    assert made == {b"".join(content) for content in files}
