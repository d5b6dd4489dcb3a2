from __future__ import annotations

import msgspec
import pytest

from bundle.errors import UsageError
from bundle.limits import MAX_SETTINGS
from bundle.settings import read_settings


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    size: int = 1

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("a size is never negative")


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str = ""
    part: tuple[Part, ...] = ()
    limits: dict[str, int] = {}


def test_a_document_becomes_its_structure() -> None:
    text = b'title = "t"\n[[part]]\nname = "a"\n[[part]]\nname = "b"\nsize = 2\n'
    assert read_settings(text, Whole, "s") == Whole("t", (Part("a"), Part("b", 2)))


def test_an_empty_document_has_every_default() -> None:
    assert read_settings(b"", Whole, "s") == Whole()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("title = 7", "s:1: title: Expected `str`", id="wrong type"),
        pytest.param("\n\ntitel = 'x'", "s:3: settings: Object contains", id="unknown"),
        pytest.param(
            "[[part]]\nname = 'a'\n\n[[part]]\nsize = 3",
            "s:4: part[1]: Object missing required field `name`",
            id="a required one is missing",
        ),
        pytest.param(
            "[[part]]\nname = 'a'\n[[part]]\nname = 'b'\nsize = 'x'",
            "s:5: part[1].size: Expected `int`",
            id="wrong type in the second table",
        ),
        pytest.param(
            "[[part]]\nname = 'a'\nsize = -1",
            "s:1: part[0]: a size is never negative",
            id="the type itself refuses",
        ),
        pytest.param(
            'title = """\n[[part]]\n"""\n[limits]\nquick = "x"',
            "s:4: limits",
            id="a table inside long quotes is none",
        ),
        pytest.param("\n'title' = 7", "s:2: title", id="a quoted key"),
        pytest.param("title = ", "s:1: not TOML: Invalid value", id="no value"),
        pytest.param("a = 1\nb = [1,", "s:2: not TOML", id="ends too soon"),
        pytest.param("a = 1\na = 2", "s:2: not TOML: Cannot overwrite", id="twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings(text.encode(), Whole, "s")
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(UsageError, match="s:2: not UTF-8"):
        read_settings(b"a = 1\nb = '\xff'", Whole, "s")


def test_settings_of_one_byte_too_many_are_refused() -> None:
    text = b"#" * MAX_SETTINGS
    assert read_settings(text, Whole, "s") == Whole()
    with pytest.raises(UsageError, match="over 1048576"):
        read_settings(text + b"#", Whole, "s")


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(UsageError):
        read_settings(b"a = " + b"[" * 100_000, Whole, "s")
