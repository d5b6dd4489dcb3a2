from __future__ import annotations

from typing import Any

import pytest

from bundle.errors import FormatError
from bundle.format.features import Features, check_features, check_head


def test_what_is_known_or_optional_is_accepted() -> None:
    check_features(("parity",), {"parity", "delta"})
    check_features(())
    document = {"format": 1, "features": {"optional": ["someday"]}, "more": [1]}
    check_head(document, (), noun="release")


def test_a_feature_that_is_missing_is_named() -> None:
    with pytest.raises(FormatError, match="does not have: delta, sparse") as caught:
        check_features(("sparse", "parity", "delta"), {"parity"})
    assert caught.value.rule == "8.2.4"
    assert caught.value.advice


BAD: dict[str, tuple[Any, str]] = {
    "not an object": ([], "8.2.1"),
    "no format": ({"features": {}}, "8.2.1"),
    "no features": ({"format": 1}, "8.2.1"),
    "a format in words": ({"format": "1", "features": {}}, "8.2.1"),
    "format true": ({"format": True, "features": {}}, "8.2.1"),
    "a format of the future": ({"format": 2, "features": {}}, "8.2.1"),
    "format 0": ({"format": 0, "features": {}}, "8.2.1"),
    "a feature that is no slug": (
        {"format": 1, "features": {"optional": ["A b"]}},
        "8.2.2",
    ),
    "a feature twice": (
        {"format": 1, "features": {"required": ["a"], "optional": ["a"]}},
        "8.2.3",
    ),
    "a feature that is not known": (
        {"format": 1, "features": {"required": ["a"]}},
        "8.2.4",
    ),
}


@pytest.mark.parametrize(("document", "rule"), BAD.values(), ids=BAD.keys())
def test_a_document_is_refused_for(document: object, rule: str) -> None:
    with pytest.raises(FormatError) as caught:
        check_head(document, (), noun="release")
    assert caught.value.rule == rule


def test_features_are_values() -> None:
    assert Features() == Features((), ())
    assert hash(Features(("a",), ("b",))) == hash(Features(("a",), ("b",)))
