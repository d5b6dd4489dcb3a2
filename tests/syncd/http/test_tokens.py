from __future__ import annotations

import pytest

from bundle.errors import UsageError
from syncd.http.tokens import Scope, identify, new_token, parse_tokens


def test_a_token_is_kept_as_a_hash_and_known_again() -> None:
    token, line = new_token("ops", [Scope.READ, Scope.OPERATE])
    assert token not in line
    (kept,) = parse_tokens(f"# ours\n\n{line}")
    assert kept.scopes == {Scope.READ, Scope.OPERATE}
    assert identify([kept], token) is kept


@pytest.mark.parametrize("presented", ["", "syncd_", "ops", "\ud800", "x" * 257])
def test_anything_else_is_nobody(presented: str) -> None:
    _, line = new_token("ops", [Scope.READ])
    assert identify(parse_tokens(line), presented) is None


@pytest.mark.parametrize(
    "line",
    [
        "ops read",
        "ops all " + "0" * 64,
        "ops read " + "0" * 63,
        "ops read " + "0" * 64 + " more",
        "Ops read " + "0" * 64,
    ],
)
def test_a_line_that_is_no_token_is_named(line: str) -> None:
    with pytest.raises(UsageError, match=r"^tokens:2: not a token$"):
        parse_tokens(f"# first\n{line}\n")


def test_two_of_one_name_are_refused() -> None:
    line = new_token("ops", [Scope.READ])[1]
    with pytest.raises(UsageError, match="tokens:2: a second token called 'ops'"):
        parse_tokens(line * 2)
