"""The specification and the code name the same rules, and its examples hold."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import bundle
from bundle.trust import envelope
from bundle.trust.keys import PublicKey

PACKAGE = Path(bundle.__file__).parent
SPEC = PACKAGE.parent / "spec"
TEXTS = {name: (SPEC / name).read_text() for name in ("trust.md", "ordering.md")}
SOURCES = sorted(
    path for folder in ("trust", "state") for path in (PACKAGE / folder).glob("*.py")
)


def numbers(text: str) -> list[str]:
    return re.findall(r"^\| (\d+\.\d+\.\d+) \|", text, re.MULTILINE)


@pytest.mark.parametrize("name", TEXTS)
def test_rules_are_numbered_in_order(name: str) -> None:
    found = [tuple(map(int, rule.split("."))) for rule in numbers(TEXTS[name])]
    assert len(found) > 20
    assert found == sorted(set(found))
    for before, rule in pairwise(found):
        assert rule[2] == (before[2] + 1 if before[:2] == rule[:2] else 1)


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_every_rule_that_the_code_names_is_there(path: Path) -> None:
    rules = {rule for text in TEXTS.values() for rule in numbers(text)}
    named = re.findall(r"\b((?:2[0-6]|30)\.\d+(?:\.\d+)?)\b", path.read_text())
    sections = {rule.rpartition(".")[0] for rule in rules}
    assert set(named) <= rules | sections


def test_every_rule_that_is_refused_by_has_a_number_of_its_own() -> None:
    rules = {rule for text in TEXTS.values() for rule in numbers(text)}
    for path in SOURCES:
        for rule in re.findall(r'(?:rule=|, )"(\d+(?:\.\d+)+)"', path.read_text()):
            assert rule in rules or not rule.startswith(("2", "30")) or rule == "2.2"


def test_the_example_of_an_envelope_is_one() -> None:
    text = TEXTS["trust.md"]
    (data,) = re.findall(r"```json\n(.*)\n```", text)
    (key,) = re.findall(r"by the key `([0-9a-f]{64})`", text)
    verified = envelope.verify(
        data.encode(), envelope.RELEASE_TYPE, [PublicKey.parse(key)], 1, limit=1000
    )
    signed = envelope.pae(envelope.RELEASE_TYPE, verified.payload).decode()
    assert f"they are `{signed}`" in text


@pytest.mark.parametrize(
    "module", ["bundle.state.receiver", "bundle.state.keydir", "bundle.trust.chain"]
)
def test_tuf_is_not_imported_before_it_is_needed(module: str) -> None:
    """It takes a fifth of a second, which ``--help`` must not."""
    code = f"import sys, {module}; sys.exit('tuf' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)
