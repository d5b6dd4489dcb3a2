"""YAML that any reader takes for what was written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from bundle.rendering.yaml_text import documents, to_yaml

TEXT = st.text(max_size=12)
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, VALUES, max_size=3))
@settings(max_examples=60)
def test_a_document_reads_as_it_was_written(value: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


@pytest.mark.parametrize("word", ["true", "No", "null", "1", "1.5", "~", "", "a: b"])
def test_text_stays_text(word: str) -> None:
    assert yaml.safe_load(to_yaml({word: word})) == {word: word}


def test_documents_and_their_heading() -> None:
    text = documents({"a": 1}, {"b": [{"c": "d"}]}, heading="one\n\ntwo")
    assert text.startswith("# one\n#\n# two\na: 1\n---\n")
    assert [*yaml.safe_load_all(text)] == [{"a": 1}, {"b": [{"c": "d"}]}]
