from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from bundle.codec.erasure import (
    FastEncoder,
    PlainEncoder,
    Recovery,
    encoder_of,
    is_fast,
)

SHAPES = [(1, 1), (1, 20), (5, 3), (20, 2), (116, 12), (230, 25), (127, 128)]


def members_of(data: int, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    noise = random.Random(data).randbytes(data * size)
    return np.frombuffer(noise, np.uint8).reshape(data, size)


@pytest.mark.parametrize(("data", "parity"), SHAPES)
def test_the_library_computes_what_the_definition_says(data: int, parity: int) -> None:
    members = members_of(data, 48)
    fast = FastEncoder(data, parity).encode(members)
    assert (fast == PlainEncoder(data, parity).encode(members)).all()


def test_a_shard_of_many_windows_is_encoded_whole() -> None:
    members = members_of(3, (1 << 14) * 2 + 4096)
    fast = FastEncoder(3, 2).encode(members)
    assert (fast == PlainEncoder(3, 2).encode(members)).all()
    with pytest.raises(ValueError, match="multiple"):
        FastEncoder(3, 2).encode(members_of(3, 24))


def test_it_works_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_fast()
    assert isinstance(encoder_of(2, 1), FastEncoder)
    monkeypatch.setitem(sys.modules, "pyeclib.ec_iface", None)
    assert not is_fast()
    assert isinstance(encoder_of(2, 1), PlainEncoder)


@given(st.data())
def test_any_loss_up_to_the_parity_is_solved(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 40), "members")
    parity = data.draw(st.integers(1, 20), "parity")
    lost = data.draw(
        st.lists(st.integers(0, width - 1), unique=True, max_size=min(width, parity)),
        "lost",
    )
    rows = data.draw(st.permutations(range(parity)), "rows")[: len(lost)]
    members = members_of(width, 16)
    encoded = PlainEncoder(width, parity).encode(members)
    recovery = Recovery(width, lost, rows, 16)
    for member in range(width):
        if member not in lost:
            recovery.take_member(member, members[member])
    for row in rows:
        recovery.take_parity(row, encoded[row])
    found = recovery.solve()
    assert {key: value.tobytes() for key, value in found.items()} == {
        member: members[member].tobytes() for member in lost
    }


def test_a_loss_without_a_parity_shard_is_refused() -> None:
    with pytest.raises(ValueError, match="0 parity shards for 1"):
        Recovery(4, [1], [], 16)
