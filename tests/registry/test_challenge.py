"""What a registry asks for before it answers."""

from __future__ import annotations

import pytest

from bundle.registry.challenge import challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("", {}, id="nothing"),
        pytest.param('Basic realm="r"', {"basic": {"realm": "r"}}, id="Basic"),
        pytest.param(
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            {
                "bearer": {
                    "realm": "https://a/t",
                    "service": "s",
                    "scope": "repository:a:pull,push",
                }
            },
            id="a scope has a comma of its own",
        ),
        pytest.param(
            'Bearer realm="x" , Basic realm="y"',
            {"bearer": {"realm": "x"}, "basic": {"realm": "y"}},
            id="two in one header",
        ),
        pytest.param(
            "BEARER Realm=x", {"bearer": {"realm": "x"}}, id="case is nothing"
        ),
        pytest.param(
            r'Bearer realm="a\"b"', {"bearer": {"realm": 'a"b'}}, id="a quoted quote"
        ),
        pytest.param('Bearer realm="x" "~', {"bearer": {"realm": "x"}}, id="rubbish"),
        pytest.param("Negotiate", {"negotiate": {}}, id="one without parameters"),
    ],
)
def test_challenges_are_read(header: str, expected: dict[str, object]) -> None:
    assert challenges(header) == expected
