"""The checked-in vectors: still made by their generator, still obeyed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from blake3 import blake3

from bundle.limits import MAX_CHUNK
from spec.vectors.cutting import generate
from tests.cut import reference

CASES = {
    f"{name.removesuffix('.json')}: {case['name']}": case
    for name in generate.FILES
    for case in json.loads((generate.HERE / name).read_bytes())
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@pytest.mark.parametrize("name", generate.FILES)
def test_the_generator_makes_the_checked_in_bytes(name: str) -> None:
    made = generate.render(generate.FILES[name]())
    assert made == (generate.HERE / name).read_bytes()


@each_case
def test_a_case_describes_its_input(case: dict[str, Any]) -> None:
    data = generate.content(case["parts"])
    assert len(data) == case["size"]
    assert blake3(data).hexdigest() == case["blake3"]


@each_case
def test_the_chunks_follow_from_the_regions(case: dict[str, Any]) -> None:
    """Cut each region again, by the rules as they are written."""
    data = generate.content(case["parts"])
    starts = [start for start, _ in case["regions"]]
    found: list[int] = []
    for (start, rule), end in zip(
        case["regions"], [*starts[1:], len(data)], strict=False
    ):
        if rule == "FASTCDC":
            ends = [0, *reference.ends(data[start:end])]
        elif rule == "FIXED":
            ends = [*range(0, end - start, MAX_CHUNK), end - start]
        else:
            ends = [0, end - start]
        found += [b - a for a, b in pairwise(ends)]
    assert found == case["chunks"]
    assert sum(found) == len(data)
    assert all(0 < length <= MAX_CHUNK for length in found)


def test_every_file_here_is_generated() -> None:
    assert {path.name for path in generate.HERE.glob("*.json")} == {*generate.FILES}
