"""Plans of parts: whole, within S3's bounds, and as small as they can be."""

from __future__ import annotations

from hypothesis import given, strategies as st

from bundle.limits import MAX_PARTS, MIB, MIN_PART
from bundle.s3.parts import COPY_PART, SEND_PART, Copy, Part, Send, plan_parts

SIZES = st.integers(1, 40 * MIB)


def sent(parts: list[Part]) -> int:
    return sum(part.size for part in parts if isinstance(part, Send))


def check(size: int, runs: list[Copy], parts: list[Part]) -> None:
    """Every byte once and in order, from where it is; parts as S3 takes them."""
    assert len(parts) <= MAX_PARTS
    offset = 0
    for part in parts:
        assert part.offset == offset
        offset += part.size
        if isinstance(part, Copy):
            assert any(
                run.key == part.key
                and run.offset <= part.offset
                and part.offset + part.size <= run.offset + run.size
                and part.source - run.source == part.offset - run.offset
                for run in runs
            )
    assert offset == size
    assert all(part.size >= MIN_PART for part in parts[:-1])


@given(st.lists(st.tuples(st.booleans(), SIZES), min_size=1, max_size=30))
def test_any_runs_make_parts(pieces: list[tuple[bool, int]]) -> None:
    runs, offset = [], 0
    for there, size in pieces:
        if there:
            runs.append(Copy(offset, size, f"old-{offset}", 3 * offset))
        offset += size
    parts = plan_parts(offset, runs)
    check(offset, runs, parts)
    changed = sum(size for there, size in pieces if not there)
    short = sum(run.size for run in runs if run.size < MIN_PART)
    # Of what a run is, at most what the gaps around it lack is sent again.
    gaps = sum(1 for there, _ in pieces if not there)
    long = [run for run in runs if run.size >= 4 * MIN_PART]
    if len(long) == len(runs):
        assert sent(parts) <= changed + short + gaps * MIN_PART


def test_a_file_alone_is_sent_in_equal_parts() -> None:
    assert plan_parts(7) == [Send(0, 7)]
    parts = plan_parts(SEND_PART + 1)
    assert [part.size for part in parts] == [MIN_PART, MIN_PART + 1]


def test_a_change_in_the_middle_costs_one_part() -> None:
    size, change = 256 * MIB, (100 * MIB, 102 * MIB)
    runs = [Copy(0, change[0], "old", 0), Copy(change[1], size - change[1], "old", 0)]
    parts = plan_parts(size, runs)
    assert sent(parts) == MIN_PART
    assert len(parts) == 3


def test_runs_that_are_too_short_are_sent() -> None:
    runs = [Copy(0, MIN_PART - 1, "old", 0)]
    assert plan_parts(2 * MIN_PART, runs) == [Send(0, 2 * MIN_PART)]


def test_the_longer_of_two_runs_is_copied() -> None:
    # The gap between them is no part, and neither has enough to give.
    runs = [
        Copy(0, MIN_PART, "old", 0),
        Copy(MIN_PART + 1, MIN_PART + 1, "old", MIN_PART + 1),
    ]
    parts = plan_parts(2 * MIN_PART + 2, runs)
    check(2 * MIN_PART + 2, runs, parts)
    assert parts[-1] == runs[1]


def test_what_grows_at_its_end_is_copied_whole() -> None:
    parts = plan_parts(COPY_PART + 9, [Copy(0, COPY_PART, "old", 0)])
    assert parts == [Copy(0, COPY_PART, "old", 0), Send(COPY_PART, 9)]


def test_there_are_never_more_parts_than_s3_takes() -> None:
    size = SEND_PART * MAX_PARTS * 5 // 2
    assert len(plan_parts(size)) <= MAX_PARTS
    runs = [
        Copy(number * 3 * MIN_PART, MIN_PART, "old", 0) for number in range(MAX_PARTS)
    ]
    end = runs[-1].offset + 2 * MIN_PART
    check(end, runs, plan_parts(end, runs))
