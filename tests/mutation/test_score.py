"""How many small changes to the verifier the tests notice (docs/mutation.md)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.operators import mutants

ROOT = Path(__file__).parents[2]
LEAST = 90
"""Mutants that have to be noticed, of a hundred."""


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("group", ["trust", "volume"])
def test_the_tests_notice_nine_of_ten_changes(group: str) -> None:
    """In a process of its own, which must not have imported the package."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.mutation.runner", group],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    noticed, made = re.findall(r"^(\d+) of (\d+) noticed", ran.stdout, re.MULTILINE)[-1]
    assert int(noticed) * 100 >= LEAST * int(made), ran.stdout


def test_a_mutant_differs_in_one_thing() -> None:
    source = (
        "def f(a: int, b: int) -> int:\n"
        "    if a < b and not b:\n"
        "        raise ValueError('no')\n"
        "    return a + 1\n"
    )
    found = [(one.line, one.what) for one in mutants(source)]
    assert found == [
        (2, "a condition is True"),
        (2, "a condition is False"),
        (2, "And is Or"),
        (2, "Lt is LtE"),
        (2, "Lt is GtE"),
        (2, "not is left out"),
        (3, "a statement is left out"),
        (4, "None is returned"),
        (4, "Add is Sub"),
        (4, "1 is 2"),
    ]
    sources = {one.source for one in mutants(source)}
    assert len(sources) == len(found)


def test_words_are_left_as_they_are() -> None:
    source = "def f(a: int = 3) -> str:\n    return f'{a + 1} of {2}'\n"
    changes = [one.what for one in mutants(source)]
    assert changes == ["3 is 4", "None is returned"]
