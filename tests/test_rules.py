"""Code and specification name the same rules, whichever chapter they are in."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
TEXTS = {path.name: path.read_text() for path in sorted((ROOT / "spec").glob("*.md"))}
SOURCES = sorted((ROOT / "bundle").rglob("*.py"))

RULE = re.compile(r"^\| (\d+(?:\.\d+){1,2}) \|", re.MULTILINE)
HEADING = re.compile(r"^#{1,3} (\d+(?:\.\d+)?) ", re.MULTILINE)
NUMBER = re.compile(r"[1-9]\d?(?:\.\d{1,2}){1,2}")

RULES = [rule for text in TEXTS.values() for rule in RULE.findall(text)]
SECTIONS = [number for text in TEXTS.values() for number in HEADING.findall(text)]
KNOWN = {*RULES, *SECTIONS}
CHAPTERS = {number.partition(".")[0] for number in SECTIONS}
ADDED = 50
"""From here on chapters are added, and code may come before the first of its text."""


def parts(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))


def is_known(number: str) -> bool:
    chapter = number.partition(".")[0]
    return number in KNOWN or (int(chapter) >= ADDED and chapter not in CHAPTERS)


def test_no_number_is_there_twice() -> None:
    numbers = Counter(RULES + SECTIONS)
    assert not [number for number, count in numbers.items() if count > 1]


@pytest.mark.parametrize("name", TEXTS)
def test_rules_follow_one_another_in_their_section(name: str) -> None:
    lines = re.findall(rf"{HEADING.pattern}|{RULE.pattern}", TEXTS[name], re.MULTILINE)
    section = ""
    rules: list[tuple[int, ...]] = []
    for heading, rule in lines:
        section = heading or section
        if rule:
            assert rule.rpartition(".")[0] == section
            rules.append(parts(rule))
    assert rules
    for before, after in pairwise(rules):
        same = before[:-1] == after[:-1]
        assert after[-1] == (before[-1] + 1 if same else 1)
        assert after > before


def named(path: Path) -> Iterator[tuple[int, str]]:
    """Give every number that the code of a module raises an error by."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "rule":
            if _is_text(node.value):
                yield node.value.lineno, ast.literal_eval(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if NUMBER.fullmatch(node.value):
                yield node.lineno, node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Record":
            yield from _of_a_record(node)


def _of_a_record(node: ast.Call) -> Iterator[tuple[int, str]]:
    """Give the five rules that every record has: see bundle.format.columns."""
    section = ast.literal_eval(node.args[1]) if _is_text(node.args[1]) else None
    last = 3 if section == "5.4" else 5
    if section:
        yield from ((node.lineno, f"{section}.{n}") for n in range(1, last + 1))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_rule_that_code_refuses_by_is_in_the_specification(path: Path) -> None:
    unknown = [
        f"line {line}: {rule}" for line, rule in named(path) if not is_known(rule)
    ]
    assert not unknown


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_rule_that_a_comment_names_is_in_the_specification(path: Path) -> None:
    text = path.read_text()
    found = re.findall(rf"(?:§|\brules? |\(rule |spec )({NUMBER.pattern})", text)
    found += re.findall(rf"\(({NUMBER.pattern})\)", text)
    assert all(map(is_known, found)), found


@pytest.mark.parametrize("name", TEXTS)
def test_every_reference_in_the_specification_leads_somewhere(name: str) -> None:
    lists = re.findall(r"\((\d+\.\d[\d., and]*)\)", TEXTS[name])
    found = {number for one in lists for number in NUMBER.findall(one)}
    assert all(map(is_known, found)), found


def test_code_refuses_by_most_rules_of_form() -> None:
    """The chapters about bytes are enforced, not only written."""
    raised = {rule for path in SOURCES for _, rule in named(path)}
    formal = [rule for rule in RULES if parts(rule)[0] in (3, 5, 6, 7, 8, 9, 10, 20)]
    assert len(raised & {*formal}) > len(formal) * 4 // 5


def test_no_two_kinds_of_file_begin_with_the_same_magic() -> None:
    pattern = re.compile(r"magic `((?:[0-9a-f]{2} ){3,7}[0-9a-f]{2})`")
    found = Counter(magic for text in TEXTS.values() for magic in pattern.findall(text))
    assert len(found) > 6
    assert not [magic for magic, count in found.items() if count > 1]
