"""Every rule of the specification has a vector, or a reason why it has none."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from spec.vectors.generate import HERE, every
from spec.vectors.generator.container import parse
from tests.vectors.readers import READERS

if TYPE_CHECKING:
    from pathlib import Path

README = (HERE / "README.md").read_text()
SPEC = HERE.parent
VECTORS = [parse(text) for text in every().values()]


def rules() -> list[str]:
    """Return the number of every rule, in the order of files."""
    pattern = re.compile(r"^\| (\d+(?:\.\d+){1,2}) \|", re.MULTILINE)
    paths = sorted(SPEC.glob("*.md"))
    return [rule for path in paths for rule in pattern.findall(path.read_text())]


def rows(columns: str) -> list[list[str]]:
    """Return the cells below a row of column names in the README."""
    _, _, rest = README.partition(f"\n| {columns} |\n|")
    table = rest.partition("\n\n")[0].splitlines()[1:]
    assert table, columns
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def covered() -> set[str]:
    return {rule for vector in VECTORS for rule in vector.rules}


def is_left_out(rule: str) -> bool:
    return any(
        rule == one or rule.startswith(f"{one}.") for one, _ in rows("rule | why")
    )


def test_every_rule_has_a_vector_or_a_reason() -> None:
    cut = {rule for rule, _, _ in rows("rule | file | case")}
    known = covered() | cut
    missing = [one for one in rules() if one not in known and not is_left_out(one)]
    assert not missing, f"no vector for {', '.join(missing)}"


def test_every_rule_that_a_vector_names_is_there() -> None:
    assert covered() <= {*rules()}


def test_no_rule_that_has_a_vector_is_left_out() -> None:
    assert not [rule for rule in covered() if is_left_out(rule)]
    for one, why in rows("rule | why"):
        assert any(rule == one or rule.startswith(f"{one}.") for rule in rules())
        assert why.endswith(".")


def test_every_case_of_cutting_is_there() -> None:
    for rule, file, name in rows("rule | file | case"):
        assert rule in rules()
        listed = json.loads((HERE / f"cutting/{file}.json").read_bytes())
        assert name in [case["name"] for case in listed]


def test_the_readme_describes_every_kind() -> None:
    described = [row[0].strip("`") for row in rows("`parse` | body | given | value")]
    assert sorted(described) == sorted(READERS)


def test_every_rule_that_refuses_has_a_vector_that_is_refused() -> None:
    """Rules that the readers name are shown broken, not only kept."""
    refused = {rule for vector in VECTORS if vector.exit for rule in vector.rules}
    code = "\n".join(path.read_text() for path in _pure())
    named = {rule for rule in rules() if f'"{rule}"' in code}
    assert not sorted(rule for rule in named - refused if not is_left_out(rule))


def _pure() -> list[Path]:
    package = SPEC.parent / "bundle"
    return [
        path
        for folder in ("codec", "format", "trust", "medium", "unpacking")
        for path in (package / folder).glob("*.py")
    ]
