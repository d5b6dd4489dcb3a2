"""JSON by a stranger: what is read, and every way to be refused."""

from __future__ import annotations

import json
import time
import tracemalloc

import msgspec
import pytest
from hypothesis import given, strategies as st

from bundle.errors import FormatError, LimitError
from bundle.limits import MAX_DEPTH, MAX_INTEGER
from bundle.wire import parse_json, read_json, read_moment, write_json, write_moment


class Point(msgspec.Struct):
    x: int
    label: str = ""


def nested(depth: int) -> list[object]:
    return [nested(depth - 1)] if depth > 1 else []


READ: dict[str, tuple[bytes, object]] = {
    "an object": (b'{"x": 1}', {"x": 1}),
    "an empty object": (b"{}", {}),
    "an empty list": (b"[]", []),
    "a string": (b'"a"', "a"),
    "null": (b"null", None),
    "a truth": (b"true", True),
    "blanks of all four kinds": (b' \t\r\n{"x"\n:\t1 }\n', {"x": 1}),
    "zero": (b"0", 0),
    "the largest integer": (b"9007199254740991", MAX_INTEGER),
    "the smallest integer": (b"-9007199254740991", -MAX_INTEGER),
    "brackets inside a string": (b'"[[[[[[[[[[[[[[[[[[[["', "[" * 20),
    "an escaped quote before brackets": (b'"\\"' + b"[" * 20 + b'"', '"' + "[" * 20),
    "an escaped backslash ends a string": (b'["\\\\",[]]', ["\\", []]),
    "a surrogate pair": (b'"\\ud83d\\ude00"', "\U0001f600"),
    "UTF-8 of four bytes": ("\U0001f600".join('""').encode(), "\U0001f600"),
    "an escaped backslash before u and d": (b'"\\\\ud800"', "\\ud800"),
    "the deepest nesting": (
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        nested(MAX_DEPTH),
    ),
    "many neighbours are not deep": (b"[" + b"[]," * 50 + b"[]]", [[]] * 51),
}

REFUSED = {
    # name: (bytes, class)
    "nothing": (b"", FormatError),
    "only blanks": (b"  ", FormatError),
    "a byte-order mark": (b"\xef\xbb\xbf{}", FormatError),
    "UTF-16": ('{"x": 1}'.encode("utf-16"), FormatError),
    "UTF-16 without a mark": ('{"x": 1}'.encode("utf-16-le"), FormatError),
    "UTF-32": ('{"x": 1}'.encode("utf-32"), FormatError),
    "Latin-1": (b'"caf\xe9"', FormatError),
    "overlong UTF-8": (b'"\xc0\xaf"', FormatError),
    "a surrogate in UTF-8": (b'"\xed\xa0\x80"', FormatError),
    "a code point past the last": (b'"\xf4\x90\x80\x80"', FormatError),
    "half a surrogate pair": (b'"\\ud800"', FormatError),
    "the other half": (b'"\\udc00"', FormatError),
    "half a pair in a member name": (b'{"\\uD800": 1}', FormatError),
    "halves in the wrong order": (b'"\\ude00\\ud83d"', FormatError),
    "a second document": (b"{} {}", FormatError),
    "a comma after the document": (b"{},", FormatError),
    "a NUL after the document": (b"{}\0", FormatError),
    "a letter after the document": (b"{}x", FormatError),
    "a member twice": (b'{"x": 1, "x": 1}', FormatError),
    "a member twice, escaped once": (b'{"x": 1, "\\u0078": 2}', FormatError),
    "a member twice, deep inside": (b'[{"a": {"x": 1, "y": 2, "x": 3}}]', FormatError),
    "an empty member name twice": (b'{"": 1, "": 2}', FormatError),
    "a fraction": (b'{"x": 1.0}', FormatError),
    "an exponent": (b'{"x": 1e3}', FormatError),
    "a huge exponent": (b"1e999999999", FormatError),
    "minus zero with a fraction": (b"-0.0", FormatError),
    "not a number": (b'{"x": NaN}', FormatError),
    "infinity": (b"Infinity", FormatError),
    "minus infinity": (b"-Infinity", FormatError),
    "an integer past the largest": (b"9007199254740992", LimitError),
    "an integer past the smallest": (b"-9007199254740992", LimitError),
    "an integer of a million digits": (b"9" * 1_000_000, LimitError),
    "an integer of 5,000 digits": (b"1" * 5000, LimitError),
    "a leading zero": (b"01", FormatError),
    "a leading plus": (b"+1", FormatError),
    "hexadecimal": (b"0x10", FormatError),
    "a bare minus": (b"-", FormatError),
    "digits with underscores": (b"1_000", FormatError),
    "Arabic digits": ("\u0661".encode(), FormatError),
    "lists one level too deep": (b"[" * (MAX_DEPTH + 1) + b"]" * 17, LimitError),
    "objects one level too deep": (b'{"a":' * 17 + b"1" + b"}" * 17, LimitError),
    "a million levels": (b"[" * 1_000_000, LimitError),
    "deep, hidden behind a string": (b'["\\\\",' + b"[" * 17 + b"]" * 18, LimitError),
    "an unclosed list": (b"[1", FormatError),
    "an unclosed object": (b'{"x": 1', FormatError),
    "an unclosed string": (b'"abc', FormatError),
    "a string that ends in a backslash": (b'"abc\\', FormatError),
    "a stray closing bracket": (b"]", FormatError),
    "mismatched brackets": (b"[}", FormatError),
    "a trailing comma in a list": (b"[1,]", FormatError),
    "a trailing comma in an object": (b'{"x": 1,}', FormatError),
    "a missing colon": (b'{"x" 1}', FormatError),
    "a missing value": (b'{"x":}', FormatError),
    "a number for a member name": (b"{1: 1}", FormatError),
    "a bare member name": (b"{x: 1}", FormatError),
    "single quotes": (b"{'x': 1}", FormatError),
    "a comment": (b'{"x": 1} // one', FormatError),
    "a block comment": (b'{/**/"x": 1}', FormatError),
    "a raw newline in a string": (b'"a\nb"', FormatError),
    "a raw NUL in a string": (b'"a\0b"', FormatError),
    "a raw escape character in a string": (b'"\x1b[31m"', FormatError),
    "an unknown escape": (b'"\\x41"', FormatError),
    "a short escape": (b'"\\u12"', FormatError),
    "a form feed as blank": (b"\x0c{}", FormatError),
    "a no-break space as blank": ("\u00a0{}".encode(), FormatError),
    "capital literals": (b"True", FormatError),
    "undefined": (b"undefined", FormatError),
}


@pytest.mark.parametrize(("data", "value"), READ.values(), ids=READ)
def test_reads(data: bytes, value: object) -> None:
    assert parse_json(data, limit=1 << 20, rule="2.5") == value


@pytest.mark.parametrize(("data", "error"), REFUSED.values(), ids=REFUSED)
def test_refuses(data: bytes, error: type[FormatError]) -> None:
    with pytest.raises(error, match=r"rule 2\.5") as caught:
        parse_json(data, limit=1 << 20, rule="2.5")
    assert type(caught.value) is error


def test_the_size_is_checked_first() -> None:
    assert parse_json(b'"ab"', limit=4, rule="2.5") == "ab"
    with pytest.raises(LimitError, match="4 bytes of JSON, over 3"):
        parse_json(b'"ab"', limit=3, rule="2.5")


HOSTILE = {
    "a string of escaped quotes that never ends": b'"' + b'\\"' * 250_000,
    "opening quotes and nothing else": b'"' * 500_000,
    "a long plain string": b'"' + b"A" * 2_000_000 + b'"',
    "backslashes without end": b'"' + b"\\" * 500_001,
    "a member repeated after a hundred thousand others": b"{"
    + b",".join(b'"%d":0' % number for number in range(50_000))
    + b',"49999":0}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_document_costs_one_pass(data: bytes) -> None:
    """Seconds where a scan that starts again takes hours; memory near the input's."""
    start = time.process_time()
    tracemalloc.start()
    try:
        parse_json(data, limit=1 << 22, rule="2.5")
    except FormatError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert time.process_time() - start < 10
    assert peak < 64 << 20


def test_types_are_checked_and_the_member_is_named() -> None:
    with pytest.raises(FormatError, match=r"\$\.x"):
        read_json(b'{"x": "1"}', Point, limit=100, rule="8.1")
    with pytest.raises(FormatError, match="missing required field `x`"):
        read_json(b"{}", Point, limit=100, rule="8.1")
    with pytest.raises(FormatError, match=r"rule 8\.1"):
        read_json(b'{"x": true}', Point, limit=100, rule="8.1")


def test_unknown_members_are_ignored() -> None:
    point = read_json(b'{"x": 1, "later": [{}]}', Point, limit=100, rule="8.1")
    assert point == Point(1)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_what_is_written_is_read(value: object) -> None:
    data = write_json(value)
    assert parse_json(data, limit=1 << 20, rule="2.5") == value
    assert write_json(parse_json(data, limit=1 << 20, rule="2.5")) == data


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_json(data, limit=1000, rule="2.5")
    except FormatError as error:
        refused_by = error.rule
    else:
        refused_by = "2.5"
    assert refused_by == "2.5"


def test_members_are_written_in_one_order() -> None:
    assert write_json({"b": 1, "a": 2}) == write_json({"a": 2, "b": 1})


MOMENTS = {
    "the epoch": ("1970-01-01T00:00:00Z", 0),
    "a billion seconds": ("2001-09-09T01:46:40Z", 1_000_000_000),
    "the last day of February": ("2028-02-29T23:59:59Z", 1_835_481_599),
    "the last second there is": ("9999-12-31T23:59:59Z", 253_402_300_799),
}
NOT_MOMENTS = {
    "empty": "",
    "a date alone": "2026-01-31",
    "an offset": "2026-01-31T12:00:00+00:00",
    "minus zero": "2026-01-31T12:00:00-00:00",
    "no zone": "2026-01-31T12:00:00",
    "small letters": "2026-01-31t12:00:00z",
    "a blank for T": "2026-01-31 12:00:00Z",
    "a fraction": "2026-01-31T12:00:00.0Z",
    "no seconds": "2026-01-31T12:00Z",
    "the basic form": "20260131T120000Z",
    "a week date": "2026-W05-6T12:00:00Z",
    "the thirtieth of February": "2026-02-30T00:00:00Z",
    "no leap year": "2027-02-29T00:00:00Z",
    "month 13": "2026-13-01T00:00:00Z",
    "month 0": "2026-00-01T00:00:00Z",
    "hour 24": "2026-01-31T24:00:00Z",
    "a leap second": "2016-12-31T23:59:60Z",
    "year 0": "0000-01-01T00:00:00Z",
    "before the epoch": "1969-12-31T23:59:59Z",
    "five digits of year": "12026-01-31T12:00:00Z",
    "Arabic digits": "٢٠٢٦-01-31T12:00:00Z",
    "a newline after": "2026-01-31T12:00:00Z\n",
    "a sign": "+2026-01-31T12:00:00Z",
}


@pytest.mark.parametrize(("text", "seconds"), MOMENTS.values(), ids=MOMENTS)
def test_moments_are_read_and_written(text: str, seconds: int) -> None:
    assert read_moment(text, rule="8.2") == seconds
    assert write_moment(seconds + 0.9) == text


@pytest.mark.parametrize("text", NOT_MOMENTS.values(), ids=NOT_MOMENTS)
def test_not_a_moment(text: str) -> None:
    with pytest.raises(FormatError, match=r"rule 8\.2"):
        read_moment(text, rule="8.2")


@given(st.integers(0, 253_402_300_799))
def test_every_second_has_one_text(seconds: int) -> None:
    assert read_moment(write_moment(seconds), rule="8.2") == seconds


def test_a_name_of_a_stranger_is_shown_in_one_line() -> None:
    """Whoever reads the message reads it on a terminal."""

    class Strict(msgspec.Struct, forbid_unknown_fields=True):
        x: int = 0

    odd = json.dumps({"a\tb\x1b[2J\u202e": 1}).encode()
    with pytest.raises(FormatError) as caught:
        read_json(odd, Strict, limit=100, rule="2.5")
    assert str(caught.value).isprintable()
    long = json.dumps({"a" * 5000: 1}).encode()
    with pytest.raises(FormatError) as caught:
        read_json(long, Strict, limit=10_000, rule="2.5")
    assert len(str(caught.value)) < 500
    with pytest.raises(FormatError) as caught:
        read_json(long[:-1] + b"," + long[1:], Strict, limit=20_000, rule="2.5")
    assert len(str(caught.value)) < 500
