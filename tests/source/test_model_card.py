"""A card's licence is read without trusting the card."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from bundle.source.base import SourceFile
from bundle.source.model_card import MAX_LICENCE, licence_of, parse_licence
from tests.caches import real_model

CARDS = {
    "a plain scalar": ("---\nlicense: mit\n---\n", "mit"),
    "quotes": ("---\nlicense: 'apache-2.0'\n---\n", "apache-2.0"),
    "double quotes with a comment": ('---\nlicense: "mit" # ok\n---\n', "mit"),
    "a comment": ("---\nlicense: mit  # as is\n---\n", "mit"),
    "a list": ("---\nlicense:\n- mit\n- bsd-3-clause\n---\n", "mit, bsd-3-clause"),
    "an indented list": ("---\nlicense:\n  - mit\ntags:\n  - x\n---\n", "mit"),
    "a list in brackets": ("---\nlicense: [mit, 'x']\n---\n", "mit, x"),
    "other with a name": (
        "---\nlicense: other\nlicense_name: llama3\nlicense_link: LICENSE\n---\n",
        "other (llama3)",
    ),
    "other, name first": (
        "---\nlicense_name: llama3\nlicense: other\n---\n",
        "other (llama3)",
    ),
    "other without a name": ("---\nlicense: other\n---\n", "other"),
    "a name without other": ("---\nlicense: mit\nlicense_name: x\n---\n", "mit"),
    "line ends of Windows": ("---\r\nlicense: mit\r\n---\r\n", "mit"),
    "a byte-order mark": ("\ufeff---\nlicense: mit\n---\n", "mit"),
    "members of other objects": ("---\nx:\n  license: mit\n---\n", None),
    "items of other lists": ("---\nlicense: mit\ntags:\n- x\n---\n", "mit"),
    "no front matter": ("# Model\nlicense: mit\n", None),
    "front matter that never ends": ("---\nlicense: mit\n", None),
    "no licence": ("---\ntags: [x]\n---\n", None),
    "an empty licence": ("---\nlicense:\n---\n", None),
    "null": ("---\nlicense: null\n---\n", None),
    "an empty card": ("", None),
    "control characters": ("---\nlicense: m\x1b[31mit\n---\n", "m[31mit"),
    "a very long name": (f"---\nlicense: {'x' * 5000}\n---\n", "x" * MAX_LICENCE),
}


@pytest.mark.parametrize(("card", "licence"), CARDS.values(), ids=CARDS.keys())
def test_a_card_states_its_licence(card: str, licence: str | None) -> None:
    assert parse_licence(card) == licence


@given(st.text(alphabet="-\n\r license_name:[]'\"#,xé\x00", max_size=80))
def test_any_card_gives_a_short_printable_licence_or_none(text: str) -> None:
    licence = parse_licence(f"---\n{text}\n---\n")
    assert licence is None or (
        licence.isprintable() and len(licence) <= 2 * MAX_LICENCE
    )


def test_the_card_of_every_revision_counts_once() -> None:
    mit, bsd = b"---\nlicense: mit\n---\n", b"---\nlicense: bsd\n---\n"
    files = [
        SourceFile(f"snapshots/{commit}/{path}", card, len(card))
        for commit, path, card in [
            ("1" * 40, "README.md", mit),
            ("2" * 40, "README.md", mit),
            ("3" * 40, "README.md", bsd),
            ("4" * 40, "sub/README.md", b"---\nlicense: no\n---\n"),
        ]
    ]
    assert licence_of(files) == "mit; bsd"
    assert licence_of([]) is None


def test_the_card_of_a_real_model_is_read() -> None:
    card = real_model()["README.md"]
    file = SourceFile(f"snapshots/{'1' * 40}/README.md", card, 0)
    assert licence_of([file]) == "apache-2.0"
