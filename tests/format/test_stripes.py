from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from bundle.errors import FormatError, LimitError
from bundle.format.stripes import Stripes, shape_for, survival
from bundle.limits import MAX_GROUP, MAX_PARITY_SHARDS, WRITTEN_GROUP


@st.composite
def stripes(draw: st.DrawFn) -> Stripes:
    """Any shape there can be, most of them small enough to walk."""
    shards = draw(st.integers(1, 3000), "shards")
    least = -(-shards // (MAX_GROUP - 1))
    groups = draw(st.integers(least, shards), "groups")
    most = MAX_GROUP - -(-shards // groups)
    return Stripes(shards, groups, draw(st.integers(1, most), "parity"))


@given(stripes())
def test_every_shard_is_in_one_group_and_every_position_too(shape: Stripes) -> None:
    members = [one for group in range(shape.groups) for one in shape.members(group)]
    assert sorted(members) == list(range(shape.shards))
    places = [one for group in range(shape.groups) for one in shape.positions(group)]
    assert sorted(places) == list(range(shape.total))
    for group in range(shape.groups):
        assert len(shape.members(group)) in (shape.data, shape.data - 1)
        for number, shard in enumerate(shape.members(group)):
            assert shape.place(shard) == (group, number)


@given(stripes(), st.data())
def test_a_run_takes_no_more_from_a_group_than_it_has_parity(
    shape: Stripes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, shape.shards - shape.run), "start")
    losses = [0] * shape.groups
    for shard in range(start, start + shape.run):
        losses[shape.place(shard)[0]] += 1
    assert max(losses) <= shape.parity
    if shape.run < shape.shards - shape.groups:
        one_more = range(start % shape.groups, shape.shards, shape.groups)
        assert len(one_more) > shape.parity


@given(stripes(), st.lists(st.integers(1, 400), min_size=1, max_size=12), st.data())
def test_volumes_that_are_survived_leave_no_group_short(
    shape: Stripes, sizes: list[int], data: st.DataObject
) -> None:
    total = sum(sizes)
    shape = Stripes(total, min(max(shape.groups, -(-total // 254)), total), 1)
    room = MAX_GROUP - shape.data
    shape = Stripes(
        shape.shards, shape.groups, data.draw(st.integers(1, room), "parity")
    )
    found = survival(shape, sizes)
    lost = data.draw(st.permutations(range(len(sizes))), "lost")[: found.volumes]
    losses = [0] * shape.groups
    for number in lost:
        first = sum(sizes[:number])
        for shard in range(first, first + sizes[number]):
            losses[shape.place(shard)[0]] += 1
    assert max(losses) <= shape.parity


@given(st.integers(1, 10**8), st.integers(1, 100))
def test_a_writer_gives_what_was_asked_for_in_groups_it_can_hold(
    shards: int, percent: int
) -> None:
    if shards * percent > MAX_PARITY_SHARDS * 90:
        return
    shape = shape_for(shards, percent)
    assert shape.data + shape.parity <= WRITTEN_GROUP
    assert shape.total * 100 >= shards * percent
    assert (shape.parity - 1) * 100 < shape.data * percent


BAD = {
    "no shards": ((0, 1, 1), FormatError, "70.2.1"),
    "no groups": ((5, 0, 1), FormatError, "70.2.2"),
    "more groups than shards": ((5, 6, 1), FormatError, "70.2.2"),
    "no parity": ((5, 1, 0), FormatError, "70.2.3"),
    "a group of 256": ((250, 1, 6), FormatError, "70.2.3"),
    "more parity than files hold": ((1 << 29, 1 << 29, 200), LimitError, "70.2.4"),
}


@pytest.mark.parametrize(("values", "kind", "rule"), BAD.values(), ids=BAD.keys())
def test_stripes_are_refused_for(
    values: tuple[int, int, int], kind: type[FormatError], rule: str
) -> None:
    with pytest.raises(kind) as caught:
        Stripes(*values)
    assert caught.value.rule == rule


def test_it_is_said_in_words_what_is_survived() -> None:
    found = survival(shape_for(9217, 12), [1024] * 9)
    assert found.sentences() == (
        "any one lost volume of 9",
        "any 1,134 damaged MiB in a row, such as a torn tail",
        "any 14 damaged MiB, wherever the damage is",
    )
    assert found.advice() == ""


def test_it_is_said_what_a_lost_volume_would_take() -> None:
    found = survival(shape_for(9217, 5), [1024] * 9)
    assert found.volumes == 0
    assert found.advice() == "a lost volume is not survived: that takes 11 percent"
    assert survival(shape_for(9217, 11), [1024] * 9).volumes == 1
    assert survival(shape_for(9217, 10), [1024] * 9).volumes == 0


def test_one_volume_alone_is_survived_by_as_much_parity_or_never() -> None:
    assert survival(shape_for(2, 100), [1]).sentences()[0] == "its one volume lost"
    found = survival(Stripes(200, 1, 5), [199])
    assert found.advice() == "a lost volume is not survived: that takes 99 percent"
    assert survival(shape_for(1, 1), []).advice() == ""
    assert "any damaged MiB" in survival(shape_for(1, 1), []).sentences()[0]
    assert survival(shape_for(9217, 25), [1024] * 9).sentences()[0] == (
        "any 2 lost volumes of 9"
    )
