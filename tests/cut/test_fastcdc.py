"""Boundaries by content: the library against the rule, and pieces of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blake3 import blake3
from hypothesis import given, settings, strategies as st

from bundle.cut import fastcdc
from bundle.errors import BundleError
from bundle.limits import KIB
from tests.cut import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = blake3(b"content").digest(length=1024 * KIB)
INPUTS = {
    "random bytes": CONTENT[: 700 * KIB],
    "an odd number of them": CONTENT[: 300 * KIB - 1],
    "little variety": bytes(byte & 3 for byte in CONTENT[: 700 * KIB]),
    "numbered lines": b"".join(b"line %d\n" % number for number in range(50_000)),
    "zeros": bytes(600 * KIB),
    "random after zeros": bytes(100 * KIB) + CONTENT[: 200 * KIB],
}


@pytest.fixture
def fresh() -> Iterator[None]:
    fastcdc._chunker.cache_clear()
    yield
    fastcdc._chunker.cache_clear()


@pytest.mark.parametrize("data", INPUTS.values(), ids=INPUTS.keys())
def test_the_library_cuts_where_the_rule_says(data: bytes) -> None:
    assert fastcdc.boundaries(memoryview(data), final=True) == reference.ends(data)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 200 * KIB), st.integers(0, 120 * KIB))
def test_any_stretch_is_cut_where_the_rule_says(start: int, size: int) -> None:
    data = CONTENT[start : start + size]
    assert fastcdc.boundaries(memoryview(data), final=True) == reference.ends(data)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(INPUTS)), st.lists(st.integers(1, 500 * KIB)))
def test_pieces_of_a_stream_are_cut_like_the_whole(name: str, sizes: list[int]) -> None:
    data = INPUTS[name]
    found = []
    start = end = 0
    for size in sizes:
        end = min(len(data), end + size)
        ends = fastcdc.boundaries(memoryview(data)[start:end], final=False)
        found += [start + place for place in ends]
        start = found[-1] if found else 0
        assert end - start < fastcdc.MAX_SIZE
    rest = fastcdc.boundaries(memoryview(data)[start:], final=True)
    found += [start + place for place in rest]
    assert found == fastcdc.boundaries(memoryview(data), final=True)


def test_a_full_chunk_is_certain_before_the_end_is_known() -> None:
    data = memoryview(bytes(fastcdc.MAX_SIZE))
    assert fastcdc.boundaries(data, final=False) == [fastcdc.MAX_SIZE]
    assert fastcdc.boundaries(data[1:], final=False) == []


def test_nothing_has_no_boundary() -> None:
    assert fastcdc.boundaries(memoryview(b""), final=True) == []
    assert fastcdc.boundaries(memoryview(b""), final=False) == []


def test_an_insertion_moves_few_boundaries() -> None:
    before = set(chunks(CONTENT))
    after = chunks(CONTENT[: 500 * KIB] + b"inserted" + CONTENT[500 * KIB :])
    assert len([chunk for chunk in after if chunk not in before]) <= 2


def chunks(data: bytes) -> list[bytes]:
    ends = fastcdc.boundaries(memoryview(data), final=True)
    return [data[a:b] for a, b in zip([0, *ends], ends, strict=False)]


@pytest.mark.usefixtures("fresh")
def test_the_slow_fallback_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastcdc, "_Compiled", None)
    with pytest.raises(BundleError, match="without its compiled extension") as caught:
        fastcdc.boundaries(memoryview(CONTENT), final=True)
    assert "wheel" in caught.value.advice


@pytest.mark.usefixtures("fresh")
def test_a_library_that_cuts_elsewhere_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fastcdc, "_LEVEL", 1)
    with pytest.raises(BundleError, match=r"rule 11\.6") as caught:
        fastcdc.boundaries(memoryview(CONTENT), final=True)
    assert "another version" in caught.value.advice


@pytest.mark.usefixtures("fresh")
def test_the_self_test_is_right() -> None:
    probe = blake3(fastcdc._PROBE).digest(length=fastcdc._PROBE_SIZE)
    assert list(fastcdc._PROBE_ENDS) == reference.ends(probe)
