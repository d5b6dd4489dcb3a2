"""spec/store.md, held to the code: its numbers and the rules that errors name."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "spec/store.md").read_text()
RULES: list[str] = re.findall(r"^\| (50\.\d+\.\d+) \|", SPEC, re.MULTILINE)


def order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))


def test_rules_are_numbered_in_order_without_a_gap() -> None:
    assert order(RULES[0]) == (50, 1, 1)
    for before, after in pairwise(map(order, RULES)):
        assert after in {
            (*before[:2], before[2] + 1),
            (50, before[1] + 1, 1),
            (50, before[1] + 2, 1),
        }


def test_every_rule_that_the_code_names_is_there() -> None:
    for path in sorted((ROOT / "bundle").rglob("*.py")):
        for rule in re.findall(r"\b50\.\d+\.\d+\b", path.read_text()):
            assert rule in RULES, f"{path.name} names {rule}"
    for rule in ("50.3.1", "50.3.2", "50.3.3", "50.3.4", "50.3.5"):
        assert rule in RULES


def test_every_rule_that_the_text_names_is_there() -> None:
    for rule in re.findall(r"\b50\.\d+\.\d+\b", SPEC):
        assert rule in RULES
