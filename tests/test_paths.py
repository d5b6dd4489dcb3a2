"""Names and paths: what may be carried, judged by POSIX and by Windows at once."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given, strategies as st

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_NAME, MAX_PATH, MAX_PATH_DEPTH
from bundle.paths import check_distinct, check_path, check_slug, collision_key

GOOD_PATHS = [
    "a",
    "config.json",
    ".gitattributes",
    "..hidden",
    "...a",
    "snapshots/main/model-00001-of-00002.safetensors",
    "refs/pr/1",
    "a b/c d",
    " leading blank",
    "~",
    "$HOME",
    "%2e%2e",
    "-rf",
    "@scope/name",
    "con1",
    "console.log",
    "lpt",
    "nulls",
    "auxiliary/com10",
    "COM",
    "weights (copy)[1]{2};'&!#^`",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    "\N{CJK UNIFIED IDEOGRAPH-6A21}\N{CJK UNIFIED IDEOGRAPH-578B}",
    "\N{GRINNING FACE}",
    "a" * MAX_NAME,
    "/".join(["a"] * MAX_PATH_DEPTH),
    "/".join(["a" * 200] * 5),
]

DEVICES = ["con", "PRN", "Aux", "nul", "CONIN$", "conout$", "COM0", "com1", "LPT9"]
DEVICES += ["com\N{SUPERSCRIPT ONE}", "LPT\N{SUPERSCRIPT THREE}"]
BAD_COMPONENTS = {
    "empty": "",
    "dot": ".",
    "dot dot": "..",
    "drive letter": "C:",
    "backslash": "a\\b",
    "backslash dot dot": "..\\x",
    "alternate stream": "file:stream",
    "alternate data": "a::$DATA",
    "less than": "a<b",
    "greater than": "a>b",
    "quote": 'a"b',
    "pipe": "a|b",
    "question mark": "a?",
    "star": "*",
    "trailing dot": "a.",
    "three dots": "...",
    "trailing blank": "a ",
    "blank alone": " ",
    "dot dot blank": ".. ",
    "NUL": "a\0b",
    "newline": "a\nb",
    "tab": "a\tb",
    "escape": "\x1b[2J",
    "delete": "a\x7f",
    "C1 control": "a\x9b",
    "zero-width joiner": "a\N{ZERO WIDTH JOINER}b",
    "zero-width space": "a\N{ZERO WIDTH SPACE}",
    "right-to-left override": "gpj\N{RIGHT-TO-LEFT OVERRIDE}exe",
    "byte-order mark": "\N{ZERO WIDTH NO-BREAK SPACE}a",
    "soft hyphen": "a\N{SOFT HYPHEN}b",
    "line separator": "a\N{LINE SEPARATOR}b",
    "paragraph separator": "a\N{PARAGRAPH SEPARATOR}b",
    "language tag": "a\U000e0041",
    "256 bytes": "a" * (MAX_NAME + 1),
    "128 letters of two bytes": "\N{LATIN SMALL LETTER E WITH ACUTE}" * 128,
} | {
    f"device {device}{suffix}": f"{device}{suffix}"
    for device, suffix in itertools.product(
        DEVICES,
        ["", ".txt", ".tar.gz", " .txt"],
    )
}
PLACES = {"alone": "{}", "first": "{}/x", "middle": "x/{}/y", "last": "x/{}"}
CORPUS = {
    f"{what}, {where}": place.format(component)
    for (what, component), (where, place) in itertools.product(
        BAD_COMPONENTS.items(), PLACES.items()
    )
} | {
    "absolute": "/etc/passwd",
    "two slashes": "//host/share",
    "slash at the end": "a/",
    "slash in the middle twice": "a//b",
    "up and out": "../../etc/passwd",
    "up inside": "a/../../b",
    "drive path": "C:/Windows/win.ini",
    "UNC path": "\\\\host\\share",
    "device namespace": "//./COM1",
    "half a surrogate pair": "a\ud800",
    "file URL": "file:///etc/passwd",
}


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_path_may_be_carried(path: str) -> None:
    assert check_path(path, rule="2.3") == path


@pytest.mark.parametrize("path", CORPUS.values(), ids=CORPUS)
def test_path_is_refused(path: str) -> None:
    with pytest.raises(FormatError, match=r"rule 2\.3") as caught:
        check_path(path, rule="2.3")
    str(caught.value).encode()  # it can be printed


TOO_LONG = {
    "one byte too long": "/".join(["a" * 204] * 5) + "a",
    "one level too deep": "/".join(["a"] * (MAX_PATH_DEPTH + 1)),
    "a megabyte": "a" * (1 << 20),
    "a hundred thousand levels": "a/" * 100_000,
    "too long in bytes, not in letters": "\N{GRINNING FACE}/" * 20
    + "\N{GRINNING FACE}" * 240,
}


@pytest.mark.parametrize("path", TOO_LONG.values(), ids=TOO_LONG)
def test_path_is_too_long(path: str) -> None:
    with pytest.raises(LimitError) as caught:
        check_path(path, rule="2.3")
    assert len(str(caught.value)) < 1000


def test_the_longest_path_is_carried() -> None:
    path = "/".join(["a" * 204] * 5)
    assert len(path) == MAX_PATH
    assert check_path(path, rule="2.3") == path


@given(st.text(st.characters(exclude_characters="/"), max_size=40))
def test_an_accepted_name_is_safe_everywhere(name: str) -> None:
    try:
        check_path(name, rule="2.3")
    except FormatError:
        return
    assert name not in ("", ".", "..")
    assert not set(name) & set('\0\n\r\\:*?"<>|')
    assert not name.endswith((".", " "))
    assert all(unicodedata.category(char)[0] != "C" or ord(char) > 159 for char in name)
    assert 1 <= len(name.encode()) <= MAX_NAME


SLUGS = ["a", "7", "models-prod", "a.b-c", "x" * 64, "a..b", "a--b", "com10", "null"]
NOT_SLUGS = {
    "empty": "",
    "65 characters": "x" * 65,
    "a capital": "Models",
    "an underscore": "a_b",
    "a blank": "a b",
    "a slash": "a/b",
    "a dot first": ".a",
    "a dot last": "a.",
    "a dash first": "-a",
    "a dash last": "a-",
    "dot": ".",
    "dot dot": "..",
    "a newline last": "a\n",
    "a NUL": "a\0",
    "an umlaut": "m\N{LATIN SMALL LETTER O WITH DIAERESIS}del",
    "a fullwidth letter": "\N{FULLWIDTH LATIN SMALL LETTER A}",
    "con": "con",
    "nul with an extension": "nul.json",
    "com1": "com1",
    "lpt9.a": "lpt9.a",
}


@pytest.mark.parametrize("text", SLUGS)
def test_slug(text: str) -> None:
    assert check_slug(text, rule="2.2") == text


@pytest.mark.parametrize("text", NOT_SLUGS.values(), ids=NOT_SLUGS)
def test_not_a_slug(text: str) -> None:
    with pytest.raises(FormatError, match=r"rule 2\.2"):
        check_slug(text, rule="2.2")


@given(st.from_regex(r"[a-z0-9.-]{1,64}", fullmatch=True))
def test_every_slug_is_a_path(text: str) -> None:
    try:
        check_slug(text, rule="2.2")
    except FormatError:
        return
    assert check_path(text, rule="2.3") == text


COLLIDE = {
    "the same path twice": (["a/b", "a/b"], []),
    "capitals": (["README.md", "readme.MD"], []),
    "capitals in a directory": (["A/x", "a/y"], []),
    "capitals in a deep directory": (["m/Sub/x", "m/sub/y"], []),
    "composed and decomposed": (["caf\xe9", "cafe\u0301"], []),
    "composed and decomposed directories": (["caf\xe9/x", "cafe\u0301/y"], []),
    "sharp s": (["stra\xdfe", "strasse"], []),
    "capital sharp s": (["\u1e9e", "SS"], []),
    "a ligature": (["\ufb01le", "file"], []),
    "the Kelvin sign": (["\u212a", "k"], []),
    "the Angstrom sign": (["\u212b", "\xe5"], []),
    "final sigma": (["\u03c3", "\u03c2"], []),
    "fullwidth letters": (["\uff41", "a"], []),
    "a file and a directory": (["a", "a/b"], []),
    "a file and a directory in capitals": (["a", "A/b"], []),
    "a file and a deep directory": (["x/y", "x/y/z/w"], []),
    "a file and an empty directory": (["a"], ["a"]),
    "an empty directory in capitals": (["x/a"], ["X"]),
    "two empty directories in capitals": ([], ["a", "A"]),
    "an empty directory twice": ([], ["a", "a"]),
    "an empty directory above itself in capitals": ([], ["a/b", "A/c"]),
}
DISTINCT = {
    "nothing": ([], []),
    "neighbours": (["a/b", "a/c", "b/a"], []),
    "neighbours deep inside": (["one/two/x", "one/two/y", "one/z"], []),
    "a prefix that is no directory": (["a", "a.b/c", "ab/c"], []),
    "an empty directory beside": (["a/b"], ["a/c", "d"]),
    "one file name in two directories": (["a/x", "b/x"], []),
    "accents that differ": (["cafe", "caf\xe9"], []),
}


@pytest.mark.parametrize(("files", "directories"), COLLIDE.values(), ids=COLLIDE)
def test_collision(files: list[str], directories: list[str]) -> None:
    for some in (files, files[::-1]):
        with pytest.raises(FormatError, match=r"rule 2\.4"):
            check_distinct(some, directories, rule="2.4")


@pytest.mark.parametrize(("files", "directories"), DISTINCT.values(), ids=DISTINCT)
def test_distinct(files: list[str], directories: list[str]) -> None:
    check_distinct(files, directories, rule="2.4")
    check_distinct(files[::-1], directories[::-1], rule="2.4")


@given(st.text(max_size=30))
def test_a_collision_key_is_its_own_key(path: str) -> None:
    assert collision_key(collision_key(path)) == collision_key(path)


@given(st.text(max_size=30))
def test_normal_forms_collide(path: str) -> None:
    keys = {
        collision_key(unicodedata.normalize(form, path))
        for form in ("NFC", "NFD", "NFKC", "NFKD")
    }
    assert keys == {collision_key(path)}
