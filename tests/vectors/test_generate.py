"""The generator makes the checked-in vectors, and their container is read back."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from spec.vectors.generate import HERE, every
from spec.vectors.generator import container
from spec.vectors.generator.container import (
    Absent,
    Body,
    Link,
    Repeat,
    Same,
    accept,
    parse,
    refuse,
    render,
)
from tests.vectors.readers import READERS

if TYPE_CHECKING:
    from pathlib import Path

ROOT = HERE.parents[1]
TEXTS = every()


def checked_in() -> dict[str, bytes]:
    paths = [path for kind in READERS for path in (HERE / kind).iterdir()]
    paths += (HERE / "attacks").glob("*/*")
    paths.append(HERE / "attacks" / "INDEX.md")
    return {path.relative_to(HERE).as_posix(): path.read_bytes() for path in paths}


def test_the_generator_makes_every_vector_byte_for_byte(tmp_path: Path) -> None:
    program = [sys.executable, str(HERE / "generate.py"), str(tmp_path)]
    subprocess.run(program, check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
    made = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert sorted(made) == sorted(checked_in())
    assert made == checked_in()


def test_a_vector_that_is_no_longer_made_goes(tmp_path: Path) -> None:
    old = tmp_path / "slug" / "a_rule_that_is_gone"
    old.parent.mkdir()
    old.touch()
    generator = [sys.executable, str(HERE / "generate.py"), str(tmp_path)]
    subprocess.run(generator, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    assert not old.exists()


def test_the_generator_uses_nothing_of_the_package() -> None:
    uses = re.compile(r"^\s*(?:from|import) bundle\b", re.MULTILINE)
    for path in (HERE / "generator").rglob("*.py"):
        assert not uses.search(path.read_text())


def test_vectors_are_small_and_most_are_refused() -> None:
    assert sum(map(len, TEXTS.values())) < 900_000
    refused = [text for text in TEXTS.values() if "\nexpect: refused\n" in text]
    assert len(refused) > 2 * (len(TEXTS) - len(refused))


@pytest.mark.parametrize("path", TEXTS)
def test_a_vector_is_one_scenario_with_a_name(path: str) -> None:
    assert re.fullmatch(r"[a-z_]+/[a-z0-9_]{1,64}", path)
    vector = parse(TEXTS[path])
    assert vector.exit in (0, 10, 11, 12, 13)
    assert vector.comment.endswith((".", "?"))
    assert vector.names != vector.rules[0]


BODIES: dict[str, Body] = {
    "nothing": b"",
    "text": b'{"a":1}',
    "lines": b"a\nb\n",
    "lines, the last unfinished": b"a\nb",
    "an empty line": b"a\n\nb\n",
    "a blank at the end": b"a ",
    "a blank at the end of a line": b"a \nb",
    "an apostrophe": b"'a",
    "an at sign": b"@ a",
    "what looks like digits": b"00ff * 3",
    "zeros": bytes(1000),
    "other bytes": bytes(range(256)),
    "words that repeat": b"\0\1\2\3" * 99 + b"\0\1",
    "large": (b"[", Repeat(b"ab", 1 << 17), b"]"),
    "files": {
        "a": b"x",
        "b/c": Same("a"),
        "d": Link("../e"),
        "f": Absent(),
        "g": b"",
        "h": bytes(99),
    },
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_is_read_back(body: Body) -> None:
    vector = accept("kind", "name", "1.1.1", body, "Why.", value={"a": None})
    found = parse(render(vector))
    assert found.body == body
    assert render(found) == render(vector)


def test_a_body_that_was_changed_is_noticed() -> None:
    text = render(refuse("slug", "name", "2.2.1", b"ab", "Why."))
    with pytest.raises(ValueError, match="the body is"):
        parse(text.replace("'ab", "'ac"))


def test_the_example_of_a_vector_is_one() -> None:
    """The README shows the beginning of a file that is there."""
    (shown,) = re.findall(
        r"```\n(parse: .*?)\n```", (HERE / "README.md").read_text(), re.DOTALL
    )
    assert shown.endswith("…")
    starts = [text.startswith(shown[:-1]) for text in TEXTS.values()]
    assert starts.count(True) == 1


def test_the_docstring_of_the_container_is_right() -> None:
    import doctest  # noqa: PLC0415 - for this test alone

    assert doctest.testmod(container).failed == 0
