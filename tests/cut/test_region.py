"""Plans as columns."""

from __future__ import annotations

import numpy as np
import pytest

from bundle.codec.encoding import TEXT, elements
from bundle.cut.region import SMALL, Plan, PlanBuilder, Region, Rule, TensorRuns
from bundle.limits import MAX_CHUNK

BF16 = elements(2, 1)


def plan_of(*sizes: int) -> Plan:
    """Return the plan of tensors of those sizes, all of one kind."""
    builder = PlanBuilder(sum(sizes))
    runs = TensorRuns(builder)
    place = 0
    for size in sizes:
        runs.add(place, place + size, BF16)
        place += size
    return builder.finish()


def test_a_plan_is_columns_and_regions() -> None:
    builder = PlanBuilder(100)
    builder.add(0, Rule.FASTCDC, TEXT)
    builder.add(60, Rule.FIXED, BF16)
    plan = builder.finish()
    assert plan.starts.tolist() == [0, 60]
    assert plan.rules.tolist() == [Rule.FASTCDC, Rule.FIXED]
    assert plan.kinds.dtype == np.uint8
    assert list(plan.regions()) == [
        Region(0, 60, Rule.FASTCDC, TEXT),
        Region(60, 100, Rule.FIXED, BF16),
    ]


def test_an_empty_file_has_no_region() -> None:
    plan = PlanBuilder(0).finish()
    assert len(plan) == plan.size == 0
    assert list(plan.regions()) == []


@pytest.mark.parametrize(
    "starts",
    [[5], [0, 0], [0, 7, 6], [0, 10], [-1]],
    ids=["late", "twice", "back", "at the end", "before the start"],
)
def test_regions_out_of_place_are_refused(starts: list[int]) -> None:
    builder = PlanBuilder(10)
    for start in starts[:-1]:
        builder.add(start, Rule.FIXED, TEXT)
    with pytest.raises(ValueError, match="region at"):
        builder.add(starts[-1], Rule.FIXED, TEXT)


def test_a_file_without_regions_is_refused() -> None:
    with pytest.raises(ValueError, match="no region"):
        PlanBuilder(10).finish()


def test_small_tensors_make_one_chunk() -> None:
    assert plan_of(10, 20, SMALL - 1).rules.tolist() == [Rule.ATOM]


def test_a_large_tensor_ends_a_run() -> None:
    plan = plan_of(10, SMALL, 20, 30)
    assert plan.rules.tolist() == [Rule.ATOM, Rule.FIXED, Rule.ATOM]
    assert plan.starts.tolist() == [0, 10, 10 + SMALL]


def test_another_kind_ends_a_run() -> None:
    builder = PlanBuilder(60)
    runs = TensorRuns(builder)
    for start, kind in ((0, BF16), (20, elements(4, 1)), (40, elements(4, 1))):
        runs.add(start, start + 20, kind)
    assert builder.finish().starts.tolist() == [0, 20]


def test_a_run_is_no_larger_than_a_chunk() -> None:
    size = SMALL // 2
    count = MAX_CHUNK // size
    assert len(plan_of(*[size] * count)) == 1
    assert plan_of(*[size] * (count + 1)).starts.tolist() == [0, MAX_CHUNK]
    assert len(plan_of(*[size] * count, 1)) == 2


def test_tensors_without_bytes_are_passed_over() -> None:
    assert plan_of(0, 10, 0, 20, 0).rules.tolist() == [Rule.ATOM]
